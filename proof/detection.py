"""G4: is anybody looking? Bugs planted one at a time, and who notices each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping

from proof.budget import Budget, reached, shuffled
from proof.evidence import Evidence, Size
from proof.world.checks import CHECKS
from proof.world.clock import cpu_s
from proof.world.course import Course
from proof.world.mutants import MUTANTS, QUICKEST, Mutant, planted
from proof.world.simulation import simulate

_CHOSEN: Mapping[Size, Mapping[str, Mutant]] = {"pull-request": QUICKEST, "nightly": MUTANTS}


def prove(size: Size, seed: int = 3, budget_s: float | None = None) -> Evidence:
    """The course of each bug without it first: what is red anyhow proves nothing. At night also,
    for each, whether its killer is the only one: the rest of the checks look on without it.

    A check that was never alone could go, and nobody would miss it: then the claim does not hold.
    ``budget_s``: real seconds; what is planted until they are over is another choice with every
    seed; null: all of it.
    """
    began, violations, noticed = cpu_s(), list[str](), dict[str, str | None]()
    alone: Counter[str] = Counter()
    chosen, sound = _CHOSEN[size], set[Course]()
    for name in Budget(budget_s).over(shuffled(list(chosen), seed)):
        mutant = chosen[name]
        if mutant.course not in sound:
            violations += [f"without a bug: {one}" for one in simulate(mutant.course).violations]
            sound.add(mutant.course)
        with planted(mutant):
            found = {one.invariant for one in simulate(mutant.course).violations}
            noticed[name] = ", ".join(sorted(found)) or None
            if len(found) == 1 and size == "nightly":
                rest = simulate(mutant.course, deaf=frozenset(found)).violations
                alone.update(found if not rest else ())
    figures: dict[str, float | int | str] = {
        f"only {name} noticed": n for name, n in sorted(alone.items())
    }
    if size == "nightly":
        figures |= needless(noticed.values(), alone)
        figures |= reached(size, len(noticed), len(chosen))
        if len(noticed) == len(chosen):
            violations += [f"{name} is never alone" for name in CHECKS if name not in alone]
    return Evidence(
        claim="G4",
        title="Every planted bug is noticed",
        command=f"python -m proof G4 --size {size}",
        runs=len(noticed),
        unit="planted bugs",
        seeds=str(seed),
        violations=violations,
        planted=noticed,
        figures=figures,
        cpu_s=round(cpu_s() - began, 1),
    )


def needless(noticed: Iterable[str | None], alone: Container[str]) -> dict[str, str]:
    """Of all the checks there are: which noticed nothing, and which nothing but what another did.

    ``noticed``: for each planted bug its killers; ``alone``: those that were the only one once.
    """
    killers = {name for told in noticed if told for name in told.split(", ")}
    return {
        "noticed nothing": ", ".join(name for name in CHECKS if name not in killers) or "none",
        "never alone": ", ".join(name for name in CHECKS if name not in alone) or "none",
    }
