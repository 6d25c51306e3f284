"""Paths that a source does not send are found, and no others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jmespath
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings import Definition, Definitions
from mappings.contracts import CONTRACTS, contract_of, shape_of
from mappings.document import Spot
from mappings.expressions import parse
from mappings.plan import OMIT, FieldPlan, RecordPlan
from mappings.source_check import doubts
from mappings.source_shapes import Shape, of_examples, of_schema, resolved

Define = Callable[[str], Definition]

SCHEMA: dict[str, Any] = {
    "components": {
        "schemas": {
            "Order": {
                "allOf": [
                    {"$ref": "#/components/schemas/Named"},
                    {"description": "says nothing"},
                    {
                        "type": "object",
                        "additionalProperties": True,
                        "properties": {
                            "id": {"type": ["integer", "null"]},
                            "total": {"type": "string"},
                            "items": {
                                "type": "array",
                                "items": {"$ref": "#/components/schemas/Item"},
                            },
                            "paid_by": {
                                "oneOf": [
                                    {"type": "null"},
                                    {"properties": {"card": {"type": "string"}}},
                                    {"properties": {"bank": {"type": "object"}}},
                                ]
                            },
                            "rates": {
                                "type": "object",
                                "additionalProperties": {"$ref": "#/components/schemas/Item"},
                            },
                            "free": {"type": "object"},
                            "any": {},
                            "loop": {"$ref": "#/components/schemas/Loop"},
                        },
                    },
                ]
            },
            "Named": {"properties": {"name": {"type": "string"}}},
            "Item": {
                "type": "object",
                "properties": {
                    "sku": {"type": "string"},
                    "order": {"$ref": "#/components/schemas/Order"},
                },
            },
            "Loop": {"$ref": "#/components/schemas/Loop"},
        }
    }
}
ORDER = of_schema(resolved(SCHEMA, "#/components/schemas/Order"), SCHEMA)
BODY = """target = "StockCount"
[fields]
on_hand = {{ value = 1 }}
sku = {{ from = {}, as = "text" }}"""


def lacking(define: Define, expression: str, source: Shape = ORDER) -> list[str]:
    definition = define(BODY.format(json.dumps(expression)))
    return [doubt.path for doubt in doubts(definition.plan, source)]


@pytest.mark.parametrize(
    "expression",
    [
        "id",
        "name",
        "items[0].sku",
        "items[].sku",
        "items[*].order.items[].order.name",
        "items[?sku == 'a'].order | [0].name",
        "items[1:].sku",
        "paid_by.card || paid_by.bank.anything.at_all",
        "rates.any_key.sku",
        "rates.*.sku",
        "values(rates)[].whatever",
        "free.x.y",
        "any.x[0].y",
        "loop.x",
        "[id, total] | [0]",
        "{a: items}.a[].sku",
        "sort_by(items, &sku)[0].order.id",
        "max_by(items, &sku).sku",
        "map(&order, items)[].name",
        "not_null(paid_by.card, name)",
        "length(items)",
        '`{"a": 1}`.b',
        "$.items[].sku",
        "!name && total",
        "contains(name, 'x') && id",
        "@",
    ],
)
def test_what_the_source_may_send_raises_no_doubt(define: Define, expression: str) -> None:
    assert lacking(define, expression) == []


@pytest.mark.parametrize(
    ("expression", "paths"),
    [
        ("nmae", ["nmae"]),
        ("id.value", ["id.value"]),
        ("items.sku", ["items.sku"]),
        ("items[].sky", ["items[].sky"]),
        ("items[0].order.items[].qty", ["items[].order.items[].qty"]),
        ("items[?skuu == 'a'].order | [0].names", ["items[].skuu", "items[].order.names"]),
        ("name[0]", ["name[]"]),
        ("name[]", ["name[]"]),
        ("paid_by.cash || nmae", ["paid_by.cash", "nmae"]),
        ("paid_by[]", ["paid_by[]"]),
        ("rates.x.sky", ["rates.x.sky"]),
        ("rates.*.sky", ["rates.*.sky"]),
        ("name.*", ["name"]),
        ("{a: itms, b: nmae}.c", ["itms", "nmae", "c"]),
        ("[itms, nmae]", ["itms", "nmae"]),
        ("sort_by(items, &sky)[0].ordr", ["items[].sky", "items[].ordr"]),
        ("map(&ordr, items)", ["items[].ordr"]),
        ("map(&order, items)[].nmae", ["items[].order.nmae"]),
        ("max_by(items, &sku).sky", ["items[].sky"]),
        ("length(itms)", ["itms"]),
        ("nmae && itms", ["nmae", "itms"]),
        ("!(nmae)", ["nmae"]),
        ("id == itms", ["itms"]),
        ("itms[].nothing.more[0].is_told", ["itms"]),
        ("$.itms", ["itms"]),
    ],
)
def test_what_the_source_does_not_send_is_told(
    define: Define, expression: str, paths: list[str]
) -> None:
    assert lacking(define, expression) == paths


def test_a_doubt_names_file_line_field_expression_and_what_was_perhaps_meant(
    define: Define,
) -> None:
    (doubt,) = doubts(define(BODY.format('"items[0].sku2"')).plan, ORDER)
    assert str(doubt) == (
        "test.it.toml:7: fields.sku: 'items[0].sku2': not in the contract: 'items[]' has no "
        "'sku2', did you mean 'sku'?"
    )


def test_nested_records_arguments_and_outer_scopes_are_gone_through(define: Define) -> None:
    definition = define("""target = "Shipment"
[fields]
reference = { from = "id", as = "postcode", with = { country = "itms" } }
external_id = { from = "id", as = "text" }
state = { value = "shipped" }
[each.packages]
from = "items"
when = "wen"
[each.packages.fields]
tracking_number = "sku"
carrier = "^.nam"
tracking_url = "$.tota"
[[each.packages.each.lines]]
from = "order"
[each.packages.each.lines.fields]
sku = "^.sky"
quantity = { from = "total", as = "quantity" }
[[each.packages.each.lines]]
from = "sku"
[each.packages.each.lines.fields]
sku = "@"
quantity = { from = "x", as = "quantity" }
""")
    found = doubts(definition.plan, ORDER)
    assert [(doubt.path, doubt.spot.line) for doubt in found] == [
        ("itms", 6),
        ("items[].wen", 11),
        ("nam", 14),
        ("tota", 15),
        ("items[].sky", 19),
        ("items[].sku[]", 22),
    ]
    assert doubts(definition.plan, ORDER, {"nam", "tota"}) == [
        doubt for doubt in found if doubt.path not in ("nam", "tota")
    ]


def test_an_example_tells_what_a_source_sends(define: Define) -> None:
    source = of_examples(
        [
            {"id": 1, "lines": [{"sku": "A"}, {"qty": 1}], "note": None, "tags": []},
            {"id": "x", "paid": True, "lines": [None, {"sku": "B", "ref": {"no": 1}}]},
        ]
    )
    for expression in ("lines[].ref.no", "lines[0].qty", "note.text", "tags[].name", "paid"):
        assert lacking(define, expression, source) == []
    assert lacking(define, "lines[].price", source) == ["lines[].price"]
    assert lacking(define, "paid.at", source) == ["paid.at"]
    assert lacking(define, "id[0]", source) == ["id[]"]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=12,
)
_PATHS = st.lists(
    st.sampled_from([".a", ".b", ".c", "[0]", "[]", "[*]", ".*", "[?a]", "[1:]"]), max_size=4
).map(lambda parts: "@" + "".join(parts))


@given(st.dictionaries(st.sampled_from("abc"), _JSON), _PATHS)
def test_what_an_example_answers_raises_no_doubt(payload: dict[str, Any], path: str) -> None:
    field = FieldPlan("x", parse(path), (), False, OMIT, None, False, Spot("", 0))
    plan = RecordPlan(None, dict, {}, (field,), (), ())
    found = doubts(plan, of_examples([payload]))
    assert found == [] or says_nothing(jmespath.search(path, payload))


def says_nothing(answer: Any) -> bool:
    """Null, or lists that end in nothing: so an empty list answers whatever is asked of it."""
    return answer is None or (isinstance(answer, list) and all(map(says_nothing, answer)))


def contracts(specs: Path) -> Callable[[str], Any]:
    def document(file: str) -> Any:
        content = (specs / file).read_bytes()
        decode = msgspec.yaml.decode if file.endswith(".yaml") else msgspec.json.decode
        return decode(content)

    return document


@pytest.mark.parametrize("name", sorted(CONTRACTS))
def test_shipped_definitions_read_what_the_contracts_list(
    definitions: Definitions, specs: Path, name: str
) -> None:
    contract = CONTRACTS[name]
    source = shape_of(contract.described, contracts(specs))
    told = [str(doubt) for doubt in doubts(definitions[name].plan, source, contract.known)]
    assert told == []
    needed = {doubt.path for doubt in doubts(definitions[name].plan, source)}
    assert set(contract.known) <= needed, "an exception that nothing needs any more"


@pytest.mark.parametrize("name", sorted(CONTRACTS))
def test_the_contracts_find_a_wrong_path(
    definitions: Definitions, define: Define, specs: Path, name: str
) -> None:
    source = shape_of(CONTRACTS[name].described, contracts(specs))
    assert lacking(define, "no_such_key", source) == ["no_such_key"]
    assert contract_of("shop.orders", ("acme.orders", name)) is CONTRACTS[name]
    assert definitions[name].source is None


def test_a_pointer_that_leads_nowhere_is_told() -> None:
    with pytest.raises(LookupError, match=r"a\.json has no #/x/0"):
        shape_of("a.json#/x/0", lambda _: {"x": []})
    assert resolved({"x/y": [{"~": 1}]}, "#/x~1y/0/~0") == 1
    assert resolved({}, "other.json#/x") is None
