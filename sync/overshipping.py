"""Goods that left though their work had ended, or more of them than it was for.

They are off the shelves, and on their way to the buyer. As far as the order still has room for them
they are booked as what it shipped; the replacement that they make superfluous is taken back, or its
location is asked to stop. What finds no room stays with its package as ``qty_over``, a person is
told, and it is booked when room comes free: so nothing of it is ever planned a second time.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row

from state import fulfilment, history, orders, overshipments
from sync import bundles, cancellation, notices
from sync.context import Hub

REMEDY = "arrange the return with the buyer, then 'crossdock release ORDER'"


def settle(
    conn: Connection, hub: Hub, order_id: int, now: datetime, *, tell: bool = False
) -> set[str]:
    """Book what left beyond the work it was for; returns the streams that have work now.

    ``tell``: hold the order for a person where that is not the end of it.
    """
    rows = overshipments.of_order(conn, order_id)
    if not rows:
        return set()
    fulfilment.lock(conn, [order_id])
    superfluous = _superfluous(conn, order_id, rows)
    if superfluous:
        why = "the goods have left already"
        cancellation.make_room(conn, order_id, superfluous, why, now)
    uncancelled = _book(conn, order_id, rows)
    wake = {"allocate"} if superfluous else set()
    left = overshipments.of_order(conn, order_id)
    wake |= stop_superfluous(conn, order_id, now)
    if tell and (left or uncancelled):
        _tell_a_person(conn, order_id, left or rows, now, twice=bool(left))
    return wake | notices.plan(conn, hub, order_id, now)


def _superfluous(conn: Connection, order_id: int, rows: Sequence[Row[Any]]) -> dict[int, Decimal]:
    """How much of the work in hand the goods make superfluous, by order line."""
    over = _completed(conn, rows)
    found = {}
    for line in orders.lines(conn, [order_id])[order_id]:
        if line.id in over:
            in_hand = Decimal(line.qty_allocated + line.qty_released)
            found[line.id] = min(in_hand, over[line.id] - _open(line))
    return {line_id: qty for line_id, qty in found.items() if qty > 0}


def _completed(conn: Connection, rows: Sequence[Row[Any]]) -> dict[int, Decimal]:
    """How many of what was ordered the goods make whole, by order line, where any.

    Parts without the rest of their bundle make nothing superfluous: the buyer still needs a whole.
    """
    over: dict[int, Decimal] = {}
    for (_, line_id), group in _by_work(rows).items():
        if (whole := bundles.completed(_parts(conn, group[0]), _pieces(group))) > 0:
            over[line_id] = over.get(line_id, Decimal(0)) + whole
    return over


def _by_work(rows: Sequence[Row[Any]]) -> dict[tuple[int, int], list[Row[Any]]]:
    """By fulfilment order and order line, of which a bundle has several fulfilment lines.

    Goods in whose place the channel has put others are not what the order wants: left out.
    """
    found: dict[tuple[int, int], list[Row[Any]]] = {}
    for row in rows:
        if row.fits:
            found.setdefault((row.ffo_id, row.order_line_id), []).append(row)
    return found


def _parts(conn: Connection, row: Row[Any]) -> list[Row[Any]]:
    lines = fulfilment.lines_of(conn, [row.ffo_id])[row.ffo_id]
    return [line for line in lines if line.order_line_id == row.order_line_id]


def _pieces(rows: Sequence[Row[Any]]) -> dict[int, Decimal]:
    total: dict[int, Decimal] = {}
    for row in rows:
        total[row.ffo_line_id] = total.get(row.ffo_line_id, Decimal(0)) + row.qty_over
    return total


def _open(line: Row[Any]) -> Decimal:
    """What nobody has in hand yet; of a parked line no limit holds."""
    in_hand = line.qty_allocated + line.qty_released + line.qty_shipped
    return max(Decimal(0), Decimal(line.qty_ordered - line.qty_cancelled - in_hand))


def _book(conn: Connection, order_id: int, rows: Sequence[Row[Any]]) -> bool:
    """Count as shipped what there is room for; true when some of it had been cancelled.

    Of a bundle only whole ones: its parts wait until all of it has left.
    """
    uncancelled = False
    for (_, line_id), group in _by_work(rows).items():
        parts, line = _parts(conn, group[0]), _line(conn, order_id, line_id)
        over = bundles.completed(parts, _pieces(group))
        room, back = _open(line), Decimal(0)
        if not line.qty_allocated + line.qty_released:
            # Nobody else has it in hand: what was cancelled has left all the same.
            back = min(Decimal(line.qty_cancelled), max(Decimal(0), over - room))
        qty = min(over, room + back)
        if qty > 0:
            _book_pieces(conn, group, parts, qty)
            orders.move_line(conn, line.id, qty_shipped=qty, qty_cancelled=-back)
            uncancelled |= back > 0
    return uncancelled


def _book_pieces(
    conn: Connection, rows: Sequence[Row[Any]], parts: Sequence[Row[Any]], qty: Decimal
) -> None:
    """Count the pieces of ``qty`` more of what was ordered as shipped, the oldest first."""
    lacking = bundles.lacking(parts, qty)
    for row in rows:
        taken = min(Decimal(row.qty_over), lacking[row.ffo_line_id])
        if taken > 0:
            lacking[row.ffo_line_id] -= taken
            overshipments.book(conn, row, taken)


def _line(conn: Connection, order_id: int, line_id: int) -> Row[Any]:
    return next(one for one in orders.lines(conn, [order_id])[order_id] if one.id == line_id)


def stop_superfluous(conn: Connection, order_id: int, now: datetime) -> set[str]:
    """Ask the locations to stop that are about to send what has left already."""
    over = _completed(conn, overshipments.of_order(conn, order_id))
    wake: set[str] = set()
    for ffo in fulfilment.of_order(conn, order_id) if over else ():
        if ffo.work_state in fulfilment.HANDED_OVER and _would_send(conn, ffo, over):
            wake |= cancellation.request_cancellation(conn, ffo, now)
    return wake


def _would_send(conn: Connection, ffo: Row[Any], over: Collection[int]) -> bool:
    return any(
        line.order_line_id in over and line.qty - line.qty_cancelled - line.qty_shipped > 0
        for line in fulfilment.lines_of(conn, [ffo.id]).get(ffo.id, [])
    )


def _tell_a_person(
    conn: Connection, order_id: int, rows: Sequence[Row[Any]], now: datetime, *, twice: bool
) -> None:
    goods = ", ".join(
        f"{row.qty_over.normalize():f} x {row.sku} from {row.location} ({row.reference})"
        for row in rows
    )
    too_much = "more left than the order is for: "
    reason = (too_much if twice else "shipped after it was cancelled: ") + goods
    history.place_hold(conn, order_id, "manual", reason, REMEDY, now, instead_of=too_much)
