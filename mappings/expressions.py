"""Expressions of a definition: JMESPath, read from the item, its parent or the whole payload.

An expression starts at the current item; after ``$.`` at the whole payload, after ``^.`` at the
parent of the item; ``$`` and ``^`` alone are those objects themselves.

The ``jmespath`` package parses; what runs is Python generated from its tree, which answers what
the package's own interpreter answers, many times faster and in a bounded number of steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jmespath

from mappings.generated import Source
from mappings.jmespath_code import Tree, write_function
from mappings.jmespath_runtime import FAILURES, SIGNATURES, field
from mappings.limits import DEPTH, LENGTH, NODES, Spend, Steps
from mappings.problems import Unfit

Origin = Literal["item", "parent", "root"]

_BY = {"map": 0, "sort_by": 1, "min_by": 1, "max_by": 1}
"""Which argument of a function is an expression reference."""

_LOOSE = "& stands only where map, sort_by, min_by and max_by take an expression"


class Scope(NamedTuple):
    """Where an expression may look: the item, what holds it, the whole payload.

    ``steps``: what this record may still take; without, each expression has its own.
    """

    item: Any
    parent: Any
    root: Any
    steps: Steps | None = None

    @property
    def spend(self) -> Spend:
        """Counts steps."""
        return (self.steps or Steps()).spend


Read = Callable[[Scope], Any]
"""Gives the value, or None."""


class BadExpression(ValueError):
    """The text is not an expression, or one past the limits; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression. ``path`` holds the keys of a plain path and is None for any other."""

    text: str
    origin: Origin
    path: tuple[str, ...] | None
    tree: Tree
    read: Read


def parse(text: str) -> Expression:
    """Parse once, at load. Raises ``BadExpression``."""
    origin, body = _origin(text.strip())
    if len(body) > LENGTH:
        raise BadExpression(f"an expression of more than {LENGTH} characters")
    try:
        tree: Tree = dict(jmespath.compile(body or "@").parsed)
    except ValueError as error:  # JMESPathError, or an index of more digits than int() takes
        reason = " ".join(str(error).split())
        raise BadExpression(f"not an expression: {text!r}: {reason}") from error
    except RecursionError:
        raise BadExpression(_too_deep(text)) from None
    _check(tree, text)
    path = _path(tree)
    read = _Reader(origin, tree) if path is None else _path_reader(origin, path)
    return Expression(text, origin, path, tree, read)


def _origin(text: str) -> tuple[Origin, str]:
    if text == "$" or text.startswith("$."):
        return "root", text[2:]
    if text == "^" or text.startswith("^."):
        return "parent", text[2:]
    return "item", text or "@"


def _too_deep(text: str) -> str:
    return f"an expression nested deeper than {DEPTH} levels: {text[:60]!r}..."


def _check(tree: Tree, text: str) -> None:
    """Raises ``BadExpression`` where the expression could only fail, or is past the limits."""
    pending = [(tree, 1)]
    seen = 0
    while pending:
        node, depth = pending.pop()
        seen += 1
        if depth > DEPTH:
            raise BadExpression(_too_deep(text))
        if seen > NODES:
            raise BadExpression(f"an expression of more than {NODES} parts: {text[:60]!r}...")
        # The children of a slice are numbers.
        children = [child for child in node["children"] if isinstance(child, dict)]
        fault = _fault(node, children)
        if fault:
            raise BadExpression(f"not an expression: {text!r}: {fault}")
        pending += [(child, depth + 1) for child in children]
    if tree["type"] == "expref":
        raise BadExpression(f"not an expression: {text!r}: {_LOOSE}")


def _fault(node: Tree, children: list[Tree]) -> str:
    """What the reference finds only when the call is reached, it would find on every payload."""
    name = node["value"] if node["type"] == "function_expression" else None
    if name is not None:
        if name not in SIGNATURES:
            return f"unknown function {name!r}"
        wanted, given = len(SIGNATURES[name]), len(children)
        if given < wanted or (given > wanted and not SIGNATURES[name][-1].get("variadic")):
            return f"{name} takes {wanted} arguments, not {given}"
    by = _BY.get(name or "")
    for place, child in enumerate(children):
        if child["type"] == "expref" and place != by:
            return _LOOSE
        if child["type"] != "expref" and place == by:
            return f"argument {place + 1} of {name} must be an expression after &"
    return ""


def _path(tree: Tree) -> tuple[str, ...] | None:
    if tree["type"] == "field":
        return (tree["value"],)
    if tree["type"] == "current":
        return ()
    if tree["type"] == "subexpression":
        parts = [_path(child) for child in tree["children"]]
        if all(part is not None for part in parts):
            return tuple(key for part in parts if part is not None for key in part)
    return None


def _path_reader(origin: Origin, path: tuple[str, ...]) -> Read:
    def read(scope: Scope) -> Any:
        value = getattr(scope, origin)
        for key in path:
            value = field(value, key)
        return value

    return read


class _Reader:
    """Reads an expression that is no plain path. Its code is made when it is first needed: what
    maps without a problem runs as part of the whole definition's function."""

    __slots__ = ("_find", "_origin", "_tree")

    def __init__(self, origin: Origin, tree: Tree) -> None:
        self._origin = origin
        self._tree = tree
        self._find: Callable[[Any, Spend], Any] | None = None

    def __call__(self, scope: Scope) -> Any:
        if self._find is None:
            source = Source()
            self._find = source.compiled(write_function(self._tree, source))
        try:
            return self._find(getattr(scope, self._origin), scope.spend)
        except FAILURES as error:
            raise Unfit(f"the expression fails on this payload: {type(error).__name__}") from error
