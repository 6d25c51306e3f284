"""What a proof leaves behind: enough to run it again, and to doubt it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Size = Literal["pull-request", "nightly"]
"""How much of it: what a pull request can wait for, or what a night can."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one claim rests on.

    ``claim``: G1, a row of the fault matrix ("48"), a threat ("T17"). ``command``: runs this again.
    ``runs`` of ``unit`` were looked at. ``injections``: what really happened to it, by kind; a
    fault that was arranged and never met anybody does not count. ``violations``: what did not hold,
    with the seed or the step. ``planted``: each planted bug, and the checker that noticed it; null:
    nobody did.
    """

    claim: str
    title: str
    command: str
    runs: int
    unit: str
    seeds: str = ""
    injections: Mapping[str, int] = field(default_factory=dict)
    violations: Sequence[str] = ()
    planted: Mapping[str, str | None] = field(default_factory=dict)
    figures: Mapping[str, float | int | str] = field(default_factory=dict)
    cpu_s: float = 0.0

    @property
    def holds(self) -> bool:
        """Nothing was violated, and every planted bug was noticed: a green figure without a
        planted bug that turns it red does not count."""
        return (
            self.runs > 0
            and not self.violations
            and bool(self.planted)
            and None not in self.planted.values()
        )
