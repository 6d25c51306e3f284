"""A newer report of an order we have: edits, cancellations, refunds, payments.

Only what the new report changes is touched. Work that has not been handed over is planned anew;
work that has been is never taken back by an edit: the order is held for a person, or, when the
whole order is cancelled, the location is asked to stop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec.structs import asdict
from sqlalchemy import Connection, Row, delete, insert

from mappings import canonical as c
from state import fulfilment, history, order_reports, orders, stock
from state import tables as t
from sync import cancellation, notices
from sync.context import Link
from sync.judgement import JUDGED, cancelled_quantity, has_count, holds_of
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
    was_done = old.intake_state == "closed" and not _needs_goods(conn, old.id)
    too_late = _amend_delivery(conn, old, rows, order.status, now)
    too_late += _amend_lines(conn, old.id, rows.lines, order, now)
    if order.status == "cancelled" and old.channel_status != "cancelled":
        too_late += _left_before(conn, old.id)
    order_reports.replace(conn, old, rows)
    history.event(
        conn,
        old.id,
        "changed",
        f"changed by {link.name} to {order.status}",
        now,
        raw_id=arrival.raw_id,
    )
    wake = {"allocate"}
    if old.channel_status != order.status:
        # With its status the order's demand begins or ends.
        now_lines = orders.lines(conn, [old.id]).get(old.id, [])
        stock.mark_dirty(conn, [line.sku_id for line in now_lines if line.sku_id])
    if too_late:
        _hold_for_a_person(conn, old.id, too_late, now)
    if order.status == "cancelled":
        wake |= cancellation.cancel_order(conn, old.id, "cancelled by the channel", now)
    elif old.intake_state not in ("cancelled", "closed"):
        _judge_again(conn, old, arrival, rows.order.total_variance, now)
    elif order.status in ("ready", "pending") and _needs_goods(conn, old.id):
        _open_again(conn, old, was_done, now)
        _judge_again(conn, old, arrival, rows.order.total_variance, now)
    else:
        cancellation.settle_order(conn, old.id, now)
    if order.status == "ready" and not _needs_goods(conn, old.id):
        wake |= notices.plan_at(conn, link, orders.get(conn, old.id), now)
    return wake


_WHERE = ("country", "postcode")
"""What tells how far the parcels go: another place may have other locations nearer."""


def _amend_delivery(
    conn: Connection, old: Row[Any], rows: order_reports.OrderRows, status: str, now: datetime
) -> list[str]:
    """Bring work to how and where the order is now to be sent; returns what comes too late."""
    changed = _other_delivery(conn, old, rows)
    if changed & {*_WHERE}:
        cancellation.stop_unreleased(conn, old.id, "the channel changed the address", now)
    elif status in ("pending", "fulfilled"):
        why = f"the channel says that it is {status}"
        cancellation.stop_unreleased(conn, old.id, why, now)
    elif changed:
        cancellation.recall(conn, old.id, "the channel changed how it is delivered", now)
    found = [f"the delivery was changed ({', '.join(sorted(changed))})"] if changed else []
    if status == "pending" and old.channel_status == "ready":
        found.append("the channel put the order on hold")
    out = [
        one for one in fulfilment.of_order(conn, old.id) if one.work_state in fulfilment.HANDED_OVER
    ]
    if not out or status in ("cancelled", "fulfilled"):
        return []
    whom = ", ".join(f"{one.reference} to {one.location}" for one in out)
    return [f"{what} after the hand-over of {whom}" for what in found]


def _other_delivery(conn: Connection, old: Row[Any], rows: order_reports.OrderRows) -> set[str]:
    """What of a hand-over's address and service the new report changes, by name."""
    changed = {"service"} if old.service_name != rows.order.service_name else set()
    known = orders.address(conn, old.ship_to_id)
    if known is None or rows.ship_to is None:
        return changed
    told = rows.ship_to
    return changed | {
        name for name in told.__struct_fields__ if getattr(known, name) != getattr(told, name)
    }


def _hold_for_a_person(
    conn: Connection, order_id: int, too_late: Sequence[str], now: datetime
) -> None:
    """Say what was changed too late, after what is still to be settled of earlier changes."""
    reason = "; ".join(too_late)
    remedy = "settle it with the location, then 'crossdock release ORDER'"
    history.place_hold(conn, order_id, "edited_after_release", reason, remedy, now)


def _left_before(conn: Connection, order_id: int) -> list[str]:
    """Of an order that is cancelled: what has left already, and that nobody gets paid for."""
    lines = orders.lines(conn, [order_id]).get(order_id, [])
    gone = sum((line.qty_shipped for line in lines), Decimal(0))
    return [f"the order was cancelled after {gone} of it had left"] if gone else []


def _needs_goods(conn: Connection, order_id: int) -> bool:
    return any(
        line.requires_shipping and line.qty_ordered - line.qty_cancelled > _in_hand(line)
        for line in orders.lines(conn, [order_id]).get(order_id, [])
    )


def _open_again(conn: Connection, old: Row[Any], was_done: bool, now: datetime) -> None:
    """Goods were added after the last parcel, or the channel took its end of the order back.

    Then a person says go: somebody may have shipped it meanwhile, where we could not see it.
    """
    orders.set_order(conn, old.id, closed_at=None)
    history.event(conn, old.id, "opened_again", f"was {old.intake_state}", now)
    if was_done:
        return
    reason = f"the channel opened the order again after it was {old.intake_state}"
    remedy = "make sure that nobody has shipped it; 'crossdock release ORDER' ships what is open"
    history.place_hold(conn, old.id, "manual", reason, remedy, now)


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
    conn: Connection,
    order_id: int,
    new: list[order_reports.LineRows],
    order: c.Order,
    now: datetime,
) -> list[str]:
    """Bring the lines to the new report; returns what of it comes too late."""
    current = {row.channel_line_id: row for row in orders.lines(conn, [order_id]).get(order_id, [])}
    reported = {line.channel_line_id: line for line in order.lines}
    excess = _excess(current, new, reported, order)
    if excess:
        cancellation.make_room(conn, order_id, excess, "the channel changed the order", now)
        current = {row.channel_line_id: row for row in orders.lines(conn, [order_id])[order_id]}
    too_late = []
    for rows in new:
        row = current.pop(rows.values.channel_line_id, None)
        if row is None:
            conn.execute(insert(t.order_line).values(order_id=order_id, **asdict(rows.values)))
            stock.mark_dirty(conn, [rows.values.sku_id] if rows.values.sku_id else [])
        else:
            too_late += _amend_line(conn, row, rows.values, reported, order)
    for vanished in current.values():
        too_late += _remove_line(conn, vanished)
    return too_late


def _wanted(
    row: Row[Any],
    values: order_reports.LineValues,
    reported: Mapping[str, c.OrderLine],
    order: c.Order,
) -> tuple[Decimal, Decimal]:
    """(ordered, cancelled) of a line by the new report, given what has left already."""
    line = reported.get(values.channel_line_id)
    if line is None or not has_count(values.park_reason):
        return values.qty_ordered, Decimal(0)
    return line.quantity, cancelled_quantity(line, order.refunds, row.qty_shipped)


def _in_hand(row: Row[Any]) -> Decimal:
    return Decimal(row.qty_allocated + row.qty_released + row.qty_shipped)


def _excess(
    current: Mapping[str, Row[Any]],
    new: list[order_reports.LineRows],
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
    row: Row[Any],
    values: order_reports.LineValues,
    reported: Mapping[str, c.OrderLine],
    order: c.Order,
) -> list[str]:
    ordered, cancelled = _wanted(row, values, reported, order)
    wanted = asdict(values)
    in_hand = _in_hand(row)
    if in_hand:
        # Somebody is working on it: the line keeps its SKU and stays unparked.
        wanted.update(sku_id=row.sku_id, park_reason=None, park_detail="")
    too_late = []
    in_work = in_hand - row.qty_shipped
    unwanted = max(Decimal(0), min(in_work, in_hand - (ordered - cancelled)))
    if in_work and values.sku_id != row.sku_id:
        too_late.append(
            f"line {row.line_no} was changed to another SKU after {in_hand} had been handed over"
        )
        unwanted = in_work
    if in_hand and ordered - cancelled < in_hand:
        too_late.append(
            f"line {row.line_no} was changed to {ordered - cancelled} after {in_hand} "
            "had been handed over"
        )
        cancelled = min(cancelled, max(Decimal(0), row.qty_ordered - in_hand))
        ordered = max(ordered, in_hand + cancelled)
    wanted.update(qty_ordered=ordered, qty_cancelled=cancelled, qty_unwanted=unwanted)
    changes = {name: value for name, value in wanted.items() if getattr(row, name) != value}
    if changes:
        orders.set_line(conn, row.id, **changes)
        stock.mark_dirty(conn, [i for i in (row.sku_id, wanted["sku_id"]) if i])
    return too_late


def _remove_line(conn: Connection, row: Row[Any]) -> list[str]:
    """The channel does not report a line any more: what of it has not left is cancelled."""
    in_hand = _in_hand(row)
    if row.park_reason == "mapping":
        conn.execute(delete(t.order_line).where(t.order_line.c.id == row.id))
        return []
    orders.set_line(
        conn,
        row.id,
        # A line parked for its quantity may have been reported with less than none.
        qty_ordered=max(row.qty_ordered, in_hand),
        qty_cancelled=max(Decimal(0), row.qty_ordered - in_hand),
        qty_unwanted=in_hand - row.qty_shipped,
        line_total=0,
        line_discount_total=0,
        line_tax_total=0,
        park_reason=None,
        park_detail="",
    )
    if row.sku_id:
        stock.mark_dirty(conn, [row.sku_id])
    if in_hand == row.qty_shipped:
        return []
    return [f"line {row.line_no} was removed after {in_hand} had been handed over"]
