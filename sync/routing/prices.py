"""What contested stock is worth: prices at which orders together want what there is.

Each round every order chooses its cheapest plan at the current prices, as if it were alone; then
what too many chose becomes dearer and what too few chose cheaper. A price has two parts that move
on their own: one of the SKU wherever it lies, for goods that all locations together lack, and one
of the single location. Each part keeps its own step, which grows while the direction stays and
shrinks when it turns.

The orders' costs less the worth of the stock are a bound: no answer whatever costs less. So a
result comes with a proof of how far from the optimum it can be at most.
"""

from __future__ import annotations

from collections.abc import Sequence

from sync.routing.claims import Claim, Contest, Plan

UNIT = 1_000_000

_GROW, _SHRINK = 1.3, 0.5


class Prices:
    """Prices by the number of the stock, in minor units per millionth."""

    def __init__(self, contest: Contest, unfilled_cost: int, line_cost: float) -> None:
        """``line_cost``: what shipping a line costs by and large, the size of small steps."""
        skus = sorted(set(contest.skus))
        place_of = {sku: place for place, sku in enumerate(skus)}
        self._sku_of = [place_of[sku] for sku in contest.skus]
        fine = max(1.0, line_cost) / UNIT
        coarse = max(fine, unfilled_cost / UNIT)
        # Goods that are short everywhere are worth as much as a line left unfilled.
        self._by_sku = _Parts(len(skus), coarse / 4, fine / 100, coarse / 2)
        self._by_place = _Parts(len(contest.stock), fine, fine / 100, coarse / 2)
        self.now = [0.0] * len(contest.stock)

    def round(self, claims: Sequence[Claim], left: Sequence[int]) -> tuple[list[Plan], float]:
        """Let every claim choose, move the prices; returns the plans and the bound they prove.

        The bound is on what ``claims`` cost together when they share ``left``, and holds as far as
        each claim is solved exactly.
        """
        plans = []
        wanted = [0] * len(left)
        worth = sum(price * has for price, has in zip(self.now, left, strict=True) if price)
        bound = -worth
        for claim in claims:
            plan, cost = claim.choose(left, self.now)
            plans.append(plan)
            bound += cost
            for number, quantity in plan.takes:
                wanted[number] += quantity
        self._move(wanted, left)
        return plans, bound

    def _move(self, wanted: Sequence[int], left: Sequence[int]) -> None:
        lacks = [wish - has for wish, has in zip(wanted, left, strict=True)]
        lacks_sku = [0] * len(self._by_sku.values)
        for sku, lack in zip(self._sku_of[1:], lacks[1:], strict=True):
            lacks_sku[sku] += lack
        skus = self._by_sku.values
        self._by_sku.move([(lack, worth > 0) for lack, worth in zip(lacks_sku, skus, strict=True)])
        self._by_sku.values = [max(0.0, value) for value in self._by_sku.values]
        lacks[0] = 0
        self._by_place.move([(lack, p > 0) for lack, p in zip(lacks, self.now, strict=True)])
        self.now = [
            max(0.0, self._by_sku.values[sku] + value)
            for sku, value in zip(self._sku_of, self._by_place.values, strict=True)
        ]
        self.now[0] = 0.0


class _Parts:
    """One part of every price, with its step and the direction it last took."""

    def __init__(self, count: int, first: float, least: float, most: float) -> None:
        self.values = [0.0] * count
        self._steps = [first] * count
        self._went = [0] * count
        self._least, self._most = least, most

    def move(self, lacks: Sequence[tuple[int, bool]]) -> None:
        """Up where ``lack`` is positive; down where it is negative and may go down."""
        for place, (lack, may_fall) in enumerate(lacks):
            way = 1 if lack > 0 else -1 if lack < 0 and may_fall else 0
            if not way:
                continue
            if way == self._went[place]:
                self._steps[place] = min(self._steps[place] * _GROW, self._most)
            elif self._went[place]:
                self._steps[place] = max(self._steps[place] * _SHRINK, self._least)
            self._went[place] = way
            self.values[place] += way * self._steps[place]
