"""One field of a definition becomes one function: read, transform, translate.

Everything that can be known at load is checked here: names of transforms and their arguments,
what each gives against what the next takes, and the last against the canonical field.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final

import msgspec

from mappings import fieldtypes
from mappings.definition import FieldSpec, TableSpec, nearest, spelled
from mappings.document import Complain, Spot
from mappings.expressions import BadExpression, Expression, Scope, parse
from mappings.limits import Spend, spend_size, spend_whole
from mappings.problems import Unfit, UnfitArgument
from mappings.transforms import TRANSFORMS

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


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument that is read from the payload. Transforms trust theirs, so ``kind`` is checked;
    ``may_miss``: null is fine as well."""

    name: str
    expression: Expression
    kind: type
    may_miss: bool
    hint: Any

    def __call__(self, scope: Scope) -> Any:
        value = self.expression.read(scope)
        if isinstance(value, self.kind) or (value is None and self.may_miss):
            if self.kind is list:
                spend_size(value, scope.spend)
            return value
        wanted = fieldtypes.named(self.hint)
        state = "is missing" if value in (None, "") else f"is not {wanted}"
        raise UnfitArgument(f"{self.name} {state} at {self.expression.text!r}")


@dataclass(frozen=True, slots=True)
class Transform:
    """A step that calls the transform of that name."""

    name: str
    constants: Mapping[str, Any]
    arguments: tuple[Argument, ...]

    def __call__(self, value: Any, scope: Scope) -> Any:
        given = {argument.name: argument(scope) for argument in self.arguments}
        return TRANSFORMS[self.name](value, **self.constants, **given)


@dataclass(frozen=True, slots=True)
class Translation:
    """A step that looks a value up in a value table. ``otherwise``: None parks."""

    name: str
    results: Mapping[str, Any]
    otherwise: Any

    def __call__(self, value: Any, _scope: Scope) -> Any:
        found = self.results.get(spelled(value), self.otherwise)
        if found is None:
            raise Unfit(f"the value table {self.name!r} does not know this value")
        return found


@dataclass(frozen=True, slots=True)
class RefuseBlank:
    """Last step of a text that must be there."""

    def __call__(self, value: Any, _scope: Scope) -> Any:
        return None if value == "" else value


@dataclass(frozen=True, slots=True)
class RefuseUnsendable:
    """Last step of every outbound field: what JSON cannot say needs a transform."""

    def __call__(self, value: Any, scope: Scope) -> Any:
        refuse_unsendable(value, scope.spend)
        return value


Step = Transform | Translation | RefuseBlank | RefuseUnsendable
"""Takes a value and where it was found; giving None means "nothing there"."""


def expression(text: str, spot: Spot, complain: Complain) -> Expression | None:
    """Parse, or complain and give None."""
    try:
        return parse(text)
    except BadExpression as error:
        complain(spot, str(error))
        return None


def chain(
    spec: FieldSpec, wanted: Any, found: Any, complain: Complain
) -> tuple[tuple[Step, ...], Any]:
    """The transforms of a field as steps, and the type of what they give.

    ``wanted``: the canonical type, used where the field names no transform, or ``UNKNOWN``;
    ``found``: the type of what the expression gives, where that is known.
    """
    names, spot = spec.transforms, spec.spot
    if not names and spec.values is None and wanted is not UNKNOWN:
        names = tuple(filter(None, [_BY_TYPE.get(fieldtypes.without_none(wanted))]))
    known = [name for name in names if name in TRANSFORMS]
    for name in names:
        if name not in TRANSFORMS:
            complain(spot, f"unknown transform {name!r}{nearest(name, TRANSFORMS)}")
    taken = {argument for name in known for argument in signature(name).arguments}
    for argument in spec.arguments:
        if argument not in taken and len(known) == len(names):
            complain(spot, f"no transform takes {argument!r}{nearest(argument, taken)}")
    steps: list[Step] = []
    for name in known:
        sign = signature(name)
        if found is not UNKNOWN and not fieldtypes.fits(found, sign.takes):
            gives, takes = fieldtypes.named(found), fieldtypes.named(sign.takes)
            complain(spot, f"{name} takes {takes}, but is given {gives}")
        steps.append(_step(name, spec.arguments, spot, complain))
        found = UNKNOWN if sign.gives is Any else sign.gives
    if len(known) < len(names):
        found = wanted  # the unknown transform was reported; its type would be a second complaint
    return tuple(steps), found


def _step(name: str, given: Mapping[str, Any], spot: Spot, complain: Complain) -> Step:
    sign = signature(name)
    constants: dict[str, Any] = {}
    arguments: list[Argument] = []
    for argument, hint in sign.arguments.items():
        if argument not in given:
            if argument in sign.needed:
                complain(spot, f"{name} needs {argument!r}: with = {{ {argument} = ... }}")
            continue
        value = given[argument]
        if isinstance(value, str):
            parsed = expression(value, spot, complain)
            if parsed is not None:
                arguments.append(_argument(argument, parsed, hint))
        elif isinstance(value, dict) and set(value) == {"value"}:
            try:
                constants[argument] = fieldtypes.converted(value["value"], hint)
            except msgspec.ValidationError:
                complain(spot, f"{argument} must be {fieldtypes.named(hint)}")
        else:
            complain(spot, f"{argument} must be an expression or {{ value = ... }}")
    return Transform(name, constants, tuple(arguments))


def _argument(name: str, parsed: Expression, hint: Any) -> Argument:
    plain = fieldtypes.without_none(hint)
    kind = _JSON.get(typing.get_origin(plain) or plain, object)
    return Argument(name, parsed, kind, type(None) in fieldtypes.members(hint), hint)


def translation(table: TableSpec, name: str, wanted: Any, complain: Complain) -> Step:
    """A value table as a step. Its results are checked against the field's type."""

    def result(word: str) -> Any:
        if wanted is UNKNOWN:
            return word
        try:
            return fieldtypes.converted(word, wanted)
        except msgspec.ValidationError:
            spot = table.words.get(word, table.spot)
            complain(spot, f"{word!r} is not {fieldtypes.named(wanted)}")
            return None

    results = {spelling: result(word) for spelling, word in table.results.items()}
    otherwise = None if table.otherwise == "park" else result(table.otherwise)
    return Translation(name, results, otherwise)


def refuse_unsendable(value: Any, spend: Spend) -> None:
    """Raises ``Unfit`` where a value holds what JSON cannot say."""
    spend_whole(value, spend)
    pending = [value]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            pending.extend(part.values())
        elif isinstance(part, list):
            pending.extend(part)
        elif isinstance(part, Decimal | datetime):
            raise Unfit(f"{fieldtypes.named(type(part))} cannot be sent without a transform")
