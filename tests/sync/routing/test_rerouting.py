"""A location that refuses, gives up or is too slow: another one gets the work, and nobody two."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from connectors.errors import Ambiguous
from mappings import canonical as c
from state import fulfilment, orders
from state import tables as t
from sync import allocation, drain, shipping
from tests.sync.conftest import Bench, woo_order
from tests.sync.routing.scenes import rule
from tests.sync.routing.test_planning import describe, holds, release, said, take, use, work

# What differs between the databases is in test_planning and test_storm.
pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


def jersey_first(bench: Bench, units: int = 2) -> None:
    """Both have the goods, and the 3PL is the one to choose."""
    bench.put("A", "berlin", 5)
    bench.put("A", "jersey", 5)
    use(bench, rule("prefer", surcharge={"berlin": 20_000}))
    take(bench, woo_order(1, {"A": units}))
    bench.run(allocation.allocate)


def report(bench: Bench, reference: str, key: str, state: Any, units: int = 0) -> set[str]:
    parcel = c.Package(
        tracking_number=f"1Z{key}", lines=(c.ShippedLine(sku="A", quantity=Decimal(units)),)
    )
    with bench.store.write() as conn:
        return shipping.record(
            conn,
            bench.hub,
            c.Shipment(
                reference=reference,
                external_id=key,
                state=state,
                packages=(parcel,) if units else (),
            ),
            bench.clock.now(),
        )


def test_what_one_location_refuses_another_ships(bench: Bench) -> None:
    jersey_first(bench)
    bench.warehouse.answers = [{"status": "rejected", "message": "closed for stocktaking"}]
    assert "allocate" in bench.run(drain.push, "bob").wanted
    assert holds(bench) == {}
    bench.run(allocation.allocate)
    bench.run(drain.push, "labels")
    assert work(bench) == [("jersey", "incomplete"), ("berlin", "shipped")]
    assert "jersey was not used: gave the order up: closed for stocktaking" in said(bench)[1]


def test_when_nobody_else_has_the_goods_a_person_is_asked_and_may_try_again(bench: Bench) -> None:
    bench.put("A", "jersey", 5)
    take(bench, woo_order(1, {"A": 2}))
    bench.run(allocation.allocate)
    bench.warehouse.answers = [{"status": "rejected", "message": "address not served"}]
    bench.run(drain.push, "bob")
    assert "address not served" in holds(bench)["manual"]
    bench.clock.advance(60)
    assert release(bench) == ["manual"]
    bench.run(allocation.allocate)
    bench.run(drain.push, "bob")
    assert work(bench) == [("jersey", "incomplete"), ("jersey", "in_progress")]


def test_a_short_pick_goes_on_elsewhere(bench: Bench) -> None:
    jersey_first(bench, units=3)
    bench.run(drain.push, "bob")
    [reference] = bench.warehouse.taken
    report(bench, reference, "s1", "shipped", 2)
    assert "allocate" in report(bench, reference, "s2", "cancelled")
    bench.run(allocation.allocate)
    bench.run(drain.push, "labels")
    assert work(bench) == [("jersey", "incomplete"), ("berlin", "shipped")]
    with bench.store.read() as conn:
        [line] = orders.lines(conn, [1])[1]
    assert (line.qty_shipped, line.qty_released, line.qty_allocated) == (3, 0, 0)


def test_work_that_was_never_sent_is_taken_away_in_time(bench: Bench) -> None:
    describe(bench, "jersey", ack_within_s=3600)
    jersey_first(bench)
    bench.clock.advance(3599)
    bench.run(allocation.allocate)
    assert work(bench) == [("jersey", "open")]
    bench.clock.advance(2)
    assert bench.run(allocation.allocate).counts["overdue"] == 1
    assert work(bench) == [("jersey", "cancelled"), ("berlin", "open")]
    bench.run(drain.push, "bob")
    assert bench.warehouse.taken == {}, "what is planned elsewhere is never sent here"
    assert "jersey was not used: gave the order up: did not take the work in time" in said(bench)[1]


def test_work_that_may_have_arrived_is_never_planned_twice(bench: Bench) -> None:
    describe(bench, "jersey", ack_within_s=60)
    jersey_first(bench)

    def taken_but_lost(requests: Any, taken: Any) -> None:
        taken.update({r.reference: r for r in requests.values()})
        raise Ambiguous("the reply was lost")

    bench.warehouse.answers = [taken_but_lost]
    bench.run(drain.push, "bob")
    bench.clock.advance(3600)
    bench.run(allocation.allocate)
    assert work(bench) == [("jersey", "open")]
    assert "jersey has not taken" in holds(bench)["manual"]
    bench.run(drain.push, "bob")
    assert work(bench) == [("jersey", "in_progress")]


def test_a_person_is_asked_once_about_work_that_may_have_arrived(bench: Bench) -> None:
    describe(bench, "jersey", ack_within_s=60)
    jersey_first(bench)
    bench.warehouse.answers = [Ambiguous("the reply was lost")]
    bench.run(drain.push, "bob")
    bench.clock.advance(3600)
    bench.run(allocation.allocate)
    assert release(bench) == ["manual"]
    bench.run(allocation.allocate)
    assert holds(bench) == {}


def test_accepted_work_that_does_not_ship_is_asked_back_and_then_goes_elsewhere(
    bench: Bench,
) -> None:
    describe(bench, "jersey", ship_within_s=3600)
    jersey_first(bench)
    bench.run(drain.push, "bob")
    bench.clock.advance(3601)
    assert "push:bob" in bench.run(allocation.allocate).wanted
    assert work(bench) == [("jersey", "in_progress")], "until it answers, it may ship"
    assert "allocate" in bench.run(drain.push, "bob").wanted
    bench.run(allocation.allocate)
    assert work(bench) == [("jersey", "cancelled"), ("berlin", "open")]


def test_a_location_that_will_not_stop_keeps_the_work(bench: Bench) -> None:
    describe(bench, "jersey", ship_within_s=3600)
    jersey_first(bench)
    bench.run(drain.push, "bob")
    bench.clock.advance(3601)
    bench.warehouse.refuse_cancel = True
    bench.run(allocation.allocate)
    bench.run(drain.push, "bob")
    bench.run(allocation.allocate)
    assert work(bench) == [("jersey", "in_progress")]
    [reference] = bench.warehouse.taken
    report(bench, reference, "s1", "shipped", 2)
    assert work(bench) == [("jersey", "shipped")]


def edited(bench: Bench, lines: dict[str, int], **given: Any) -> None:
    take(bench, woo_order(1, lines, date_modified_gmt="2026-11-02T07:30:00", **given))


def planned_only(bench: Bench) -> None:
    object.__setattr__(bench.hub.policy, "release_after_s", 3600)


def references(bench: Bench) -> dict[str, tuple[str, str]]:
    with bench.store.read() as conn:
        return {
            row.reference: (row.location, row.work_state) for row in fulfilment.of_order(conn, 1)
        }


def test_an_edit_plans_anew_only_what_it_changes(bench: Bench) -> None:
    planned_only(bench)
    bench.put("A", "berlin", 5)
    bench.put("B", "jersey", 5)
    take(bench, woo_order(1, {"A": 3, "B": 2}))
    bench.run(allocation.allocate)
    before = references(bench)
    edited(bench, {"A": 1, "B": 2})
    assert references(bench) == before, "the work is smaller, and stays"
    with bench.store.read() as conn:
        held = dict(
            conn.execute(
                select(t.inventory_level.c.location_id, t.inventory_level.c.reserved)
            ).all()
        )
    assert held == {bench.places["berlin"]: 1, bench.places["jersey"]: 2}
    bench.clock.advance(3601)
    bench.run(allocation.allocate)
    bench.run(drain.push, "labels")
    with bench.store.read() as conn:
        lines = {line.channel_sku: line for line in orders.lines(conn, [1])[1]}
    assert (lines["A"].qty_shipped, lines["B"].qty_released) == (1, 2)
    assert work(bench) == [("berlin", "shipped"), ("jersey", "open")]


def test_an_edit_twice_and_then_whole_away(bench: Bench) -> None:
    planned_only(bench)
    bench.put("A", "berlin", 5)
    take(bench, woo_order(1, {"A": 3}))
    bench.run(allocation.allocate)
    for minute, units in (("31", 2), ("32", 1)):
        take(bench, woo_order(1, {"A": units}, date_modified_gmt=f"2026-11-02T07:{minute}:00"))
        assert work(bench) == [("berlin", "planned")]
    take(bench, woo_order(1, {"A": 1}, status="cancelled", date_modified_gmt="2026-11-02T07:33:00"))
    assert work(bench) == [("berlin", "cancelled")]


def test_more_of_a_line_is_planned_beside_what_there_is(bench: Bench) -> None:
    planned_only(bench)
    bench.put("A", "berlin", 5)
    take(bench, woo_order(1, {"A": 1}))
    bench.run(allocation.allocate)
    [first] = references(bench)
    edited(bench, {"A": 3})
    bench.run(allocation.allocate)
    assert next(iter(references(bench))) == first
    assert work(bench) == [("berlin", "planned"), ("berlin", "planned")]


def test_a_hand_over_on_its_way_is_withdrawn_whole_and_the_other_work_stays(bench: Bench) -> None:
    bench.put("A", "berlin", 5)
    bench.put("B", "jersey", 5)
    take(bench, woo_order(1, {"A": 3, "B": 2}))
    bench.run(allocation.allocate)
    edited(bench, {"A": 1, "B": 2})
    bench.run(allocation.allocate)
    assert work(bench) == [("berlin", "cancelled"), ("jersey", "open"), ("berlin", "open")]


def test_an_order_that_moves_is_routed_anew(bench: Bench) -> None:
    planned_only(bench)
    bench.put("A", "berlin", 5)
    bench.put("A", "jersey", 5)
    take(bench, woo_order(1, {"A": 1}))
    bench.run(allocation.allocate)
    address = {"first_name": "Ada", "last_name": "L", "address_1": "1 Main St", "city": "Newark"}
    edited(bench, {"A": 1}, shipping={**address, "postcode": "07001", "country": "US"})
    bench.run(allocation.allocate)
    assert work(bench) == [("berlin", "cancelled"), ("jersey", "planned")]
