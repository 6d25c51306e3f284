"""A line that was parked for its name: what the channel said of it meanwhile still holds."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import delete, insert, select, update

from connectors.base import RawRecord
from state import orders
from state import tables as t
from sync import allocation, drain, intake, invariants, parked
from tests.sync.conftest import Bench, woo_order
from tests.sync.test_replay import replay, take

LATER = "2026-11-02T07:30:00"


def reported(bench: Bench, lines: dict[str, int], cancelled: int, **given: Any) -> None:
    """An order as a channel tells it that counts what it cancelled on the line, as Amazon does."""
    link = bench.hub.links["shop"]
    order = RawRecord.of("1", woo_order(1, lines, **given))
    [reading] = intake.read_page(bench.hub, link, [order])
    told = [replace(line, quantity_cancelled=Decimal(cancelled)) for line in reading.record.lines]
    reading.record = replace(reading.record, lines=tuple(told))
    with bench.store.write() as conn:
        intake.take_in(conn, link, [reading], bench.clock.now())


def refund_of(qty: int) -> dict[str, Any]:
    line = {"id": 1, "quantity": -qty, "total": f"-{qty}0.00", "total_tax": "0.00"}
    line["meta_data"] = [{"key": "_refunded_item_id", "value": "101"}]
    return {"id": 9, "amount": f"{qty}0.00", "line_items": [line]}


def known(bench: Bench, name: str, sku: str) -> None:
    with bench.store.write() as conn:
        conn.execute(
            insert(t.sku_alias).values(
                sku_id=bench.skus[sku], scheme="channel_sku", value=name, qty_per=1
            )
        )


def unparked(bench: Bench) -> int:
    with bench.store.write() as conn:
        return parked.unpark_lines(conn, [bench.hub.links["shop"]], bench.clock.now())


def sent(bench: Bench) -> int:
    """What the 3PL is given in the end."""
    bench.run(allocation.allocate)
    bench.run(drain.push, "bob")
    asked = [line for one in bench.warehouse.taken.values() for line in one.lines]
    return int(sum(line.quantity for line in asked))


def line_of(bench: Bench) -> Any:
    with bench.store.read() as conn:
        assert invariants.check(conn) == []
        [line] = orders.lines(conn, [1])[1]
    return line


@pytest.mark.parametrize("when", ["from the start", "while it was parked"])
@pytest.mark.parametrize("way", ["link", "retry", "report"])
def test_what_the_channel_cancelled_of_a_parked_line_does_not_leave(
    bench: Bench, way: str, when: str
) -> None:
    bench.put("B", "jersey", 9)
    if when == "while it was parked":
        reported(bench, {"OLD": 5}, cancelled=0)
    reported(bench, {"OLD": 5}, cancelled=3, date_modified_gmt=LATER)
    assert (line_of(bench).qty_cancelled, line_of(bench).park_reason) == (3, "unmapped")
    known(bench, "OLD", "B")
    if way == "link":
        assert unparked(bench) == 1
    elif way == "retry":
        with bench.store.write() as conn:
            told, _ = parked.retry(conn, bench.hub, bench.hub.links["shop"])
        assert told["lines_unparked"] == 1
    else:
        after = {"date_modified_gmt": "2026-11-02T07:40:00"}
        reported(bench, {"OLD": 5}, cancelled=3, **after)
    assert line_of(bench).park_reason is None
    assert sent(bench) == 2
    assert line_of(bench).qty_released == 2


def test_a_line_that_an_earlier_version_parked_loses_what_was_refunded(bench: Bench) -> None:
    bench.put("B", "jersey", 9)
    take(bench, woo_order(1, {"OLD": 5}, refunds=[refund_of(3)]))
    with bench.store.write() as conn:
        conn.execute(update(t.order_line).values(qty_cancelled=0))
    known(bench, "OLD", "B")
    assert unparked(bench) == 1
    assert sent(bench) == 2


def test_a_replay_tells_a_parked_line_what_was_cancelled_of_it(bench: Bench) -> None:
    """Lines that an earlier version parked; the others stay as they are."""
    take(bench, woo_order(1, {"OLD": 5}, refunds=[refund_of(3)]))
    assert replay(bench) == []
    with bench.store.write() as conn:
        conn.execute(update(t.order_line).values(qty_cancelled=0))
    [done] = replay(bench)
    assert done.fields == ("lines[101].qty_cancelled",)
    assert (line_of(bench).qty_cancelled, line_of(bench).park_reason) == (3, "unmapped")


def test_an_order_of_which_nothing_is_left_ends_with_its_name(bench: Bench) -> None:
    take(bench, woo_order(1, {"OLD": 2}))
    take(bench, woo_order(1, {"OLD": 2}, refunds=[refund_of(2)], date_modified_gmt=LATER))
    known(bench, "OLD", "B")
    assert unparked(bench) == 1
    with bench.store.read() as conn:
        assert orders.get(conn, 1).intake_state == "closed"


def test_a_parked_line_of_a_cancelled_order_is_cancelled_whenever_that_is_told(
    bench: Bench,
) -> None:
    gone = {"status": "cancelled", "date_modified_gmt": LATER}
    bench.shop.pages = [
        [woo_order(1, {"OLD": 2})],
        [woo_order(1, {"OLD": 2}, **gone), woo_order(2, {"OLD": 2}, **gone)],
    ]
    bench.run(intake.pull_orders, "shop")
    with bench.store.read() as conn:
        told, missed = (lines[0] for lines in orders.lines(conn, [1, 2]).values())
    assert (told.qty_cancelled, missed.qty_cancelled) == (2, 2)


def test_a_name_that_is_forgotten_gives_nothing_back_that_was_cancelled(bench: Bench) -> None:
    bench.put("B", "jersey", 9)
    known(bench, "OLD", "B")
    reported(bench, {"OLD": 5}, cancelled=3)
    assert sent(bench) == 2
    with bench.store.write() as conn:
        conn.execute(delete(t.sku_alias))
    reported(bench, {"OLD": 5}, cancelled=3, date_modified_gmt=LATER)
    line = line_of(bench)
    assert (line.qty_cancelled, line.qty_released, line.park_reason) == (3, 2, None)
    with bench.store.read() as conn:
        assert "another SKU" in conn.scalars(select(t.hold.c.reason)).one()
