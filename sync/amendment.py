"""A newer report of an order we have: edits, cancellations, refunds, payments.

Only what the new report changes is touched. Work that has not been handed over is planned anew;
work that has been is never taken back by an edit: the order is held for a person, or, when the
whole order is cancelled, the location is asked to stop.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec.structs import asdict
from sqlalchemy import Connection, Row, delete, insert

from mappings import canonical as c
from state import history, orders, stock
from state import tables as t
from sync import cancellation
from sync.context import Link
from sync.judgement import JUDGED, cancelled_quantity, holds_of
from sync.order_rows import order_rows
from sync.reading import Reading


def amend(
    conn: Connection,
    link: Link,
    old: Row[Any],
    arrival: Reading,
    skus: Mapping[str, int],
    now: datetime,
) -> set[str]:
    """Bring order ``old`` to what ``arrival`` reports; returns the streams that have work now."""
    order: c.Order = arrival.record
    rows = order_rows(arrival, skus, link, now)
    if _goes_elsewhere(conn, old, rows):
        cancellation.stop_unreleased(conn, old.id, "the channel changed the address", now)
    elif order.status in ("pending", "fulfilled"):
        why = f"the channel says that it is {order.status}"
        cancellation.stop_unreleased(conn, old.id, why, now)
    wake = _amend_lines(conn, old.id, rows.lines, order, now)
    orders.replace(conn, old, rows)
    history.event(
        conn,
        old.id,
        "changed",
        f"changed by {link.name} to {order.status}",
        now,
        raw_id=arrival.raw_id,
    )
    if order.status == "cancelled":
        wake |= cancellation.cancel_order(conn, old.id, "cancelled by the channel", now)
    elif old.intake_state not in ("cancelled", "closed"):
        _judge_again(conn, old, arrival, rows.order.total_variance, now)
    else:
        cancellation.settle_order(conn, old.id, now)
    return wake


def _goes_elsewhere(conn: Connection, old: Row[Any], rows: orders.OrderRows) -> bool:
    """Does the new report send the parcels to another place, so that others may be nearer?"""
    known = orders.address(conn, old.ship_to_id)
    if known is None or rows.ship_to is None:
        return False
    told = rows.ship_to
    return any(getattr(known, name) != getattr(told, name) for name in ("country", "postcode"))


def _judge_again(
    conn: Connection, old: Row[Any], arrival: Reading, variance: int, now: datetime
) -> None:
    order: c.Order = arrival.record
    held = {reason.kind: reason for reason in holds_of(order, variance, arrival.item_problems)}
    history.release_holds(
        conn, old.id, [kind for kind in JUDGED if kind not in held], "the channel's new report", now
    )
    for reason in held.values():
        history.place_hold(conn, old.id, reason.kind, reason.reason, reason.remedy, now)
    state = "ignored" if order.status == "ignored" else "parked" if held else "accepted"
    orders.set_order(conn, old.id, intake_state=state)
    cancellation.settle_order(conn, old.id, now)


def _amend_lines(
    conn: Connection, order_id: int, new: list[orders.LineRows], order: c.Order, now: datetime
) -> set[str]:
    current = {row.channel_line_id: row for row in orders.lines(conn, [order_id]).get(order_id, [])}
    reported = {line.channel_line_id: line for line in order.lines}
    excess = _excess(current, new, reported, order)
    if excess:
        cancellation.make_room(conn, order_id, excess, "the channel changed the order", now)
        current = {row.channel_line_id: row for row in orders.lines(conn, [order_id])[order_id]}
    for rows in new:
        row = current.pop(rows.values.channel_line_id, None)
        if row is None:
            conn.execute(insert(t.order_line).values(order_id=order_id, **asdict(rows.values)))
        else:
            _amend_line(conn, order_id, row, rows.values, reported, order, now)
    for vanished in current.values():
        _remove_line(conn, order_id, vanished, now)
    return {"allocate"}


def _wanted(
    row: Row[Any], values: orders.LineValues, reported: Mapping[str, c.OrderLine], order: c.Order
) -> tuple[Decimal, Decimal]:
    """(ordered, cancelled) of a line by the new report, given what has left already."""
    line = reported.get(values.channel_line_id)
    if line is None or values.park_reason:
        return values.qty_ordered, Decimal(0)
    return line.quantity, cancelled_quantity(line, order.refunds, row.qty_shipped)


def _in_hand(row: Row[Any]) -> Decimal:
    return Decimal(row.qty_allocated + row.qty_released + row.qty_shipped)


def _excess(
    current: Mapping[str, Row[Any]],
    new: list[orders.LineRows],
    reported: Mapping[str, c.OrderLine],
    order: c.Order,
) -> dict[int, Decimal]:
    """How much more of each line is in hand than the new report wants; of another SKU, all."""
    kept = {rows.values.channel_line_id: rows.values for rows in new}
    excess: dict[int, Decimal] = {}
    for line_id, row in current.items():
        in_work = Decimal(row.qty_allocated + row.qty_released)
        values = kept.get(line_id)
        if values is None or values.sku_id != row.sku_id:
            over = in_work
        else:
            ordered, cancelled = _wanted(row, values, reported, order)
            over = min(in_work, _in_hand(row) - (ordered - cancelled))
        if over > 0:
            excess[row.id] = over
    return excess


def _amend_line(
    conn: Connection,
    order_id: int,
    row: Row[Any],
    values: orders.LineValues,
    reported: Mapping[str, c.OrderLine],
    order: c.Order,
    now: datetime,
) -> None:
    ordered, cancelled = _wanted(row, values, reported, order)
    wanted = asdict(values)
    in_hand = _in_hand(row)
    if in_hand:
        # Somebody is working on it: the line keeps its SKU and stays unparked.
        wanted.update(sku_id=row.sku_id, park_reason=None, park_detail="")
    if in_hand and ordered - cancelled < in_hand:
        history.place_hold(
            conn,
            order_id,
            "edited_after_release",
            f"line {row.line_no} was changed to {ordered - cancelled} after {in_hand} "
            "had been handed over",
            "settle it with the location, then 'crossdock release ORDER'",
            now,
        )
        cancelled = min(cancelled, max(Decimal(0), row.qty_ordered - in_hand))
        ordered = max(ordered, in_hand + cancelled)
    wanted.update(qty_ordered=ordered, qty_cancelled=cancelled)
    changes = {name: value for name, value in wanted.items() if getattr(row, name) != value}
    if changes:
        orders.set_line(conn, row.id, **changes)
        stock.mark_dirty(conn, [i for i in (row.sku_id, wanted["sku_id"]) if i])


def _remove_line(conn: Connection, order_id: int, row: Row[Any], now: datetime) -> None:
    """The channel does not report a line any more: what of it has not left is cancelled."""
    in_hand = _in_hand(row)
    if row.park_reason == "mapping":
        conn.execute(delete(t.order_line).where(t.order_line.c.id == row.id))
        return
    orders.set_line(
        conn,
        row.id,
        # A line parked for its quantity may have been reported with less than none.
        qty_ordered=max(row.qty_ordered, in_hand),
        qty_cancelled=max(Decimal(0), row.qty_ordered - in_hand),
        line_total=0,
        line_discount_total=0,
        line_tax_total=0,
        park_reason=None,
        park_detail="",
    )
    if in_hand > row.qty_shipped:
        history.place_hold(
            conn,
            order_id,
            "edited_after_release",
            f"line {row.line_no} was removed after {in_hand} had been handed over",
            "settle it with the location, then 'crossdock release ORDER'",
            now,
        )
    if row.sku_id:
        stock.mark_dirty(conn, [row.sku_id])
