"""Bundles in decisions: all of one from one location, told so, and the same every time."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from state import fulfilment, stock
from state import tables as t
from sync import allocation, explain, intake
from sync.routing import trace, words
from sync.routing.decide import decide
from sync.routing.facts import UNIT, Incoming, LineFacts, OrderFacts, PartFacts
from sync.routing.rules import When
from tests.sync.bundles.setting import define, ordered, reserved
from tests.sync.conftest import Bench, woo_order
from tests.sync.routing.scenes import NOW, SKUS, dropped, order, rule, rules, shipped, site


def with_sets(sets: int, lines: list[tuple[str, int]], **inside: int) -> OrderFacts:
    """Line 9 is ``sets`` GIFT-SETs; without a word of two A and a B."""
    parts = tuple(
        PartFacts(SKUS[sku], sku, each * UNIT) for sku, each in (inside or {"A": 2, "B": 1}).items()
    )
    line = LineFacts(9, 9, 99, "GIFT-SET", sets * UNIT, 1500, parts=parts)
    simple = order(lines)
    return msgspec.structs.replace(simple, lines=(*simple.lines, line))


def test_all_of_a_bundle_ships_from_one_location() -> None:
    places = [site(1, 10, {"A": 9}), site(2, 20, {"B": 9}), site(3, 900, {"A": 2, "B": 1})]
    decision = decide(with_sets(1, []), places, rules())
    [share] = decision.shares
    assert (share.location_id, share.quantity) == (3, UNIT)
    assert share.takes == ((SKUS["A"], 2 * UNIT), (SKUS["B"], UNIT))


def test_the_trace_says_which_component_is_short() -> None:
    order_ = with_sets(2, [])
    decision = decide(order_, [site(1, 10, {"A": 3, "B": 9})], rules())
    told = words.told(decision, order_)
    assert told[0] == "GIFT-SET is a bundle: 2 of it take 4 A, 2 B"
    assert "L1 ships 1 of 2 x GIFT-SET" in told[1]
    assert decision.verdicts[0].lacks == ("2 GIFT-SET need 4 A, L1 has 3",)
    assert decision.unfilled[0].why == "2 GIFT-SET need 4 A, and only 3 can be had"


def test_the_trace_says_what_is_wanted_beside_the_bundle() -> None:
    decision = decide(with_sets(1, [("A", 2)]), [site(1, 10, {"A": 3, "B": 9})], rules())
    assert decision.verdicts[0].lacks == ("1 GIFT-SET needs 2 A and other lines 2, L1 has 3",)


def test_parts_that_lie_apart_are_told() -> None:
    places = [site(1, 10, {"A": 9}), site(2, 20, {"B": 9})]
    decision = decide(with_sets(1, []), places, rules())
    assert decision.unfilled[0].why == "no location has all that one GIFT-SET holds"
    assert decision.verdicts[1].lacks == ("1 GIFT-SET needs 2 A, L2 has none",)
    scattered = [site(1, 10, {"A": 3, "B": 9}), site(2, 20, {"A": 1, "B": 9})]
    rest = decide(with_sets(2, []), scattered, rules()).unfilled[0]
    assert (rest.quantity, rest.why) == (UNIT, "no location has all that one more GIFT-SET holds")
    none = decide(with_sets(1, []), [site(1, 10, {"A": 9})], rules())
    assert none.unfilled[0].why == "no location that may serve it has B"


def test_only_the_component_that_is_short_has_to_come() -> None:
    due = (NOW + timedelta(days=5)).date()
    coming = (Incoming(SKUS["A"], 1 * UNIT, due),)
    place = site(1, 10, {"A": 3, "B": 9}, incoming=coming)
    assert decide(with_sets(2, []), [place], rules()).unfilled[0].expected_on == due
    late = with_sets(2, [])
    [line] = late.lines
    ahead = msgspec.structs.replace(line.parts[0], ahead=1 * UNIT)
    waiting = msgspec.structs.replace(line, parts=(ahead, line.parts[1]))
    late = msgspec.structs.replace(late, lines=(waiting,))
    assert decide(late, [place], rules()).unfilled[0].expected_on is None


def test_a_hazardous_component_bars_a_location_from_the_bundle() -> None:
    order_ = with_sets(1, [])
    [line] = order_.lines
    fumes = msgspec.structs.replace(line.parts[1], hazmat=True)
    line = msgspec.structs.replace(line, hazmat=True, parts=(line.parts[0], fumes))
    order_ = msgspec.structs.replace(order_, lines=(line,))
    places = [site(1, 10, {"A": 9, "B": 9}), site(2, 900, {"A": 9, "B": 9}, hazmat=True)]
    decision = decide(order_, places, rules())
    assert shipped(decision) == [(9, 2, 1)]
    assert decision.verdicts[0].lacks == ("may not handle B, which is hazardous",)


def test_a_rule_for_a_component_speaks_of_the_bundles_that_hold_it() -> None:
    told = rule(when=When(sku=("B",)), avoid=("L1",))
    places = [site(1, 10, {"A": 9, "B": 9}), site(2, 900, {"A": 9, "B": 9})]
    decision = decide(with_sets(1, []), places, rules(told))
    assert shipped(decision) == [(9, 2, 1)]


def test_a_days_units_are_pieces() -> None:
    place = site(1, 10, {"A": 9, "B": 9}, daily_units=5, units_today=3 * UNIT)
    assert "the order has 3" in dropped(decide(with_sets(1, []), [place], rules()))["L1"]


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 3),
    st.lists(st.tuples(st.sampled_from("ABC"), st.integers(1, 3)), max_size=2),
    st.lists(st.dictionaries(st.sampled_from("ABC"), st.integers(0, 6)), min_size=1, max_size=4),
    st.booleans(),
)
def test_no_component_is_oversold_and_no_bundle_torn(
    sets: int, lines: list[tuple[str, int]], shelves: list[dict[str, int]], complete: bool
) -> None:
    order_ = with_sets(sets, lines)
    places = [site(n, n * 10, there) for n, there in enumerate(shelves, start=1)]
    decision = decide(order_, places, rules(rule(ship_complete=complete)))
    taken: dict[tuple[int, int], int] = {}
    for share in decision.shares:
        for sku_id, quantity in share.takes:
            key = (share.location_id, sku_id)
            taken[key] = taken.get(key, 0) + quantity
        assert share.line_id != 9 or share.quantity % UNIT == 0
    stock_of = {place.location_id: place.stock for place in places}
    assert all(qty <= stock_of[place].get(sku, 0) for (place, sku), qty in taken.items())
    for line in order_.lines:
        done = sum(share.quantity for share in decision.shares if share.line_id == line.line_id)
        left = sum(one.quantity for one in decision.unfilled if one.line_id == line.line_id)
        assert done + left == line.quantity
        assert not complete or done in (0, line.quantity)
    again = decide(order_, places[::-1], rules(rule(ship_complete=complete)))
    assert again.stored() == decision.stored()
    read = msgspec.json.decode(decision.stored(), type=type(decision))
    assert read == decision


def last_decision(bench: Bench) -> Any:
    with bench.store.read() as conn:
        row = fulfilment.last_decision(conn, 1)
        assert row is not None
        made = trace.stored(row)
        assert trace.recompute(conn, row).stored() == made.stored()
        order_row = conn.execute(
            select(t.sales_order, t.connection.c.name.label("connection")).join(t.connection)
        ).one()
        return explain.explain(conn, order_row)["decisions"][-1]["said"]


def test_a_stored_decision_about_a_bundle_is_told_and_made_again(bench: Bench) -> None:
    define(bench)
    bench.put("A", "berlin", 3)
    bench.put("B", "berlin", 9)
    ordered(bench, {"SET": 2, "A": 1})
    bench.run(allocation.allocate)
    said = last_decision(bench)
    assert said[0] == "SET is a bundle: 2 of it take 4 A, 2 B"
    assert any("2 SET need 4 A and other lines 1" in one for one in said)
    assert reserved(bench) == {"A": 3, "B": 1}
    define(bench, C=1)
    assert last_decision(bench) == said, "a new definition changes nothing that was decided"


def test_waiting_orders_for_bundles_count_before_later_ones(bench: Bench) -> None:
    """Three of A come; an earlier order for a set waits for two of them."""
    define(bench)
    bench.put("B", "berlin", 9)
    bench.shop.pages = []
    ordered(bench, {"SET": 1})
    bench.run(allocation.allocate)
    with bench.store.write() as conn:
        conn.execute(
            insert(t.consignment).values(
                reference="PO1",
                sku_id=bench.skus["A"],
                to_location_id=bench.places["berlin"],
                qty=Decimal(3),
                sent_at=bench.clock.now(),
                due_on=date(2026, 11, 9),
            )
        )
        stock.mark_dirty(conn, [bench.skus["A"]])
    later = woo_order(2, {"A": 2}, date_created_gmt="2026-11-02T07:30:00")
    bench.shop.pages.append([later])
    bench.run(intake.pull_orders, "shop")
    bench.run(allocation.allocate)
    with bench.store.read() as conn:
        query = select(t.sales_order.c.id).where(t.sales_order.c.channel_order_id == "2")
        row = fulfilment.last_decision(conn, conn.execute(query).scalar_one())
        assert row is not None
        [unfilled] = trace.stored(row).unfilled
    assert unfilled.expected_on is None, "one is left for it, and it wants two"


def test_orders_for_bundles_and_for_components_compete_for_the_same_goods(bench: Bench) -> None:
    """Four of A: the set of the first order takes two, the second order three."""
    define(bench)
    bench.put("A", "berlin", 4)
    bench.put("B", "berlin", 9)
    late = woo_order(2, {"A": 3}, date_created_gmt="2026-11-03T07:00:00")
    bench.shop.pages = [[woo_order(1, {"SET": 1}), late]]
    bench.run(intake.pull_orders, "shop")
    bench.run(allocation.allocate)
    with bench.store.read() as conn:
        rows = conn.execute(
            select(t.order_line.c.channel_sku, t.order_line.c.qty_released).order_by(
                t.order_line.c.id
            )
        )
        assert [(row.channel_sku, int(row.qty_released)) for row in rows] == [("SET", 1), ("A", 2)]


def test_a_single_piece_makes_way_for_a_bundle_that_only_one_location_can_make(
    bench: Bench,
) -> None:
    """The near piece of A goes into the set; the order for one A is served from far away."""
    define(bench)
    for sku, place, qty in (("A", "berlin", 2), ("A", "jersey", 1), ("B", "berlin", 1)):
        bench.put(sku, place, qty)
    late = woo_order(3, {"A": 1}, date_created_gmt="2026-11-03T07:00:00")
    bench.shop.pages = [[woo_order(1, {"A": 1}), woo_order(2, {"SET": 1}), late]]
    bench.run(intake.pull_orders, "shop")
    bench.run(allocation.allocate)
    with bench.store.read() as conn:
        released = conn.execute(
            select(t.order_line.c.channel_sku, t.order_line.c.qty_released).order_by(
                t.order_line.c.id
            )
        )
        found = [(row.channel_sku, int(row.qty_released)) for row in released]
    assert found == [("A", 1), ("SET", 1), ("A", 0)]
