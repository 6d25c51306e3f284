"""Sourcing one order: the optimum, never more than there is, and the same whatever comes first."""

from __future__ import annotations

from collections import Counter
from itertools import product

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.routing import exact
from sync.routing.problem import Assignment, Line, Site, Task


def a_site(number: int, opening: int, costs: tuple[int, ...], stock: dict[int, int]) -> Site:
    return Site(number, f"L{number}", opening, costs, stock)


Wish = tuple[int | dict[int, int], int]
"""(SKU, or what a bundle holds by SKU; quantity)"""


def a_line(number: int, wish: Wish) -> Line:
    what, quantity = wish
    if isinstance(what, int):
        return Line.of(number, what, quantity)
    return Line(number, quantity, tuple((sku, quantity * n) for sku, n in sorted(what.items())))


def a_task(lines: list[Wish], sites: list[Site], **given: object) -> Task:
    numbered = tuple(a_line(n, wish) for n, wish in enumerate(lines, start=1))
    plain = {
        "order_id": 1,
        "lines": numbered,
        "sites": tuple(sites),
        "split_cost": 300,
        "unfilled_cost": 6000,
        "max_parcels": 99,
        "ship_complete": False,
    }
    return msgspec.convert({**plain, **given}, Task, strict=False)


@st.composite
def tasks(draw: st.DrawFn, *, large: bool = False, bundles: bool = True) -> Task:
    count = draw(st.integers(1, 4))
    amounts = st.integers(1, 9 if large else 3)
    what = st.integers(1, 3)
    inside = st.dictionaries(st.integers(1, 3), st.integers(1, 2), min_size=1, max_size=3)
    wishes = st.tuples(what | inside if bundles else what, amounts)
    lines = draw(st.lists(wishes, min_size=count, max_size=count))
    costs = st.tuples(*[st.integers(0, 60)] * count)
    stock = st.dictionaries(st.integers(1, 3), st.integers(0, 6), max_size=3)
    numbers = draw(st.lists(st.integers(1, 9), min_size=1, max_size=4, unique=True))
    sites = [a_site(n, draw(st.integers(0, 120)), draw(costs), draw(stock)) for n in numbers]
    return a_task(
        lines,
        sites,
        split_cost=draw(st.sampled_from([0, 10, 80])),
        unfilled_cost=draw(st.sampled_from([40, 150, 6000])),
        max_parcels=draw(st.integers(1, count)),
        ship_complete=draw(st.booleans()),
    )


def cost_of(task: Task, lines: tuple[Line, ...], sites: tuple[int | None, ...]) -> int | None:
    """What an assignment costs by the words of ``problem``; null when it is not allowed."""
    by_id = {site.location_id: site for site in task.sites}
    taken: Counter[tuple[int, int]] = Counter()
    cost = 0
    for line, location in zip(lines, sites, strict=True):
        whole = next(n for n, known in enumerate(task.lines) if known.line_id == line.line_id)
        full = by_id[location].line_costs[whole] if location is not None else task.unfilled_cost
        cost += -(-full * line.quantity // task.lines[whole].quantity)
        if location is None:
            continue
        for sku, quantity in line.takes:
            taken[location, sku] += quantity
    if any(by_id[loc].stock.get(sku, 0) < quantity for (loc, sku), quantity in taken.items()):
        return None
    used = {location for location in sites if location is not None}
    if len(used) > task.max_parcels or (task.ship_complete and used and None in sites):
        return None
    return cost + sum(by_id[n].open_cost for n in used) + task.split_cost * max(0, len(used) - 1)


def least(task: Task, lines: tuple[Line, ...]) -> int:
    """Every assignment tried."""
    options = [None, *(site.location_id for site in task.sites)]
    costs = (cost_of(task, lines, sites) for sites in product(options, repeat=len(lines)))
    return min(cost for cost in costs if cost is not None)


@settings(max_examples=250, deadline=None)
@given(tasks())
def test_the_answer_costs_what_the_best_of_all_assignments_costs(task: Task) -> None:
    found = exact.solve(task)
    if len(found.lines) <= 5:
        assert found.cost == cost_of(task, found.lines, found.sites) == least(task, found.lines)


@settings(max_examples=300, deadline=None)
@given(tasks(large=True))
def test_lessons_row_10_parts_add_up_to_the_demand_and_never_exceed_the_stock(task: Task) -> None:
    found = exact.solve(task)
    for line in task.lines:
        parts = [part for part in found.lines if part.line_id == line.line_id]
        assert sum(part.quantity for part in parts) == line.quantity
        assert all(part.quantity > 0 and part == line.part(part.quantity) for part in parts)
    assert found.cost == cost_of(task, found.lines, found.sites)


@settings(max_examples=200, deadline=None)
@given(tasks(large=True, bundles=False))
def test_lessons_row_8_all_that_all_sites_together_have_ships(task: Task) -> None:
    dear = msgspec.structs.replace(task, unfilled_cost=100_000, max_parcels=99, ship_complete=False)
    shipped = shipped_of(exact.solve(dear))
    for sku in {sku for line in task.lines for sku, _ in line.takes}:
        wanted = sum(n for line in task.lines for taken, n in line.takes if taken == sku)
        there = sum(site.stock.get(sku, 0) for site in task.sites)
        assert shipped[sku] == min(wanted, there)


@settings(max_examples=100, deadline=None)
@given(tasks(large=True), st.randoms(use_true_random=False))
def test_the_order_of_sites_does_not_matter(task: Task, random: object) -> None:
    sites = list(task.sites)
    random.shuffle(sites)  # type: ignore[attr-defined]
    assert exact.solve(msgspec.structs.replace(task, sites=tuple(sites))) == exact.solve(task)


def shipped_of(found: Assignment) -> Counter[int]:
    shipped: Counter[int] = Counter()
    for line, location in zip(found.lines, found.sites, strict=True):
        if location is not None:
            shipped.update(dict(line.takes))
    return shipped


def test_lessons_row_6_two_lines_of_one_sku_do_not_both_pass() -> None:
    site = a_site(1, 100, (0, 0), {7: 5})
    found = exact.solve(a_task([(7, 5), (7, 5)], [site]))
    assert found.sites == (1, None)


def test_lessons_row_6_a_bundle_and_its_component_do_not_both_pass() -> None:
    """The set takes 2 x 2 of the mug and the other line 1: five together, and there are four."""
    site = a_site(1, 100, (0, 0), {7: 4, 8: 9})
    found = exact.solve(a_task([({7: 2, 8: 1}, 2), (7, 1)], [site], unfilled_cost=600))
    assert found.sites in ((1, None), (None, 1))
    enough = msgspec.structs.replace(site, stock={7: 5, 8: 9})
    assert exact.solve(a_task([({7: 2, 8: 1}, 2), (7, 1)], [enough])).sites == (1, 1)


def test_faults_row_72_a_bundle_ships_whole_from_one_site_or_not_at_all() -> None:
    apart = [a_site(1, 10, (0,), {7: 9}), a_site(2, 10, (0,), {8: 9})]
    assert exact.solve(a_task([({7: 2, 8: 1}, 1)], apart)).sites == (None,)
    far = a_site(3, 5000, (0,), {7: 2, 8: 1})
    assert exact.solve(a_task([({7: 2, 8: 1}, 1)], [*apart, far])).sites == (3,)


def test_faults_row_72_bundles_are_divided_only_by_whole_ones() -> None:
    """Site 1 makes two of the three, by its mugs; site 2 makes one, by its tea."""
    sites = [a_site(1, 10, (0,), {7: 5, 8: 9}), a_site(2, 10, (0,), {7: 9, 8: 1})]
    task = a_task([({7: 2, 8: 1}, 3)], sites)
    found = exact.solve(task)
    assert [(part.quantity, part.takes) for part in found.lines] == [
        (2, ((7, 4), (8, 2))),
        (1, ((7, 2), (8, 1))),
    ]
    assert found.sites == (1, 2)


def test_a_line_may_be_cut_by_its_step_only() -> None:
    """Five sixths of two bundles are one bundle."""
    line = Line(1, 2_000_000, ((7, 6_000_000),), 1_000_000)
    assert line.most({7: 5_000_000}) == 1_000_000
    assert line.most({7: 9_000_000}) == 2_000_000
    assert line.most({}) == line.most({7: -1}) == 0
    assert line.part(1_000_000).takes == ((7, 3_000_000),)


def test_lessons_row_k11_thirteen_of_ten_and_fifteen_is_thirteen() -> None:
    sites = [a_site(1, 100, (0,), {7: 10}), a_site(2, 900, (0,), {7: 11})]
    found = exact.solve(a_task([(7, 13)], sites))
    assert [(p.quantity, s) for p, s in zip(found.lines, found.sites, strict=True)] == [
        (11, 2),
        (2, 1),
    ]


def test_a_line_is_divided_only_if_no_site_has_it_whole() -> None:
    near = [a_site(1, 10, (0,), {7: 3}), a_site(2, 10, (0,), {7: 3})]
    far = a_site(3, 5000, (0,), {7: 5})
    assert exact.solve(a_task([(7, 5)], [*near, far])).sites == (3,)
    assert exact.solve(a_task([(7, 5)], near)).lines == (Line.of(1, 7, 3), Line.of(1, 7, 2))


def test_what_is_missing_stays_a_part_of_its_own() -> None:
    found = exact.solve(a_task([(7, 5)], [a_site(1, 10, (0,), {7: 3})]))
    assert found.lines == (Line.of(1, 7, 3), Line.of(1, 7, 2))
    assert found.sites == (1, None)
    assert found.cost == 10 + 2400


def test_ship_complete_ships_nothing_when_something_is_missing() -> None:
    task = a_task([(7, 5), (8, 1)], [a_site(1, 10, (0, 0), {7: 5})], ship_complete=True)
    assert exact.solve(task).sites == (None, None)


@pytest.mark.parametrize("complete", [True, False])
def test_an_order_without_lines_costs_nothing(complete: bool) -> None:
    task = Task(1, (), (), 300, 1000, 3, complete)
    assert exact.solve(task) == Assignment((), (), 0)


def test_among_equals_one_parcel_and_the_first_code() -> None:
    sites = [a_site(n, 100, (0, 0), {7: 1, 8: 1}) for n in (3, 2)]
    assert exact.solve(a_task([(7, 1), (8, 1)], sites)).sites == (2, 2)


def test_a_first_parcel_ships_although_a_further_one_would_not() -> None:
    """100 is less than 150, 100 and the penalty of a further parcel are more."""
    task = a_task([(7, 1)], [a_site(1, 100, (0,), {7: 1})], unfilled_cost=150, split_cost=80)
    assert exact.solve(task).sites == (1,)


@pytest.mark.parametrize("count", [13, 20])
def test_long_orders_are_solved_near_the_optimum(count: int) -> None:
    """Every site has every third line and one has all but two: three parcels are the least."""
    sites = [
        a_site(n, 600, (5,) * count, {sku: 1 for sku in range(count) if sku % 3 == n % 3})
        for n in range(9)
    ]
    sites.append(a_site(10, 500, (5,) * count, dict.fromkeys(range(2, count), 1)))
    found = exact.solve(a_task([(sku, 1) for sku in range(count)], sites))
    assert found.cost == 500 + 2 * (600 + 300) + 5 * count


@settings(max_examples=100, deadline=None)
@given(tasks(large=True))
def test_the_search_for_long_orders_keeps_every_rule(task: Task) -> None:
    before = exact.EXACT_LINES
    try:
        exact.EXACT_LINES = 0
        found = exact.solve(task)
    finally:
        exact.EXACT_LINES = before
    assert found.cost == cost_of(task, found.lines, found.sites)
    if len(found.lines) <= 6:
        assert found.cost >= least(task, found.lines)
