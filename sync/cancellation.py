"""Stopping work: freely before it is handed over, by asking afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row

from connectors.base import CancelsFulfilmentOrders, Outcome
from state import fulfilment, history, intents, orders, stock
from sync import bundles
from sync.judgement import has_count

HANDOVER_KINDS = ("fulfilment_order", "label")


def stop_unreleased(conn: Connection, order_id: int, why: str, now: datetime) -> None:
    """Cancel every fulfilment order that nobody outside knows of, and free its goods."""
    fulfilment.lock(conn, [order_id])
    for ffo in fulfilment.of_order(conn, order_id):
        if ffo.work_state == "planned" or withdrawn(conn, ffo, now):
            close_ffo(conn, ffo, "cancelled", why, now)


def make_room(
    conn: Connection, order_id: int, excess: Mapping[int, Decimal], why: str, now: datetime
) -> None:
    """Take back what an order needs no more, by order line, as far as nobody outside knows of it.

    Work not yet handed over is made smaller and otherwise left as it is; of a hand-over that is
    on its way out the whole is withdrawn, since what was written cannot be changed.
    """
    left = {line_id: qty for line_id, qty in excess.items() if qty > 0}
    for ffo in reversed(fulfilment.of_order(conn, order_id)):
        lines = fulfilment.lines_of(conn, [ffo.id]).get(ffo.id, [])
        concerned = [line for line in lines if left.get(line.order_line_id, 0) > 0 and _open(line)]
        if not concerned:
            continue
        if ffo.work_state == "planned":
            _shrink(conn, ffo, lines, left, why, now)
        elif withdrawn(conn, ffo, now):
            for order_line_id, (qty, _) in bundles.counts(concerned).items():
                left[order_line_id] -= qty
            close_ffo(conn, ffo, "cancelled", why, now)


def _open(line: Row[Any]) -> Decimal:
    return Decimal(line.qty - line.qty_cancelled - line.qty_shipped)


def _shrink(
    conn: Connection,
    ffo: Row[Any],
    lines: Sequence[Row[Any]],
    excess: dict[int, Decimal],
    why: str,
    now: datetime,
) -> None:
    """Make planned work smaller by as much of ``excess`` as it holds; ``excess`` goes down."""
    held = {order_line_id: left for order_line_id, (left, _) in bundles.counts(lines).items()}
    taken = {
        one: min(left, max(Decimal(0), excess.get(one, Decimal(0)))) for one, left in held.items()
    }
    for order_line_id, qty in taken.items():
        if qty:
            excess[order_line_id] -= qty
    if taken == held:
        close_ffo(conn, ffo, "cancelled", why, now)
        return
    for line in lines:
        if qty := bundles.pieces(line, taken[line.order_line_id]):
            # What was cancelled of the line before is part of the key: it may shrink twice.
            key = f"release:ffo-line:{line.id}:{line.qty_cancelled}"
            _take_out(conn, line, qty, key, now)
    _book_back(conn, ffo, lines, "qty_allocated")
    told = f"{ffo.reference} is smaller: {why}"
    history.event(conn, ffo.order_id, "fulfilment_order_shrunk", told, now)


def _take_out(conn: Connection, line: Row[Any], qty: Decimal, key: str, now: datetime) -> None:
    """Part of a fulfilment line goes back to stock."""
    fulfilment.move_ffo_line(conn, line.id, qty_cancelled=qty)
    stock.release(conn, line.reservation_id, qty, key, now)


def _book_back(conn: Connection, ffo: Row[Any], before: Sequence[Row[Any]], counter: str) -> None:
    """Order lines get back what the work holds less of than ``before``."""
    was = bundles.counts(before)
    now = bundles.counts(fulfilment.lines_of(conn, [ffo.id]).get(ffo.id, []))
    bundles.book(conn, was, now, counter)
    for order_line_id, (left, _) in was.items():
        orders.cancel_unwanted(conn, order_line_id, left - now[order_line_id].left)


def withdrawn(conn: Connection, ffo: Row[Any], now: datetime) -> bool:
    """Was the hand-over still unsent, so that it could be taken back?"""
    if ffo.work_state != "open" or ffo.request_state != "unsubmitted":
        return False
    return any(intents.withdraw(conn, kind, ffo.id, now) for kind in HANDOVER_KINDS)


def recall(conn: Connection, order_id: int, why: str, now: datetime) -> None:
    """Have every hand-over that was not sent yet written anew; its goods stay reserved."""
    for ffo in fulfilment.of_order(conn, order_id):
        if withdrawn(conn, ffo, now):
            work = bundles.counts(fulfilment.lines_of(conn, [ffo.id]).get(ffo.id, []))
            for order_line_id, (qty, _) in work.items():
                orders.move_line(conn, order_line_id, qty_released=-qty, qty_allocated=qty)
            fulfilment.set_ffo(conn, ffo.id, work_state="planned")
            told = f"{ffo.reference} is handed over anew: {why}"
            history.event(conn, order_id, "hand_over_recalled", told, now)


def close_ffo(conn: Connection, ffo: Row[Any], state: str, why: str, now: datetime) -> None:
    """End a fulfilment order: what it still held goes back to stock and to its order lines."""
    before = fulfilment.lines_of(conn, [ffo.id]).get(ffo.id, [])
    for line in before:
        if (left := _open(line)) > 0:
            _take_out(conn, line, left, f"release:ffo-line:{line.id}", now)
    counter = "qty_allocated" if ffo.work_state == "planned" else "qty_released"
    _book_back(conn, ffo, before, counter)
    fulfilment.set_ffo(conn, ffo.id, work_state=state, refused_reason=why)
    history.event(
        conn, ffo.order_id, "fulfilment_order_closed", f"{ffo.reference} {state}: {why}", now
    )


def cancel_order(conn: Connection, order_id: int, why: str, now: datetime) -> set[str]:
    """The channel cancelled the order: stop what can be stopped, ask about the rest."""
    stop_unreleased(conn, order_id, why, now)
    wake: set[str] = set()
    for ffo in fulfilment.of_order(conn, order_id):
        if ffo.work_state in fulfilment.HANDED_OVER:
            history.place_hold(
                conn,
                order_id,
                "cancel_pending",
                f"{ffo.location} was asked to stop {ffo.reference}",
                "nothing to do unless the location does not answer",
                now,
            )
            wake |= request_cancellation(conn, ffo, now)
    settle_order(conn, order_id, now)
    return wake


def request_cancellation(conn: Connection, ffo: Row[Any], now: datetime) -> set[str]:
    """Ask the location to stop; only once it has answered that it has the work.

    While the hand-over itself is unsettled nothing can be asked: its settlement comes back here.
    """
    if ffo.request_state != "accepted" or ffo.connection_id is None or not ffo.external_id:
        return set()
    intents.plan(
        conn,
        connection_id=ffo.connection_id,
        kind="cancel_fulfilment_order",
        subject=("fulfilment_order", ffo.id),
        key=f"cancel:{ffo.reference}",
        body={"remote_id": ffo.external_id},
        now=now,
    )
    fulfilment.set_ffo(conn, ffo.id, request_state="cancellation_requested")
    history.event(conn, ffo.order_id, "cancellation_requested", f"asked for {ffo.reference}", now)
    return {f"push:{ffo.taker}"}


def send(connector: CancelsFulfilmentOrders, bodies: dict[str, Any]) -> list[Outcome]:
    return list(
        connector.cancel_fulfilment_orders({key: b["remote_id"] for key, b in bodies.items()})
    )


def settle_order(conn: Connection, order_id: int, now: datetime) -> None:
    """Bring an order's own state to what its lines and its channel say."""
    order = orders.get(conn, order_id, lock=True)
    lines = orders.lines(conn, [order_id]).get(order_id, [])
    if order.channel_status == "cancelled":
        for line in lines:
            left = Decimal(
                line.qty_ordered
                - line.qty_cancelled
                - line.qty_released
                - line.qty_allocated
                - line.qty_shipped
            )
            if left > 0 and has_count(line.park_reason):
                orders.move_line(conn, line.id, qty_cancelled=left)
                stock.mark_dirty(conn, [line.sku_id] if line.sku_id else [])
    if any(line.qty_allocated or line.qty_released for line in lines):
        return
    history.release_holds(conn, order_id, ["cancel_pending"], "the location's answer", now)
    if order.channel_status != "ready":
        # What is not ours to ship any more waits for no payment.
        history.release_holds(conn, order_id, ["payment"], "the channel's new report", now)
    _end(conn, order, lines, now)


def _end(conn: Connection, order: Row[Any], lines: list[Row[Any]], now: datetime) -> None:
    """Close or cancel an order that nobody works on, when nothing is left to do."""
    shipped = any(line.qty_shipped for line in lines)
    if order.channel_status == "cancelled" and not shipped:
        orders.set_order(
            conn, order.id, intake_state="cancelled", cancelled_at=order.cancelled_at or now
        )
    elif order.intake_state == "accepted" and _nothing_left(lines):
        orders.set_order(conn, order.id, intake_state="closed", closed_at=now)
    elif order.channel_status == "fulfilled" and order.intake_state in ("accepted", "parked"):
        # Somebody completed it in the channel: what we had not shipped is not ours any more.
        orders.set_order(conn, order.id, intake_state="closed", closed_at=now)


def _nothing_left(lines: list[Row[Any]]) -> bool:
    return bool(lines) and all(
        line.park_reason is None
        and (
            not line.requires_shipping or line.qty_cancelled + line.qty_shipped >= line.qty_ordered
        )
        for line in lines
    )
