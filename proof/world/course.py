"""What is simulated, and how to simulate it again."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Literal

Faults = Literal["none", "calm", "lossy", "drowsy", "storm"]
"""How much of it: ``lossy`` is nothing but replies that are lost after the vendor did its work,
``drowsy`` nothing but workers that often stall past their leases."""

CRASH, STALL, SKEW, OUTAGE = "crash", "stall", "skew", "outage"
QUIRKS, WEBHOOKS = "quirks", "webhooks"
TROUBLES = (CRASH, STALL, SKEW, OUTAGE, QUIRKS, WEBHOOKS)
"""What can go wrong beside the faults of single calls; can be switched off like those."""


@dataclass(frozen=True, slots=True)
class Course:
    """Equal courses give equal histories, to the byte, on either database.

    ``without``: kinds of faults (``sandbox.faults``) and ``TROUBLES`` that never strike.
    ``orders_per_day``: over both channels.
    """

    seed: int = 7
    days: float = 1.0
    faults: Faults = "storm"
    orders_per_day: int = 20
    workers: int = 1
    without: frozenset[str] = field(default_factory=frozenset)

    def command(self) -> str:
        """What a person types to see it again."""
        off = "".join(f" --without {kind}" for kind in sorted(self.without))
        return (
            f"crossdock simulate --seed {self.seed} --days {self.days:g} --faults {self.faults} "
            f"--orders-per-day {self.orders_per_day} --workers {self.workers}{off} --no-shrink"
        )

    def dice(self, concern: str) -> random.Random:
        """A stream of randomness for one concern: a draw more in one reshuffles no other."""
        return random.Random(f"{self.seed}:{concern}")

    @property
    def whole_days(self) -> int:
        return max(1, round(self.days))

    @property
    def hours(self) -> float:
        """Of each day in which buyers buy."""
        return 24 * self.days / self.whole_days

    @property
    def orders_per_channel(self) -> int:
        """On an average day."""
        return max(1, round(self.orders_per_day * self.hours / 48))
