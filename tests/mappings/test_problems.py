from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings import Definitions, MappingError
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
