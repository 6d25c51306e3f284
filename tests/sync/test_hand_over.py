"""Work on its way to a location and back: lost replies, refusals, and changes in between."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from connectors.base import Outcome
from connectors.errors import Ambiguous
from state import fulfilment, history, intents, orders
from state import tables as t
from sync import allocation, drain, intake, invariants, parked
from sync.explain import explain
from sync.handover import settle_order
from tests.sync.conftest import Bench, woo_order
from tests.sync.routing.test_planning import describe, holds, release, take, work
from tests.sync.routing.test_rerouting import edited, jersey_first, references, report

ON_SQLITE = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


def lost(bench: Bench) -> str:
    """The 3PL has taken work, and its reply is lost; returns our reference."""

    def taken_but_lost(requests: Any, taken: Any) -> None:
        taken.update({r.reference: r for r in requests.values()})
        raise Ambiguous("the reply was lost")

    bench.warehouse.answers = [taken_but_lost]
    bench.run(drain.push, "bob")
    with bench.store.read() as conn:
        return str(fulfilment.of_order(conn, 1)[0].reference)


def intent_states(bench: Bench) -> list[tuple[str, str]]:
    with bench.store.read() as conn:
        query = select(t.intent.c.kind, t.intent.c.state).order_by(t.intent.c.id)
        return [(row.kind, row.state) for row in conn.execute(query)]


def test_a_late_parcel_after_a_re_route_on_both_databases(bench: Bench) -> None:
    jersey_first(bench)
    bench.run(drain.push, "bob")
    [reference] = bench.warehouse.taken
    report(bench, reference, "c1", "cancelled")
    bench.run(allocation.allocate)
    report(bench, reference, "s1", "shipped", 2)
    assert work(bench) == [("jersey", "late_shipped"), ("berlin", "cancelled")]
    bench.run(allocation.allocate)
    assert len(work(bench)) == 2


@ON_SQLITE
def test_what_a_location_cancels_is_not_sent_to_it_again(bench: Bench) -> None:
    jersey_first(bench)
    bench.warehouse.answers = [Ambiguous("the reply was lost")]
    bench.run(drain.push, "bob")
    [reference] = references(bench)
    report(bench, reference, "c1", "cancelled")
    assert intent_states(bench) == [("fulfilment_order", "superseded")]
    bench.run(allocation.allocate)
    for _ in range(3):
        bench.clock.advance(3600)
        bench.run(drain.push, "bob")
    assert bench.warehouse.taken == {}
    bench.run(drain.push, "labels")
    assert work(bench) == [("jersey", "cancelled"), ("berlin", "shipped")]


@ON_SQLITE
def test_what_was_dropped_during_its_call_is_asked_back_when_the_reply_comes(
    bench: Bench,
) -> None:
    jersey_first(bench)
    with bench.store.write() as conn:
        [row] = intents.of_subject(conn, "fulfilment_order", 1)
        [row] = intents.claim(conn, [row], bench.clock.now())
    [reference] = references(bench)
    report(bench, reference, "c1", "cancelled")
    with bench.store.write() as conn:
        # An answer of which nothing can be learned does not bring it back to life.
        intents.move(conn, row.id, "planned")
        assert intents.of_subject(conn, "fulfilment_order", 1)[0].state == "superseded"
        outcome = Outcome(row.idempotency_key, "applied", remote_id=f"R-{reference}")
        assert settle_order(conn, bench.hub, row, outcome) == {"push:bob"}
    bench.run(drain.push, "bob")
    assert bench.warehouse.cancelled == [f"R-{reference}"]
    bench.run(allocation.allocate)
    assert work(bench) == [("jersey", "cancelled"), ("berlin", "open")]


@ON_SQLITE
def test_a_repetition_refused_by_who_has_begun_to_ship_is_for_a_person(bench: Bench) -> None:
    jersey_first(bench, units=3)
    refused = {"status": "rejected", "message": "duplicate reference"}
    bench.warehouse.answers = [Ambiguous("lost"), refused, refused]
    bench.run(drain.push, "bob")
    [reference] = references(bench)
    report(bench, reference, "s1", "shipped", 2)
    # Refused after a lost reply, looked up in vain, and refused again.
    for _ in range(3):
        bench.clock.advance(3600)
        bench.run(drain.push, "bob")
    bench.run(allocation.allocate)
    assert work(bench) == [("jersey", "part_shipped")]
    assert holds(bench)["manual"].endswith("duplicate reference, and a part of it has left")


@ON_SQLITE
def test_who_took_it_for_later_and_then_refuses_has_given_it_up(bench: Bench) -> None:
    jersey_first(bench)
    with bench.store.write() as conn:
        [row] = intents.of_subject(conn, "fulfilment_order", 1)
        settle_order(conn, bench.hub, row, Outcome(row.idempotency_key, "accepted"))
        told = Outcome(row.idempotency_key, "rejected", message="no such SKU")
        assert settle_order(conn, bench.hub, row, told) == {"allocate"}
    bench.run(allocation.allocate)
    assert work(bench) == [("jersey", "incomplete"), ("berlin", "open")]


def moved(**changes: str) -> dict[str, Any]:
    return {**woo_order(1, {})["shipping"], **changes}


@ON_SQLITE
@pytest.mark.parametrize(
    "changes", [{"address_1": "New Street 9"}, {"last_name": "King"}, {"address_2": "3rd floor"}]
)
def test_an_address_changed_before_it_is_sent_goes_along(
    bench: Bench, changes: dict[str, str]
) -> None:
    bench.put("A", "jersey", 2)
    take(bench, woo_order(1, {"A": 2}))
    bench.run(allocation.allocate)
    edited(bench, {"A": 2}, shipping=moved(**changes))
    assert work(bench) == [("jersey", "planned")], "its goods stay reserved"
    bench.run(allocation.allocate)
    bench.run(drain.push, "bob")
    [request] = bench.warehouse.taken.values()
    assert holds(bench) == {}
    assert work(bench) == [("jersey", "in_progress")]
    with bench.store.read() as conn:
        keys = [row.idempotency_key for row in intents.of_subject(conn, "fulfilment_order", 1)]
    assert keys == [
        f"fulfilment_order:{request.reference}",
        f"fulfilment_order:{request.reference}:2",
    ]
    told = {**moved(), **changes}
    assert request.ship_to.street == told["address_1"]
    assert request.ship_to.name.endswith(told["last_name"])
    assert request.ship_to.street2 == told.get("address_2", "")


@ON_SQLITE
def test_an_address_changed_after_it_was_sent_is_told_by_what_changed(bench: Bench) -> None:
    bench.put("A", "jersey", 2)
    take(bench, woo_order(1, {"A": 2}))
    bench.run(allocation.allocate)
    bench.run(drain.push, "bob")
    edited(bench, {"A": 1}, shipping=moved(address_1="New Street 9", city="Wien"))
    reason = holds(bench)["edited_after_release"]
    assert reason.startswith("the delivery was changed (city, street) after the hand-over of ")
    assert "line 1 was changed to 1 after 2 had been handed over" in reason
    assert "New Street" not in reason, "who lives where is nobody's business here"
    again = woo_order(1, {"A": 2}, date_modified_gmt="2026-11-02T07:40:00")
    take(bench, {**again, "shipping": moved(address_1="Old Street 1", city="Wien")})
    assert holds(bench)["edited_after_release"].startswith(reason), "nothing is forgotten"


@ON_SQLITE
def test_an_order_put_on_hold_after_the_hand_over_is_told(bench: Bench) -> None:
    bench.put("A", "jersey", 2)
    take(bench, woo_order(1, {"A": 2}))
    bench.run(allocation.allocate)
    bench.run(drain.push, "bob")
    edited(bench, {"A": 2}, status="on-hold")
    assert "put the order on hold after the hand-over" in holds(bench)["edited_after_release"]


@ON_SQLITE
def test_a_line_that_comes_after_the_last_parcel_is_not_lost(bench: Bench) -> None:
    bench.put("A", "berlin", 5)
    bench.put("B", "berlin", 5)
    take(bench, woo_order(1, {"A": 1}))
    bench.run(allocation.allocate)
    bench.run(drain.push, "labels")
    assert work(bench) == [("berlin", "shipped")]
    edited(bench, {"A": 1, "B": 1})
    assert holds(bench) == {}
    bench.run(allocation.allocate)
    bench.run(drain.push, "labels")
    assert work(bench) == [("berlin", "shipped"), ("berlin", "shipped")]


@ON_SQLITE
def test_an_order_that_others_completed_and_the_channel_opens_again_is_for_a_person(
    bench: Bench,
) -> None:
    take(bench, woo_order(1, {"A": 1}))
    edited(bench, {"A": 1}, status="completed")
    bench.put("A", "berlin", 5)
    take(bench, woo_order(1, {"A": 1}, date_modified_gmt="2026-11-02T07:40:00"))
    assert holds(bench)["manual"] == "the channel opened the order again after it was closed"
    bench.run(allocation.allocate)
    assert work(bench) == []


@ON_SQLITE
def test_a_line_that_an_edit_adds_lowers_the_promise_at_once(bench: Bench) -> None:
    take(bench, woo_order(1, {"A": 1}))
    with bench.store.write() as conn:
        conn.execute(t.dirty_sku.delete())
    edited(bench, {"A": 1, "B": 4})
    with bench.store.read() as conn:
        assert bench.skus["B"] in conn.scalars(select(t.dirty_sku.c.sku_id)).all()


@ON_SQLITE
def test_an_order_that_others_complete_gives_its_demand_back(bench: Bench) -> None:
    take(bench, woo_order(1, {"A": 2}))
    with bench.store.write() as conn:
        conn.execute(t.dirty_sku.delete())
    edited(bench, {"A": 2}, status="completed")
    with bench.store.read() as conn:
        assert bench.skus["A"] in conn.scalars(select(t.dirty_sku.c.sku_id)).all()


@ON_SQLITE
@pytest.mark.parametrize(("shipped", "again"), [(0, 4), (3, 1)])
def test_fewer_after_the_hand_over_holds_when_the_location_gives_up(
    bench: Bench, shipped: int, again: int
) -> None:
    jersey_first(bench, units=5)
    bench.run(drain.push, "bob")
    [reference] = bench.warehouse.taken
    edited(bench, {"A": 4})
    if shipped:
        report(bench, reference, "s1", "shipped", shipped)
    report(bench, reference, "c1", "cancelled")
    with bench.store.read() as conn:
        [line] = orders.lines(conn, [1])[1]
    assert line.qty_ordered - line.qty_cancelled - line.qty_shipped == again
    assert line.qty_unwanted == 0
    assert release(bench) == ["edited_after_release"]
    bench.run(allocation.allocate)
    with bench.store.read() as conn:
        [line] = orders.lines(conn, [1])[1]
    assert (line.qty_released, work(bench)[-1]) == (again, ("berlin", "open"))


@ON_SQLITE
@pytest.mark.parametrize(
    ("lines", "told"), [({"A": 2}, "line 2 was removed"), ({"A": 2, "C": 1}, "to another SKU")]
)
def test_what_is_taken_back_after_the_hand_over_is_not_planned_again(
    bench: Bench, lines: dict[str, int], told: str
) -> None:
    for sku in "ABC":
        bench.put(sku, "jersey", 5)
    take(bench, woo_order(1, {"A": 2, "B": 1}))
    bench.run(allocation.allocate)
    bench.run(drain.push, "bob")
    [reference] = bench.warehouse.taken
    edited(bench, lines)
    assert told in holds(bench)["edited_after_release"]
    report(bench, reference, "c1", "cancelled")
    assert set(release(bench)) >= {"edited_after_release"}
    bench.run(allocation.allocate)
    with bench.store.read() as conn:
        first, second = orders.lines(conn, [1])[1]
    assert (first.qty_released, second.qty_released) == (2, 0)
    assert second.qty_ordered - second.qty_cancelled == 0
    assert work(bench)[-1] == ("jersey", "open")


@ON_SQLITE
def test_a_cancellation_that_is_taken_back_is_for_a_person(bench: Bench) -> None:
    bench.put("A", "berlin", 5)
    take(bench, woo_order(1, {"A": 1}))
    edited(bench, {"A": 1}, status="cancelled")
    take(bench, woo_order(1, {"A": 1}, date_modified_gmt="2026-11-02T07:40:00"))
    assert holds(bench)["manual"] == "the channel opened the order again after it was cancelled"
    bench.run(allocation.allocate)
    assert work(bench) == []
    assert release(bench) == ["manual"]
    bench.run(allocation.allocate)
    assert work(bench) == [("berlin", "open")]


@ON_SQLITE
def test_a_line_that_nobody_else_has_is_seen_and_may_be_tried_again(bench: Bench) -> None:
    describe(bench, "jersey", ack_within_s=3600)
    bench.put("A", "jersey", 5)
    bench.put("B", "jersey", 5)
    bench.put("B", "berlin", 5)
    take(bench, woo_order(1, {"A": 1, "B": 1}))
    bench.run(allocation.allocate)
    assert work(bench) == [("jersey", "open")]
    bench.clock.advance(4000)
    bench.run(allocation.allocate)
    assert work(bench) == [("jersey", "cancelled"), ("berlin", "open")]
    with bench.store.read() as conn:
        [item] = parked.listing(conn, bench.hub)
        [row] = conn.execute(
            select(t.sales_order, t.connection.c.name.label("connection")).join(t.connection)
        )
        story = explain(conn, row)
    assert (item.what, item.reason) == ("line", "given_up")
    assert "did not take the work in time), and no other location has the goods" in item.detail
    assert story["status"] == "attention"
    assert [line["parked"] for line in story["lines"]] == ["given_up", None]
    assert release(bench) == ["given_up"]
    bench.run(allocation.allocate)
    assert work(bench)[2:] == [("jersey", "open")]
    with bench.store.read() as conn:
        assert parked.listing(conn, bench.hub) == []


@ON_SQLITE
def test_what_comes_in_elsewhere_ends_the_waiting(bench: Bench) -> None:
    bench.put("A", "jersey", 5)
    bench.put("B", "berlin", 5)
    take(bench, woo_order(1, {"A": 1, "B": 1}))
    bench.run(allocation.allocate)
    bench.warehouse.answers = [{"status": "rejected", "message": "closed"}]
    bench.run(drain.push, "bob")
    with bench.store.write() as conn:
        history.release_holds(conn, 1, ["manual"], "nobody", bench.clock.now())
    bench.run(allocation.allocate)
    with bench.store.read() as conn:
        assert [item.reason for item in parked.listing(conn, bench.hub)] == ["given_up"]
    bench.put("A", "berlin", 1)
    bench.run(allocation.allocate)
    with bench.store.read() as conn:
        assert parked.listing(conn, bench.hub) == []
        assert invariants.check(conn) == []


@ON_SQLITE
def test_a_location_that_neither_ships_nor_stops_is_told_to_a_person(bench: Bench) -> None:
    describe(bench, "jersey", ship_within_s=3600)
    jersey_first(bench, units=2)
    bench.run(drain.push, "bob")
    [reference] = bench.warehouse.taken
    report(bench, reference, "s1", "shipped", 1)
    bench.warehouse.refuse_cancel = True
    bench.clock.advance(3601)
    bench.run(allocation.allocate)
    bench.run(drain.push, "bob")
    assert holds(bench) == {}, "it has just been asked"
    bench.clock.advance(3601)
    bench.run(allocation.allocate)
    assert holds(bench)["manual"].endswith("in time, and would not stop")
    assert release(bench) == ["manual"]
    bench.run(allocation.allocate)
    assert holds(bench) == {}
    assert work(bench) == [("jersey", "part_shipped")]


@ON_SQLITE
def test_a_closed_order_that_is_only_reported_again_stays_closed(bench: Bench) -> None:
    bench.put("A", "berlin", 5)
    take(bench, woo_order(1, {"A": 1}))
    bench.run(allocation.allocate)
    bench.run(drain.push, "labels")
    edited(bench, {"A": 1})
    bench.run(intake.pull_orders, "shop")
    assert holds(bench) == {}
