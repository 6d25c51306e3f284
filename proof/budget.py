"""How long the runs of a claim may go on, and how much of a night that came to."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import inf
from typing import TypeVar

from proof.clock import stopwatch
from proof.evidence import Size

T = TypeVar("T")


class Budget:
    """Real seconds for one claim, from now on; null: as long as it takes.

    What is planted comes out of the same seconds. It is looked at whatever is left, and where it
    takes more than moments, first: the runs then have what remains.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self._ends = inf if seconds is None else stopwatch() + seconds

    @property
    def left(self) -> float:
        """Seconds; none where all are used up, infinity where there is no end."""
        return max(0.0, self._ends - stopwatch())

    def over(
        self, items: Iterable[T], least: int = 1, work: Callable[[T], float] = lambda _: 0.0
    ) -> Iterator[T]:
        """The items, until the time is over; ``least`` so many of them all the same. The one in
        hand is always brought to its end.

        ``work``: how long an item is, in any unit. Those that would outlast the rest of the time,
        by what the ones before them took, are left out.
        """
        began, done = stopwatch(), 0.0
        for number, item in enumerate(items):
            if number >= least:
                if not self.left:
                    return
                if done and (stopwatch() - began) / done * work(item) > self.left:
                    continue
            yield item
            done += work(item)

    def part(self, of: int) -> Budget:
        """One of so many equal parts of what is left."""
        return Budget(None if self._ends == inf else self.left / of)


def shuffled(items: Sequence[T], seed: int) -> list[T]:
    """In an order in which any beginning of them is a sample of all."""
    return random.Random(f"{seed}:order").sample(items, len(items))


def reached(size: Size, done: float, of: float) -> dict[str, float]:
    """As a figure: how much of a night was done; nothing, where no night was asked for."""
    return {"of a night": round(min(1.0, done / of), 4)} if size == "nightly" else {}
