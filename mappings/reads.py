"""Which places of a payload a plan reads, and how."""

from __future__ import annotations

from collections.abc import Iterator

from mappings.expressions import Expression
from mappings.jmespath_code import Tree
from mappings.plan import RecordPlan, ScopePlan
from mappings.shapes import Shape
from mappings.steps import Transform

Scopes = tuple[Shape, ...]
"""From the payload to the item at hand."""


def shape_of(plan: RecordPlan) -> Shape:
    """The shape of the payloads of a plan."""
    payload = Shape()
    _record(plan, (payload,))
    return payload


def _record(plan: RecordPlan, scopes: Scopes) -> None:
    for expression in _values(plan):
        _whole(_reached(expression, scopes))
    for _, variants, _ in plan.ones:
        for scope in variants:
            _scope(scope, scopes, _reached(scope.source, scopes))
    for _, sources in plan.eaches:
        for scope in sources:
            listed = _reached(scope.source, scopes)
            # An object around is a list of itself alone.
            _scope(scope, scopes, listed if listed in scopes else listed.elements())


def _values(plan: RecordPlan) -> Iterator[Expression]:
    for one in plan.fields:
        yield one.expression
        for step in one.steps:
            if isinstance(step, Transform):
                yield from (argument.expression for argument in step.arguments)


def _scope(scope: ScopePlan, around: Scopes, item: Shape) -> None:
    scopes = (*around, item)
    if scope.when is not None:
        _whole(_reached(scope.when, scopes))
    _record(scope.record, scopes)


def _reached(expression: Expression | None, scopes: Scopes) -> Shape:
    """Where an expression leads; a place of its own where it leads to none of the payload."""
    if expression is None or expression.origin == "item":
        start = scopes[-1]
    elif expression.origin == "root":
        start = scopes[0]
    else:
        start = scopes[-2] if len(scopes) > 1 else Shape()
    return start if expression is None else _followed(expression.tree, start)


def _followed(tree: Tree, start: Shape) -> Shape:
    kind = tree["type"]
    if kind in ("current", "identity"):
        return start
    if kind == "field":
        return start.key(tree["value"])
    if kind == "index":
        return start.elements()
    if kind in ("subexpression", "pipe", "index_expression"):
        for child in tree["children"]:
            start = _followed(child, start)
        return start
    if kind == "slice":
        _whole(start)
    for child in _from_the_start(tree):
        _whole(_followed(child, start))
    return _whole(Shape())


def _from_the_start(tree: Tree) -> list[Tree]:
    """The parts that are computed from what the tree itself is computed from."""
    kind, children = tree["type"], list(tree["children"])
    if kind in ("projection", "filter_projection", "value_projection"):
        return children[:1]  # the others see the elements of the first
    if kind == "multi_select_dict":
        return [pair["children"][0] for pair in children]
    return [child for child in children if isinstance(child, dict) and child["type"] != "expref"]


def _whole(shape: Shape) -> Shape:
    shape.whole = True
    return shape
