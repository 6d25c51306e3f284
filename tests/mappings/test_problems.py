from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings import Definition, Definitions, MappingError
from mappings.problems import shown

SECRETS = ["Ada Lovelace", "12 Some Street", "ada@example.org", "+49 170 1234567", "SW1A 1AA"]


def all_texts(error: MappingError) -> str:
    return "\n".join([str(error), *map(str, error.problems), *map(repr, error.problems)])


def test_no_problem_quotes_the_data_of_a_person(definitions: Definitions) -> None:
    name, street, email, phone, postcode = SECRETS
    address: dict[str, Any] = {
        "first_name": [name],
        "last_name": "x",
        "address_1": [street],
        "city": {"name": street},
        "postcode": [postcode],
        "country": name,
        "phone": [phone],
        "email": [email],
    }
    payload = {
        "id": [email],
        "number": {"by": email},
        "status": f"ask {email} or {phone}",
        "customer_note": [name, street],
        "currency": "EUR",
        "total": f"{email}",
        "date_created_gmt": phone,
        "shipping": address,
        "billing": address,
        "line_items": [{"id": 1, "quantity": email, "total": phone}],
    }
    with pytest.raises(MappingError) as caught:
        definitions["woocommerce.orders"].apply(payload)
    told = all_texts(caught.value)
    assert not [secret for secret in SECRETS if secret in told]
    assert "ship_to.name" in told
    assert "ship_to.country: not a country code" in told
    assert "status: the value table 'status' does not know this value" in told


def test_the_payload_is_not_changed_by_mapping_it(definitions: Definitions) -> None:
    payload = {"id": 1, "line_items": [{"id": 1, "quantity": "x"}], "shipping": {"city": "Ulm"}}
    before = copy.deepcopy(payload)
    with pytest.raises(MappingError):
        definitions["woocommerce.orders"].apply(payload)
    assert payload == before


@given(st.text() | st.lists(st.text()) | st.dictionaries(st.text(), st.text()) | st.floats())
def test_what_is_shown_is_short_and_what_is_personal_is_not_shown(value: object) -> None:
    assert len(shown(value)) <= 60
    hidden = shown(value, personal=True)
    assert not isinstance(value, str) or hidden == f"text of {len(value)} characters"
    assert len(hidden) <= 60


def test_a_problem_of_a_nested_record_names_the_line_that_says_so(
    define: Callable[[str], Definition],
) -> None:
    definition = define("""target = "Shipment"
[fields]
reference = "ref"
external_id = "id"
state = { value = "shipped" }
[[each.packages]]
from = "boxes"
when = "length(weight)"
[each.packages.fields]
tracking_number = "no"
[[each.packages]]
from = "bags"
unique = "tracking_number"
[each.packages.fields]
tracking_number = "no"
carrier = "by"
[[each.packages]]
from = "crates"
[each.packages.fields]
tracking_number = "no"
""")
    bags = [{"no": 1, "by": "x"}, {"no": 1, "by": "y"}]
    payload = {"ref": "R", "boxes": [{"no": 1, "weight": 3}], "bags": bags, "crates": "many"}
    with pytest.raises(MappingError) as caught:
        definition.apply(payload)
    told = [(problem.field, problem.expression, problem.line) for problem in caught.value.problems]
    assert told == [
        ("external_id", "id", 7),
        ("packages", "length(weight)", 11),
        ("packages[1].tracking_number", "", 15),
        ("packages", "crates", 21),
    ]
    assert {problem.file for problem in caught.value.problems} == {"test.it.toml"}
