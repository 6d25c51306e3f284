"""Orders that want the same goods, each prepared so that it can be dealt out many times over.

Contested stock, a (location, SKU) that more is wished for than there is, has a number, and what is
left or what it is worth is a list by that number. Number 0 is everything that is nobody's
bottleneck: it never runs out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import msgspec

from sync.routing import exact, greedy, partition
from sync.routing.partition import NEVER, Offer, Shared
from sync.routing.problem import Line, Site, Task

Key = tuple[int, int]
"""(location id, SKU id)"""

UNCONTESTED = 0
PLENTY = 1 << 60

Takes = tuple[tuple[int, int], ...]
"""(number of contested stock, quantity) pairs."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One way to ship one order: a place in the claim's sites per line, or null.

    ``cost`` is what it really costs, without prices. ``takes``: what every line that ships takes,
    one after another.
    """

    places: tuple[int | None, ...]
    cost: int
    takes: Takes

    def fits(self, left: Sequence[int]) -> bool:
        """Whether ``left`` has all it takes; two lines may take of the same stock."""
        wanted: Counter[int] = Counter()
        for number, quantity in self.takes:
            wanted[number] += quantity
        return all(left[number] >= quantity for number, quantity in wanted.items())

    def take(self, left: list[int]) -> None:
        for number, quantity in self.takes:
            left[number] -= quantity

    def give_back(self, left: list[int]) -> None:
        for number, quantity in self.takes:
            left[number] += quantity


@dataclass(frozen=True, slots=True)
class _Source:
    """A site of a claim. ``items``: (bit of the line, cost, number of the stock, quantity, more).

    ``more``: what a bundle takes of contested stock beside that.
    ``offer`` where nothing of it is contested: it never changes.
    """

    opening: float
    items: list[tuple[int, float, int, int, Takes]]
    offer: Offer | None


class Claim:
    """An order with the sites that have something for it, in the order of their codes."""

    def __init__(self, task: Task, lines: Sequence[Line], stock: Mapping[Key, int]) -> None:
        self.task = task
        self.lines = tuple(lines)
        self.sites = sorted(stocked(task.sites, stock), key=lambda site: site.code)
        self.exact = len(lines) <= exact.EXACT_LINES
        self._unfilled = exact.unfilled_costs(task, lines)
        self.nothing = sum(self._unfilled)
        self._offers, _ = exact.offers_of(task, lines, self.sites)
        self._sources: dict[int, _Source] = {}
        self._repeated = exact.wanted_by_several(lines)
        self._shares: dict[int, list[tuple[Mapping[int, int], int]]] = {}

    def wishes(self) -> Iterator[tuple[Key, int]]:
        """Every stock that a line could ship from, with what it takes of it."""
        for place, _, can in self._offers:
            for bit, _ in can:
                yield from self._takes(place, bit)

    def _takes(self, place: int, bit: int) -> Iterator[tuple[Key, int]]:
        location_id = self.sites[place].location_id
        for sku_id, quantity in self.lines[bit.bit_length() - 1].takes:
            yield (location_id, sku_id), quantity

    def number(self, numbers: Mapping[Key, int]) -> None:
        """Learn the numbers of contested stock."""
        for offer in self._offers:
            place, opening, can = offer
            items = []
            for bit, cost in can:
                takes = [(numbers[k], q) for k, q in self._takes(place, bit) if k in numbers]
                first, *more = takes or [(UNCONTESTED, 0)]
                items.append((bit, cost, *first, tuple(more)))
            contested = any(number != UNCONTESTED for _, _, number, _, _ in items)
            self._sources[place] = _Source(opening, items, None if contested else offer)
            self._shares[place] = self._shares_at(place, [bit for bit, _ in can], numbers)

    def _shares_at(
        self, place: int, bits: Sequence[int], numbers: Mapping[Key, int]
    ) -> list[tuple[Mapping[int, int], int]]:
        """Contested stock at a site that several lines take of: ({bit: quantity}, number)."""
        found: list[tuple[Mapping[int, int], int]] = []
        for sku_id, every in self._repeated.items():
            wanted = {bit: quantity for bit, quantity in every.items() if bit in bits}
            number = numbers.get((self.sites[place].location_id, sku_id))
            if number is not None and len(wanted) > 1:
                found.append((wanted, number))
        return found

    def choose(
        self, left: Sequence[int], prices: Sequence[float] | None = None
    ) -> tuple[Plan, float]:
        """The cheapest plan that takes no more than ``left``, and what it costs with ``prices``.

        ``prices`` are per millionth and added to what shipping costs.
        """
        offers: list[Offer] = []
        for place, source in self._sources.items():
            if source.offer is not None:
                offers.append(source.offer)
                continue
            if prices is None:
                can = [
                    (bit, c)
                    for bit, c, n, quantity, more in source.items
                    if left[n] >= quantity and (not more or _enough(left, more))
                ]
            else:
                can = [
                    (bit, c + prices[n] * quantity + (_worth(more, prices) if more else 0))
                    for bit, c, n, quantity, more in source.items
                    if left[n] >= quantity and (not more or _enough(left, more))
                ]
            if can:
                offers.append((place, source.opening, can))
        return self._dealt(offers, left)

    def _dealt(self, offers: Sequence[Offer], left: Sequence[int]) -> tuple[Plan, float]:
        task = self.task
        deal = partition.deal if self.exact else greedy.deal
        places, cost = deal(
            len(self.lines),
            offers,
            [NEVER] * len(self.lines) if task.ship_complete else self._unfilled,
            shared=self._shared(left) if self._repeated else None,
            most_parcels=task.max_parcels,
            first_less=task.split_cost,
        )
        if cost > self.nothing or (task.ship_complete and None in places):
            return self.idle(), self.nothing
        return self._plan(places), cost

    def left_out(self, plan: Plan) -> int:
        """What of the plan's cost is for lines that nobody ships."""
        pairs = zip(plan.places, self._unfilled, strict=True)
        return sum(unfilled for place, unfilled in pairs if place is None)

    def idle(self) -> Plan:
        """Nothing ships."""
        return Plan((None,) * len(self.lines), self.nothing, ())

    def every(self, most: int) -> Iterator[Plan]:
        """Every plan that the order may have; none at all where there are more than ``most``."""
        choices: list[list[int | None]] = [[None] for _ in self.lines]
        for place, _, can in self._offers:
            for bit, _ in can:
                choices[bit.bit_length() - 1].append(place)
        if prod(map(len, choices)) > most:
            return
        for places in product(*choices):
            used = set(places) - {None}
            whole = None not in places or not used or not self.task.ship_complete
            if whole and len(used) <= self.task.max_parcels:
                yield self._plan(places)

    def _shared(self, left: Sequence[int]) -> dict[int, Shared]:
        return {
            place: [(wanted, left[number]) for wanted, number in shares]
            for place, shares in self._shares.items()
            if shares
        }

    def _plan(self, places: Sequence[int | None]) -> Plan:
        cost: float = sum(u for p, u in zip(places, self._unfilled, strict=True) if p is None)
        used = {place for place in places if place is not None}
        if used:
            cost -= self.task.split_cost
        takes: list[tuple[int, int]] = []
        for place in used:
            source = self._sources[place]
            cost += source.opening
            for bit, line_cost, number, quantity, more in source.items:
                if places[bit.bit_length() - 1] == place:
                    cost += line_cost
                    if number != UNCONTESTED:
                        takes += [(number, quantity), *more]
        return Plan(tuple(places), int(cost), tuple(takes))


def stocked(sites: Sequence[Site], stock: Mapping[Key, int]) -> list[Site]:
    """The sites with what ``stock`` has of the goods that they show; a site may show less."""
    return [
        msgspec.structs.replace(
            site,
            stock={
                sku: min(shown, stock.get((site.location_id, sku), 0))
                for sku, shown in site.stock.items()
            },
        )
        for site in sites
    ]


@dataclass(frozen=True, slots=True)
class Contest:
    """Contested stock by its number: how much there is (millionths), and of which SKU."""

    stock: list[int]
    skus: list[int]


def contest(claims: Sequence[Claim], stock: Mapping[Key, int]) -> Contest:
    """Find the stock that ``claims`` compete for, and tell them its numbers."""
    wished: Counter[Key] = Counter()
    for claim in claims:
        for key, quantity in claim.wishes():
            wished[key] += quantity
    scarce = sorted(key for key, quantity in wished.items() if quantity > stock.get(key, 0))
    numbers = {key: number for number, key in enumerate(scarce, start=1)}
    for claim in claims:
        claim.number(numbers)
    return Contest([PLENTY, *(stock.get(key, 0) for key in scarce)], [0, *(k[1] for k in scarce)])


def _enough(left: Sequence[int], takes: Takes) -> bool:
    return all(left[number] >= quantity for number, quantity in takes)


def _worth(takes: Takes, prices: Sequence[float]) -> float:
    return sum(prices[number] * quantity for number, quantity in takes)
