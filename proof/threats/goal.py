"""G15: the threats of what exists, each checked anew; ``proof/rows/threats.toml`` has them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from proof.budget import Budget, reached
from proof.evidence import Evidence, Size
from proof.fuzz.clock import measured
from proof.threats import (
    cards,
    hostile,
    leaks,
    paths,
    programs,
    questions,
    requests,
    settings,
    supply,
    texts,
    trail,
)
from proof.threats.check import ATTACKS, Checked

CHECKS: Mapping[str, Callable[[], Checked]] = {
    "T10": requests.t10,
    "T11": requests.t11,
    "T12": programs.t12,
    "T13": settings.t13,
    "T14": texts.t14,
    "T15": texts.t15,
    "T17": paths.t17,
    "T18": paths.t18,
    "T20": questions.t20,
    "T21": texts.t21,
    "T21 in a whole hub": leaks.t21,
    "T24": cards.t24,
    "T25": trail.t25,
    "T26": hostile.t26,
    "T27": settings.t27,
    "T28": supply.t28,
    "T29": paths.t29,
    "T31": texts.t31,
}
"""What can be checked in seconds. Random programs of T12 come on top, and take what time there is;
the other threats name their tests in the list."""


def prove(size: Size, seed: int = 1, budget_s: float | None = None) -> Evidence:
    """Every fast check: the corpora are whole at both sizes. ``budget_s``: real seconds, of which
    the random programs have what is left; null: all of them."""
    budget = Budget(budget_s)
    with measured() as cost:
        checked = {number: check() for number, check in CHECKS.items()}
        drawn = programs.at_random(programs.PROGRAMS[size], seed, budget)
        checked["T12 at random"] = drawn
    attacks = {number: one.tried for number, one in checked.items() if one.unit == ATTACKS}
    return Evidence(
        claim="G15",
        title="Threats",
        command=f"python -m proof G15 --size {size} --seed {seed}",
        runs=sum(attacks.values()),
        unit=ATTACKS,
        seeds=str(seed),
        injections=attacks,
        violations=[
            f"{number}: {problem}" for number, one in checked.items() for problem in one.violations
        ],
        planted={name: by for one in checked.values() for name, by in one.planted.items()},
        figures={
            **{number: one.figure for number, one in checked.items()},
            **_looked_at(checked),
            **reached(size, drawn.tried, programs.PROGRAMS["nightly"]),
        },
        cpu_s=cost.cpu_s,
    )


def _looked_at(checked: Mapping[str, Checked]) -> dict[str, int]:
    """How many of what was looked at, and attacked by nobody."""
    found = Counter[str]()
    for one in checked.values():
        if one.unit != ATTACKS:
            found[f"{one.unit} looked at"] += one.tried
    return dict(found)
