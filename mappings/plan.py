"""What the engine runs: a definition with every name resolved and every type checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mappings.canonical import Record
from mappings.document import Spot
from mappings.expressions import Expression
from mappings.steps import Step

OMIT: Final = object()
"""Fallback of a field that may stay away."""

REQUIRED: Final = object()
"""Fallback of a field that must be there."""


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """One field: what ``expression`` finds goes through ``steps`` from left to right.

    ``blank_is_null``: empty text means nothing is there. ``fallback``: what the field is then.
    ``longest``: characters that may come of it. ``spot``: the file and line that say so.
    """

    name: str
    expression: Expression
    steps: tuple[Step, ...]
    blank_is_null: bool
    fallback: Any
    longest: int | None
    personal: bool
    spot: Spot


@dataclass(frozen=True, slots=True)
class RecordPlan:
    """How to fill one record, and ``make`` it of the values by field name.

    ``target``: the canonical class, or None for a request.
    """

    target: type[Record] | None
    make: Callable[[dict[str, Any]], Any]
    constants: Mapping[str, Any]
    fields: tuple[FieldPlan, ...]
    ones: tuple[tuple[str, tuple[ScopePlan, ...], bool], ...]
    """(field, the variants of which the first that applies is taken, whether one must apply)."""
    eaches: tuple[tuple[str, tuple[ScopePlan, ...]], ...]


@dataclass(frozen=True, slots=True)
class ScopePlan:
    """A nested record, where it is read from and whether it applies at all."""

    source: Expression | None
    when: Expression | None
    spare_record: bool
    unique: str | None
    record: RecordPlan
    spot: Spot
    when_spot: Spot

    @property
    def text(self) -> str:
        """Where it is read from, for messages."""
        return self.source.text if self.source else ""
