"""Many orders that share scarce stock, decided together.

First prices at which the orders together want about what there is (``prices``). Then the orders
are settled in steps: a tenth of those still open, the ones surest of their plan first, take their
goods; prices move on for the rest. With ``highspy`` installed the answer is improved further
(``ilp``).

Priority is strict: orders of a higher priority are decided as if the lower ones did not exist, and
these share what is left. Within a priority the sum of all costs is made small, ``unfilled_cost`` of
lines that nobody ships included: who must do without is whoever costs least to leave out. To let
an order gain weight as it waits, raise its priority or its ``unfilled_cost``. Where costs are equal
the order named first goes first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import msgspec

from sync.routing import exact, ilp
from sync.routing.claims import Claim, Contest, Key, Plan, contest, stocked
from sync.routing.prices import Prices
from sync.routing.problem import Assignment, Task

_PRICE_ROUNDS = 30
_STEP_ROUNDS = 4
_STEP_SHARE = 0.1
_STEP_LEAST = 10


@dataclass(frozen=True, slots=True)
class Settled:
    """Plans for claims of one priority; ``cost`` of all, and the ``bound`` none can be below.

    ``bound`` is null where a claim is too long to be solved exactly.
    """

    claims: list[Claim]
    plans: list[Plan]
    cost: int
    bound: float | None


def solve(
    tasks: Sequence[Task],
    stock: Mapping[Key, int],
    *,
    priorities: Sequence[int] | None = None,
    optimise: bool | None = None,
) -> list[Assignment]:
    """Decide ``tasks`` together; the answers are in their order.

    ``stock`` by (location id, SKU id) in millionths is what they share; a site's own stock in a
    task limits that task further. ``priorities``: one per task, higher first; without, all equal.
    ``optimise``: whether to use ``highspy``; by default if it is installed. Raises
    ``ilp.OptimiseExtraMissing`` when it is asked for and not there.
    """
    ranks = priorities or [0] * len(tasks)
    left = dict(stock)
    answers: dict[int, Assignment] = {}
    for rank in sorted(set(ranks), reverse=True):
        chosen = [place for place, found in enumerate(ranks) if found == rank]
        settled = settle([tasks[place] for place in chosen], left, optimise=optimise)
        for place, claim, plan in zip(chosen, settled.claims, settled.plans, strict=True):
            answers[place] = _assignment(claim, plan)
            _take(left, answers[place], 1)
        for place in chosen:
            answers[place] = _with_the_rest(tasks[place], answers[place], left)
    return [answers[place] for place in range(len(tasks))]


def settle(
    tasks: Sequence[Task], stock: Mapping[Key, int], *, optimise: bool | None = None
) -> Settled:
    """Decide orders of one priority, lines that a single site could ship undivided."""
    if optimise is None:
        optimise = ilp.installed()
    claims = [_claim(task, stock) for task in tasks]
    contested = contest(claims, stock)
    alone = [claim.choose(contested.stock)[0] for claim in claims]
    if _fits(alone, contested):
        cost = sum(plan.cost for plan in alone)
        return Settled(claims, alone, cost, _proven(claims, cost))
    seen: list[dict[tuple[int | None, ...], Plan]] = [{} for _ in claims]
    prices = Prices(
        contested,
        round(median(task.unfilled_cost for task in tasks)),
        median(plan.cost / len(plan.places) for plan in alone),
    )
    bound = 0.0
    for _ in range(_PRICE_ROUNDS):
        plans, proven = prices.round(claims, contested.stock)
        bound = max(bound, proven)
        for plan, known in zip(plans, seen, strict=True):
            known[plan.places] = plan
    plans = _in_steps(claims, contested, prices, seen)
    if optimise:
        plans, bound = ilp.improve(claims, contested, plans, seen, bound)
    cost = sum(plan.cost for plan in plans)
    return Settled(claims, plans, cost, _proven(claims, bound))


def _in_steps(
    claims: Sequence[Claim],
    contested: Contest,
    prices: Prices,
    seen: Sequence[dict[tuple[int | None, ...], Plan]],
) -> list[Plan]:
    """Settle the surest claims first, so that the prices can find out what the rest is worth."""
    left = list(contested.stock)
    settled: dict[int, Plan] = {}
    waiting = list(range(len(claims)))
    while waiting:
        chosen: dict[int, Counter[tuple[int | None, ...]]] = {n: Counter() for n in waiting}
        last: dict[int, Plan] = {}
        for _ in range(_STEP_ROUNDS):
            plans, _ = prices.round([claims[n] for n in waiting], left)
            last = dict(zip(waiting, plans, strict=True))
            for n, plan in last.items():
                chosen[n][plan.places] += 1
                seen[n][plan.places] = plan
        sure = sorted(waiting, key=lambda n: (-max(chosen[n].values()), n))
        room = max(_STEP_LEAST, int(len(waiting) * _STEP_SHARE))
        for place, n in enumerate(sure):
            plan = last[n]
            if not plan.fits(left):
                # Somebody must be settled in every step, and the last few all at once.
                if place and len(sure) > _STEP_LEAST:
                    continue
                plan, _ = claims[n].choose(left, prices.now)
            settled[n] = plan
            plan.take(left)
            room -= 1
            if not room:
                break
        waiting = [n for n in waiting if n not in settled]
    return _second_look(claims, left, [settled[n] for n in range(len(claims))])


def _second_look(claims: Sequence[Claim], left: list[int], plans: list[Plan]) -> list[Plan]:
    """Let every claim use what the others left over."""
    for n, claim in enumerate(claims):
        plans[n].give_back(left)
        plan, _ = claim.choose(left)
        if plan.cost < plans[n].cost:
            plans[n] = plan
        plans[n].take(left)
    return plans


def _claim(task: Task, stock: Mapping[Key, int]) -> Claim:
    """An order's claim; a line larger than what any site has is divided as it would be alone."""
    sites = tuple(stocked(task.sites, stock))
    if all(any(line.most(site.stock) == line.quantity for site in sites) for line in task.lines):
        return Claim(task, task.lines, stock)
    return Claim(task, exact.solve(msgspec.structs.replace(task, sites=sites)).lines, stock)


def _with_the_rest(task: Task, found: Assignment, left: dict[Key, int]) -> Assignment:
    """Divide what could not ship whole, if the sites together still have it; updates ``left``."""
    if None not in found.sites:
        return found
    _take(left, found, -1)
    sites = tuple(stocked(task.sites, left))
    other = exact.solve(msgspec.structs.replace(task, sites=sites))
    better = other if _units(other) > _units(found) else found
    _take(left, better, 1)
    return better


def _assignment(claim: Claim, plan: Plan) -> Assignment:
    ids = tuple(None if p is None else claim.sites[p].location_id for p in plan.places)
    return Assignment(claim.lines, ids, plan.cost)


def _take(left: dict[Key, int], found: Assignment, sign: int) -> None:
    for line, location in zip(found.lines, found.sites, strict=True):
        if location is not None:
            for sku_id, quantity in line.takes:
                left[location, sku_id] -= sign * quantity


def _units(found: Assignment) -> int:
    pairs = zip(found.lines, found.sites, strict=True)
    return sum(line.quantity for line, location in pairs if location is not None)


def _fits(plans: Sequence[Plan], contested: Contest) -> bool:
    left = list(contested.stock)
    for plan in plans:
        plan.take(left)
    return min(left) >= 0


def _proven(claims: Sequence[Claim], bound: float) -> float | None:
    return bound if all(claim.exact for claim in claims) else None
