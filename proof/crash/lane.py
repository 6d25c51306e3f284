"""A process that runs trials, told by lines of JSON: ``python -m proof.crash.lane FOLDER SEED``.

It stands apart from whoever proves something: it forks, and nobody should fork a test runner.
One line in, one line out: ``{"flow", "first", "gap"}`` is a trial, ``{"flow", "refusal", "at"}``
one of the disk; ``{"points": flow}`` asks how many points there are; ``{"mutant": name}`` and
``{"disk mutant": name}`` plant a bug and tell what was noticed; ``{"power": flow, "cuts", "seed"}``
cuts the power, with ``"power mutant"`` in a store with a bug.
"""

from __future__ import annotations

import json
import re
import sys
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from proof.crash import power
from proof.crash.flows import FLOWS
from proof.crash.mutants import DISK_MUTANTS, MUTANTS, POWER_MUTANTS
from proof.crash.stage import BEGIN, SetUpFailed, Stage, open_stage
from proof.crash.trials import Bench, DiskTrial, Trial

MUTANT_TRIALS = 8


def answer(bench: Bench, stage: Stage, task: Any) -> Any:
    if "points" in task:
        return {"points": bench.points(task["points"])}
    if "mutant" in task:
        return {"noticed": _noticed(bench, stage, task["mutant"])}
    if "power" in task:
        planted = POWER_MUTANTS.get(task.get("power mutant"), nullcontext)
        with planted():
            counts, wrong = power.endure(stage, task["power"], task["seed"], task["cuts"])
        return {"counts": counts, "wrong": wrong}
    if "disk mutant" in task:
        return {"noticed": _noticed_on_disk(bench, task["disk mutant"])}
    if "refusal" in task:
        return asdict(bench.refuse(DiskTrial(**task)))
    return asdict(bench.attempt(Trial(**task)))


def _noticed(bench: Bench, stage: Stage, name: str) -> str | None:
    """The first violation that says what this bug does; null: it went unnoticed."""
    mutant = MUTANTS[name]
    bench.points(mutant.flow)
    stage.reset(FLOWS[mutant.flow])
    stage.run_well(BEGIN + FLOWS[mutant.flow].lasts, mutant.plant)
    points = [n for n, what in enumerate(stage.names(), 1) if re.search(mutant.where, what)]
    for point in points[:MUTANT_TRIALS]:
        outcome = bench.attempt(Trial(mutant.flow, point), mutant.plant)
        for violation in outcome.violations:
            if mutant.notices(violation):
                return violation
    return None


def _noticed_on_disk(bench: Bench, name: str) -> str | None:
    mutant = DISK_MUTANTS[name]
    for page in mutant.pages:
        outcome = bench.refuse(DiskTrial(mutant.flow, "write", page), mutant.plant)
        for violation in outcome.violations:
            if re.search(mutant.noticed_by, violation):
                return violation
    return None


def main() -> None:
    folder, seed = Path(sys.argv[1]), int(sys.argv[2])
    with open_stage(folder, seed) as stage:
        bench = Bench(stage)
        for line in sys.stdin:
            try:
                told = answer(bench, stage, json.loads(line))
            except SetUpFailed as failure:
                told = {"failed": str(failure)}
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
