"""A definition that extends another one: what it says itself, and else what that one says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mappings import Definition, Definitions, DefinitionsInvalid, MappingError
from mappings.shelf import CHAIN

Write = Callable[..., Path]
Faults = Callable[..., list[str]]

SHIPMENT = """target = "Shipment"
[fields]
reference = "ref"
external_id = "id"
state = { from = "state", values = "state" }
carrier = { from = "carrier", optional = true }
[[each.packages]]
from = "boxes"
when = "no"
[each.packages.fields]
tracking_number = "no"
carrier = { value = "box" }
[[each.packages]]
from = "pallets"
[each.packages.fields]
tracking_number = "pro"
[each.packages.each.lines]
from = "items"
[each.packages.each.lines.fields]
sku = "sku"
quantity = { from = "qty", as = "quantity" }
[values.state]
[values.state.map]
processing = ["new", "open"]
shipped = ["done"]
"""
PAYLOAD: dict[str, Any] = {
    "ref": "S1",
    "id": "7",
    "state": "done",
    "carrier": "dhl",
    "boxes": [{"no": "1"}],
    "pallets": [{"pro": "P1", "items": [{"sku": "A", "qty": 2}]}],
}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a definition ``test.NAME``; the first is one that the others may extend."""

    def made(name: str, body: str, version: int = 1) -> Path:
        file = tmp_path / f"test.{name}.toml"
        head = f'schema = 1\nname = "test.{name}"\nversion = {version}\n'
        file.write_text(head + body, encoding="utf-8")
        return file

    made("base", SHIPMENT)
    return made


@pytest.fixture
def extend(write: Write, tmp_path: Path) -> Callable[[str], Definition]:
    def made(body: str) -> Definition:
        write("it", f'extends = "test.base"\n{body}', version=2)
        return Definitions.of(sorted(tmp_path.glob("*.toml")))["test.it"]

    return made


Extend = Callable[[str], Definition]


@pytest.fixture
def faults(extend: Extend) -> Faults:
    def told(body: str) -> list[str]:
        with pytest.raises(DefinitionsInvalid) as caught:
            extend(body)
        return [str(problem) for problem in caught.value.problems]

    return told


def record(definition: Definition, **changes: Any) -> Any:
    return definition.apply(PAYLOAD | changes).record


def test_what_is_not_said_is_that_of_the_extended_definition(extend: Extend) -> None:
    definition = extend('[fields]\ncarrier = { value = "ups" }')
    made = record(definition)
    assert (made.reference, made.state, made.carrier) == ("S1", "shipped", "ups")
    assert [package.tracking_number for package in made.packages] == ["1", "P1"]
    assert (definition.target, definition.file) == ("Shipment", "test.it.toml")


def test_a_rule_replaces_the_whole_rule(extend: Extend) -> None:
    definition = extend('[fields]\nstate = { value = "exception" }')
    assert record(definition, state="never heard of").state == "exception"


def test_a_field_can_be_removed(extend: Extend) -> None:
    assert record(extend("[fields]\ncarrier = { remove = true }")).carrier == ""


def test_spellings_are_added_moved_and_removed(extend: Extend) -> None:
    definition = extend("""
[values.state]
remove = ["new"]
[values.state.map]
processing = ["packing"]
cancelled = ["open"]
""")
    states = {state: record(definition, state=state).state for state in ("packing", "open", "done")}
    assert states == {"packing": "processing", "open": "cancelled", "done": "shipped"}
    with pytest.raises(MappingError, match="does not know this value, found 'new'"):
        record(definition, state="new")


def test_what_happens_otherwise_can_be_changed(extend: Extend) -> None:
    definition = extend('[values.state]\notherwise = "exception"')
    assert record(definition, state="odd").state == "exception"
    assert record(definition, state="done").state == "shipped"


def test_one_of_several_records_is_named_by_what_it_reads(extend: Extend) -> None:
    definition = extend("""
[[each.packages]]
extends = "pallets"
when = "pro != 'P0'"
[each.packages.fields]
carrier = { value = "freight" }
[each.packages.each.lines.fields]
sku = "number"
""")
    pallets = [{"pro": "P0"}, {"pro": "P1", "items": [{"number": "B", "qty": 1}]}]
    box, pallet = record(definition, pallets=pallets).packages
    assert (box.carrier, pallet.carrier, pallet.tracking_number) == ("box", "freight", "P1")
    assert [(line.sku, line.quantity) for line in pallet.lines] == [("B", 1)]


def test_a_further_source_is_added_and_another_one_removed(extend: Extend) -> None:
    definition = extend("""
[[each.packages]]
extends = "boxes"
remove = true
[[each.packages]]
from = "letters"
[each.packages.fields]
tracking_number = "code"
""")
    made = record(definition, letters=[{"code": "L1"}])
    assert [package.tracking_number for package in made.packages] == ["P1", "L1"]


def test_all_records_of_a_name_can_be_removed(extend: Extend) -> None:
    assert record(extend("[each.packages]\nremove = true")).packages == ()


def test_a_single_nested_record_needs_no_name(write: Write, tmp_path: Path) -> None:
    base = 'extends = "woocommerce.orders"\n'
    write(
        "it", f'{base}[one.bill_to]\nwhen = "last_name"\n[one.bill_to.fields]\nname = "last_name"'
    )
    definition = Definitions.of(tmp_path.glob("*it.toml"))["test.it"]
    ours = definition.spec.record.ones["bill_to"][0]
    assert (ours.source, ours.when) == ("billing", "last_name")
    assert {field.name: field.source for field in ours.fields}["name"] == "last_name"
    assert len(ours.fields) == 10


def test_requests_are_extended_by_their_paths(write: Write, tmp_path: Path) -> None:
    write(
        "sent",
        'target = "request"\nsource = "StockUpdate"\n[fields]\n"a.qty" = "quantity"\n'
        '"a.sku" = "external_sku"\na.old = "external_sku"\n',
    )
    write(
        "it", 'extends = "test.sent"\n[fields]\na.qty = { value = 1 }\n"a.old" = { remove = true }'
    )
    spec = Definitions.of(tmp_path.glob("*.toml"))["test.it"].spec
    assert {field.name: field.source for field in spec.record.fields} == {
        "a.qty": None,
        "a.sku": "external_sku",
    }


def test_an_extension_of_an_extension_works(write: Write, tmp_path: Path) -> None:
    write("mid", 'extends = "test.base"\n[fields]\ncarrier = { value = "ups" }', version=3)
    write("it", 'extends = "test.mid"\n[fields]\nexternal_id = "other"', version=2)
    definition = Definitions.of(tmp_path.glob("*.toml"))["test.it"]
    made = record(definition, other="8")
    assert (made.carrier, made.external_id, made.reference) == ("ups", "8", "S1")
    assert (definition.version, definition.spec.chain) == ("2+3+1", ("test.mid", "test.base"))


def test_the_version_changes_with_that_of_the_extended_definition(
    extend: Extend, write: Write
) -> None:
    assert extend("").version == "2+1"
    write("base", SHIPMENT, version=7)
    assert extend("").version == "2+7"


def test_a_file_may_extend_the_shipped_one_of_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "woocommerce.orders.toml").write_text(
        'schema = 1\nname = "woocommerce.orders"\nversion = 2\nextends = "woocommerce.orders"\n'
        '[fields]\nnote = { from = "gift_note", as = "strip_html", optional = true }\n'
    )
    found = Definitions.load(overrides=tmp_path)
    shipped = Definitions.load()
    assert found["woocommerce.orders"].version == f"2+{shipped['woocommerce.orders'].version}"
    assert len(found) == len(shipped)
    with pytest.raises(MappingError) as caught:
        found["woocommerce.orders"].apply({"id": 1, "gift_note": [1]})
    places = {problem.field: problem.file for problem in caught.value.problems}
    assert places["note"] == "woocommerce.orders.toml"
    assert places["currency"] == "shipped/woocommerce.orders.toml"


def test_a_problem_names_the_file_and_line_that_say_so(extend: Extend, tmp_path: Path) -> None:
    definition = extend('[fields]\n# ours\ncarrier = { from = "by", as = "lower" }')
    with pytest.raises(MappingError) as caught:
        definition.apply({"ref": "S1", "id": "7", "state": "odd", "by": [], "boxes": "many"})
    told = {problem.field: (problem.file, problem.line) for problem in caught.value.problems}
    base = SHIPMENT.splitlines()
    assert told == {
        "carrier": ("test.it.toml", 7),
        "state": ("test.base.toml", 4 + base.index('state = { from = "state", values = "state" }')),
        "packages": ("test.base.toml", 4 + base.index('from = "boxes"')),
    }


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("[fields]\ncarier = { remove = true }", "there is no 'carier' to remove, did you mean"),
        ("[fields]\nreference = { remove = true }", "Shipment.reference is required, but not"),
        ("[fields]\ncarrier = { remove = true, from = 'x' }", "remove = true stands alone"),
        (
            "[[each.packages]]\nextends = 'boxes'\nremove = true\nwhen = 'x'",
            "beside remove = true only extends may stand",
        ),
        ("[values.state]\nremove = ['gone']", "there is no spelling 'gone' to remove"),
        ("[values.state]\nremove = 'new'", "must list spellings"),
        ("[values.state.map]\nshipped = 'x'", "shipped must list the spellings"),
        ("[values.state.map]\nshiped = ['x']", "'shiped' is not one of"),
        ("[values.other.map]\nshipped = ['x']", "values.other: no field uses this table"),
        (
            "[each.packages.fields]\ncarrier = 'x'",
            "there are 2 of these: write [[each.packages]] with extends = 'boxes' or 'pallets'",
        ),
        (
            "[[each.packages]]\nextends = 'box'",
            "none of these records read 'box', they read 'boxes' or 'pallets'",
        ),
        ("[[each.packages]]\nremove = true", "nothing to remove: say which, extends = 'boxes' or"),
        ("[[each.packages]]\nextends = 'boxes'\nform = 'x'", "unknown key 'form', did you mean"),
        ('target = "Order"', "cannot be changed by extending, and test.base has 'Shipment'"),
        ('source = "StockUpdate"', "cannot be changed by extending, and it has none"),
        ("fields = 1", "fields: must be a table"),
        ("each = 1", "each: must be a table"),
        ("values = 1", "values: must be a table"),
        ("[each]\npackages = 1", "each.packages: must be a table, or an array of tables"),
    ],
)
def test_what_does_not_fit_is_told_with_file_and_line(
    faults: Faults, body: str, fault: str
) -> None:
    told = faults(body)
    assert any(fault in one and one.startswith("test.it.toml:") for one in told), told


def test_a_fault_of_the_extended_definition_is_told_once_and_there(
    write: Write, faults: Faults
) -> None:
    write("base", SHIPMENT.replace('sku = "sku"', 'suk = "sku"'))
    told = faults("")
    assert len(told) == 1
    assert all(one.startswith("test.base.toml:") for one in told)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("test.bse", "there is no definition 'test.bse' to extend, did you mean 'test.base'?"),
        ("test.it", "goes round in a circle: test.it extends test.it"),
        ("test.mid", "goes round in a circle: test.it extends test.mid extends test.it"),
    ],
)
def test_what_cannot_be_extended_is_told(
    write: Write, tmp_path: Path, name: str, fault: str
) -> None:
    write("mid", 'extends = "test.it"')
    write("it", f'extends = "{name}"')
    with pytest.raises(DefinitionsInvalid, match=r"test\.\w+\.toml:4: extends: ") as caught:
        Definitions.of(sorted(tmp_path.glob("*.toml")))
    assert fault in str(caught.value)


def test_a_chain_may_be_long_but_not_endless(write: Write, tmp_path: Path) -> None:
    write("link01", 'extends = "test.base"')
    for number in range(2, CHAIN + 1):
        write(f"link{number:02}", f'extends = "test.link{number - 1:02}"')
    found = Definitions.of(sorted(tmp_path.glob("*.toml")))
    assert record(found[f"test.link{CHAIN}"]).reference == "S1"
    assert len(found[f"test.link{CHAIN}"].spec.chain) == CHAIN
    write("a", f'extends = "test.link{CHAIN}"')
    with pytest.raises(DefinitionsInvalid, match="extends more than 20 definitions in a row"):
        Definitions.of(sorted(tmp_path.glob("*.toml")))


def test_only_an_extension_may_remove(faults: Faults, write: Write) -> None:
    write("base", SHIPMENT.replace('carrier = { value = "box" }', "carrier = { remove = true }"))
    (told,) = faults("")
    assert "there is nothing to remove" in told
    assert told.startswith("test.base.toml:15: each.packages.fields.carrier: ")


@pytest.mark.parametrize("name", sorted(Definitions.load()))
def test_an_extension_that_says_nothing_is_the_extended_definition(
    write: Write, tmp_path: Path, definitions: Definitions, name: str
) -> None:
    write("it", f'extends = "{name}"')
    ours, theirs = Definitions.of([tmp_path / "test.it.toml"])["test.it"], definitions[name]
    top = theirs.spec.record
    assert replace(ours.spec.record, spot=top.spot, spots=top.spots) == top
    assert (ours.target, ours.source) == (theirs.target, theirs.source)
    assert ours.readable() == theirs.readable()
