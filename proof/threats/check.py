"""What the check of one threat came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

ATTACKS = "attacks"


@dataclass(frozen=True, slots=True)
class Checked:
    """``figure``: what was tried and what came of it, in one phrase. ``planted``: as in
    ``Evidence``. ``unit``: what ``tried`` counts; whatever is no attack was only looked at."""

    threat: str
    tried: int
    figure: str
    violations: Sequence[str] = ()
    planted: Mapping[str, str | None] = field(default_factory=dict)
    unit: str = ATTACKS


def verdict(violations: Sequence[str]) -> str | None:
    """The first violation, as what noticed a planted bug; null when there is none."""
    return violations[0][:120] if violations else None
