"""The generated function against the collector: one record, whatever the payload."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import woo_orders
from mappings import Definition, Definitions, MappingError
from mappings import canonical as c
from mappings.engine import plain
from mappings.expressions import Expression
from mappings.field_code import INLINE
from mappings.limits import SCOPES, Steps
from mappings.plan import RecordPlan
from mappings.transforms import TRANSFORMS

Define = Callable[[str], Definition]

VALUES: tuple[Any, ...] = (
    None,
    "",
    "x",
    0,
    1,
    -1,
    2.5,
    True,
    [],
    {},
    [None],
    {"id": 1},
    "1.005",
    "€",
    [[]],
)
"""What spoils a payload, or does not."""


def outcome(run: Callable[[], Any]) -> Any:
    """What comes out, problems included, in words that can be compared."""
    try:
        return run()
    except MappingError as error:
        return error.problems


def alike(definition: Definition, payload: Any) -> bool:
    """Compare both ways; says whether the fast one did it alone."""
    collected = outcome(lambda: definition.collected(payload))
    assert outcome(lambda: definition._run(payload)) == collected
    try:
        made = definition.compiled(payload, Steps().spend)
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError):
        made = None
    if made is not None:
        assert made == collected.record
        assert collected.item_problems == ()
        assert definition.compiled(payload, Steps().spend) == made
    else:
        assert isinstance(collected, tuple) or collected.item_problems
    return made is not None


def objects(document: Any) -> Iterator[dict[str, Any]]:
    """Every object of a document, at any depth."""
    if isinstance(document, dict):
        yield document
        for value in document.values():
            yield from objects(value)
    elif isinstance(document, list):
        for value in document:
            yield from objects(value)


def vendor_objects(specs: Path) -> Iterator[dict[str, Any]]:
    for vendor in ("woocommerce", "amazon-sp-api", "shipbob", "shipengine"):
        for file in sorted((specs / vendor).rglob("*.json")):
            if file.stat().st_size < 400_000:
                yield from objects(json.loads(file.read_text(encoding="utf-8")))


def test_every_definition_gives_one_record_on_every_object_of_the_real_payloads(
    definitions: Definitions, specs: Path
) -> None:
    inbound = [definition for definition in definitions.values() if definition.source is None]
    found = list(vendor_objects(specs))
    mapped = dict.fromkeys((definition.name for definition in inbound), 0)
    for definition in inbound:
        keys = {field.expression.text.split(".")[0] for field in definition.plan.fields}
        for payload in found:
            # All others lack what every record needs, in the same words for all of them.
            if len(keys & payload.keys()) > 1:
                mapped[definition.name] += alike(definition, payload)
    assert {name: count for name, count in mapped.items() if count} == {
        "amazon.orders": 24,
        "woocommerce.listings": 95,
        "woocommerce.orders": 37,
    }


def test_the_orders_of_the_benchmark_need_the_fast_way_only(definitions: Definitions) -> None:
    definition = definitions["woocommerce.orders"]
    for number in range(1, 201):
        body = woo_orders.order(number, seed=7)
        assert alike(definition, body)
        assert alike(definition, {**body, "refunds": woo_orders.refunds(body)})


@settings(max_examples=250)
@given(
    number=st.integers(1, 50),
    places=st.lists(st.integers(0, 10_000), min_size=1, max_size=3),
    values=st.lists(st.sampled_from(VALUES), min_size=3, max_size=3),
)
def test_a_spoilt_order_comes_out_the_same_both_ways(
    definitions: Definitions,
    spoil: Callable[[Any, int, Any], Any],
    number: int,
    places: list[int],
    values: list[Any],
) -> None:
    body = woo_orders.order(number, seed=7)
    for place, value in zip(places, values, strict=False):
        body = spoil(body, place, value)
    alike(definitions["woocommerce.orders"], body)
    assert body


_ADDRESS = st.builds(
    c.Address,
    name=st.text(max_size=5),
    city=st.text(max_size=5),
    region=st.sampled_from(["", "BE"]),
    country=st.sampled_from(["DE", "US", ""]),
)
_LABELS = st.builds(
    c.LabelRequest,
    reference=st.text(max_size=5),
    ship_from=_ADDRESS,
    ship_to=_ADDRESS,
    weight_g=st.integers(0, 5_000),
    currency=st.sampled_from(["EUR", "JPY", "XXZ"]),
    customs_value=st.integers(0, 5),
)


@given(record=_LABELS, service=st.none() | st.text(max_size=3))
def test_a_request_is_the_same_both_ways_down_to_the_order_of_its_keys(
    definitions: Definitions, record: c.LabelRequest, service: str | None
) -> None:
    definition = definitions["shipengine.shipment"]
    payload = {**plain(record), "context": {"service_code": service}}
    alike(definition, payload)
    body = outcome(lambda: definition.render(record, {"service_code": service}))
    slowly = outcome(lambda: definition.collected(payload))
    if not isinstance(slowly, tuple):
        assert json.dumps(body) == json.dumps(slowly.record)


def keys_of(tree: Any) -> set[str]:
    """Every key an expression asks for."""
    if not isinstance(tree, dict):
        return set()
    own = {tree["value"]} if tree["type"] == "field" else set()
    return own.union(*map(keys_of, tree["children"]))


def expressions_of(record: RecordPlan) -> Iterator[Expression]:
    yield from (field.expression for field in record.fields)
    scopes = [scope for one in record.ones for scope in one[1]]
    scopes += [scope for each in record.eaches for scope in each[1]]
    for scope in scopes:
        yield from (found for found in (scope.source, scope.when) if found)
        yield from expressions_of(scope.record)


_WORDS = ("EUR", "2026-11-21T10:00:00Z", "10.00", "DE", "shipped", "processing", "A-1", "", "7")
_PARTS = (*_WORDS, None, 0, 1, 2, True, 12.5)


def invented(keys: list[str], draw: Random, depth: int = 2) -> dict[str, Any]:
    """An object with some of the keys, filled with what might stand there."""

    def value() -> Any:
        kind = draw.random()
        if depth and kind < 0.3:
            return invented(keys, draw, depth - 1)
        if depth and kind < 0.5:
            return [invented(keys, draw, depth - 1) for _ in range(draw.randrange(3))]
        return draw.choice(_PARTS)

    return {key: value() for key in keys if draw.random() < 0.95 / (3 - depth)}


@pytest.mark.parametrize("name", sorted(Definitions.load()))
def test_payloads_made_of_the_keys_of_a_definition_come_out_the_same_both_ways(
    definitions: Definitions, name: str
) -> None:
    definition = definitions[name]
    expressions = list(expressions_of(definition.plan))
    keys = sorted(set[str]().union(*(keys_of(found.tree) for found in expressions)))
    assert keys
    for seed in range(30):
        alike(definition, invented(keys, Random(seed)))


@pytest.mark.parametrize("name", sorted(INLINE))
@given(
    value=st.text(max_size=12)
    | st.text("a <b>&;", max_size=12)
    | st.sampled_from([" A\u00a0 b\t", "YES", 7, -1, 10**20, 1.5, True, [], None])
)
def test_what_a_transform_does_is_the_same_written_out(name: str, value: Any) -> None:
    for kind, condition, result in INLINE[name]:
        if type(value) is kind and (not condition or eval(condition.format("value"))):
            assert eval(result.format("value")) == TRANSFORMS[name](value)
        else:
            assert kind in (str, int, bool)


HOSTILE = """
target = "StockCount"
[fields]
sku = {{ from = '{0}', optional = false }}
on_hand = {{ value = 1 }}
"""


def test_nothing_of_a_definition_becomes_part_of_the_generated_source(define: Define) -> None:
    definition = define(HOSTILE.format('"__import__(0)\\"); exit() #"'))
    assert definition.apply({'__import__(0)"); exit() #': "A"}).record.sku == "A"
    executed = [line.split("  #")[0] for line in definition.readable().splitlines()]
    assert "exit" not in "\n".join(executed)
    assert "exit" in definition.readable()


@pytest.mark.parametrize("key", ["__class__", "get", "payload", "spend", "k1", "v1", "None"])
def test_keys_that_look_like_python_are_keys(define: Define, key: str) -> None:
    definition = define(HOSTILE.format(f'"{key}"'))
    assert definition.apply({key: "A"}).record.sku == "A"
    with pytest.raises(MappingError, match="missing"):
        definition.apply({"sku": "A"})


def test_the_namespace_of_generated_code_holds_no_builtins(define: Define) -> None:
    function: Any = define(HOSTILE.format("a")).compiled
    assert function.__globals__["__builtins__"] == {}
    assert "open" not in function.__globals__


@pytest.mark.parametrize("levels", [SCOPES, SCOPES + 1])
def test_records_nest_to_a_limit(define: Define, levels: int) -> None:
    path = ""
    lines = ['target = "request"', 'source = "StockUpdate"']
    for _ in range(levels):
        path = f"{path}each.a." if path else "each.a."
        lines += [f"[{path[:-1]}]", 'from = "[@]"', f"[{path}fields]", "n = { value = 1 }"]
    text = "\n".join(lines)
    if levels > SCOPES:
        with pytest.raises(Exception, match="nested deeper than 6"):
            define(text)
        return
    update = c.StockUpdate(
        external_product_id="1", external_variant_id="2", external_sku="3", quantity=1
    )
    assert str(define(text).render(update)).count("'n': 1") == levels
