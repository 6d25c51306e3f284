"""Cancelling: free before the hand-over, a question afterwards, never both shipped and lost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import select

from connectors.errors import Ambiguous
from mappings import canonical as c
from state import fulfilment, history, orders
from state import tables as t
from sync import allocation, drain, intake, invariants, shipping
from tests.sync.conftest import Bench, woo_order


def take(bench: Bench, payload: dict[str, Any]) -> list[str]:
    bench.shop.pages = [[payload]]
    return bench.run(intake.pull_orders, "shop").wanted


def cancel(bench: Bench, lines: dict[str, int]) -> list[str]:
    return take(
        bench, woo_order(1, lines, status="cancelled", date_modified_gmt="2026-11-02T07:30:00")
    )


def state(bench: Bench) -> tuple[str, list[str], int]:
    """(intake state, work states, reserved units)"""
    with bench.store.read() as conn:
        order = conn.execute(select(t.sales_order)).one()
        work = [f.work_state for f in fulfilment.of_order(conn, order.id)]
        reserved = sum(row.reserved for row in conn.execute(select(t.inventory_level)))
        assert invariants.check(conn) == []
    return order.intake_state, work, int(reserved)


def test_before_release_it_costs_nothing(bench: Bench) -> None:
    bench.put("B", "jersey", 5)
    take(bench, woo_order(1, {"B": 2}))
    object.__setattr__(bench.hub.policy, "release_after_s", 3600)
    bench.run(allocation.allocate)
    assert state(bench) == ("accepted", ["planned"], 2)
    cancel(bench, {"B": 2})
    assert state(bench) == ("cancelled", ["cancelled"], 0)
    bench.clock.advance(7200)
    bench.run(allocation.allocate)
    bench.run(drain.push, "bob")
    assert bench.warehouse.taken == {}


def test_an_unsent_hand_over_is_withdrawn(bench: Bench) -> None:
    bench.put("B", "jersey", 5)
    take(bench, woo_order(1, {"B": 2}))
    bench.run(allocation.allocate)
    cancel(bench, {"B": 2})
    assert state(bench) == ("cancelled", ["cancelled"], 0)
    bench.run(drain.push, "bob")
    assert bench.warehouse.taken == {}


def test_after_release_the_3pl_is_asked_and_may_agree(bench: Bench) -> None:
    bench.put("B", "jersey", 5)
    take(bench, woo_order(1, {"B": 2}))
    bench.run(allocation.allocate)
    bench.run(drain.push, "bob")
    assert "push:bob" in cancel(bench, {"B": 2})
    assert state(bench)[0] == "accepted", "nobody knows yet"
    bench.run(drain.push, "bob")
    assert state(bench) == ("cancelled", ["cancelled"], 0)
    assert len(bench.warehouse.cancelled) == 1


def test_after_release_the_3pl_may_refuse_and_then_the_goods_ship(bench: Bench) -> None:
    bench.put("B", "jersey", 5)
    take(bench, woo_order(1, {"B": 2}))
    bench.run(allocation.allocate)
    bench.run(drain.push, "bob")
    cancel(bench, {"B": 2})
    bench.warehouse.refuse_cancel = True
    bench.run(drain.push, "bob")
    [reference] = bench.warehouse.taken
    ship(bench, reference)
    intake_state, work, reserved = state(bench)
    assert (work, reserved) == (["shipped"], 0)
    assert intake_state != "cancelled"


def test_a_cancellation_waits_for_an_unsettled_hand_over(bench: Bench) -> None:
    bench.put("B", "jersey", 5)
    take(bench, woo_order(1, {"B": 2}))
    bench.run(allocation.allocate)

    def taken_but_lost(requests: Any, taken: Any) -> None:
        taken.update({r.reference: r for r in requests.values()})
        raise Ambiguous("the reply was lost")

    bench.warehouse.answers = [taken_but_lost]
    bench.run(drain.push, "bob")
    cancel(bench, {"B": 2})
    bench.clock.advance(10)
    bench.run(drain.push, "bob")
    bench.run(drain.push, "bob")
    assert state(bench) == ("cancelled", ["cancelled"], 0)
    assert len(bench.warehouse.cancelled) == 1


def test_goods_that_ship_after_a_cancellation_are_not_lost_from_sight(bench: Bench) -> None:
    bench.put("B", "jersey", 5)
    take(bench, woo_order(1, {"B": 2}))
    bench.run(allocation.allocate)
    bench.run(drain.push, "bob")
    cancel(bench, {"B": 2})
    bench.run(drain.push, "bob")
    [reference] = bench.warehouse.taken
    ship(bench, reference)
    with bench.store.read() as conn:
        order = conn.execute(select(t.sales_order)).one()
        assert [f.work_state for f in fulfilment.of_order(conn, order.id)] == ["late_shipped"]
        assert [line.qty_shipped for line in orders.lines(conn, [order.id])[order.id]] == [2]
        assert [h.kind for h in orders.held_orders(conn)] == ["manual"]
        assert conn.scalar(select(t.inventory_level.c.on_hand)) == 3
        assert invariants.check(conn) == []


def test_goods_that_left_before_a_cancellation_are_told_once(bench: Bench) -> None:
    bench.put("B", "jersey", 5)
    take(bench, woo_order(1, {"B": 2}))
    bench.run(allocation.allocate)
    bench.run(drain.push, "bob")
    [reference] = bench.warehouse.taken
    ship(bench, reference)
    cancel(bench, {"B": 2})
    with bench.store.read() as conn:
        [hold] = orders.held_orders(conn)
        assert (hold.kind, hold.reason) == (
            "edited_after_release",
            "the order was cancelled after 2 of it had left",
        )
    with bench.store.write() as conn:
        history.release_holds(conn, 1, ["edited_after_release"], "ops", bench.clock.now())
    later = {"status": "cancelled", "date_modified_gmt": "2026-11-02T08:30:00"}
    take(bench, woo_order(1, {"B": 2}, **later))
    with bench.store.read() as conn:
        assert orders.held_orders(conn) == []
        assert invariants.check(conn) == []


def ship(bench: Bench, reference: str) -> None:
    parcel = c.Package(tracking_number="1Z", lines=(c.ShippedLine(sku="B", quantity=Decimal(2)),))
    with bench.store.write() as conn:
        shipping.record(
            conn,
            bench.hub,
            c.Shipment(reference=reference, external_id="S", state="shipped", packages=(parcel,)),
            bench.clock.now(),
        )


def test_money_given_back_before_shipping_means_the_goods_stay(bench: Bench) -> None:
    bench.put("A", "berlin", 5)
    refund = {
        "id": 9,
        "amount": "10.00",
        "reason": "changed my mind",
        "line_items": [{"id": 1, "quantity": -1, "total": "-10.00", "total_tax": "0.00",
                        "meta_data": [{"key": "_refunded_item_id", "value": "101"}]}],
    }  # fmt: skip
    take(bench, woo_order(1, {"A": 2}, refunds=[refund]))
    bench.run(allocation.allocate)
    with bench.store.read() as conn:
        [line] = orders.lines(conn, [1])[1]
    assert (line.qty_cancelled, line.qty_released) == (1, 1)
