"""Orders that share stock: never more than there is, priority kept, and near the optimum."""

from __future__ import annotations

from collections import Counter
from itertools import product

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import routing_optimum, routing_scenario
from sync.routing import batch, exact, ilp
from sync.routing.claims import PLENTY, Claim, contest
from sync.routing.problem import Assignment, Goods, Line, Site, Task

UNIT = 1_000_000
Key = tuple[int, int]


@st.composite
def batches(draw: st.DrawFn) -> tuple[list[Task], dict[Key, int]]:
    """Up to three orders over up to three sites, for a few units or bundles of two SKUs."""
    stock = draw(
        st.dictionaries(
            st.tuples(st.integers(1, 3), st.integers(1, 2)),
            st.integers(0, 3).map(lambda n: n * UNIT),
        )
    )
    tasks = []
    for order in range(1, draw(st.integers(1, 3)) + 1):
        inside = st.dictionaries(st.integers(1, 2), st.integers(1, 2), min_size=1)
        wanted = draw(st.lists(st.tuples(inside, st.integers(1, 2)), min_size=1, max_size=2))
        lines = tuple(
            Line(order * 10 + n, q * UNIT, _goods(parts, q), UNIT)
            for n, (parts, q) in enumerate(wanted)
        )
        sites = tuple(
            Site(
                n,
                f"L{n}",
                draw(st.integers(0, 900)),
                tuple(draw(st.integers(0, 50)) for _ in lines),
                {sku: quantity for (site, sku), quantity in stock.items() if site == n},
            )
            for n in range(1, 4)
        )
        complete = draw(st.booleans())
        tasks.append(Task(order, lines, sites, 300, 6000, draw(st.integers(1, 2)), complete))
    return tasks, stock


def _goods(parts: dict[int, int], quantity: int) -> Goods:
    return tuple((sku, each * quantity * UNIT) for sku, each in sorted(parts.items()))


def taken(answers: list[Assignment]) -> Counter[Key]:
    found: Counter[Key] = Counter()
    for answer in answers:
        for line, location in zip(answer.lines, answer.sites, strict=True):
            if location is not None:
                for sku, quantity in line.takes:
                    found[location, sku] += quantity
    return found


@settings(max_examples=80, deadline=None)
@given(batches(), st.booleans())
def test_a_batch_takes_no_more_than_there_is(
    given_: tuple[list[Task], dict[Key, int]], optimise: bool
) -> None:
    tasks, stock = given_
    answers = batch.solve(tasks, stock, optimise=optimise)
    assert all(quantity <= stock.get(key, 0) for key, quantity in taken(answers).items())
    for task, answer in zip(tasks, answers, strict=True):
        for line in task.lines:
            parts = [part.quantity for part in answer.lines if part.line_id == line.line_id]
            assert sum(parts) == line.quantity
            assert all(part % line.step == 0 for part in parts)
        if task.ship_complete:
            assert None not in answer.sites or set(answer.sites) == {None}
        assert len(set(answer.sites) - {None}) <= task.max_parcels


@settings(max_examples=100, deadline=None)
@given(batches())
def test_with_plenty_every_order_gets_what_it_would_get_alone(
    given_: tuple[list[Task], dict[Key, int]],
) -> None:
    tasks, stock = given_
    plenty = {key: quantity + 100 * UNIT for key, quantity in stock.items()}
    tasks = [
        msgspec.structs.replace(
            task,
            sites=tuple(
                msgspec.structs.replace(s, stock={k: plenty[s.location_id, k] for k in s.stock})
                for s in task.sites
            ),
        )
        for task in tasks
    ]
    assert batch.solve(tasks, plenty, optimise=False) == [exact.solve(task) for task in tasks]


@settings(max_examples=60, deadline=None)
@given(batches())
def test_the_optimum_is_found_for_a_few_orders(
    given_: tuple[list[Task], dict[Key, int]],
) -> None:
    tasks, stock = given_
    found = batch.settle(tasks, stock, optimise=True)
    assert found.bound is not None
    least = least_cost(found, stock)
    assert found.bound <= least + 1e-6
    assert least <= found.cost <= least * (1 + 2 * ilp.GAP) + 1e-6


def least_cost(found: batch.Settled, stock: dict[Key, int]) -> int:
    """Every way to deal out every claim, tried with every other."""
    options = []
    for claim in found.claims:
        ways = []
        for places in product([None, *range(len(claim.sites))], repeat=len(claim.lines)):
            ids = tuple(None if p is None else claim.sites[p].location_id for p in places)
            used = set(ids) - {None}
            if len(used) > claim.task.max_parcels or (
                claim.task.ship_complete and used and None in ids
            ):
                continue
            ways.append((_cost(claim.task, claim.lines, ids), Assignment(claim.lines, ids, 0)))
        options.append(ways)
    costs = [
        sum(cost for cost, _ in chosen)
        for chosen in product(*options)
        if all(q <= stock.get(k, 0) for k, q in taken([a for _, a in chosen]).items())
    ]
    return min(costs)


def _cost(task: Task, lines: tuple[Line, ...], ids: tuple[int | None, ...]) -> int:
    by_id = {site.location_id: site for site in task.sites}
    used = set(ids) - {None}
    cost = sum(by_id[n].open_cost for n in used if n is not None)
    cost += task.split_cost * max(0, len(used) - 1)
    for line, location in zip(lines, ids, strict=True):
        whole = next(n for n, known in enumerate(task.lines) if known.line_id == line.line_id)
        full = by_id[location].line_costs[whole] if location is not None else task.unfilled_cost
        cost += exact.share(full, line.quantity, task.lines[whole].quantity)
    return cost


def test_a_line_is_left_out_where_another_makes_better_use_of_the_goods() -> None:
    """The cheapest plan of no order leaves that line out; only the whole answer does."""
    stock = {(2, 2): 2 * UNIT, (3, 2): 3 * UNIT}

    def one(number: int, units: list[int], costs: tuple[int, ...]) -> Task:
        lines = tuple(Line.of(number * 10 + n, 2, q * UNIT) for n, q in enumerate(units))
        sites = tuple(Site(n, f"L{n}", 0, costs, {2: stock[n, 2]}) for n in (2, 3))
        return Task(number, lines, sites, 300, 6000, 1, False)

    tasks = [one(1, [1, 2], (37, 0)), one(2, [1], (0,)), one(3, [2], (0,))]
    assert batch.settle(tasks, stock, optimise=True).cost == 6000


def test_who_got_nothing_may_be_served_instead() -> None:
    stock = {(1, 1): 3 * UNIT}

    def one(number: int, units: list[int], costs: tuple[int, ...], complete: bool = False) -> Task:
        lines = tuple(Line.of(number * 10 + n, 1, q * UNIT) for n, q in enumerate(units))
        sites = (Site(1, "L1", 0, costs, {1: 3 * UNIT}),)
        return Task(number, lines, sites, 300, 6000, 1, complete)

    tasks = [one(1, [2], (0,)), one(2, [1, 1], (0, 0)), one(3, [1, 1], (0, 1), complete=True)]
    assert batch.settle(tasks, stock, optimise=True).cost == 12_001


def an_order(number: int, opening: int) -> Task:
    site = Site(1, "L1", opening, (0,), {7: UNIT})
    return Task(number, (Line.of(number, 7, UNIT),), (site,), 300, 6000, 1, False)


def test_a_higher_priority_is_never_left_out_so_that_a_lower_one_saves() -> None:
    tasks = [an_order(1, 100), an_order(2, 5000)]
    stock = {(1, 7): UNIT}
    assert [a.sites for a in batch.solve(tasks, stock)] == [(1,), (None,)]
    answers = batch.solve(tasks, stock, priorities=[0, 1])
    assert [a.sites for a in answers] == [(None,), (1,)]


def test_among_equals_the_order_named_first_ships() -> None:
    tasks = [an_order(number, 100) for number in (5, 3, 4)]
    answers = batch.solve(tasks, {(1, 7): 2 * UNIT}, optimise=False)
    assert [a.sites for a in answers] == [(1,), (1,), (None,)]


def test_a_bundle_needs_all_of_its_contested_components() -> None:
    stock = {(1, 7): 2 * UNIT, (1, 8): 2 * UNIT}
    site = Site(1, "L1", 100, (0,), {7: 2 * UNIT, 8: 2 * UNIT})
    line = Line(1, UNIT, ((7, UNIT), (8, UNIT)), UNIT)
    made = [Claim(Task(n, (line,), (site,), 300, 6000, 1, False), (line,), stock) for n in range(3)]
    contested = contest(made, stock)
    assert contested.skus == [0, 7, 8]
    for left, places in (([2, 2], (0,)), ([2, 0], (None,)), ([0, 2], (None,))):
        goods = [PLENTY, *(n * UNIT for n in left)]
        assert made[0].choose(goods)[0].places == places
        assert made[0].choose(goods, [0.0, 0.0, 0.0])[0].places == places
    dear = made[0].choose(contested.stock, [0.0, 0.001, 0.004])
    assert dear == (made[0].choose(contested.stock)[0], 100 + 5000)


def test_what_lies_scattered_is_divided_at_the_end() -> None:
    sites = tuple(Site(n, f"L{n}", 100, (0,), {7: 2 * UNIT}) for n in (1, 2))
    task = Task(1, (Line.of(1, 7, 3 * UNIT),), sites, 300, 6000, 9, False)
    answer = batch.solve([task], {(1, 7): 2 * UNIT, (2, 7): 2 * UNIT})[0]
    assert [part.quantity for part in answer.lines] == [2 * UNIT, UNIT]
    assert set(answer.sites) == {1, 2}


def test_many_orders_are_solved_near_the_proven_optimum() -> None:
    scenario = routing_scenario.scarce(150, 10, seed=3)
    default = batch.settle(scenario.tasks, scenario.stock, optimise=False)
    best = batch.settle(scenario.tasks, scenario.stock, optimise=True)
    assert default.bound is not None
    assert best.bound is not None
    assert best.cost <= 1.01 * best.bound
    assert best.cost <= default.cost <= 1.05 * best.bound
    optimum = routing_optimum.optimum(scenario.tasks, scenario.stock, 20.0, 0.001)
    assert default.bound <= best.bound <= optimum.cost + 1
    assert optimum.bound <= best.cost


def test_a_batch_is_decided_the_same_every_time() -> None:
    scenario = routing_scenario.scarce(80, 10, seed=5)
    once = batch.solve(scenario.tasks, scenario.stock, optimise=False)
    assert batch.solve(scenario.tasks, scenario.stock, optimise=False) == once


def test_without_highspy_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ilp, "installed", lambda: False)
    scenario = routing_scenario.scarce(20, 10, seed=5)
    with pytest.raises(ilp.OptimiseExtraMissing) as caught:
        batch.solve(scenario.tasks, scenario.stock, optimise=True)
    assert caught.value.remedy == "pip install 'crossdock[optimise]'"
    assert len(batch.solve(scenario.tasks, scenario.stock)) == 20
