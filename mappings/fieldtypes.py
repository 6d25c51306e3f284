"""What the types of canonical fields and of transforms say, and whether they agree."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Literal

import msgspec

from mappings.canonical import Record
from mappings.numbers import exact
from mappings.problems import Unfit


@cache
def record_fields(cls: type[Record]) -> Mapping[str, msgspec.structs.FieldInfo]:
    """The fields of a canonical record by name, with resolved types."""
    return {info.name: info for info in msgspec.structs.fields(cls)}


def members(hint: Any) -> tuple[Any, ...]:
    """The alternatives of a union; any other type alone, without what is annotated."""
    if typing.get_origin(hint) is Annotated:
        return members(hint.__origin__)
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return typing.get_args(hint)
    return (hint,)


def without_none(hint: Any) -> Any:
    """The one type beside None. Canonical fields have no wider unions."""
    return next(member for member in members(hint) if member is not type(None))


def longest(hint: Any) -> int | None:
    """Characters that a text of the type may have; None where it says nothing of that."""
    noted = (note for note in getattr(hint, "__metadata__", ()) if isinstance(note, msgspec.Meta))
    return next((note.extra["longest"] for note in noted if note.extra), None)


def nested_record(hint: Any) -> type[Record] | None:
    """The record of a field that holds one (``Address | None``)."""
    return _record_among(members(hint))


def repeated_record(hint: Any) -> type[Record] | None:
    """The record of a field that holds many (``tuple[OrderLine, ...]``)."""
    if typing.get_origin(hint) is tuple:
        return _record_among(typing.get_args(hint))
    return None


def _record_among(hints: Iterable[Any]) -> type[Record] | None:
    for hint in hints:
        if isinstance(hint, type) and issubclass(hint, Record):
            return hint
    return None


def fits(given: Any, wanted: Any) -> bool:
    """Whether every value of ``given`` may stand where ``wanted`` is asked for.

    None on the giving side is left out: it means "nothing there" and never reaches the field.
    A bool is no int here, and a text no word of a ``Literal``.
    """
    if wanted in (object, Any):
        return True
    return all(
        any(_fits_one(one, other) for other in members(wanted))
        for one in members(given)
        if one is not type(None)
    )


def _fits_one(given: Any, wanted: Any) -> bool:
    if typing.get_origin(wanted) is Literal:
        words = typing.get_args(given) if typing.get_origin(given) is Literal else (object(),)
        return set(words) <= set(typing.get_args(wanted))
    if typing.get_origin(given) is Literal:
        return all(type(word) is wanted for word in typing.get_args(given))
    plain_given = typing.get_origin(given) or given
    plain_wanted = typing.get_origin(wanted) or wanted
    return plain_given is plain_wanted


def named(hint: Any) -> str:
    """A type as a definition's author should read it.

    >>> named(str), named(Decimal), named(Literal["a", "b"]), named(datetime | None)
    ('text', 'a decimal', 'one of a, b', 'a time')
    """
    plain = without_none(hint)
    most = longest(hint)
    if most is not None:
        return f"text of at most {most} characters"
    if typing.get_origin(plain) is Literal:
        return f"one of {', '.join(typing.get_args(plain))}"
    words = {
        str: "text",
        int: "a whole number",
        bool: "true or false",
        float: "a number",
        Decimal: "a decimal",
        datetime: "a time",
    }
    plain = typing.get_origin(plain) or plain
    return words.get(plain, getattr(plain, "__name__", str(plain)))


def converted(value: Any, hint: Any) -> Any:
    """A constant of a definition as the field's type. Raises ``msgspec.ValidationError``."""
    made = msgspec.convert(value, hint, strict=False)
    most = longest(hint)
    if most is not None and len(made) > most:
        raise msgspec.ValidationError(f"longer than {most} characters")
    if isinstance(made, Decimal):
        try:
            return exact(made)
        except Unfit as error:
            raise msgspec.ValidationError(str(error)) from None
    return made
