"""G4: is anybody looking? Bugs planted one at a time, and who notices each."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from proof.evidence import Evidence, Size
from proof.world.clock import cpu_s
from proof.world.mutants import MUTANTS, planted
from proof.world.simulation import simulate

_HOW_MANY = {"pull-request": 10, "nightly": len(MUTANTS)}


def prove(size: Size, seed: int = 3) -> Evidence:
    """The course of each bug without it first: what is red anyhow proves nothing. At night also,
    for each, whether its killer is the only one: the rest of the checks look on without it."""
    began, violations, noticed = cpu_s(), [], {}
    alone: Counter[str] = Counter()
    chosen = dict(islice(MUTANTS.items(), _HOW_MANY[size]))
    for course in dict.fromkeys(mutant.course for mutant in chosen.values()):
        violations += [f"without a bug: {one}" for one in simulate(course).violations]
    for name, mutant in chosen.items():
        with planted(mutant):
            found = simulate(mutant.course).violations
            noticed[name] = found[0].invariant if found else None
            if found and size == "nightly":
                killer = found[0].invariant
                rest = simulate(mutant.course, deaf=frozenset({killer})).violations
                alone[killer] += not rest
    return Evidence(
        claim="G4",
        title="Every planted bug is noticed",
        command=f"python -m proof G4 --size {size}",
        runs=len(chosen),
        unit="planted bugs",
        seeds=str(seed),
        violations=violations,
        planted=noticed,
        figures={f"only {name} noticed": n for name, n in sorted(alone.items()) if n},
        cpu_s=round(cpu_s() - began, 1),
    )
