"""The matrix itself: which cells there are, and what all of them came to."""

from __future__ import annotations

import random
import resource
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from structlog import testing

from proof.ambiguity import installation
from proof.ambiguity.cells import DEATHS, NOT_IN_DOUBT, Cell, Ended, play
from proof.ambiguity.mutants import MUTANTS, Mutant
from proof.ambiguity.targets import NOT_THERE, TARGETS, Target
from proof.ambiguity.way import OUTCOMES
from proof.budget import Budget, reached, shuffled
from proof.evidence import Evidence, Size

LAGS = (0.0, 0.5, 1.0, 2.0)
SEEDS = {"pull-request": 1, "nightly": 5}


def prove(size: Size = "pull-request", seed: int = 7, budget_s: float | None = None) -> Evidence:
    """G8: no effect twice, within what a vendor declares; beyond it, found by the sweep.

    A pull request plays every outcome and every death of every target once, and draws the lag of
    each; a night plays every cell with five seeds, one seed after the other. ``budget_s``: real
    seconds; null: all of them.
    """
    budget = Budget(budget_s)
    began = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    seeds = range(seed, seed + SEEDS[size])
    with tempfile.TemporaryDirectory(prefix="crossdock-g8-") as folder:
        stage = _Stage(Path(folder))
        planted = {mutant.name: stage.killer(mutant) for mutant in MUTANTS}
        cells = [one for each in seeds for one in shuffled(_cells(size, each), each)]
        ended = [stage.played(cell) for cell in budget.over(cells)]
    fired = Counter(what for one in ended for what in one.fired)
    return Evidence(
        claim="G8",
        title="An effect happens once, whatever becomes of its call",
        command=f"python -m proof G8 --size {size} --seed {seed}",
        runs=len(ended),
        unit="cells",
        seeds=f"{seed}-{max(one.cell.seed for one in ended)}",
        injections=dict(sorted(fired.items())),
        violations=_violations(ended),
        planted=planted,
        figures={**_figures(ended), **reached(size, len(ended), len(cells))},
        cpu_s=round(resource.getrusage(resource.RUSAGE_SELF).ru_utime - began, 1),
    )


def _violations(ended: Iterable[Ended]) -> list[str]:
    return [f"{one.cell}: {who}: {what}" for one in ended for who, what in one.violations]


def _figures(ended: Sequence[Ended]) -> dict[str, int | str]:
    """Doubles by the classes that may have none at any lag, and by the one that may beyond it."""
    classes: dict[str, int | str] = {**_classes(ended), **NOT_THERE}
    figures = {f"cells of class {name}": told for name, told in sorted(classes.items())}
    by_look_up = [one for one in ended if one.cell.target.vendor_class == "L"]
    beyond = [one for one in by_look_up if one.cell.lag > 1 and one.doubled]
    others = [one for one in ended if one not in by_look_up]
    return figures | {
        f"doubled at any lag, {'/'.join(sorted(_classes(others)))}": sum(o.doubled for o in others),
        "doubled within the declared lag, L": sum(
            one.doubled for one in by_look_up if one.cell.lag <= 1
        ),
        "cells doubled beyond it, L": len(beyond),
        "of these detected": sum(one.detected > 0 for one in beyond),
    }


def _classes(ended: Iterable[Ended]) -> Counter[str]:
    return Counter(one.cell.target.vendor_class for one in ended)


def _cells(size: Size, seed: int) -> list[Cell]:
    draw = random.Random(seed)
    found: list[Cell] = []
    for target in TARGETS:
        lags = LAGS if target.looked_up else (0.0,)
        every = [
            Cell(target, met, death, lag, seed)
            for met in OUTCOMES
            for death in DEATHS
            for lag in lags
            if _can_happen(target, met, death)
        ]
        found += every if size == "nightly" else _subset(every, draw)
    return found


def _can_happen(target: Target, met: str, death: str) -> bool:
    """A process cannot die after a call that never left, or a file drop meet a proxy."""
    if target.vendor_class == "S":
        return met == "ok" and death != "after-send"
    return death != "after-send" or met not in ("429", "connect-fail", "timeout-before", "delayed")


def _subset(every: Sequence[Cell], draw: random.Random) -> list[Cell]:
    """A cell of each doubtful outcome or of each death, and of each lag; some of both at once."""
    plain = [one for one in every if one.death == "none" and one.met not in NOT_IN_DOUBT]
    deaths = [one for one in every if one.met == "ok" and one.death != "none"]
    lagging = [one for one in plain if one.lag == 2 and one.met in ("timeout-after", "delayed")]
    chosen = [*draw.sample(plain, min(1, len(plain))), *draw.sample(deaths, min(2, len(deaths)))]
    chosen += lagging[:1] + draw.sample(list(every), 1)
    return list(dict.fromkeys(chosen))


class _Stage:
    """The templates, made once per seed and taker."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[tuple[int, str], Path] = {}

    def played(self, cell: Cell) -> Ended:
        name = cell.seed, cell.target.taker
        if name not in self._made:
            folder = self._folder / f"seed-{cell.seed}"
            with testing.capture_logs():
                self._made[name] = installation.template(folder, *name)
        # Once per cell: what is captured is kept, and errors hold on to all that they saw.
        with testing.capture_logs():
            return play(cell, self._made[name], self._folder / "cell")

    def killer(self, mutant: Mutant) -> str | None:
        """The checker that noticed a planted bug, if one did."""
        with mutant.planted():
            for cell in mutant.cells:
                for who, _ in self.played(cell).violations:
                    return who
        return None
