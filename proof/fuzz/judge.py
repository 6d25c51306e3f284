"""Whether an input was survived: refused with a sentence or taken, in time, in little memory."""

from __future__ import annotations

import traceback
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Protocol

from proof.budget import Budget
from proof.fuzz.clock import ended_after, measured, resident_mb

_OURS = str(Path(__file__).parents[2])
HANG_S = 1.0
"""CPU seconds of one input."""
STUCK_S = 30
"""Real seconds after which an input is ended, whatever it waits for."""
GROWTH_MB = 100
PEAK_BYTES = 100 * 1024 * 1024
LONGEST_MESSAGE = 20_000


class Unsound(Exception):
    """What came out is no refusal and makes no sense: something was lost, or let through."""


Case = Callable[[], str]
"""One input: runs it and says in a word what it came to. Raises one of the surface's refusals,
``Unsound``, or what it must not."""


class Surface(Protocol):
    """A parser, or a command, and what is thrown at it."""

    name: str

    @property
    def refusals(self) -> tuple[type[Exception], ...]:
        """What it may raise: each is a sentence for a person."""
        ...

    def evil(self) -> Sequence[tuple[str, Case]]:
        """What people thought of: (what it is, the input)."""
        ...

    def random(self, rng: Random) -> Case: ...


@dataclass(slots=True)
class Tally:
    """What the inputs came to, by surface. ``slowest_s``: CPU seconds of the slowest input."""

    outcomes: Counter[str] = field(default_factory=Counter)
    inputs: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    slowest: str = ""
    grown_mb: float = 0.0
    """By how much what the process holds grew over the random inputs of a surface, at most."""

    def add(self, other: Tally) -> None:
        self.outcomes += other.outcomes
        self.inputs += other.inputs
        self.violations += other.violations
        self.grown_mb = max(self.grown_mb, other.grown_mb)
        if other.slowest_s > self.slowest_s:
            self.slowest_s, self.slowest = other.slowest_s, other.slowest


def throw(
    surface: Surface,
    inputs: int,
    seed: int,
    *,
    first: bool = False,
    budget: Budget | None = None,
) -> Tally:
    """All that is in the surface's corpus, then random inputs, each with a seed of its own.

    ``first``: stop at the first violation. ``budget``: of the random ones; null: all of them.
    """
    tally, budget = Tally(), budget or Budget()
    for what, case in surface.evil():
        if first and tally.violations:
            return tally
        _judge(surface, what, case, tally, memory=True, stuck_s=STUCK_S // 6 if first else STUCK_S)
    before = resident_mb()
    for number in budget.over(range(inputs - tally.inputs.total())):
        if first and tally.violations:
            return tally
        name = f"{seed}.{number}"
        _judge(surface, name, surface.random(Random(f"{surface.name}.{name}")), tally)
    tally.grown_mb = resident_mb() - before
    if tally.grown_mb > GROWTH_MB:
        tally.violations.append(
            f"{surface.name}: {tally.grown_mb:.0f} MB more are held than before"
        )
    return tally


def _judge(
    surface: Surface,
    what: str,
    case: Case,
    tally: Tally,
    *,
    memory: bool = False,
    stuck_s: int = STUCK_S,
) -> None:
    where = f"{surface.name} {what}"
    tally.inputs[surface.name] += 1
    peak = 0
    with measured() as cost:
        try:
            with ended_after(stuck_s), _traced(memory) as told:
                tally.outcomes[f"{surface.name}: {case()}"] += 1
        except surface.refusals as refusal:
            tally.outcomes[f"{surface.name}: refused"] += 1
            if not 0 < len(str(refusal)) < LONGEST_MESSAGE:
                tally.violations.append(f"{where}: a refusal of {len(str(refusal))} characters")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            frames = traceback.extract_tb(error.__traceback__)
            last = next((one for one in reversed(frames) if _OURS in one.filename), frames[-1])
            line = f"{Path(last.filename).name}, line {last.lineno}"
            tally.violations.append(f"{where}: {type(error).__name__}: {str(error)[:200]} ({line})")
    peak = told[0] if memory else 0
    if peak > PEAK_BYTES:
        tally.violations.append(f"{where}: {peak // 2**20} MB held at once")
    # Counting every allocation takes several times the time.
    if cost.cpu_s > HANG_S * (5 if memory else 1):
        tally.violations.append(f"{where}: {cost.cpu_s:.1f} s of CPU")
    if cost.cpu_s > tally.slowest_s and not memory:
        tally.slowest_s, tally.slowest = cost.cpu_s, where


@contextmanager
def _traced(wanted: bool) -> Iterator[list[int]]:
    """The most bytes held at once in the block, once it has ended."""
    told = [0]
    if not wanted:
        yield told
        return
    tracemalloc.start()
    try:
        yield told
    finally:
        told[0] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
