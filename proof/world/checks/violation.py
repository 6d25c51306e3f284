"""What did not hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Check = Literal[
    "I1", "I2", "I3", "I3b", "I4", "I5", "I7", "I8", "I9", "I9 cursor", "I9 version", "I10", "I11",
    "I12", "I16", "I17", "webhooks", "no bug of ours",
]  # fmt: skip
"""Whatever a world can report: an invariant by its number, or what stands for none of them."""

CHECKS: tuple[Check, ...] = get_args(Check)


@dataclass(frozen=True, slots=True)
class Violation:
    """``invariant``: the check, by the number of what it stands for (``docs/simulation.md``)."""

    invariant: Check
    subject: str
    detail: str

    def __str__(self) -> str:
        return f"{self.invariant} {self.subject}: {self.detail}"
