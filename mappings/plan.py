"""What the engine runs: a definition with every name resolved and every type checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mappings.expressions import Read

OMIT: Final = object()
"""Fallback of a field that may stay away."""

REQUIRED: Final = object()
"""Fallback of a field that must be there."""


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """One field. ``read`` gives what the payload holds, ``produce`` what the field becomes."""

    name: str
    text: str
    read: Read
    produce: Read
    fallback: Any
    personal: bool


@dataclass(frozen=True, slots=True)
class RecordPlan:
    """How to fill one record, and ``make`` it of the values by field name."""

    make: Callable[[dict[str, Any]], Any]
    constants: Mapping[str, Any]
    fields: tuple[FieldPlan, ...]
    ones: tuple[tuple[str, tuple[ScopePlan, ...], bool], ...]
    """(field, the variants of which the first that applies is taken, whether one must apply)."""
    eaches: tuple[tuple[str, tuple[ScopePlan, ...]], ...]


@dataclass(frozen=True, slots=True)
class ScopePlan:
    """A nested record, where it is read from and whether it applies at all."""

    text: str
    read: Read | None
    when: Read | None
    spare_record: bool
    unique: str | None
    record: RecordPlan
