"""One field becomes Python statements: read, transform, translate, fall back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from mappings.definition import spelled
from mappings.fieldtypes import members
from mappings.generated import Source
from mappings.limits import spend_size
from mappings.numbers import countable, exact, minor_units, rounded_minor_units
from mappings.place import Place
from mappings.plan import FieldPlan
from mappings.steps import (
    Argument,
    RefuseBlank,
    RefuseUnsendable,
    Step,
    Transform,
    Translation,
    refuse_unsendable,
    signature,
)
from mappings.transforms import TRANSFORMS

INLINE: Mapping[str, tuple[tuple[type, str, str], ...]] = {
    "boolean": ((bool, "", "{0}"),),
    "email": ((str, "", "{0}.strip().lower()"),),
    "lower": ((str, "", "{0}.lower()"),),
    "squash_spaces": ((str, "", "' '.join({0}.split())"),),
    "strip": ((str, "", "{0}.strip()"),),
    "strip_html": ((str, "'<' not in {0} and '&' not in {0}", "' '.join({0}.split())"),),
    "text": ((str, "", "{0}"), (int, "", "f'{{{0}}}'")),
}
"""What a transform does with values of a type, where a condition holds, written out to spare them
the call."""

STRAIGHT: Mapping[str, Callable[..., Any]] = {
    "decimal": exact,
    "money": minor_units,
    "money_rounded": rounded_minor_units,
    "quantity": countable,
}
"""What a transform consists of, where it is another function under a name for people."""


def write_required(field: FieldPlan, place: Place) -> str:
    """Write a field that must be there, and leave the function where it is not."""
    value = _found(field, place)
    _leave(
        f"{value} is None or {value} == ''" if field.blank_is_null else f"{value} is None", place
    )
    for step in _needed(field):
        value = _step(step, value, place)
        if _may_be_null(step):
            _leave(f"{value} is None", place)
    return _bounded(value, field, place)


def write_optional(field: FieldPlan, place: Place, absent: str) -> str:
    """Write a field that becomes ``absent`` where nothing is there."""
    return _bounded(_optional(field, place, absent), field, place)


def _bounded(value: str, field: FieldPlan, place: Place) -> str:
    if field.longest is not None:
        _leave(f"{place.source.use(len)}({value}) > {field.longest}", place)
    return value


def _optional(field: FieldPlan, place: Place, absent: str) -> str:
    source = place.source
    value = _found(field, place)
    steps = _needed(field)
    if len(steps) == 1 and isinstance(steps[0], Transform) and not steps[0].arguments:
        return _short(steps[0], value, absent, field, place)
    result = source.let(absent)
    with ExitStack() as blocks:
        blocks.enter_context(source.block(f"if {_there(field, value)}:"))
        for step in steps:
            value = _step(step, value, place)
            if _may_be_null(step):
                blocks.enter_context(source.block(f"if {value} is not None:"))
        source.line(f"{result} = {value}")
    return result


def _short(step: Transform, value: str, absent: str, field: FieldPlan, place: Place) -> str:
    """The usual optional field in one line."""
    source = place.source
    there = _there(field, value)
    made = f"{_call(step, value, place)} if {there} else {absent}"
    if step.name in INLINE:
        # What is of the usual type is not null, so that it is asked first.
        return source.once(_inlined(step.name, value, field.blank_is_null, source) + made)
    if not _may_be_null(step) or absent == source.bind(None):
        return source.once(made)
    result = source.let(made)
    with source.block(f"if {result} is None:"):
        source.line(f"{result} = {absent}")
    return result


def _inlined(name: str, value: str, blank_is_null: bool, source: Source) -> str:
    """What a transform does written out, to be followed by what is done with anything else."""
    usual = ""
    for kind, condition, result in INLINE[name]:
        asked = [f"{source.use(type)}({value}) is {source.use(kind)}"]
        if kind is str and blank_is_null:
            asked.append(f"{value} != ''")
        if condition:
            asked.append(condition.format(value))
        usual += f"{result.format(value)} if {' and '.join(asked)} else "
    return usual


def _there(field: FieldPlan, value: str) -> str:
    return f"{value} is not None" + (f" and {value} != ''" if field.blank_is_null else "")


def _found(field: FieldPlan, place: Place) -> str:
    value = place.read(field.expression)
    if field.expression.origin != "item" and place.holders:
        # The same large value, read for every item of a list.
        place.source.line(f"{place.source.use(spend_size)}({value}, spend)")
    return value


def _needed(field: FieldPlan) -> list[Step]:
    """The steps that can make a difference."""
    steps = list(field.steps)
    if field.blank_is_null and all(_keeps_text(step) for step in steps):
        # Blank text was sent away at the door, and no step makes a new one.
        steps = [step for step in steps if not isinstance(step, RefuseBlank)]
    return steps


def _keeps_text(step: Step) -> bool:
    return isinstance(step, RefuseBlank) or (isinstance(step, Transform) and step.name == "text")


def _leave(condition: str, place: Place) -> None:
    """Give up where the condition holds; asked once, for no variable changes."""
    if place.source.remembered(condition) is None:
        with place.source.block(f"if {condition}:"):
            place.source.line("return None")
        place.source.remember(condition, "")


def _may_be_null(step: Step) -> bool:
    if isinstance(step, Transform):
        gives = signature(step.name).gives
        return gives in (Any, object) or type(None) in members(gives)
    return isinstance(step, RefuseBlank)


def _step(step: Step, value: str, place: Place) -> str:
    source = place.source
    if isinstance(step, Transform):
        return _transform(step, value, place)
    if isinstance(step, Translation):
        word = f"{value} if {source.use(type)}({value}) is {source.use(str)}"
        word = f"{word} else {source.use(spelled)}({value})"
        results, otherwise = source.bind(step.results), source.bind(step.otherwise)
        found = source.once(f"{results}.get({word}, {otherwise})")
        _leave(f"{found} is None", place)
        return found
    if isinstance(step, RefuseUnsendable):
        with source.block(f"if {source.use(type)}({value}) is not {source.use(str)}:"):
            source.line(f"{source.use(refuse_unsendable)}({value}, spend)")
        return value
    return source.once(f"None if {value} == '' else {value}")


def _transform(step: Transform, value: str, place: Place) -> str:
    source = place.source
    call = _call(step, value, place)
    if step.name in INLINE:
        call = _inlined(step.name, value, False, source) + call
    return source.once(call)


def _call(step: Transform, value: str, place: Place) -> str:
    """The call of a transform, its arguments read and checked before."""
    source = place.source
    constants = [f"{name}={source.bind(given)}" for name, given in step.constants.items()]
    arguments = [f"{argument.name}={_argument(argument, place)}" for argument in step.arguments]
    function = source.use(STRAIGHT.get(step.name, TRANSFORMS[step.name]))
    return f"{function}({', '.join([value, *constants, *arguments])})"


def _argument(argument: Argument, place: Place) -> str:
    source = place.source
    value = place.read(argument.expression)
    if argument.kind is not object:
        fits = f"{source.use(isinstance)}({value}, {source.use(argument.kind)})"
        _leave(f"not {fits}{f' and {value} is not None' if argument.may_miss else ''}", place)
    if argument.kind is list:
        source.line(f"spend({source.use(len)}({value} or ()))")
    return value
