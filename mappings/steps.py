"""One field of a definition becomes one function: read, transform, translate.

Everything that can be known at load is checked here: names of transforms and their arguments,
what each gives against what the next takes, and the last against the canonical field.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final

import msgspec

from mappings import fieldtypes
from mappings.definition import Complain, FieldSpec, TableSpec, nearest, spelled
from mappings.expressions import BadExpression, Expression, Read, Scope, parse
from mappings.problems import Unfit, UnfitArgument
from mappings.transforms import TRANSFORMS

Step = Callable[[Any, Scope], Any]
"""Takes a value and where it was found; giving None means "nothing there"."""

UNKNOWN: Final = object()
"""Stands for the type of what only the payload knows."""

_BY_TYPE = {str: "text", int: "integer", bool: "boolean", Decimal: "decimal"}

_JSON: dict[Any, type] = {str: str, int: int, bool: bool, list: list}
"""What an argument looks like in a payload; any other type is for the transform to check."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What a transform takes and gives: ``arguments`` by name, ``needed`` those without default."""

    takes: Any
    gives: Any
    arguments: Mapping[str, Any]
    needed: frozenset[str]


@cache
def signature(name: str) -> Signature:
    """Read the annotations of a transform."""
    function = TRANSFORMS[name]
    hints = typing.get_type_hints(function)
    value, *arguments = inspect.signature(function).parameters.values()
    return Signature(
        takes=hints[value.name],
        gives=hints["return"],
        arguments={argument.name: hints[argument.name] for argument in arguments},
        needed=frozenset(
            argument.name for argument in arguments if argument.default is argument.empty
        ),
    )


def expression(text: str, where: str, complain: Complain) -> Expression | None:
    """Parse, or complain and give None."""
    try:
        return parse(text)
    except BadExpression as error:
        complain(where, str(error))
        return None


def chain(
    spec: FieldSpec, wanted: Any, found: Any, where: str, complain: Complain
) -> tuple[tuple[Step, ...], Any]:
    """The transforms of a field as steps, and the type of what they give.

    ``wanted``: the canonical type, used where the field names no transform, or ``UNKNOWN``;
    ``found``: the type of what the expression gives, where that is known.
    """
    names = spec.transforms
    if not names and spec.values is None and wanted is not UNKNOWN:
        names = tuple(filter(None, [_BY_TYPE.get(fieldtypes.without_none(wanted))]))
    known = [name for name in names if name in TRANSFORMS]
    for name in names:
        if name not in TRANSFORMS:
            complain(where, f"unknown transform {name!r}{nearest(name, TRANSFORMS)}")
    taken = {argument for name in known for argument in signature(name).arguments}
    for argument in spec.arguments:
        if argument not in taken and len(known) == len(names):
            complain(where, f"no transform takes {argument!r}{nearest(argument, taken)}")
    steps: list[Step] = []
    for name in known:
        sign = signature(name)
        if found is not UNKNOWN and not fieldtypes.fits(found, sign.takes):
            gives, takes = fieldtypes.named(found), fieldtypes.named(sign.takes)
            complain(where, f"{name} takes {takes}, but is given {gives}")
        steps.append(_step(name, spec.arguments, where, complain))
        found = UNKNOWN if sign.gives is Any else sign.gives
    if len(known) < len(names):
        found = wanted  # the unknown transform was reported; its type would be a second complaint
    return tuple(steps), found


def _step(name: str, given: Mapping[str, Any], where: str, complain: Complain) -> Step:
    sign = signature(name)
    function = TRANSFORMS[name]
    constants: dict[str, Any] = {}
    reads: list[tuple[str, Read]] = []
    for argument, hint in sign.arguments.items():
        if argument not in given:
            if argument in sign.needed:
                complain(where, f"{name} needs {argument!r}: with = {{ {argument} = ... }}")
            continue
        value = given[argument]
        if isinstance(value, str):
            parsed = expression(value, where, complain)
            if parsed is not None:
                reads.append((argument, _argument(argument, parsed, hint)))
        elif isinstance(value, dict) and set(value) == {"value"}:
            try:
                constants[argument] = fieldtypes.converted(value["value"], hint)
            except msgspec.ValidationError:
                complain(where, f"{argument} must be {fieldtypes.named(hint)}")
        else:
            complain(where, f"{argument} must be an expression or {{ value = ... }}")
    return _call(function, constants, reads)


def _call(
    function: Callable[..., Any], constants: Mapping[str, Any], reads: list[tuple[str, Read]]
) -> Step:
    if not constants and not reads:
        return lambda value, _scope: function(value)
    if not constants and len(reads) == 1:
        name, read = reads[0]
        return lambda value, scope: function(value, **{name: read(scope)})

    def step(value: Any, scope: Scope) -> Any:
        arguments = {name: read(scope) for name, read in reads}
        return function(value, **constants, **arguments)

    return step


def _argument(name: str, parsed: Expression, hint: Any) -> Read:
    """Read an argument from the payload and see to its type: transforms trust their arguments."""
    read = parsed.read
    plain = fieldtypes.without_none(hint)
    kind = _JSON.get(typing.get_origin(plain) or plain, object)
    may_miss = type(None) in fieldtypes.members(hint)

    def checked(scope: Scope) -> Any:
        value = read(scope)
        if isinstance(value, kind) or (value is None and may_miss):
            return value
        state = "is missing" if value in (None, "") else f"is not {fieldtypes.named(hint)}"
        raise UnfitArgument(f"{name} {state} at {parsed.text!r}")

    return checked


def translation(table: TableSpec, name: str, wanted: Any, complain: Complain) -> Step:
    """A value table as a step. Its results are checked against the field's type."""
    where = f"values.{name}"

    def result(word: str) -> Any:
        if wanted is UNKNOWN:
            return word
        try:
            return fieldtypes.converted(word, wanted)
        except msgspec.ValidationError:
            complain(where, f"{word!r} is not {fieldtypes.named(wanted)}")
            return None

    results = {spelling: result(word) for spelling, word in table.results.items()}
    parks = table.otherwise == "park"
    otherwise = None if parks else result(table.otherwise)

    def step(value: Any, _scope: Scope) -> Any:
        found = results.get(spelled(value), otherwise)
        if found is None:
            raise Unfit(f"the value table {name!r} does not know this value")
        return found

    return step


def produced(read: Read, steps: tuple[Step, ...], *, blank_is_null: bool) -> Read:
    """The whole field as one function. ``blank_is_null``: empty text means nothing is there."""
    if len(steps) == 1:
        (only,) = steps

        def produce_by_one(scope: Scope) -> Any:
            value = read(scope)
            if value is None or (blank_is_null and value == ""):
                return None
            return only(value, scope)

        return produce_by_one

    def produce(scope: Scope) -> Any:
        value = read(scope)
        if blank_is_null and value == "":
            return None
        for step in steps:
            if value is None:
                return None
            value = step(value, scope)
        return value

    return produce


def refuse_blank(value: Any, _scope: Scope) -> Any:
    """Last step of a text that must be there."""
    return None if value == "" else value


def refuse_unsendable(value: Any, scope: Scope) -> Any:
    """Last step of every outbound field: what JSON cannot say needs a transform."""
    if isinstance(value, dict):
        for inner in value.values():
            refuse_unsendable(inner, scope)
    elif isinstance(value, list):
        for inner in value:
            refuse_unsendable(inner, scope)
    elif isinstance(value, Decimal | datetime):
        raise Unfit(f"{fieldtypes.named(type(value))} cannot be sent without a transform")
    return value
