"""Turns what validation found into sentences: where, which key, what is wrong, what was meant."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from types import UnionType
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Place = tuple[Any, ...]


def sentences(
    error: ValidationError,
    model: type[BaseModel],
    below: Place,
    where: Callable[[Place], str],
    also: Iterable[str] = (),
) -> list[str]:
    """One sentence per problem. ``below``: where ``model`` stands; ``also``: keys allowed there."""
    told: list[str] = []
    for detail in error.errors(include_url=False, include_input=False):
        place = (*below, *(part for part in detail["loc"] if part != "[key]"))
        key = ".".join(str(part) for part in place)
        told.append(f"{where(place)}: {key}: {_what(detail, model, also)}")
    # A union reports the same place once per member; the first says enough.
    return list(dict.fromkeys(told))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``: did you mean threads?``, or what there is when nothing is near."""
    choices = sorted(known)
    near = difflib.get_close_matches(word, choices, n=1, cutoff=0.6)
    if near:
        return f": did you mean {near[0]}?"
    return f": known are {', '.join(choices)}" if choices else ""


def _what(detail: ErrorDetails, model: type[BaseModel], also: Iterable[str]) -> str:
    path = detail["loc"]
    if detail["type"] == "extra_forbidden":
        holder = _model_at(model, path[:-1])
        known = set(holder.model_fields) | (set(also) if holder is model else set())
        return f"unknown key{did_you_mean(str(path[-1]), known)}"
    if detail["type"] == "missing":
        return "is missing"
    return detail["msg"].removeprefix("Value error, ")


def _model_at(model: type[BaseModel], path: Place) -> type[BaseModel]:
    """The model that describes the table at ``path``."""
    here: Any = model
    for part in path:
        # In a dictionary of tables ``part`` is one's name, and all are described alike.
        here = here.model_fields[part].annotation if _is_model(here) else get_args(here)[-1]
        # ``ClockSettings | None``
        here = next((member for member in get_args(here) if _is_optional(here, member)), here)
    return here if _is_model(here) else model


def _is_model(candidate: Any) -> bool:
    return isinstance(candidate, type) and issubclass(candidate, BaseModel)


def _is_optional(annotation: Any, member: Any) -> bool:
    return isinstance(annotation, UnionType) and _is_model(member)
