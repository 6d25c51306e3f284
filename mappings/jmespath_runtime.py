"""What the code made of JMESPath expressions calls: its truth, comparisons and functions.

They answer as ``jmespath`` does, quirks included; the functions are that package's own.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from numbers import Number
from typing import Any

from jmespath.exceptions import JMESPathError, JMESPathTypeError
from jmespath.functions import Functions

from mappings.limits import Spend, spend_size, spend_whole

# Functions check the types they are given, but let a few of Python's own errors out (a slice of
# step zero, a sum past the largest float).
FAILURES = (
    JMESPathError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What an expression may raise on a payload."""

_FUNCTIONS: Any = Functions()

SIGNATURES: Mapping[str, Any] = {
    name: function["signature"] for name, function in _FUNCTIONS.FUNCTION_TABLE.items()
}
"""By name: one ``{"types": [...], "variadic": bool}`` per argument."""


def truthy(value: Any) -> bool:
    """JMESPath's truth: all but ``""``, ``[]``, ``{}``, ``false`` and ``null``, so 0 is true."""
    return not (value is None or value is False or value == "" or value == [] or value == {})


def negated(value: Any) -> bool:
    """JMESPath's ``!``, for which 0 is true as well."""
    return False if _is_number(value) and value == 0 else not value


def getter(value: Any) -> Callable[[str], Any]:
    """Reads the keys of an object; of anything else every key is null."""
    try:
        get: Callable[[str], Any] = value.get
    except AttributeError:
        return _nothing
    return get


def _nothing(_key: str) -> None:
    return None


def field(value: Any, key: str) -> Any:
    """One key of what is perhaps an object."""
    return getter(value)(key)


def index(value: Any, position: int) -> Any:
    """An element of a list; null past its ends and of anything else."""
    if not isinstance(value, list):
        return None
    try:
        return value[position]
    except IndexError:
        return None


def sliced(value: Any, part: slice) -> Any:
    """A part of a list; null of anything else."""
    return value[part] if isinstance(value, list) else None


def values_of(value: Any) -> Any:
    """The values of an object, or None."""
    try:
        return list(value.values())
    except AttributeError:
        return None


def flattened(value: Any, spend: Spend) -> Any:
    """A list with the lists in it opened; null of anything else."""
    if not isinstance(value, list):
        return None
    merged: list[Any] = []
    for element in value:
        if isinstance(element, list):
            spend(len(element) + 1)
            merged.extend(element)
        else:
            spend(1)
            merged.append(element)
    return merged


def equal(left: Any, right: Any, spend: Spend) -> bool:
    """Python's equality, except that 0 and 1 are not false and true."""
    if _is_bit(left):
        return not isinstance(right, bool) and left == right
    if _is_bit(right):
        return not isinstance(left, bool) and left == right
    if isinstance(left, list | dict) and isinstance(right, list | dict):
        spend_whole(left, spend)
        spend_whole(right, spend)
    return bool(left == right)


def unequal(left: Any, right: Any, spend: Spend) -> bool:
    """The opposite of ``equal``."""
    return not equal(left, right, spend)


def _is_bit(value: Any) -> bool:
    return _is_number(value) and value in (0, 1)


def _is_number(value: Any) -> bool:
    return isinstance(value, Number) and not isinstance(value, bool)


def _ordering(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any, Spend], Any]:
    def ordered(left: Any, right: Any, _spend: Spend) -> Any:
        if _is_comparable(left) and _is_comparable(right):
            return compare(left, right)
        return None

    return ordered


def _is_comparable(value: Any) -> bool:
    return isinstance(value, str) or _is_number(value)


COMPARISONS: Mapping[str, Callable[[Any, Any, Spend], Any]] = {
    "eq": equal,
    "ne": unequal,
    "lt": _ordering(operator.lt),
    "lte": _ordering(operator.le),
    "gt": _ordering(operator.gt),
    "gte": _ordering(operator.ge),
}


def call(name: str, arguments: list[Any], spend: Spend) -> Any:
    """One of JMESPath's functions that take no expression."""
    for argument in arguments:
        if name in ("contains", "to_string"):
            spend_whole(argument, spend)
        else:
            spend_size(argument, spend)
    if name == "join" and isinstance(arguments[1], list):
        _spend_joined(arguments[0], arguments[1], spend)
    return _FUNCTIONS.call_function(name, arguments)


def _spend_joined(separator: Any, parts: list[Any], spend: Spend) -> None:
    """A long separator between many parts writes the product of both."""
    for part in parts:
        spend_size(separator, spend)
        spend_size(part, spend)


def an_array(name: str, value: Any, spend: Spend) -> list[Any]:
    """What a function with an expression goes through. Raises ``JMESPathTypeError``."""
    if not isinstance(value, list):
        raise JMESPathTypeError(name, value, type(value).__name__, ["array"])
    spend(len(value))
    return value


def sort_by(array: list[Any], keys: list[Any]) -> list[Any]:
    """The elements in the order of their keys, which must be all numbers or all texts."""
    return [array[place] for place in sorted(range(len(array)), key=_checked(keys, keys[:1]))]


def min_by(array: list[Any], keys: list[Any]) -> Any:
    """The first element whose key is least, or null."""
    if not array:
        return None
    return array[min(range(len(array)), key=_checked(keys, keys))]


def max_by(array: list[Any], keys: list[Any]) -> Any:
    """The first element whose key is greatest, or null."""
    if not array:
        return None
    return array[max(range(len(array)), key=_checked(keys, keys))]


def _checked(keys: list[Any], allowed: list[Any]) -> Callable[[int], Any]:
    """Keys by place. ``allowed``: keys of the kinds that may appear."""
    kinds = {_key_kind(key) for key in allowed}
    for key in keys:
        if _key_kind(key) not in kinds:
            raise JMESPathTypeError("key", key, type(key).__name__, ["number", "string"])
    return keys.__getitem__


def _key_kind(key: Any) -> str:
    if isinstance(key, str):
        return "string"
    if isinstance(key, int | float) and not isinstance(key, bool):
        return "number"
    raise JMESPathTypeError("key", key, type(key).__name__, ["number", "string"])


BY_KEY: Mapping[str, Callable[[list[Any], list[Any]], Any]] = {
    "sort_by": sort_by,
    "min_by": min_by,
    "max_by": max_by,
}
"""The functions that take an array and an expression that gives each element its key."""
