"""G15: the threats of what exists, each checked anew; ``proof/rows/threats.toml`` has them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from proof.evidence import Evidence, Size
from proof.fuzz.clock import measured
from proof.threats import hostile, leaks, paths, questions, requests, supply, texts, trail
from proof.threats.check import Checked

CHECKS: Mapping[str, Callable[[], Checked]] = {
    "T10": requests.t10,
    "T11": requests.t11,
    "T14": texts.t14,
    "T15": texts.t15,
    "T17": paths.t17,
    "T18": paths.t18,
    "T20": questions.t20,
    "T21": texts.t21,
    "T21 in a whole hub": leaks.t21,
    "T25": trail.t25,
    "T26": hostile.t26,
    "T28": supply.t28,
    "T29": paths.t29,
    "T31": texts.t31,
}
"""What can be checked in seconds. The other threats name their tests in the list."""


def prove(size: Size, seed: int = 1) -> Evidence:
    """Run every fast check. Both sizes are the same: the corpora are whole."""
    with measured() as cost:
        checked = {number: check() for number, check in CHECKS.items()}
    return Evidence(
        claim="G15",
        title="Threats",
        command=f"python -m proof G15 --size {size} --seed {seed}",
        runs=sum(one.tried for one in checked.values()),
        unit="attacks",
        injections={number: one.tried for number, one in checked.items()},
        violations=[
            f"{number}: {problem}" for number, one in checked.items() for problem in one.violations
        ],
        planted={name: by for one in checked.values() for name, by in one.planted.items()},
        figures={number: one.figure for number, one in checked.items()},
        cpu_s=cost.cpu_s,
    )
