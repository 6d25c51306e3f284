"""G19: how many small mistakes in allocation, cursors, effects and money do their tests notice?

A sample of all that can be made, one at a time, in a copy of the sources; each is judged by the
tests of its own module alone. Survivors are named: some change nothing that anybody could notice,
the others are tests that are missing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from proof.budget import Budget, reached, shuffled
from proof.clock import cpu_s
from proof.crash.lanes import REPOSITORY
from proof.evidence import Evidence, Size
from proof.mutation.mistakes import Mistake, mistakes, with_mistake

LEAST_SCORE = 0.8
SAMPLE = {"pull-request": 20, "nightly": 200}
LEAST_SAMPLE = 20
"""A share of fewer says nothing."""
STUCK_S = 300
_COPIED = ("connectors", "jobs", "mappings", "proof", "sandbox", "state", "sync", "tests", "web")

SUBJECTS: Mapping[str, Sequence[str]] = {
    "state/stock/reservations.py": ("tests/state/stock",),
    "sync/intake.py": ("tests/sync/test_intake.py", "tests/sync/promise/test_writing.py"),
    "sync/drain.py": (
        "tests/sync/test_drain.py",
        "tests/sync/test_settling.py",
        "tests/sync/promise/test_writing.py",
    ),
    "sync/settling.py": ("tests/sync/test_settling.py", "tests/sync/test_drain.py"),
    "mappings/numbers.py": ("tests/mappings/test_transforms.py", "tests/mappings/test_totals.py"),
    "mappings/totals.py": ("tests/mappings/test_totals.py",),
}
"""Module -> its tests."""


class Trial(NamedTuple):
    module: str
    mistake: Mistake

    def __str__(self) -> str:
        return f"{self.module}:{self.mistake.line}: {self.mistake.what}"


def trials() -> list[Trial]:
    """Every mistake of every module."""
    return [
        Trial(module, one)
        for module in SUBJECTS
        for one in mistakes((REPOSITORY / module).read_text(encoding="utf-8"))
    ]


def prove(size: Size, seed: int = 1, budget_s: float | None = None) -> Evidence:
    """``budget_s``: real seconds; null: the sample of this size."""
    began, budget = cpu_s(), Budget(budget_s)
    every = shuffled(trials(), seed)
    chosen = every[: SAMPLE[size]]
    ended: dict[Trial, str] = {}
    with tempfile.TemporaryDirectory(prefix="crossdock-mutation-") as name:
        folder = Path(name)
        _copy(folder)
        sound = [module for module in SUBJECTS if _judged(folder, module) != "survived"]
        # Nobody looks: none of the tests is chosen.
        blind = _tried(folder, chosen[0], "-k", "no_test_is_called_that")
        for trial in budget.over(chosen, least=LEAST_SAMPLE):
            ended[trial] = _tried(folder, trial)
    told = Counter(ended.values())
    score = 1 - told["survived"] / len(ended)
    wrong = [f"without a mistake the tests of {module} fail" for module in sound]
    if score < LEAST_SCORE:
        wrong.append(f"{score:.0%} were noticed, {LEAST_SCORE:.0%} are wanted")
    return Evidence(
        claim="G19",
        title="Small mistakes in allocation, cursors, effects and money are noticed by tests",
        command=f"python -m proof G19 --size {size} --seed {seed}",
        runs=len(ended),
        unit="small mistakes",
        seeds=str(seed),
        injections=dict(told),
        violations=wrong,
        planted={"no test is run": "all survive" if blind == "survived" else None},
        figures={
            "score": round(score, 3),
            "mistakes there are": len(every),
            "survived": "; ".join(str(t) for t, how in ended.items() if how == "survived"),
            **reached(size, len(ended), len(chosen)),
        },
        cpu_s=round(cpu_s() - began, 1),
    )


def _copy(folder: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache")
    for name in _COPIED:
        shutil.copytree(REPOSITORY / name, folder / name, ignore=ignored)
    shutil.copy(REPOSITORY / "pyproject.toml", folder)


def _tried(folder: Path, trial: Trial, *more: str) -> str:
    """Make the mistake, have it judged, and take it back."""
    file = folder / trial.module
    source = file.read_text(encoding="utf-8")
    file.write_text(with_mistake(source, trial.mistake.number), encoding="utf-8")
    try:
        return _judged(folder, trial.module, *more)
    finally:
        file.write_text(source, encoding="utf-8")


def _judged(folder: Path, module: str, *more: str) -> str:
    """``survived``, ``noticed``, or ``hung``: a loop without end is noticed too."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    # Of several databases, one: a mistake in our own text is the same on both.
    command += [*(more or ("-k", "not postgresql")), "-m", "not slow", *SUBJECTS[module]]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            timeout=STUCK_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "hung"
    # 5: no test was chosen.
    return "survived" if done.returncode in (0, 5) else "noticed"
