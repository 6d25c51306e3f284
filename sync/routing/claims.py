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


@dataclass(frozen=True, slots=True)
class Plan:
    """One way to ship one order: a place in the claim's sites per line, or null.

    ``cost`` is what it really costs, without prices. ``takes``: (number of contested stock,
    quantity) for every line that ships from such.
    """

    places: tuple[int | None, ...]
    cost: int
    takes: tuple[tuple[int, int], ...]

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
    """A site of a claim. ``items``: (bit of the line, cost, number of the stock, quantity).

    ``offer`` where nothing of it is contested: it never changes.
    """

    opening: float
    items: list[tuple[int, float, int, int]]
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
        self._repeated = _bits_of_repeated_skus(lines)

    def wishes(self) -> Iterator[tuple[Key, int]]:
        """Every stock that a line could ship from, with the line's quantity."""
        for place, _, can in self._offers:
            for bit, _ in can:
                yield self._key(place, bit), self._quantity(bit)

    def _key(self, place: int, bit: int) -> Key:
        return self.sites[place].location_id, self.lines[bit.bit_length() - 1].sku_id

    def _quantity(self, bit: int) -> int:
        return self.lines[bit.bit_length() - 1].quantity

    def number(self, numbers: Mapping[Key, int]) -> None:
        """Learn the numbers of contested stock."""
        for offer in self._offers:
            place, opening, can = offer
            items = [
                (bit, cost, numbers.get(self._key(place, bit), UNCONTESTED), self._quantity(bit))
                for bit, cost in can
            ]
            contested = any(number != UNCONTESTED for _, _, number, _ in items)
            self._sources[place] = _Source(opening, items, None if contested else offer)

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
                can = [(bit, c) for bit, c, n, quantity in source.items if left[n] >= quantity]
            else:
                can = [
                    (bit, c + prices[n] * quantity)
                    for bit, c, n, quantity in source.items
                    if left[n] >= quantity
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
        found: dict[int, list[tuple[Mapping[int, int], int]]] = {}
        for place, source in self._sources.items():
            for bits in self._repeated:
                wanted = {bit: quantity for bit, _, _, quantity in source.items if bit in bits}
                if len(wanted) > 1:
                    has = next(left[n] for bit, _, n, _ in source.items if bit in bits)
                    found.setdefault(place, []).append((wanted, has))
        return dict(found)

    def _plan(self, places: Sequence[int | None]) -> Plan:
        cost: float = sum(u for p, u in zip(places, self._unfilled, strict=True) if p is None)
        used = {place for place in places if place is not None}
        if used:
            cost -= self.task.split_cost
        takes: list[tuple[int, int]] = []
        for place in used:
            source = self._sources[place]
            cost += source.opening
            for bit, line_cost, number, quantity in source.items:
                if places[bit.bit_length() - 1] == place:
                    cost += line_cost
                    if number != UNCONTESTED:
                        takes.append((number, quantity))
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


def _bits_of_repeated_skus(lines: Sequence[Line]) -> list[frozenset[int]]:
    bits: dict[int, set[int]] = {}
    for place, line in enumerate(lines):
        bits.setdefault(line.sku_id, set()).add(1 << place)
    return [frozenset(found) for found in bits.values() if len(found) > 1]
