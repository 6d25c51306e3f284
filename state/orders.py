"""Orders and their lines: finding them, moving their counters, and whose turn it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)

from state import tables as t
from state.batches import among
from state.vault import fields
from state.vault import marks as email_marks

_EXISTING = select(t.sales_order).where(
    t.sales_order.c.connection_id == bindparam("connection"),
    among(t.sales_order.c.channel_order_id, "channel_order_ids"),
)


def existing(
    conn: Connection, connection_id: int, channel_order_ids: Sequence[str]
) -> dict[str, Row[Any]]:
    """Orders we already have, by the channel's id."""
    given = {"connection": connection_id, "channel_order_ids": channel_order_ids}
    return {row.channel_order_id: row for row in conn.execute(_EXISTING, given)}


def lines(conn: Connection, order_ids: Iterable[int]) -> dict[int, list[Row[Any]]]:
    """Lines by order, in line order."""
    found: dict[int, list[Row[Any]]] = {}
    query = select(t.order_line).where(among(t.order_line.c.order_id, order_ids))
    for row in conn.execute(query.order_by(t.order_line.c.order_id, t.order_line.c.line_no)):
        found.setdefault(row.order_id, []).append(row)
    return found


def waited_for_before(
    conn: Connection, order: Row[Any], sku_ids: Iterable[int]
) -> dict[int, Decimal]:
    """What orders placed before this one still wait for, by SKU."""
    line, other = t.order_line, t.sales_order
    query = (
        select(line.c.sku_id, func.sum(open_quantity(), type_=line.c.qty_ordered.type))
        .join(other, other.c.id == line.c.order_id)
        .where(
            among(line.c.sku_id, sku_ids),
            line.c.park_reason.is_(None),
            other.c.intake_state == "accepted",
            other.c.channel_status == "ready",
            tuple_(other.c.placed_at, other.c.id) < (order.placed_at, order.id),
        )
        .group_by(line.c.sku_id)
    )
    return {row[0]: Decimal(row[1]) for row in conn.execute(query)}


def set_order(conn: Connection, order_id: int, **values: Any) -> None:
    conn.execute(update(t.sales_order).where(t.sales_order.c.id == order_id).values(values))


def set_line(conn: Connection, line_id: int, **values: Any) -> None:
    conn.execute(update(t.order_line).where(t.order_line.c.id == line_id).values(values))


def refunded_quantity(conn: Connection, line_id: int) -> Decimal:
    """How many units of a line the channel has refunded."""
    qty = t.refund_line.c.qty
    where = t.refund_line.c.order_line_id == line_id
    return Decimal(conn.scalar(select(func.sum(qty, type_=qty.type)).where(where)) or 0)


def move_line(conn: Connection, line_id: int, **deltas: Decimal) -> None:
    """Add to a line's counters: ``move_line(conn, 7, qty_allocated=-2, qty_released=2)``."""
    columns = t.order_line.c
    changes = {name: columns[name] + delta for name, delta in deltas.items()}
    conn.execute(update(t.order_line).where(columns.id == line_id).values(changes))


def cancel_unwanted(conn: Connection, line_id: int, freed: Decimal) -> None:
    """Of ``freed``, what came back unshipped, the channel may have wanted less already."""
    line = t.order_line.c
    query = select(line.qty_unwanted).where(line.id == line_id)
    qty = min(freed, Decimal(conn.execute(query).scalar_one()))
    if qty > 0:
        move_line(conn, line_id, qty_cancelled=qty, qty_unwanted=-qty)


def open_quantity() -> Any:
    """SQL: what of a line is neither cancelled nor in anybody's hands yet."""
    line = t.order_line.c
    return (
        line.qty_ordered
        - line.qty_cancelled
        - line.qty_allocated
        - line.qty_released
        - line.qty_shipped
    )


def awaiting_allocation(conn: Connection) -> list[int]:
    """Accepted orders that may ship and have open lines: by promised date, then oldest first."""
    order, line, hold = t.sales_order, t.order_line, t.hold
    held = select(hold.c.id).where(hold.c.order_id == order.c.id, hold.c.released_at.is_(None))
    query = (
        select(order.c.id)
        .where(
            order.c.intake_state == "accepted",
            order.c.channel_status == "ready",
            ~held.exists(),
            select(line.c.id)
            .where(
                line.c.order_id == order.c.id,
                line.c.park_reason.is_(None),
                line.c.sku_id.is_not(None),
                line.c.requires_shipping,
                open_quantity() > 0,
            )
            .exists(),
        )
        .order_by(
            order.c.deliver_by_at.is_(None), order.c.deliver_by_at, order.c.placed_at, order.c.id
        )
    )
    return [row[0] for row in conn.execute(query)]


def marks(conn: Connection, order_ids: Iterable[int]) -> list[Row[Any]]:
    """id, connection_id, channel_order_id, edit_version and waits_for of orders."""
    order = t.sales_order.c
    asked = (order.id, order.connection_id, order.channel_order_id, order.edit_version)
    query = select(*asked, order.waits_for).where(among(order.id, order_ids))
    return list(conn.execute(query))


def destinations(conn: Connection, order_ids: Iterable[int]) -> dict[int, tuple[str, str]]:
    """Country and postcode, as they are written, of those orders that say where they go."""
    order, place = t.sales_order.c, t.address.c
    query = (
        select(order.id.label("order_id"), place.id, place.country, place.postcode)
        .join(t.address, place.id == order.ship_to_id)
        .where(among(order.id, order_ids))
    )
    rows = fields.clear(conn, t.address, conn.execute(query))
    return {row.order_id: (row.country, row.postcode) for row in rows}


def payments_of(conn: Connection, order_ids: Iterable[int]) -> dict[int, tuple[Any, ...]]:
    """The state of every payment and what it captured, by order."""
    payment = t.payment.c
    query = (
        select(payment.order_id, payment.state, payment.amount_captured)
        .where(among(payment.order_id, order_ids))
        .order_by(payment.id)
    )
    found: dict[int, tuple[Any, ...]] = {}
    for order_id, *paid in conn.execute(query):
        found[order_id] = (*found.get(order_id, ()), *paid)
    return found


def held_for(conn: Connection, kind: str) -> list[int]:
    """Accepted orders that an open hold of this kind keeps from being planned, oldest first."""
    order, hold = t.sales_order, t.hold
    query = (
        select(order.c.id)
        .join(hold, hold.c.order_id == order.c.id)
        .where(
            hold.c.kind == kind,
            hold.c.released_at.is_(None),
            order.c.intake_state == "accepted",
            order.c.channel_status == "ready",
        )
        .order_by(order.c.placed_at, order.c.id)
    )
    return list(conn.scalars(query))


def get(conn: Connection, order_id: int, *, lock: bool = False) -> Row[Any]:
    query = select(t.sales_order).where(t.sales_order.c.id == order_id)
    return conn.execute(query.with_for_update() if lock else query).one()


def lock(conn: Connection, order_ids: Iterable[int]) -> None:
    """Keep others from changing these orders until the transaction ends."""
    key = t.sales_order.c.id
    conn.execute(select(key).where(among(key, set(order_ids))).order_by(key).with_for_update())


def find(conn: Connection, word: str) -> list[Row[Any]]:
    """Orders that a person may mean: by the channel's id or name, or by our number."""
    order = t.sales_order
    named = [order.c.channel_order_id == word, order.c.channel_order_name == word]
    if word.isdigit() and len(word) < 18:
        named.append(order.c.id == int(word))
    query = select(order, t.connection.c.name.label("connection")).join(
        t.connection, t.connection.c.id == order.c.connection_id
    )
    return list(conn.execute(query.where(or_(*named)).order_by(order.c.id)))


def address(conn: Connection, address_id: int | None) -> Row[Any] | None:
    """In clear."""
    if address_id is None:
        return None
    found = conn.execute(select(t.address).where(t.address.c.id == address_id))
    return next(iter(fields.clear(conn, t.address, found)), None)


def payments(conn: Connection, order_id: int) -> list[Row[Any]]:
    query = select(t.payment).where(t.payment.c.order_id == order_id)
    return list(conn.execute(query.order_by(t.payment.c.id)))


_BUYER = func.coalesce(t.sales_order.c.bill_to_id, t.sales_order.c.ship_to_id)


def earlier_of(conn: Connection, email: str, before: datetime) -> int:
    """How many orders with this e-mail address were placed before and not cancelled or ignored."""
    buyer = t.address.c
    # It follows, but must be said, and as a literal, for the partial index to be used.
    plain = (buyer.email != literal_column("''")) & (func.lower(buyer.email) == func.lower(email))
    count = _count_earlier(conn, plain, before)
    mark = email_marks.known_mark(conn, email)
    if mark:
        sealed = (buyer.email_mark != literal_column("''")) & (buyer.email_mark == mark)
        count += _count_earlier(conn, sealed, before)
    return count


def _count_earlier(conn: Connection, whose: ColumnElement[bool], before: datetime) -> int:
    order, buyer = t.sales_order, t.address
    query = (
        select(func.count())
        .select_from(order)
        # Only between two expressions does SQLite compare by the index of the second one.
        .join(buyer, buyer.c.id + literal_column("0") == _BUYER)
        .where(
            whose,
            order.c.placed_at < before,
            order.c.intake_state.not_in(("cancelled", "ignored")),
        )
    )
    return conn.scalar(query) or 0


def parked_lines(
    conn: Connection, connection_id: int | None = None, limit: int | None = None
) -> list[Row[Any]]:
    """Parked lines with their order and connection."""
    query = (
        select(
            t.order_line,
            t.sales_order.c.channel_order_id,
            t.sales_order.c.channel_order_name,
            t.sales_order.c.connection_id,
            t.connection.c.name.label("connection"),
        )
        .join(t.sales_order, t.sales_order.c.id == t.order_line.c.order_id)
        .join(t.connection, t.connection.c.id == t.sales_order.c.connection_id)
        .where(
            t.order_line.c.park_reason.is_not(None),
            t.sales_order.c.intake_state.in_(("accepted", "parked")),
        )
        .order_by(t.order_line.c.id)
    )
    if connection_id is not None:
        query = query.where(t.sales_order.c.connection_id == connection_id)
    return list(conn.execute(query.limit(limit)))


def held_orders(
    conn: Connection, connection_id: int | None = None, limit: int | None = None
) -> list[Row[Any]]:
    """Open holds with their order and connection."""
    query = (
        select(
            t.hold,
            t.sales_order.c.channel_order_id,
            t.sales_order.c.channel_order_name,
            t.connection.c.name.label("connection"),
        )
        .join(t.sales_order, t.sales_order.c.id == t.hold.c.order_id)
        .join(t.connection, t.connection.c.id == t.sales_order.c.connection_id)
        .where(t.hold.c.released_at.is_(None))
        .order_by(t.hold.c.id)
    )
    if connection_id is not None:
        query = query.where(t.sales_order.c.connection_id == connection_id)
    return list(conn.execute(query.limit(limit)))
