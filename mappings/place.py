"""Where generated code stands in a payload: which variables hold the item and what is around it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from mappings.expressions import Expression
from mappings.generated import Source
from mappings.jmespath_code import written
from mappings.jmespath_runtime import getter
from mappings.plan import RecordPlan
from mappings.shapes import Shape
from mappings.steps import Transform

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """One scope. ``holders``: the variables of all scopes around it, the payload's first."""

    source: Source
    item: str
    holders: tuple[str, ...] = ()

    def below(self, item: str, shape: Shape | None) -> Place:
        """The scope of a nested record. ``shape``: what the item is, where it is typed."""
        if shape is not None:
            self.source.shapes[item] = shape
        return Place(self.source, item, (*self.holders, self.item))

    def read(self, expression: Expression) -> str:
        """Write an expression; gives the variable of its result."""
        start = self._start(expression)
        if expression.path is not None:
            return self._along(start, expression.path)
        key = f"{start}: {expression.text}"
        known = self.source.remembered(key)
        if known is not None:
            return known
        with self.source.expression():
            return self.source.remember(key, written(expression.tree, start, self.source))

    def enter(self, record: RecordPlan, when: Expression | None) -> None:
        """Write what a scope begins with.

        Plain paths that are used more than once, or further down, are read here: reading a path
        never fails, so that it is safe whether or not they turn out to be needed.
        """
        source, item = self.source, self.item
        if item not in source.shapes:
            get = source.getters[item] = source.fresh("get")
            is_object = f"{source.use(type)}({item}) is {source.use(dict)}"
            source.line(f"{get} = {item}.get if {is_object} else {source.use(getter)}({item})")
        used: Counter[Path] = Counter()
        expressions = [(0, when)] if when else []
        for distance, expression in [*expressions, *_expressions(record, 0)]:
            path = self._path_from_here(expression, distance)
            for length in range(1, len(path) + 1):
                used[path[:length]] += 2 if distance else 1
        for path in sorted(used, key=len):
            if used[path] > 1:
                self._along(item, path)

    def _start(self, expression: Expression) -> str:
        if expression.origin == "item":
            return self.item
        if expression.origin == "root":
            return (*self.holders, self.item)[0]
        return self.holders[-1] if self.holders else "None"

    def _along(self, start: str, path: Path) -> str:
        value = start
        for key in path:
            with self.source.expression():
                value = written({"type": "field", "value": key}, value, self.source)
        return value

    def _path_from_here(self, expression: Expression, distance: int) -> Path:
        here = {"item": distance == 0, "parent": distance == 1, "root": not self.holders}
        return (expression.path or ()) if here[expression.origin] else ()


def _expressions(record: RecordPlan, distance: int) -> Iterator[tuple[int, Expression]]:
    """All expressions of a record, and how many scopes below it each one stands."""
    for one in record.fields:
        yield distance, one.expression
        for step in one.steps:
            if isinstance(step, Transform):
                yield from ((distance, argument.expression) for argument in step.arguments)
    for scopes in (*(ones[1] for ones in record.ones), *(eaches[1] for eaches in record.eaches)):
        for scope in scopes:
            if scope.source is not None:
                yield distance, scope.source
            if scope.when is not None:
                yield distance + 1, scope.when
            yield from _expressions(scope.record, distance + 1)
