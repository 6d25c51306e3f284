"""Made-up orders and sites for the routing benchmark: the same numbers from the same seed.

A parcel costs 450 and 0.35 per kilometre, each line a part by weight and distance, every further
parcel of an order 300, a line that nobody ships 6,000 (all in cents). Sites and buyers lie at
random on 2,000 by 1,200 km. ``DENSITY`` tells how many of the sites stock a SKU.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import hypot
from random import Random

from sync.routing.problem import Line, Site, Task

DENSITY = {10: 0.60, 50: 0.30, 200: 0.15}
LINES = (1, 2, 3, 4, 5, 6, 8)
SHARES = (30, 25, 18, 11, 8, 5, 3)
"""How many orders in a hundred have so many lines: 2.7 lines an order."""

PARCEL, PER_KM, PER_KG_KM = 450, 0.35, 0.02
SPLIT, UNFILLED = 300, 6_000
UNIT = 10**6
SKUS = 150

Key = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Scenario:
    """``stock`` by (location id, SKU id) in millionths; every task's sites show the same."""

    tasks: list[Task]
    stock: dict[Key, int]


def scarce(orders: int, sites: int, seed: int) -> Scenario:
    """Orders that want the same goods: 90 to 140 per cent of what is asked for is there."""
    rng = Random(seed)
    wishes = [_wish(rng, number) for number in range(1, orders + 1)]
    asked: dict[int, int] = {}
    for lines in wishes:
        for sku, quantity in _goods(lines):
            asked[sku] = asked.get(sku, 0) + quantity // UNIT
    stock: dict[Key, int] = {}
    for sku, units in sorted(asked.items()):
        holders = rng.sample(range(1, sites + 1), max(2, round(sites * DENSITY[sites])))
        for _ in range(round(units * rng.uniform(0.9, 1.4))):
            key = (rng.choice(holders), sku)
            stock[key] = stock.get(key, 0) + UNIT
    return Scenario(_tasks(rng, wishes, sites, stock), stock)


def plenty(orders: int, sites: int, seed: int, lines: int | None = None) -> list[Task]:
    """Orders for themselves, of ``lines`` lines or of a realistic mix; who has a SKU has enough."""
    rng = Random(seed)
    wishes = [_wish(rng, number, lines) for number in range(1, orders + 1)]
    stock = {
        (site, sku): 100 * UNIT
        for sku in range(1, SKUS + 1)
        for site in rng.sample(range(1, sites + 1), max(1, round(sites * DENSITY[sites])))
    }
    return _tasks(rng, wishes, sites, stock)


def _wish(rng: Random, number: int, count: int | None = None) -> tuple[Line, ...]:
    count = count or rng.choices(LINES, SHARES)[0]
    popular = [1 / (rank + 10) for rank in range(SKUS)]
    skus: list[int] = []
    while len(skus) < count:
        sku = rng.choices(range(1, SKUS + 1), popular)[0]
        if sku not in skus:
            skus.append(sku)
    return tuple(Line.of(number * 100 + n, sku, UNIT) for n, sku in enumerate(skus))


def _goods(lines: Sequence[Line]) -> list[tuple[int, int]]:
    return [goods for line in lines for goods in line.takes]


def _tasks(
    rng: Random, wishes: Sequence[tuple[Line, ...]], sites: int, stock: Mapping[Key, int]
) -> list[Task]:
    weights = {sku: rng.uniform(0.2, 4.0) for sku in range(1, SKUS + 1)}
    places = [_point(rng) for _ in range(sites)]
    held: list[dict[int, int]] = [{} for _ in range(sites)]
    for (site, sku), quantity in stock.items():
        held[site - 1][sku] = quantity
    return [_task(_point(rng), lines, places, held, weights) for lines in wishes]


def _task(
    buyer: tuple[float, float],
    lines: tuple[Line, ...],
    places: Sequence[tuple[float, float]],
    held: Sequence[dict[int, int]],
    weights: Mapping[int, float],
) -> Task:
    offers = []
    for number, (place, stock) in enumerate(zip(places, held, strict=True), start=1):
        km = hypot(buyer[0] - place[0], buyer[1] - place[1])
        costs = tuple(
            round(PER_KG_KM * km * weights[sku] * quantity / UNIT)
            for sku, quantity in _goods(lines)
        )
        mine = {sku: stock[sku] for sku, _ in _goods(lines) if sku in stock}
        opening = round(PARCEL + PER_KM * km)
        offers.append(Site(number, f"L{number:03}", opening, costs, mine))
    return Task(
        order_id=lines[0].line_id // 100,
        lines=lines,
        sites=tuple(offers),
        split_cost=SPLIT,
        unfilled_cost=UNFILLED,
        max_parcels=len(lines),
        ship_complete=False,
    )


def _point(rng: Random) -> tuple[float, float]:
    return rng.uniform(0, 2_000), rng.uniform(0, 1_200)
