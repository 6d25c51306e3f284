"""The cheapest way to ship one order, exactly.

Up to ``EXACT_LINES`` lines the answer is the optimum (``partition``); above, a search that adds,
drops and swaps sites until nothing gains (``greedy``). Either depends on nothing but the task, so a
stored decision can be recomputed anywhere. A line ships whole. Only what no site can ship whole is
divided, and then every part counts as a line. All that one bundle holds comes from one site: a line
for bundles is divided by whole bundles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import comb

from sync.routing import greedy, partition
from sync.routing.partition import NEVER, Offer, Shared
from sync.routing.problem import Assignment, Goods, Line, Site, Task

EXACT_LINES = 12
"""Ten lines take some 2 ms, every further one nearly three times as long."""

_COMBINATIONS_MAX = 3_000

Leftover = dict[int, Mapping[int, int]]
"""By place in ``Task.sites``: what the site has by SKU."""


def solve(task: Task) -> Assignment:
    """Decide which site ships which line at the least cost.

    Among equals: fewer parcels first, then the site whose code comes first. A part of a line costs
    its share, rounded up, of the line's cost where it ships and of ``unfilled_cost`` where not.
    """
    if not task.lines:
        return _nothing(task)
    if task.ship_complete:
        found = _dealt(task, task.lines, complete=True)
        if None not in found.sites:
            return found
    whole = _dealt(task, task.lines, complete=False)
    lines = divide(task, whole)
    if task.ship_complete:
        parts = _dealt(task, lines, complete=True)
        return _nothing(task) if None in parts.sites else parts
    if lines == task.lines:
        return whole
    parts = _dealt(task, lines, complete=False)
    return parts if _shipped(parts) > _shipped(whole) else whole


def divide(task: Task, found: Assignment) -> tuple[Line, ...]:
    """The lines of ``found``, those cut that no site could ship whole from what is left.

    Fewest parts first, then the cheapest sites; what nobody has is a part of its own.
    """
    left = _left(task, found)
    opened = set(found.sites)
    lines: list[Line] = []
    for line, location in zip(found.lines, found.sites, strict=True):
        if location is not None:
            lines.append(line)
            continue
        holds = {n: most for n, stock in left.items() if (most := line.most(stock)) > 0}
        if not holds or max(holds.values()) >= line.quantity:
            lines.append(line)
            continue
        index = next(i for i, known in enumerate(task.lines) if known.line_id == line.line_id)
        costs = {n: _cost(task.sites[n], index, opened) for n in holds}
        rest = line.quantity
        for n in _sources(holds, rest, costs):
            part = line.part(min(rest, holds[n]))
            lines.append(part)
            left[n] = _without(left[n], part)
            rest -= part.quantity
        if rest:
            lines.append(line.part(rest))
    return tuple(lines)


def _cost(site: Site, index: int, opened: set[int | None]) -> tuple[int, str]:
    opening = 0 if site.location_id in opened else site.open_cost
    return opening + site.line_costs[index], site.code


def _sources(
    holds: Mapping[int, int], wanted: int, costs: Mapping[int, tuple[int, str]]
) -> Sequence[int]:
    """The fewest holders that have ``wanted`` together, among these the cheapest; largest first."""
    largest = sorted(holds, key=lambda n: (-holds[n], costs[n]))
    size, total = 0, 0
    while total < wanted and size < len(largest):
        total += holds[largest[size]]
        size += 1
    if total < wanted or comb(len(largest), size) > _COMBINATIONS_MAX:
        return largest[:size]
    enough = (
        group for group in combinations(largest, size) if sum(holds[n] for n in group) >= wanted
    )
    return min(enough, key=lambda group: (sum(costs[n][0] for n in group), group))


def _dealt(task: Task, lines: Sequence[Line], *, complete: bool) -> Assignment:
    """Deal out ``lines``, which are the task's or parts of them, as they are."""
    sites = sorted(task.sites, key=_code)
    offers, shared = offers_of(task, lines, sites)
    unfilled = unfilled_costs(task, lines)
    deal = partition.deal if len(lines) <= EXACT_LINES else greedy.deal
    places, cost = deal(
        len(lines),
        offers,
        [NEVER] * len(lines) if complete else unfilled,
        shared=shared,
        most_parcels=task.max_parcels,
        first_less=task.split_cost,
    )
    nothing = sum(unfilled)
    if cost > nothing or (complete and None in places):
        return Assignment(tuple(lines), (None,) * len(lines), nothing)
    ids = tuple(None if place is None else sites[place].location_id for place in places)
    return Assignment(tuple(lines), ids, int(cost))


def offers_of(
    task: Task, lines: Sequence[Line], sites: Sequence[Site]
) -> tuple[list[Offer], dict[int, Shared]]:
    """What each of ``sites`` can ship of ``lines``; an offer's site is a place in ``sites``."""
    split = task.split_cost
    wanted = [
        (bit, *line.takes[0], line.takes[1:], line.quantity, index, whole)
        for bit, line, index, whole in _wanted(task, lines)
    ]
    offers: list[Offer] = []
    for place, site in enumerate(sites):
        has = site.stock.get
        costs = site.line_costs
        can: list[tuple[int, float]] = [
            (bit, costs[index] if whole == quantity else share(costs[index], quantity, whole))
            for bit, sku, first, more, quantity, index, whole in wanted
            # Nearly every line takes one kind of goods, and this is asked of every site.
            if has(sku, 0) >= first and (not more or _has_all(site.stock, more))
        ]
        if can:
            offers.append((place, site.open_cost + split, can))
    repeated = wanted_by_several(lines)
    if not repeated:
        return offers, {}
    return offers, {
        place: short for place, site in enumerate(sites) if (short := _short(site, repeated))
    }


def _has_all(stock: Mapping[int, int], goods: Goods) -> bool:
    return all(stock.get(sku, 0) >= quantity for sku, quantity in goods)


def wanted_by_several(lines: Sequence[Line]) -> dict[int, dict[int, int]]:
    """The SKUs that more than one line takes: {SKU: {bit of the line: quantity}}."""
    wanted: dict[int, dict[int, int]] = {}
    for place, line in enumerate(lines):
        for sku, quantity in line.takes:
            wanted.setdefault(sku, {})[1 << place] = quantity
    return {sku: bits for sku, bits in wanted.items() if len(bits) > 1}


def unfilled_costs(task: Task, lines: Sequence[Line]) -> list[int]:
    """What each of ``lines`` costs when nobody ships it."""
    if lines is task.lines:
        return [task.unfilled_cost] * len(lines)
    return [
        share(task.unfilled_cost, line.quantity, whole)
        for _, line, _, whole in _wanted(task, lines)
    ]


def share(cost: int, quantity: int, whole: int) -> int:
    """The part of a cost that ``quantity`` of ``whole`` bears, rounded up."""
    return -(-cost * quantity // whole)


def _wanted(task: Task, lines: Sequence[Line]) -> list[tuple[int, Line, int, int]]:
    """(bit, line or part, which line of the task it is of, that line's quantity)."""
    if lines is task.lines:
        return [(1 << i, line, i, line.quantity) for i, line in enumerate(lines)]
    known = {line.line_id: (i, line.quantity) for i, line in enumerate(task.lines)}
    return [(1 << i, line, *known[line.line_id]) for i, line in enumerate(lines)]


def _short(site: Site, repeated: Mapping[int, Mapping[int, int]]) -> Shared:
    """Of ``repeated`` SKUs those that the site has, but not enough of for every line."""
    return [
        (bits, has)
        for sku, bits in repeated.items()
        if 0 < (has := site.stock.get(sku, 0)) < sum(bits.values())
    ]


def _left(task: Task, found: Assignment) -> Leftover:
    left: Leftover = {place: site.stock for place, site in enumerate(task.sites)}
    place_of = {site.location_id: place for place, site in enumerate(task.sites)}
    for line, location in zip(found.lines, found.sites, strict=True):
        if location is not None:
            place = place_of[location]
            left[place] = _without(left[place], line)
    return left


def _without(stock: Mapping[int, int], line: Line) -> dict[int, int]:
    return {**stock, **{sku: stock[sku] - quantity for sku, quantity in line.takes}}


def _shipped(found: Assignment) -> int:
    pairs = zip(found.lines, found.sites, strict=True)
    return sum(line.quantity for line, location in pairs if location is not None)


def _nothing(task: Task) -> Assignment:
    count = len(task.lines)
    return Assignment(task.lines, (None,) * count, count * task.unfilled_cost)


def _code(site: Site) -> str:
    return site.code
