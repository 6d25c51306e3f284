"""The exact core of sourcing: an order's lines dealt out to parcels at the least cost.

Lines are bits of a mask. First the cheapest site for every set of lines that one site can ship,
then the cheapest way to cut all lines into such sets. A site is meant to ship one parcel; because
parcels never cost less than nothing, cutting never gains from using a site twice, but for lines
that share one SKU: there two parcels would each take the same goods. ``deal`` notices and folds
such sites in one at a time, each used at most once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

NEVER = 1 << 60
"""Dearer than anything: the cost of what cannot be."""

Offer: TypeAlias = tuple[int, float, list[tuple[int, float]]]
"""(site, cost of its parcel, [(bit of a line it can ship, that line's cost)]).

The parcel's cost includes the penalty for a further parcel. ``float`` admits prices; whole numbers
stay whole.
"""

Shared: TypeAlias = Sequence[tuple[Mapping[int, int], int]]
"""Per SKU that several lines want and the site has not enough of for all: ({bit: quantity}, has)"""

_Sets: TypeAlias = list[tuple[int, float]]


def deal(
    count: int,
    offers: Sequence[Offer],
    unfilled: Sequence[float],
    *,
    shared: Mapping[int, Shared] | None = None,
    most_parcels: int | None = None,
    first_less: float = 0,
) -> tuple[list[int | None], float]:
    """The cheapest site for each of ``count`` lines, null for none, and what that costs.

    ``unfilled[i]`` is paid when line ``i`` is left out, ``shared`` tells by site which lines cannot
    ship together, and the first parcel costs ``first_less`` less than its offer says. Among equals
    the offer named first wins, and fewer parcels before more.
    """
    shared = shared or {}
    parcels, cost = _cut(count, *_cheapest(count, offers, shared), unfilled)
    if _used_twice(parcels) or (most_parcels is not None and len(parcels) > most_parcels):
        limit = count if most_parcels is None else min(count, most_parcels)
        parcels, cost = _apart(count, offers, unfilled, shared, limit)
    if parcels:
        return _by_line(count, parcels), cost - first_less
    if most_parcels == 0 or not first_less:
        return _by_line(count, []), cost
    return _alone(count, offers, unfilled, shared, first_less)


def _apart(
    count: int,
    offers: Sequence[Offer],
    unfilled: Sequence[float],
    shared: Mapping[int, Shared],
    limit: int,
) -> _Dealt:
    """At most ``limit`` parcels and no site used twice."""
    apart: list[Offer] = []
    while True:
        rest = [offer for offer in offers if offer not in apart]
        parcels, cost = _layered(count, rest, apart, unfilled, shared, limit)
        twice = _used_twice(parcels)
        if not twice:
            return parcels, cost
        apart += [offer for offer in rest if offer[0] in twice]


def _alone(
    count: int,
    offers: Sequence[Offer],
    unfilled: Sequence[float],
    shared: Mapping[int, Shared],
    first_less: float,
) -> tuple[list[int | None], float]:
    """The best of one parcel and none, where no parcel is worth its full cost.

    More than one need not be tried: all but the first would pay their full cost.
    """
    parcels: list[_Parcel] = []
    least = sum(unfilled)
    for offer in offers:
        for mask, cost in sets_of(offer, shared.get(offer[0], ())):
            left_out = sum(u for line, u in enumerate(unfilled) if not mask >> line & 1)
            total = cost - first_less + left_out
            if total < least or (total == least and not parcels):
                least, parcels = total, [(mask, offer[0])]
    return _by_line(count, parcels), least


_Parcel: TypeAlias = tuple[int, int]
"""(mask of lines, site)"""

_Dealt: TypeAlias = tuple[list[_Parcel], float]


def _by_line(count: int, parcels: Sequence[_Parcel]) -> list[int | None]:
    sites: list[int | None] = [None] * count
    for mask, site in parcels:
        for line in range(count):
            if mask >> line & 1:
                sites[line] = site
    return sites


def _used_twice(parcels: Sequence[_Parcel]) -> set[int]:
    sites = [site for _, site in parcels]
    return {site for site in sites if sites.count(site) > 1}


def sets_of(offer: Offer, shared: Shared) -> _Sets:
    """Every set of lines that the offer's site can ship in one parcel, with its cost."""
    _, opening, lines = offer
    masks, costs = [0], [opening]
    for bit, cost in lines:
        masks += [mask | bit for mask in masks]
        costs += [known + cost for known in costs]
    found = list(zip(masks, costs, strict=True))[1:]
    for wanted, has in shared:
        found = [
            (mask, cost)
            for mask, cost in found
            if sum(quantity for bit, quantity in wanted.items() if mask & bit) <= has
        ]
    return found


def _cheapest(
    count: int, offers: Sequence[Offer], shared: Mapping[int, Shared]
) -> tuple[list[float], list[int]]:
    """By set of lines: the least a single site ships it for, and which."""
    best: list[float] = [NEVER] * (1 << count)
    site_of = [-1] * (1 << count)
    for offer in offers:
        site, opening, lines = offer
        if len(lines) == 1:
            bit, cost = lines[0]
            if opening + cost < best[bit]:
                best[bit], site_of[bit] = opening + cost, site
            continue
        for mask, cost in sets_of(offer, shared.get(site, ())):
            if cost < best[mask]:
                best[mask], site_of[mask] = cost, site
    return best, site_of


def _cut(count: int, best: list[float], site_of: list[int], unfilled: Sequence[float]) -> _Dealt:
    """The cheapest cut of all lines into sets, each shipped by its cheapest site."""
    full = (1 << count) - 1
    costs: list[float] = [0] * (full + 1)
    taken = [0] * (full + 1)
    # A set is cut by choosing what ships with its lowest line: the first line is in no rest.
    for mask in (*range(2, full, 2), full):
        low = mask & -mask
        rest = part = mask ^ low
        least: float = NEVER
        chosen = 0
        while True:
            cost = best[part | low] + costs[rest ^ part]
            if cost < least:
                least, chosen = cost, part | low
            if not part:
                break
            part = (part - 1) & rest
        left_out = unfilled[low.bit_length() - 1] + costs[rest]
        if left_out < least:
            least, chosen = left_out, 0
        costs[mask], taken[mask] = least, chosen
    parcels = []
    mask = full
    while mask:
        if taken[mask]:
            parcels.append((taken[mask], site_of[taken[mask]]))
            mask ^= taken[mask]
        else:
            mask &= mask - 1
    return parcels, costs[full]


_Chain: TypeAlias = "tuple[_Parcel, _Chain] | None"
_Layer: TypeAlias = list[tuple[float, _Chain]]
"""By set of lines: the least cost, and its parcels as a chain ((mask, site), the rest)."""


def _layered(
    count: int,
    offers: Sequence[Offer],
    apart: Sequence[Offer],
    unfilled: Sequence[float],
    shared: Mapping[int, Shared],
    limit: int,
) -> _Dealt:
    """The same with at most ``limit`` parcels, and each site of ``apart`` used at most once."""
    best, site_of = _cheapest(count, offers, shared)
    none: _Layer = [(0, None)]
    for mask in range(1, 1 << count):
        low = mask & -mask
        none.append((unfilled[low.bit_length() - 1] + none[mask ^ low][0], None))
    layers = [none]
    for _ in range(limit):
        layers.append(_one_more(layers[-1], best, site_of, unfilled))
    for offer in apart:
        found = sets_of(offer, shared.get(offer[0], ()))
        layers = [none] + [
            _with_site(layers[k], layers[k - 1], offer[0], found) for k in range(1, limit + 1)
        ]
    cost, chain = layers[-1][-1]
    parcels: list[_Parcel] = []
    while chain:
        parcel, chain = chain
        parcels.append(parcel)
    return parcels, cost


def _one_more(
    fewer: _Layer, best: list[float], site_of: list[int], unfilled: Sequence[float]
) -> _Layer:
    layer: _Layer = [(0, None)]
    for mask in range(1, len(fewer)):
        low = mask & -mask
        rest = part = mask ^ low
        least, chain = fewer[mask]
        while True:
            if best[part | low] + fewer[rest ^ part][0] < least:
                least = best[part | low] + fewer[rest ^ part][0]
                chain = ((part | low, site_of[part | low]), fewer[rest ^ part][1])
            if not part:
                break
            part = (part - 1) & rest
        left_out = unfilled[low.bit_length() - 1] + layer[rest][0]
        if left_out < least:
            least, chain = left_out, layer[rest][1]
        layer.append((least, chain))
    return layer


def _with_site(same: _Layer, fewer: _Layer, site: int, found: _Sets) -> _Layer:
    """``same`` improved by at most one parcel from ``site``."""
    layer = []
    for mask, (least, chain) in enumerate(same):
        for part, cost in found:
            if part & mask == part and cost + fewer[mask ^ part][0] < least:
                least = cost + fewer[mask ^ part][0]
                chain = ((part, site), fewer[mask ^ part][1])
        layer.append((least, chain))
    return layer
