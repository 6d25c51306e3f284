"""G10: inputs over all parsers, calls, routes and commands: each ends in a result or a refusal."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from proof.budget import Budget, reached
from proof.evidence import Evidence, Size
from proof.fuzz import bugs
from proof.fuzz.arguments import Arguments
from proof.fuzz.clock import measured, peak_rss_mb
from proof.fuzz.files import DropFolder, DroppedFiles, Imports
from proof.fuzz.judge import Surface, Tally, throw
from proof.fuzz.mappings.run import fuzz
from proof.fuzz.replies import Replies
from proof.fuzz.settings import RuleFiles, SettingsFiles
from proof.fuzz.taps import TapMessages
from proof.fuzz.web import WebRoutes

INPUTS: dict[Size, int] = {"pull-request": 50_000, "nightly": 1_000_000}

Make = Callable[[Path], Surface]
_SHARES: dict[Make, float] = {
    lambda _: Replies(): 0.24,
    lambda _: DroppedFiles(): 0.2,
    DropFolder: 0.01,
    Imports: 0.16,
    SettingsFiles: 0.03,
    RuleFiles: 0.04,
    lambda _: TapMessages(): 0.26,
    WebRoutes: 0.02,
    Arguments: 0.01,
}
"""Of the inputs; the rest is for mapping definitions. What costs most comes least often."""


def prove(size: Size, seed: int = 1, budget_s: float | None = None) -> Evidence:
    """The goal at one of its sizes. ``budget_s``: real seconds; null: all inputs. People's corpora
    are thrown in any case."""
    command = f"python -m proof G10 --size {size} --seed {seed}"
    found = thrown(INPUTS[size], seed, command, Budget(budget_s))
    return replace(found, figures={**found.figures, **reached(size, found.runs, INPUTS[size])})


def thrown(inputs: int, seed: int, command: str = "", budget: Budget | None = None) -> Evidence:
    """About so many inputs, then the planted bugs: they hold much memory, and what was held before
    must not hide what grows."""
    budget = budget or Budget()
    with tempfile.TemporaryDirectory() as name, measured() as cost:
        folder = Path(name)
        tally = Tally()
        for number, (make, share) in enumerate(_SHARES.items()):
            part = budget.part(len(_SHARES) + 1 - number)
            tally.add(throw(make(folder), int(inputs * share), seed, budget=part))
        pairs = inputs - int(inputs * sum(_SHARES.values()))
        _throw_definitions(pairs, seed, folder, tally, budget)
        peak_mb = peak_rss_mb()
        planted = bugs.noticed(folder)
    return Evidence(
        claim="G10",
        title="Hostile input ends in a result or in a refusal",
        command=command,
        runs=tally.inputs.total(),
        unit="inputs",
        seeds=str(seed),
        injections=dict(sorted(tally.outcomes.items())),
        violations=tally.violations,
        planted=planted,
        figures={
            "slowest input, CPU ms": round(tally.slowest_s * 1000),
            "grown by MB": round(tally.grown_mb),
            "peak RSS MB": round(peak_mb),
        },
        cpu_s=cost.cpu_s,
    )


def _throw_definitions(pairs: int, seed: int, folder: Path, tally: Tally, budget: Budget) -> None:
    found = fuzz(max(pairs, 20), seed, folder, budget)
    name = "mapping definitions"
    tally.inputs[name] += found.pairs
    tally.violations += [f"{name} {failure}" for failure in found.failures]
    for outcome, times in found.outcomes.items():
        tally.outcomes[f"{name}: {outcome}"] += times
