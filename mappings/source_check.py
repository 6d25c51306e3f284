"""Which paths of a definition cannot exist in what its source is said to send."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from mappings.definition import nearest
from mappings.document import Spot
from mappings.expressions import Expression
from mappings.jmespath_code import Tree
from mappings.plan import RecordPlan, ScopePlan
from mappings.source_shapes import ANYTHING, Shape, listed, union
from mappings.steps import Transform

_FIRST = ("sort", "sort_by", "reverse", "to_array")
"""Functions whose result has the shape of their first argument; of others nothing is known."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """An expression that reads what the source lacks. ``path``: what is lacking, from the top."""

    spot: Spot
    expression: str
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.spot}: {self.spot.where}: {self.expression!r}: {self.message}"


class _At(NamedTuple):
    """Somewhere in the payload. ``spread``: a list made of what is found at ``path``."""

    shape: Shape
    path: str
    spread: bool = False


class _Scope(NamedTuple):
    item: _At
    parent: _At
    root: _At

    def below(self, item: _At) -> _Scope:
        return _Scope(item, self.item, self.root)


def doubts(
    plan: RecordPlan, source: Shape, known: Collection[str] = (), *, called: str = "contract"
) -> list[Doubt]:
    """Every path that ``source`` lacks, but for those ``known`` to come all the same.

    ``called``: what tells of the source, for messages.
    """
    top = _At(source, "")
    check = _Check(called)
    check.record(plan, _Scope(top, _At(ANYTHING, ""), top))
    return [doubt for doubt in dict.fromkeys(check.found) if doubt.path not in known]


class _Check:
    def __init__(self, called: str) -> None:
        self._called = called
        self.found: list[Doubt] = []
        self._spot = Spot("", 0)
        self._text = ""

    def record(self, plan: RecordPlan, scope: _Scope) -> None:
        for field in plan.fields:
            self._read(field.expression, scope, field.spot)
            for step in field.steps:
                if isinstance(step, Transform):
                    for argument in step.arguments:
                        self._read(argument.expression, scope, field.spot)
        for _, variants, _ in plan.ones:
            for one in variants:
                self._nested(one, self._source(one, scope), scope)
        for _, sources in plan.eaches:
            for each in sources:
                at = self._source(each, scope)
                # A lone object is a list of one.
                lone = at.shape.fields is not None and at.shape.element is None
                self._nested(each, at if lone else self._elements(at), scope)

    def _source(self, plan: ScopePlan, scope: _Scope) -> _At:
        if plan.source is None:
            return scope.item
        return self._read(plan.source, scope, plan.spot)

    def _nested(self, plan: ScopePlan, item: _At, scope: _Scope) -> None:
        below = scope.below(item)
        if plan.when is not None:
            self._read(plan.when, below, plan.when_spot)
        self.record(plan.record, below)

    def _read(self, expression: Expression, scope: _Scope, spot: Spot) -> _At:
        self._spot, self._text = spot, expression.text
        start = {"item": scope.item, "parent": scope.parent, "root": scope.root}
        return self._walk(expression.tree, start[expression.origin])

    def _walk(self, tree: Tree, at: _At) -> _At:
        kind, children = tree["type"], tree["children"]
        if kind == "field":
            return self._field(at, tree["value"])
        if kind in ("subexpression", "pipe", "index_expression"):
            for child in children:
                at = self._walk(child, at)
            return at
        if kind in ("current", "identity", "slice"):
            return at
        if kind == "index":
            return self._elements(at)
        if kind == "function_expression":
            return self._function(tree, at)
        if kind == "multi_select_dict":
            held = {pair["value"]: self._walk(pair["children"][0], at).shape for pair in children}
            return _At(Shape().with_fields(held), at.path)
        if kind in ("projection", "filter_projection", "value_projection", "flatten"):
            return self._projection(kind, children, at)
        return self._choice(kind, [self._walk(child, at) for child in children], at)

    def _choice(self, kind: str, parts: list[_At], at: _At) -> _At:
        """What is made of parts that are all read in the same place."""
        if kind == "or_expression":
            return _At(union(part.shape for part in parts), parts[0].path)
        if kind == "and_expression":
            return parts[-1]
        if kind == "multi_select_list":
            return _At(listed(union(part.shape for part in parts)), at.path, True)
        if kind in ("comparator", "not_expression"):
            return _At(Shape(scalar="true or false"), at.path)
        return _At(ANYTHING, at.path)

    def _projection(self, kind: str, children: list[Tree], at: _At) -> _At:
        base = self._walk(children[0], at)
        if kind == "flatten":
            inner = self._elements(base)
            return _At(listed(inner.shape.flattened()), inner.path, True)
        items = self._values(base) if kind == "value_projection" else self._elements(base)
        for condition in children[2:]:
            self._walk(condition, items)
        found = self._walk(children[1], items)
        return _At(listed(found.shape), found.path, True)

    def _function(self, tree: Tree, at: _At) -> _At:
        name, children = tree["value"], tree["children"]
        plain = [self._walk(one, at) for one in children if one["type"] != "expref"]
        first = plain[0] if plain else _At(ANYTHING, at.path)
        inner = [
            self._walk(one["children"][0], self._elements(first))
            for one in children
            if one["type"] == "expref"
        ]
        if name == "map" and inner:
            return _At(listed(inner[0].shape), inner[0].path, True)
        if name in ("max_by", "min_by"):
            return self._elements(first)
        if name == "not_null":
            return _At(union(part.shape for part in plain), first.path)
        return first if name in _FIRST else _At(ANYTHING, first.path)

    def _field(self, at: _At, name: str) -> _At:
        path = f"{at.path}.{name}" if at.path else name
        found = at.shape.field(name)
        if found is not None:
            return _At(found, path)
        holder = f"{at.path!r}" if at.path else "the payload"
        if at.shape.fields is None:
            return self._doubt(path, f"{holder} is {at.shape.named} there, without fields")
        near = nearest(name, at.shape.fields)
        return self._doubt(path, f"not in the {self._called}: {holder} has no {name!r}{near}")

    def _elements(self, at: _At) -> _At:
        path = at.path if at.spread else f"{at.path}[]"
        found = at.shape.elements()
        if found is not None or at.shape == Shape():
            return _At(found or ANYTHING, path)
        return self._doubt(path, f"{at.path!r} is {at.shape.named} there, and no list")

    def _values(self, at: _At) -> _At:
        found = at.shape.values()
        if found is not None or at.shape == Shape():
            return _At(found or ANYTHING, f"{at.path}.*")
        return self._doubt(at.path, f"{at.path!r} is {at.shape.named} there, and no object")

    def _doubt(self, path: str, message: str) -> _At:
        """Tell it, and know nothing of what comes below."""
        self.found.append(Doubt(self._spot, self._text, path, message))
        return _At(ANYTHING, path)
