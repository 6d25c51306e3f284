"""G6: full disks and I/O errors at every page that a story writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from proof.budget import Budget, reached, shuffled
from proof.crash.flows import FLOWS
from proof.crash.kills import cpu_s
from proof.crash.lanes import open_lanes
from proof.crash.mutants import DISK_MUTANTS
from proof.evidence import Evidence, Size

PULL_REQUEST_TRIALS = 92
"""So that fifty of them meet a disk that refuses: many limits are met by nobody, most of those of a
full database."""
_SHARES = {"write": 0.46, "full": 0.3, "reply": 0.24}
"""Of the trials of a pull request, each way to refuse."""
WAL_PAGES = {"labels": 560, "warehouse": 700, "cancel": 700, "stock": 520}
"""Further than each story's log ever gets: a limit beyond its end refuses nothing, and is not
counted."""
GROWTH_PAGES = 12
COMMITS = {"labels": 170, "warehouse": 270, "cancel": 260, "stock": 160}


def prove(
    size: Size,
    seed: int = 7,
    *,
    trials: int = PULL_REQUEST_TRIALS,
    flows: Sequence[str] = tuple(FLOWS),
    mutants: Sequence[str] = tuple(DISK_MUTANTS),
    processes: int = 2,
    budget_s: float | None = None,
) -> Evidence:
    """``trials``: about how many at pull-request size, evenly over the pages of all flows, at other
    pages with every seed; a night takes every page. ``budget_s``: real
    seconds; null: all of them."""
    began, budget = cpu_s(), Budget(budget_s)
    every = _every_page(flows)
    chosen = every if size == "nightly" else _some(every, trials, seed)
    with open_lanes(seed, processes) as lanes:
        noticed = lanes.ask_all([{"disk mutant": name} for name in mutants])
        outcomes = lanes.ask_all(budget.over(shuffled(chosen, seed)))
    met = [one for one in outcomes if one["refused"]]
    kinds = Counter(one["trial"]["refusal"] for one in met)
    return Evidence(
        claim="G6",
        title="a disk that refuses writes from some page on, and has room again later; or a commit"
        " whose reply is lost",
        command=f"python -m proof G6 --size {size} --seed {seed}",
        runs=len(met),
        unit="lives whose writes or replies failed",
        seeds=str(seed),
        injections={
            "lives that met an I/O error": kinds["write"],
            "lives that met a full database": kinds["full"],
            "lives that lost the reply to a commit": kinds["reply"],
        },
        violations=[found for one in outcomes for found in one["violations"]],
        planted={name: told["noticed"] for name, told in zip(mutants, noticed, strict=True)},
        figures={
            "lives on a disk that refused": kinds["write"] + kinds["full"],
            "statements refused": sum(one["refused"] for one in met),
            "stayed up": sum(one["ended"] == 0 for one in met),
            "did not start, and said why": sum(one["ended"] == 1 for one in met),
            "limits that nothing met": len(outcomes) - len(met),
            **reached(size, len(outcomes), len(every)),
        },
        cpu_s=round(cpu_s() - began, 1),
    )


def _some(every: Sequence[dict[str, Any]], trials: int, seed: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for refusal, share in _SHARES.items():
        pages = [trial for trial in every if trial["refusal"] == refusal]
        step = max(1.0, len(pages) / (trials * share))
        begin = seed % int(step)
        found += [pages[int(n * step) + begin] for n in range(int(len(pages) / step))]
    return found


def _every_page(flows: Sequence[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for flow in flows:
        found += [
            {"flow": flow, "refusal": "write", "at": page} for page in range(1, WAL_PAGES[flow])
        ]
        found += [{"flow": flow, "refusal": "full", "at": page} for page in range(GROWTH_PAGES)]
        found += [
            {"flow": flow, "refusal": "reply", "at": commit} for commit in range(1, COMMITS[flow])
        ]
    return found
