"""G7: power cuts all along the stories, and the evidence they leave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from proof.budget import Budget, reached
from proof.crash.flows import FLOWS
from proof.crash.kills import cpu_s
from proof.crash.lanes import open_lanes
from proof.crash.mutants import POWER_MUTANTS
from proof.evidence import Evidence, Size

PULL_REQUEST_CUTS = 100
NIGHTS = 20


def prove(
    size: Size,
    seed: int = 7,
    *,
    cuts: int = PULL_REQUEST_CUTS,
    flows: Sequence[str] = tuple(FLOWS),
    mutants: Sequence[str] = tuple(POWER_MUTANTS),
    processes: int = 2,
    budget_s: float | None = None,
) -> Evidence:
    """``cuts``: how many over all flows, with a seed of their own; a night has ``NIGHTS`` times as
    many. ``budget_s``: real seconds; null: all of them."""
    began, budget = cpu_s(), Budget(budget_s)
    seeds = range(seed, seed + (NIGHTS if size == "nightly" else 1))
    task = {"cuts": -(-cuts // len(flows)), "seed": seed}
    every = [{**task, "seed": one, "power": flow} for one in seeds for flow in flows]
    with open_lanes(seed, processes) as lanes:
        noticed = lanes.ask_all(
            [{**task, "power": flows[0], "power mutant": name} for name in mutants]
        )
        told = lanes.ask_all(budget.over(every, least=len(flows)))
    counted = sum((Counter(one["counts"]) for one in told), Counter[str]())
    kinds = ("in commit", "in the checkpoint of")
    return Evidence(
        claim="G7",
        title="power cuts while commits and checkpoints are written, simulated on copies",
        command=f"python -m proof G7 --size {size} --seed {seed}",
        runs=sum(counted[kind] for kind in kinds),
        unit="states of the disk",
        seeds=f"{seed}-{seed + (len(told) - 1) // len(flows)}",
        injections={f"power cut {kind}": counted[kind] for kind in kinds},
        violations=[wrong for one in told for wrong in one["wrong"]],
        planted={
            name: one["wrong"][0] if one["wrong"] else None
            for name, one in zip(mutants, noticed, strict=True)
        },
        figures={
            **{name: counted[name] for name in sorted(counted) if name not in kinds},
            **reached(size, len(told), len(every)),
        },
        cpu_s=round(cpu_s() - began, 1),
    )
