"""No expression and no payload keeps a mapping busy without end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from mappings import Definition, DefinitionsInvalid, MappingError
from mappings import canonical as c
from mappings.expressions import BadExpression, Scope, parse
from mappings.limits import DEPTH, LENGTH, NODES, STEPS, Steps, TooManySteps
from mappings.problems import Unfit

Define = Callable[[str], Definition]

MESSAGE = "mapping this payload takes more than 2,000,000 steps"
TWICE = " | ".join(["[@, @]"] * 40)
"""Forty small lists, 2**40 elements for whoever goes through all of them."""


def read(expression: str, item: Any) -> Any:
    return parse(expression).read(Scope(item, None, None, Steps()))


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("a" * (LENGTH + 1), "more than 5000 characters"),
        ("[" + ",".join("a" * (NODES + 1)) + "]", "more than 1000 parts"),
        ("!" * (DEPTH + 1) + "a", "nested deeper than 110 levels"),
        ("(" * 2_000 + "a" + ")" * 2_000, "nested deeper than 110 levels"),
        ("a[" * 2_000, "not an expression|nested deeper"),
        ("nosuch(a)", "unknown function 'nosuch'"),
        ("length(a, b)", "length takes 1 arguments, not 2"),
        ("join(a)", "join takes 2 arguments, not 1"),
        ("not_null()", "not_null takes 1 arguments, not 0"),
        ("&a", "& stands only where"),
        ("[&a]", "& stands only where"),
        ("sort_by(&a, b)", "& stands only where"),
        ("sort_by(a, b)", "argument 2 of sort_by must be an expression after &"),
    ],
)
def test_an_expression_past_the_limits_is_refused_at_load(expression: str, why: str) -> None:
    with pytest.raises(BadExpression, match=why):
        parse(expression)


@pytest.mark.parametrize(
    ("expression", "document"),
    [
        (".".join("a" * (DEPTH - 1)), {}),
        ("!" * (DEPTH - 1) + "a", {}),
        (" || ".join("a" * DEPTH), {}),
        ("a" + "[*].a" * (DEPTH // 2), {"a": []}),
        ("a" + "[?a]" * (DEPTH // 3), {"a": []}),
        ("[" * (DEPTH - 1) + "a" + "]" * (DEPTH - 1), {"a": 1}),
        ("to_array(" * (DEPTH - 1) + "a" + ")" * (DEPTH - 1), {"a": 1}),
        ("map(&" * (DEPTH // 2 - 1) + "a" + ", a)" * (DEPTH // 2 - 1), {"a": []}),
        ("a || (" * (DEPTH // 2) + "a" + ")" * (DEPTH // 2), {"a": 0}),
        (" | ".join(["[@]"] * (DEPTH // 2)), {"a": 1}),
    ],
)
def test_an_expression_within_the_limits_runs_however_deep(expression: str, document: Any) -> None:
    parsed = parse(expression)
    parsed.read(Scope(document, None, None))
    assert parsed.text == expression


@pytest.mark.parametrize(
    "expression",
    [
        " | ".join(["[@, @][]"] * 40),
        f"({TWICE}) == ({TWICE})",
        f"to_string({TWICE})",
        f"contains([{TWICE}], {TWICE})",
        " | ".join(["to_string([@, @])"] * 60),
        "join(to_string(big), big)",
    ],
)
def test_an_expression_that_explodes_runs_out_of_steps(expression: str) -> None:
    document = {"big": ["x" * 100] * 3_000, "all": list(range(3_000))}
    with pytest.raises(TooManySteps):
        read(expression, document)


def test_steps_are_counted_for_the_whole_record_and_told_as_one_problem(define: Define) -> None:
    definition = define(
        """
target = "Package"
[fields]
tracking_number = "no"
[each.lines]
from = "rows"
[each.lines.fields]
sku = "$.rows[?n == `1`] | [0].sku"
quantity = "n"
"""
    )
    few = {"no": "1", "rows": [{"sku": "A", "n": 1}] * 100}
    assert len(definition.apply(few).record.lines) == 100
    many = {"rows": [{"sku": "A", "n": 1}] * 3_000}
    for payload in (many | {"no": "1"}, many, msgspec.json.encode(many | {"no": "1"})):
        with pytest.raises(MappingError) as caught:
            definition.apply(payload)
        (problem,) = caught.value.problems
        assert (problem.message, problem.file) == (MESSAGE, "test.it.toml")


def test_a_large_but_honest_order_stays_far_below_the_limit(define: Define) -> None:
    definition = define(
        """
target = "Package"
[fields]
tracking_number = "no"
[each.lines]
from = "rows"
[each.lines.fields]
sku = "sku"
quantity = "n"
"""
    )
    rows = [{"sku": "A", "n": 1}] * 100_000
    assert len(definition.apply({"no": "1", "rows": rows}).record.lines) == 100_000
    assert 20 * len(rows) <= STEPS


def test_what_is_sent_is_bounded_as_well(define: Define) -> None:
    body = f'target = "request"\nsource = "StockUpdate"\n[fields]\nx = "{TWICE}"'
    update = c.StockUpdate(
        external_product_id="1", external_variant_id="2", external_sku="3", quantity=1
    )
    with pytest.raises(MappingError, match="more than 2,000,000 steps"):
        define(body).render(update)


def test_a_payload_nested_past_what_python_compares_is_a_problem() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(Unfit, match="RecursionError"):
        read("to_string(@)", deep)


def test_a_definition_past_the_limits_names_the_field(define: Define) -> None:
    with pytest.raises(DefinitionsInvalid, match="an expression of more than 5000"):
        define(f'target = "StockCount"\n[fields]\nsku = "{"a" * 6_000}"\non_hand = "n"')
