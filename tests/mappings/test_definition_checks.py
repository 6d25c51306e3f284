"""A definition that cannot work is refused at start-up, with every fault of every file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mappings import (
    Definition,
    DefinitionProblem,
    Definitions,
    DefinitionsInvalid,
    MappingError,
)
from mappings.library import SHIPPED

Define = Callable[[str], Definition]

HEAD = 'schema = 1\nname = "test.it"\nversion = 1\n'
COUNT = 'target = "StockCount"\n[fields]\nsku = "sku"\n'


def faults(define: Define, body: str) -> list[str]:
    with pytest.raises(DefinitionsInvalid) as caught:
        define(body)
    return [f"{fault.where}: {fault.message}" for fault in caught.value.problems]


def test_every_shipped_definition_loads(definitions: Definitions) -> None:
    assert set(definitions) == {path.stem for path in SHIPPED.glob("*.toml")}
    assert {"woocommerce.orders", "amazon.orders"} <= set(definitions)
    assert definitions["woocommerce.orders"].target == "Order"
    assert definitions["woocommerce.orders"].version.isdigit()


def test_what_is_found_again_by_a_text_is_given_none_that_no_database_indexes(
    define: Define,
) -> None:
    long, kept = "x" * 321, "x" * 320
    body = (
        'target = "StockCount"\n[fields]\non_hand = {{ from = "n", as = "quantity" }}\nsku = {}\n'
    )
    for given in (f'{{ value = "{long}" }}', f'{{ from = "sku", default = "{long}" }}'):
        (fault,) = faults(define, body.format(given))
        assert fault.endswith("is not text of at most 320 characters")
    definition = define(body.format('"sku"'))
    assert definition.apply({"sku": kept, "n": 1}).record.sku == kept
    for payload in ({"sku": long, "n": 1}, b'{"sku": "%s", "n": 1}' % long.encode()):
        with pytest.raises(MappingError, match="sku: longer than the 320 characters"):
            definition.apply(payload)


def test_all_faults_of_a_file_are_told_at_once(define: Define) -> None:
    body = """
target = "Order"
[fields]
channel_order_id = { from = "id", as = "quantty" }
channel_order_nam = "number"
status = { from = "status", values = "statuss" }
placed_at = "created"
currency = { from = "currency[", as = "currency" }
grand_total = { from = "total", as = "money" }
discount_total = { from = "x", as = "decimal" }
tax_total = { from = "x", as = "money", with = { curency = "y" } }
note = { from = "a", value = "b" }
[each.lines]
from = "lines"
[each.lines.fields]
channel_line_id = "id"
quantity = "qty"
[values.status]
[values.status.map]
reddy = ["done"]
"""
    assert faults(define, body) == [
        "fields.note: needs either from or value",
        "fields: unknown field 'channel_order_nam', did you mean 'channel_order_name'?",
        "fields.channel_order_id: unknown transform 'quantty', did you mean 'quantity'?",
        "fields.status: no value table 'statuss', did you mean 'status'?",
        "fields.placed_at: must become a time: name a transform or a value table that gives it",
        "fields.currency: not an expression: 'currency[': Invalid jmespath expression: "
        'Incomplete expression: "currency[" ^',
        "fields.grand_total: money needs 'currency': with = { currency = ... }",
        "fields.discount_total: must be a whole number, but the transforms give a decimal",
        "fields.tax_total: no transform takes 'curency', did you mean 'currency'?",
        "fields.tax_total: money needs 'currency': with = { currency = ... }",
        "each.lines.fields: OrderLine.line_total is required, but not mapped",
        "fields: Order.source_version is required, but not mapped",
        "fields: Order.channel_updated_at is required, but not mapped",
        "values.status: no field uses this table",
    ]


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ('target = "Ordr"', "target: no canonical record 'Ordr', did you mean 'Order'?"),
        (COUNT + 'on_hand = "x"\nlocation_code = { value = 3 }', "fields.location_code: 3 is not"),
        (COUNT + 'on_hand = { from = "x", optional = true }', "fields.on_hand: cannot be optional"),
        (COUNT + 'on_hand = { from = "x", defualt = 0 }', "did you mean 'default'?"),
        (COUNT + 'on_hand = { from = "x", default = "many" }', "'many' is not a decimal"),
        (COUNT + "on_hand = 3", "fields.on_hand: must be an expression or a table"),
        (COUNT + "on_hand = { value = 1, optional = true }", "a constant takes nothing beside"),
        (COUNT + 'on_hand = { from = "x", as = 3 }', "as must be a transform or a list"),
        (COUNT + 'on_hand = { from = "x", as = ["lower", "absolute"] }', "absolute takes a whole"),
        (COUNT + 'on_hand = { from = "x", with = { a = 3 } }', "no transform takes 'a'"),
        (COUNT + 'on_hand = "x"\n[one.sku]\nfrom = "x"', "'sku' is filled twice"),
        (COUNT + 'on_hand = "x"\n[one.sku]\nfrom = "x"', "[one.…] needs a record, 'sku' is not"),
        (COUNT + 'on_hand = "x"\n[each.sku]\nfrom = "x"', "[each.…] needs a list of records"),
        (COUNT + 'on_hand = "x"\n[each]\nsku = 3', "each.sku: must be a table, or an array"),
        (COUNT + 'on_hand = "x"\n[each]\nsku = []', "each.sku: must be a table, or an array"),
        (COUNT + 'on_hand = "x"\n[values]\nq = 3', "values.q: must be a table"),
        (COUNT + 'on_hand = "x"\n[values.q.map]\na = "b"', "a must list the spellings"),
        (
            COUNT + 'on_hand = { from = "x", values = "q" }\n[values.q.map]\n1 = ["b"]\n2 = ["b"]',
            "'b' leads to both '1' and '2'",
        ),
        (
            COUNT + 'on_hand = { from = "x", values = "q" }\n[values.q.map]\nmany = ["b"]',
            "values.q.map.many: 'many' is not a decimal",
        ),
        (COUNT.replace("[fields]", 'empty = "all"\n[fields]'), 'must be "keep" or "omit"'),
        (COUNT.replace("[fields]", "fancy = 1\n[fields]"), "unknown key 'fancy'"),
        ('target = "Shipment"\n[fields]\npackages = "p"', "fields.packages: holds records"),
        ('target = "Shipment"\n[fields]\nstate = "s"', "fields.state: must become one of proce"),
        (
            'target = "Shipment"\n[fields]\nstate = { value = "lost" }',
            "fields.state: 'lost' is not one of processing",
        ),
        (
            'target = "Shipment"\n[each.packages]\nat_fault = "me"\nunique = "number"',
            'each.packages.at_fault: at_fault must be "record" or "item"',
        ),
        (
            'target = "Shipment"\n[each.packages]\nunique = "number"',
            "each.packages: unknown field 'number'",
        ),
        (
            'target = "Shipment"\n[each.packages.each.lines]\nat_fault = "item"',
            'each.packages.each.lines: at_fault = "item" is for the outer lists',
        ),
        (
            'target = "Shipment"\n[fields]\nreference = { from = "r", as = "look_up", '
            'with = { table = "t", key = { value = [1] }, give = 3 } }',
            "key must be text",
        ),
        (
            'target = "Shipment"\n[fields]\nreference = { from = "r", as = "look_up", '
            'with = { table = "t", key = { value = "k" }, give = 3 } }',
            "give must be an expression or { value = ... }",
        ),
        ('target = "request"\nsource = "Stock"', "source: no canonical record 'Stock'"),
        ('target = "Order"\nsource = "StockUpdate"', 'target: must be "request"'),
        (
            'target = "request"\nsource = "StockUpdate"\n[fields]\nqty = "quantiti"',
            "fields.qty: StockUpdate has no 'quantiti', did you mean 'quantity'?",
        ),
        (
            'target = "request"\nsource = "Shipment"\n[fields]\nat = "shipped_at"',
            "fields.at: a time needs a transform to be sent",
        ),
        (
            'target = "request"\nsource = "StockUpdate"\n[fields]\n'
            'at = { from = "quantity", as = "iso_utc" }',
            "fields.at: iso_utc takes a time, but is given a whole number",
        ),
        (
            'target = "request"\nsource = "FulfilmentRequest"\n[each.items]\nfrom = "lines"\n'
            'when = "sku"\n[each.items.fields]\nname = "titel"\ncity = "^.ship_to.town"',
            "each.items.fields.city: Address has no 'town'",
        ),
        (
            'target = "request"\nsource = "FulfilmentRequest"\n[each.items]\nfrom = "lines"\n'
            'at_fault = "item"',
            'at_fault = "item" is for the outer lists',
        ),
    ],
)
def test_a_fault_is_told_with_its_place(define: Define, body: str, fault: str) -> None:
    assert any(fault in told for told in faults(define, body)), faults(define, body)


def test_each_fault_names_the_line_that_says_so(define: Define) -> None:
    body = """target = "Shipment"
[fields]
reference = { from = "ref", as = "lowr" }
external_id = "id"
state = { from = "state", values = "state" }

[each.packages]
from = "boxes["
when = "no["
unique = "number"
at_fault = "all"
[each.packages.fields]
tracking_number = "no"
colour = "red"

[values.state]
otherwse = "park"
[values.state.map]
lost = ["x"]
shipped = "y"
[values.other.map]
"""
    with pytest.raises(DefinitionsInvalid) as caught:
        define(body)
    lines = {problem.line: problem.message for problem in caught.value.problems}
    said = {
        number: text
        for number, text in enumerate((HEAD + body).splitlines(), start=1)
        if number in lines
    }
    assert {text.split(" ")[0] for text in said.values()} == {
        "reference",
        "from",
        "when",
        "unique",
        "at_fault",
        "colour",
        "otherwse",
        "lost",
        "shipped",
        "[values.other.map]",
    }
    assert len(caught.value.problems) == len(said)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("schema = 1\nname = ", "test.it.toml: not TOML"),
        ('schema = 2\nname = "test.it"\nversion = 1\ntarget = "Order"', "reads schema 1, not 2"),
        (
            'schema = 1\nname = "other"\nversion = 1\ntarget = "Order"',
            "must equal the file's name, 'test.it'",
        ),
        (
            'schema = 1\nname = "test.it"\nversion = 0\ntarget = "Order"',
            "version: must be a whole number from 1",
        ),
        (HEAD, "target: must be a text"),
    ],
)
def test_a_broken_head_is_told(tmp_path: Path, text: str, fault: str) -> None:
    file = tmp_path / "test.it.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DefinitionsInvalid) as caught:
        Definitions.of([file])
    assert fault in str(caught.value)


def test_faults_of_several_files_are_told_together(tmp_path: Path) -> None:
    for name in ("test.one", "test.two"):
        (tmp_path / f"{name}.toml").write_text(
            f'schema = 1\nname = "{name}"\nversion = 1\ntarget = "StockCount"', encoding="utf-8"
        )
    (tmp_path / "test.three.toml").write_bytes(b'name = "\xff"')
    with pytest.raises(DefinitionsInvalid) as caught:
        Definitions.load(overrides=tmp_path)
    assert [problem.file for problem in caught.value.problems] == [
        "test.one.toml",
        "test.one.toml",
        "test.three.toml",
        "test.two.toml",
        "test.two.toml",
    ]
    assert caught.value.problems[0] == DefinitionProblem(
        "test.one.toml", "fields", "StockCount.sku is required, but not mapped", 1
    )


def test_an_override_replaces_the_shipped_definition(tmp_path: Path) -> None:
    shipped = (SHIPPED / "woocommerce.orders.toml").read_text(encoding="utf-8")
    ours = shipped.replace("version = 1", "version = 2", 1)
    (tmp_path / "woocommerce.orders.toml").write_text(ours, encoding="utf-8")
    loaded = Definitions.load(overrides=tmp_path)
    assert loaded["woocommerce.orders"].version == "2"
    assert len(loaded) == len(Definitions.load())


def test_a_folder_of_overrides_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DefinitionsInvalid, match="no such folder"):
        Definitions.load(overrides=tmp_path / "gone")
