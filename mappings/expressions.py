"""Expressions of a definition: JMESPath, read from the item, its parent or the whole payload.

An expression starts at the current item; after ``$.`` at the whole payload, after ``^.`` at the
parent of the item; ``$`` and ``^`` alone are those objects themselves.

Nearly every expression is a plain path. For these, ``||``, ``@`` and ``[a, b]`` the syntax tree
becomes closures; the reference interpreter, ten times slower, runs the rest. Both give the same
answer, which a property test holds them to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.visitor import TreeInterpreter

from mappings.problems import Unfit


class Scope(NamedTuple):
    """Where an expression may look: the item, what holds it, the whole payload."""

    item: Any
    parent: Any
    root: Any


Read = Callable[[Scope], Any]
"""Gives the value, or None."""

Find = Callable[[Any], Any]

Tree = dict[str, Any]

# The interpreter checks the types its functions take, but lets a few of Python's own errors out
# (a slice of step zero, a sum past the largest float).
_FAILURES = (JMESPathError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)

_INTERPRETER: Any = TreeInterpreter()


class BadExpression(ValueError):
    """The text is not an expression; the message is the parser's."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression. ``path`` holds the keys of a plain path and is None for any other."""

    text: str
    origin: Literal["item", "parent", "root"]
    path: tuple[str, ...] | None
    read: Read


def parse(text: str) -> Expression:
    """Parse once, at load. Raises ``BadExpression``."""
    origin, body = _origin(text.strip())
    if not body:
        return Expression(text, origin, (), _from(origin, lambda value: value))
    try:
        tree: Tree = dict(jmespath.compile(body).parsed)
    except JMESPathError as error:
        reason = " ".join(str(error).split())
        raise BadExpression(f"not an expression: {text!r}: {reason}") from error
    return Expression(text, origin, _path(tree), _from(origin, _find(tree)))


def _origin(text: str) -> tuple[Literal["item", "parent", "root"], str]:
    if text == "$" or text.startswith("$."):
        return "root", text[2:]
    if text == "^" or text.startswith("^."):
        return "parent", text[2:]
    return "item", text or "@"


def _from(origin: Literal["item", "parent", "root"], find: Find) -> Read:
    if origin == "root":
        return lambda scope: find(scope.root)
    if origin == "parent":
        return lambda scope: find(scope.parent)
    return lambda scope: find(scope.item)


def _path(tree: Tree) -> tuple[str, ...] | None:
    if tree["type"] == "field":
        return (tree["value"],)
    if tree["type"] == "subexpression":
        parts = [_path(child) for child in tree["children"]]
        if all(part is not None for part in parts):
            return tuple(key for part in parts if part is not None for key in part)
    return None


def _find(tree: Tree) -> Find:
    return _CLOSURES.get(tree["type"], _interpreted)(tree)


def _field(tree: Tree) -> Find:
    key = tree["value"]

    def find(value: Any) -> Any:
        try:
            return value.get(key)
        except AttributeError:
            return None

    return find


def _subexpression(tree: Tree) -> Find:
    children = [_find(child) for child in tree["children"]]

    def find(value: Any) -> Any:
        for child in children:
            value = child(value)
        return value

    return find


def _either(tree: Tree) -> Find:
    left, right = (_find(child) for child in tree["children"])

    def find(value: Any) -> Any:
        found = left(value)
        return found if truthy(found) else right(value)

    return find


def _listed(tree: Tree) -> Find:
    children = [_find(child) for child in tree["children"]]

    def find(value: Any) -> Any:
        return None if value is None else [child(value) for child in children]

    return find


def _current(_tree: Tree) -> Find:
    return lambda value: value


def _interpreted(tree: Tree) -> Find:
    def find(value: Any) -> Any:
        try:
            return _INTERPRETER.visit(tree, value)
        except _FAILURES as error:
            raise Unfit(f"the expression fails on this payload: {type(error).__name__}") from error

    return find


_CLOSURES: dict[str, Callable[[Tree], Find]] = {
    "field": _field,
    "subexpression": _subexpression,
    "or_expression": _either,
    "multi_select_list": _listed,
    "current": _current,
}


def truthy(value: Any) -> bool:
    """JMESPath's truth: all but ``""``, ``[]``, ``{}``, ``false`` and ``null``, so 0 is true."""
    return not (value is None or value is False or value == "" or value == [] or value == {})
