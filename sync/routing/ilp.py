"""Many orders at once through HiGHS, near the proven optimum: the extra ``optimise``.

A column is one plan of one order; rows say that every order has one plan and that no stock is taken
twice. The linear programme's prices ask every order for plans not yet known, until none is worth
having: its value is then a bound (a tighter one than an integer programme of lines and sites has
at its root). Whole plans come by fixing what the programme is sure of and solving again for the
rest; then groups of orders that compete are solved anew as small integer programmes while that
gains. Runs on one thread without a clock but the one limit per small programme.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from sync.routing.claims import Claim, Contest, Plan

if TYPE_CHECKING:
    import highspy

GAP = 0.003
"""Good enough: the search ends when so much of what shipping costs is not proven to be needed."""

_UNIT = 1_000_000
_COLUMN_ROUNDS = 25
_SURE, _LIKELY = 0.999, 0.6
_FIX_SHARE = 0.1
_GROUP = 70
_WISHES = 3
_GROUPS_MAX = 200
_WAYS_MAX = 256
_GROUP_LIMIT_S = 4.0

Known = list[dict[tuple[int | None, ...], Plan]]
"""By claim: the plans known so far."""


class OptimiseExtraMissing(Exception):
    """The solver for batches is an extra that is not installed."""

    remedy = "pip install 'crossdock[optimise]'"


def installed() -> bool:
    return find_spec("highspy") is not None


def improve(
    claims: Sequence[Claim], contested: Contest, plans: Sequence[Plan], known: Known, bound: float
) -> tuple[list[Plan], float]:
    """Better plans than ``plans`` where there are any, and the best bound on their cost."""
    if not installed():
        raise OptimiseExtraMissing("Deciding a batch to the optimum needs highspy.")
    best = list(plans)
    for n, plan in enumerate(best):
        known[n][plan.places] = plan
    everyone = range(len(claims))
    master = _Master(claims, everyone, contested.stock, known)
    bound = max(bound, master.converge(2e-5))
    if _near(claims, best, bound):
        return best, bound
    dived = _dive(claims, contested, known, master)
    if _cost(dived) < _cost(best):
        best = dived
    return _regrouped(claims, contested, known, master, best, bound), bound


def _near(claims: Sequence[Claim], plans: Sequence[Plan], bound: float) -> bool:
    left_out = sum(claim.left_out(plan) for claim, plan in zip(claims, plans, strict=True))
    return _cost(plans) - bound <= GAP * (_cost(plans) - left_out)


def _cost(plans: Iterable[Plan]) -> int:
    return sum(plan.cost for plan in plans)


class _Master:
    """The linear programme over the known plans of ``members``, who share ``left``."""

    def __init__(
        self, claims: Sequence[Claim], members: Sequence[int], left: Sequence[int], known: Known
    ) -> None:
        import highspy
        import numpy as np

        self._np = np
        self._inf = highspy.kHighsInf
        self._whole = highspy.HighsVarType.kInteger
        self._claims = claims
        self._left = left
        self._known = known
        self._row_of = {n: row for row, n in enumerate(members)}
        self._columns: list[tuple[int, Plan]] = []
        self._has: set[tuple[int, tuple[int | None, ...]]] = set()
        self._stock_row: dict[int, int] = {}
        self.prices = [0.0] * len(left)
        self.worth: dict[int, float] = {}
        self.highs: highspy.Highs = highspy.Highs()
        self.highs.silent()
        self.highs.setOptionValue("threads", 1)
        for _ in members:
            self._add_row(1, 1)
        for n in members:
            self._add(n, claims[n].idle())
            for plan in known[n].values():
                self._add(n, plan)

    def _add_row(self, low: float, high: float) -> None:
        self.highs.addRow(low, high, 0, self._np.array([], dtype="int32"), self._np.array([]))

    def _add(self, n: int, plan: Plan) -> bool:
        """Add a column, unless it is there or its order cannot have it any more."""
        mark = (n, plan.places)
        if mark in self._has or not plan.fits(self._left):
            return False
        takes: dict[int, int] = {}
        for number, quantity in plan.takes:
            takes[number] = takes.get(number, 0) + quantity
        for number in takes:
            if number not in self._stock_row:
                self._stock_row[number] = len(self._row_of) + len(self._stock_row)
                self._add_row(-self._inf, self._left[number] / _UNIT)
        rows = [self._row_of[n], *(self._stock_row[number] for number in takes)]
        values = [1.0, *(quantity / _UNIT for quantity in takes.values())]
        array = self._np.array
        self.highs.addCol(
            plan.cost, 0, self._inf, len(rows), array(rows, dtype="int32"), array(values)
        )
        self._has.add(mark)
        self._columns.append((n, plan))
        return True

    def converge(self, tolerance: float) -> float:
        """Add plans until none is worth having; returns the best bound on the cost of members."""
        bound = -float(self._inf)
        for _ in range(_COLUMN_ROUNDS):
            value, found, proven = self._round()
            bound = max(bound, proven)
            if not found or value - bound <= tolerance * abs(value):
                break
        self.highs.run()
        return bound

    def _round(self) -> tuple[float, int, float]:
        """Solve; returns its value, how many new plans its prices brought, and their bound."""
        self.highs.run()
        # Read before a column is added: that makes HiGHS forget its solution.
        value = self.highs.getInfo().objective_function_value
        duals = self.highs.getSolution().row_dual
        self.prices = [0.0] * len(self._left)
        for number, row in self._stock_row.items():
            self.prices[number] = max(0.0, -duals[row]) / _UNIT
        proven = -sum(p * has for p, has in zip(self.prices, self._left, strict=True) if p)
        found = 0
        for n, row in self._row_of.items():
            plan, cost = self._claims[n].choose(self._left, self.prices)
            proven += cost
            self.worth[n] = duals[row]
            if cost < duals[row] - 1e-6 and self._add(n, plan):
                self._known[n][plan.places] = plan
                found += 1
        return value, found, proven

    def vary(self) -> None:
        """Add plans that do without what the cheapest take: whole answers need second choices.

        All there are of an order with few. Else those at the prices, and as if there were none;
        without one stock, and without a second.
        """
        for n in self._row_of:
            for plan in self._claims[n].every(_WAYS_MAX):
                self._add(n, plan)
            for prices in (self.prices, None):
                plan, _ = self._claims[n].choose(self._left, prices)
                self._add(n, plan)
                for number, _ in plan.takes:
                    second = self._without(n, prices, {number})
                    for other, _ in second.takes:
                        self._without(n, prices, {number, other})

    def _without(self, n: int, prices: Sequence[float] | None, numbers: set[int]) -> Plan:
        left = [0 if number in numbers else has for number, has in enumerate(self._left)]
        plan, _ = self._claims[n].choose(left, prices)
        self._add(n, plan)
        return plan

    def priced(self, plan: Plan) -> float:
        return plan.cost + sum(self.prices[number] * q for number, q in plan.takes)

    def shares(self) -> list[tuple[float, int, Plan]]:
        """How much of each plan the solution wants, most first."""
        values = self.highs.getSolution().col_value
        some = [(v, n, p) for v, (n, p) in zip(values, self._columns, strict=True) if v > 1e-6]
        return sorted(some, key=lambda share: (-share[0], share[1]))

    def whole(self, start: Sequence[Plan], limit_s: float) -> dict[int, Plan]:
        """The best whole plans among the known, beginning with ``start`` (by claim)."""
        import highspy

        for column in range(len(self._columns)):
            self.highs.changeColIntegrality(column, self._whole)
        solution = highspy.HighsSolution()
        solution.col_value = [float(start[n].places == p.places) for n, p in self._columns]
        self.highs.setSolution(solution)
        self.highs.setOptionValue("mip_rel_gap", 1e-6)
        self.highs.setOptionValue("time_limit", self.highs.getRunTime() + limit_s)
        self.highs.run()
        values = self.highs.getSolution().col_value
        if len(values) < len(self._columns):  # out of time before it had anything
            return {n: start[n] for n in self._row_of}
        return {n: p for v, (n, p) in zip(values, self._columns, strict=True) if v > 0.5}


def _dive(claims: Sequence[Claim], contested: Contest, known: Known, master: _Master) -> list[Plan]:
    """Fix the plans that the programme is sure of and solve again for the rest, to the last."""
    left = list(contested.stock)
    fixed: dict[int, Plan] = {}
    waiting = list(range(len(claims)))
    while True:
        shares = master.shares()
        room = max(sum(share >= _SURE for share, _, _ in shares), int(_FIX_SHARE * len(waiting)), 1)
        before = len(fixed)
        for share, n, plan in shares:
            if not room or (share < _LIKELY and len(fixed) > before):
                break
            if n not in fixed and plan.fits(left):
                fixed[n] = plan
                plan.take(left)
                room -= 1
        waiting = [n for n in waiting if n not in fixed]
        if not waiting:
            return [fixed[n] for n in range(len(claims))]
        master = _Master(claims, waiting, left, known)
        master.converge(5e-4)


def _regrouped(
    claims: Sequence[Claim],
    contested: Contest,
    known: Known,
    master: _Master,
    plans: list[Plan],
    bound: float,
) -> list[Plan]:
    """Solve groups around the orders that pay most over their worth, until near the bound."""
    left = list(contested.stock)
    for plan in plans:
        plan.take(left)
    tried: set[int] = set()
    for _ in range(min(_GROUPS_MAX, len(claims))):
        if _near(claims, plans, bound):
            break
        seed = max(
            (n for n in range(len(claims)) if n not in tried),
            key=lambda n: (master.priced(plans[n]) - master.worth[n], -n),
        )
        tried.add(seed)
        group = _group(seed, plans, known, master)
        for n in group:
            plans[n].give_back(left)
        programme = _Master(claims, group, left, known)
        programme.converge(1e-6)
        everyone = len(group) == len(claims)
        if everyone:  # so few that they can be had to the optimum
            programme.vary()
        found = programme.whole(plans, _GROUP_LIMIT_S)
        if _cost(found.values()) < _cost(plans[n] for n in group):
            for n, plan in found.items():
                plans[n] = plan
        for n in group:
            plans[n].take(left)
        if everyone:
            break
    return plans


def _group(seed: int, plans: Sequence[Plan], known: Known, master: _Master) -> list[int]:
    """``seed`` and who holds what it would like, who holds what these would like, and so on.

    All, where they are few: who got nothing holds nothing, and could still be served instead.
    """
    if len(plans) <= _GROUP:
        return list(range(len(plans)))
    holders: dict[int, list[int]] = {}
    for n, plan in enumerate(plans):
        # Two lines may take of the same stock, and an order is in a group once.
        for number in dict(plan.takes):
            holders.setdefault(number, []).append(n)
    group = [seed]
    for n in group:
        for plan in sorted(known[n].values(), key=master.priced)[:_WISHES]:
            for number, _ in plan.takes:
                group += [h for h in holders.get(number, ()) if h not in group]
        if len(group) >= _GROUP:
            break
    return sorted(group[:_GROUP])
