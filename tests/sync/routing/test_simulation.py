"""Orders of the past by other rules, against figures worked out by hand."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import select

from state import tables as t
from sync.routing import trace
from sync.routing.decide import decide
from sync.routing.facts import OrderFacts, SiteFacts
from sync.routing.rules import Objective, Rate, Rules, When
from sync.simulation import past, picture, report
from sync.simulation.past import Simulated
from tests.sync.conftest import Bench, woo_order
from tests.sync.routing.scenes import NOW, order, rule, rules, site
from tests.sync.routing.test_planning import take

OLD = rules(objective=Objective(per_100_km=35, split=300))
"""A parcel costs 4.50 and 0.35 per 100 km, a further parcel 3.00."""

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def happened(
    bench: Bench, *decided: tuple[OrderFacts, Sequence[SiteFacts]], by: Rules = OLD
) -> None:
    """Store what the rules of the time decided, one after the other, a minute apart."""
    orders = {facts.order_id for facts, _ in decided}
    take(bench, *(woo_order(number, {"A": 1}) for number in sorted(orders)))
    with bench.store.write() as conn:
        for minute, (facts, sites) in enumerate(decided):
            at = NOW + timedelta(minutes=minute)
            trace.keep(conn, facts, sites, by, decide(facts, sites, by), at)


def simulated(bench: Bench, proposed: Rules, since: datetime = LONG_AGO) -> Simulated:
    with bench.store.read() as conn:
        return past.simulate(conn, proposed, since)


def figures(found: Simulated) -> dict[str, tuple[Any, Any]]:
    return {row["figure"]: (row["before"], row["after"]) for row in report.totals(found)}


def went(found: Simulated) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    return [(one.before.locations, one.after.locations) for one in found.orders]


def test_the_same_rules_change_nothing(bench: Bench) -> None:
    sites = [site(1, 10, {"A": 5}), site(2, 1000, {"A": 5, "B": 5})]
    happened(bench, (order([("A", 1), ("B", 1)]), sites), (order([("A", 1)], order_id=2), sites))
    found = simulated(bench, OLD)
    assert [one.moved for one in found.orders] == [False, False]
    assert all(before == after for before, after in figures(found).values())


def test_a_location_avoided_costs_what_was_worked_out_by_hand(bench: Bench) -> None:
    """Order 1: L2 alone 4.50 + 3.50 (L1 and L2 would be 15.53). Order 2: L1 4.53, then L2 8.00."""
    sites = [site(1, 10, {"A": 5}), site(2, 1000, {"A": 5, "B": 5})]
    happened(bench, (order([("A", 1), ("B", 1)]), sites), (order([("A", 1)], order_id=2), sites))
    found = simulated(bench, rules(rule(avoid=("L1",)), objective=OLD.objective))
    assert went(found) == [(("L2",), ("L2",)), (("L1",), ("L2",))]
    told = figures(found)
    assert told["cost as the rules count it, EUR"] == (Decimal("12.53"), Decimal("16.00"))
    assert told["shipping (parcels and weight), EUR"] == (Decimal("9.00"), Decimal("9.00"))
    assert told["km per parcel"] == (Decimal("505.0"), Decimal("1000.0"))
    assert told["orders planned"] == (2, 2)
    assert report.parcels_by_location(found) == [("L1", 1, 0), ("L2", 1, 2)]


def test_a_dear_split_keeps_orders_together(bench: Bench) -> None:
    """Apart 4.50 + 4.50 + 0.30; together 15.00 by weight of nothing but 30 km more."""
    sites = [site(1, 10, {"A": 5}), site(2, 20, {"B": 5}), site(3, 3000, {"A": 5, "B": 5})]
    cheap = rules(objective=Objective(per_100_km=35, split=30))
    happened(bench, (order([("A", 1), ("B", 1)]), sites), by=cheap)
    found = simulated(bench, rules(objective=Objective(per_100_km=35, split=700)))
    assert went(found) == [(("L1", "L2"), ("L3",))]
    told = figures(found)
    assert told["split rate, % of planned"] == (Decimal("100.0"), Decimal("0.0"))
    assert told["parcels"] == (2, 1)
    # 450 + 3 + 450 + 7 + 30 and 450 + 1050.
    assert told["cost as the rules count it, EUR"] == (Decimal("9.40"), Decimal("15.00"))


def test_goods_taken_elsewhere_are_there_for_the_next_order(bench: Bench) -> None:
    """The last unit of L1 went to order 1; by the new rules it stays, and order 2 gets it."""
    far = site(2, 1000, {"A": 5})
    happened(
        bench,
        (order([("A", 1)], country="FR"), [site(1, 10, {"A": 1}), far]),
        (order([("A", 1)], order_id=2), [site(1, 10, {}), far]),
    )
    found = simulated(
        bench, rules(rule(when=When(country=("FR",)), avoid=("L1",)), objective=OLD.objective)
    )
    assert went(found) == [(("L1",), ("L2",)), (("L2",), ("L1",))]


def test_goods_taken_earlier_are_not_there_twice(bench: Bench) -> None:
    near, far = site(1, 10, {"A": 1}), site(2, 1000, {"A": 5})
    happened(
        bench,
        (order([("A", 1)]), [near, far]),
        (order([("A", 1)], order_id=2), [near, far]),
        by=rules(rule(avoid=("L1",)), objective=OLD.objective),
    )
    assert went(simulated(bench, OLD)) == [(("L2",), ("L1",)), (("L2",), ("L2",))]


def test_a_day_fills_up_as_it_would_have(bench: Bench) -> None:
    near, far = site(1, 10, {"A": 9}, daily_orders=1), site(2, 1000, {"A": 9})
    happened(
        bench,
        (order([("A", 1)]), [near, far]),
        (order([("A", 1)], order_id=2), [near, far]),
        by=rules(rule(avoid=("L1",)), objective=OLD.objective),
    )
    found = simulated(bench, OLD)
    assert went(found) == [(("L2",), ("L1",)), (("L2",), ("L2",))]
    assert figures(found)["days a location was given more than it takes"] == (0, 0)


def test_days_beyond_capacity_are_counted(bench: Bench) -> None:
    """Two orders were given to L1 before it was known to take one a day."""
    far = site(2, 1000, {"A": 9})
    happened(
        bench,
        (order([("A", 1)]), [site(1, 10, {"A": 9}), far]),
        (order([("A", 1)], order_id=2), [site(1, 10, {"A": 8}, daily_orders=1), far]),
    )
    found = simulated(bench, rules(rule(avoid=("L1",)), objective=OLD.objective))
    assert figures(found)["days a location was given more than it takes"] == (1, 0)


def test_lateness_is_of_the_latest_parcel(bench: Bench) -> None:
    """Promised after two days; from L1 it takes one, from L2 five: three days late."""
    rates = (Rate(parcel=900, days=1, from_=("L1",)), Rate(parcel=100, days=5))
    sites = [site(1, 10, {"A": 5}), site(2, 10, {"A": 5})]
    objective = Objective(per_100_km=0, per_day_late=1000)
    happened(
        bench,
        (order([("A", 1)]), sites),
        by=rules(rule(promise_days=2), rates=rates, objective=objective),
    )
    lax = rules(rule(promise_days=2), rates=rates, objective=Objective(0, per_day_late=10))
    found = simulated(bench, lax)
    assert went(found) == [(("L1",), ("L2",))]
    told = figures(found)
    assert told["orders late"] == (0, 1)
    assert told["days late, all orders"] == (0, 3)
    assert told["cost as the rules count it, EUR"] == (Decimal("9.00"), Decimal("1.30"))


def test_an_order_that_waited_is_compared_once_by_what_came_of_it(bench: Bench) -> None:
    sites = [site(1, 10, {"A": 5})]
    happened(
        bench,
        (order([("A", 1)], paid="none"), sites),
        (order([("A", 1)], paid="captured"), sites),
        (order([("A", 1)], paid="captured"), sites),
        by=rules(rule(payment="captured"), objective=OLD.objective),
    )
    found = simulated(bench, rules(rule(hold="look first"), objective=OLD.objective))
    assert went(found) == [(("L1",), ())]
    assert found.repeated == 2
    told = figures(found)
    assert told["orders that wait"] == (0, 1)
    assert told["parcels"] == (1, 0)


def test_only_decisions_since_then_count(bench: Bench) -> None:
    sites = [site(1, 10, {"A": 5})]
    happened(bench, (order([("A", 1)]), sites), (order([("A", 1)], order_id=2), sites))
    found = simulated(bench, OLD, since=NOW + timedelta(seconds=30))
    assert [one.order_id for one in found.orders] == [2]


def everything(bench: Bench) -> dict[str, list[Any]]:
    with bench.store.read() as conn:
        return {
            table.name: [tuple(row) for row in conn.execute(select(table))]
            for table in t.metadata.sorted_tables
        }


def test_nothing_in_the_store_changes(bench: Bench, tmp_path: Path) -> None:
    happened(bench, (order([("A", 1)]), [site(1, 10, {"A": 5})]))
    before = everything(bench)
    found = simulated(bench, rules(rule(avoid=("L1",))))
    report.write_csv(found, tmp_path / "orders.csv")
    picture.page(found)
    assert everything(bench) == before


def test_the_csv_holds_every_order_and_no_formula(bench: Bench, tmp_path: Path) -> None:
    happened(bench, (order([("A", 1)]), [site(1, 10, {"A": 5})]))
    with bench.store.write() as conn:
        conn.execute(t.sales_order.update().values(channel_order_name="=1+1"))
    report.write_csv(simulated(bench, rules(rule(avoid=("L1",)))), tmp_path / "orders.csv")
    with (tmp_path / "orders.csv").open(encoding="utf-8", newline="") as file:
        [row] = csv.DictReader(file)
    assert row["order"] == "'=1+1"
    assert (row["locations_before"], row["locations_after"]) == ("L1", "")
    assert (row["cost_before"], row["units_left_out_after"]) == ("4.53", "1")


def test_the_page_is_complete_in_itself_and_safe(bench: Bench) -> None:
    happened(bench, (order([("A", 1)]), [site(1, 10, {"A": 5}), site(2, 99, {"A": 5})]))
    with bench.store.write() as conn:
        conn.execute(t.sales_order.update().values(channel_order_name="<script>x</script>"))
    page = picture.page(simulated(bench, rules(rule(avoid=("L1",)))))
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page
    assert page.count('<rect class="after"') == 1 + 2
    assert 'width="520.0"' in page


def test_without_orders_there_is_still_a_page(bench: Bench) -> None:
    found = simulated(bench, OLD)
    assert found.orders == ()
    assert "Nothing ships either way" in picture.page(found)
    assert figures(found)["split rate, % of planned"] == (None, None)
