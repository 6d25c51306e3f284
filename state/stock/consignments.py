"""Goods on their way: advised by a supplier, or sent from one location of ours to another.

What is on its way counts as ``incoming`` where it is going, from the moment it has left until it
is received or written off; so between two locations nothing is ever lost, or there twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, select, type_coerce, update

from state import tables as t
from state.errors import KeyReused
from state.ids import insert_unless_known
from state.stock import lots, serials
from state.stock.ledger import Cause, Leg, post, posted, take_off
from state.stock.movements import receive
from state.types import Quantity

consignment = t.consignment
OPEN = type_coerce(
    consignment.c.qty - consignment.c.qty_received - consignment.c.qty_lost, Quantity()
)


def advise(
    conn: Connection,
    *,
    reference: str,
    sku_id: int,
    location_id: int,
    qty: Decimal,
    cause: Cause,
    due_on: date | None = None,
) -> bool:
    """A supplier has announced goods; false if this reference already announces this SKU."""
    made = _add(conn, reference, sku_id, None, location_id, None, qty, cause, due_on)
    if made is None:
        return False
    came = replace(cause, reason="advise", ref=("consignment", made))
    return post(conn, [Leg(sku_id, location_id, "incoming", qty)], came)


def send(
    conn: Connection,
    *,
    reference: str,
    sku_id: int,
    from_location_id: int,
    to_location_id: int,
    qty: Decimal,
    cause: Cause,
    lot_id: int | None = None,
    pieces: Sequence[str] = (),
) -> bool:
    """Goods have left for another location; false if this reference has sent this SKU already.

    What is reserved where they stand cannot leave: the database refuses (IntegrityError).
    """
    lot_id = lots.require_lot(conn, sku_id, from_location_id, lot_id)
    places = (from_location_id, to_location_id)
    made = _add(conn, reference, sku_id, *places, lot_id, qty, cause, None)
    if made is None:
        return False
    left = replace(cause, reason="transfer_out", ref=("consignment", made))
    legs = [
        Leg(sku_id, from_location_id, "on_hand", -qty, lot_id),
        Leg(sku_id, to_location_id, "incoming", qty, lot_id),
    ]
    serials.leave(
        conn,
        sku_id=sku_id,
        location_id=from_location_id,
        serials=pieces,
        state="in_transit",
        now=cause.now,
    )
    return take_off(conn, legs, left)


def _add(
    conn: Connection,
    reference: str,
    sku_id: int,
    from_location_id: int | None,
    to_location_id: int,
    lot_id: int | None,
    qty: Decimal,
    cause: Cause,
    due_on: date | None,
) -> int | None:
    values = {
        "reference": reference,
        "sku_id": sku_id,
        "from_location_id": from_location_id,
        "to_location_id": to_location_id,
        "lot_id": lot_id,
        "qty": qty,
    }
    sent_at = cause.occurred_at or cause.now
    made = insert_unless_known(conn, consignment, **values, sent_at=sent_at, due_on=due_on)
    if made is None:
        same = [consignment.c[name] == value for name, value in values.items()]
        if conn.execute(select(consignment.c.id).where(*same)).first() is None:
            raise KeyReused(f"{reference} is already on its way with other goods")
    return made


def is_reference(conn: Connection, reference: str) -> bool:
    """Whether goods are, or ever were, on their way under a reference."""
    query = select(consignment.c.id).where(consignment.c.reference == reference)
    return conn.execute(query.limit(1)).first() is not None


def consigned_under(conn: Connection, row: Row[Any]) -> str:
    """The reference of the consignment that a ledger row is about; empty: about none."""
    if row.ref_type != "consignment":
        return ""
    query = select(consignment.c.reference).where(consignment.c.id == row.ref_id)
    return str(conn.execute(query).scalar_one())


def in_transit(
    conn: Connection, reference: str | None = None, *, lock: bool = False
) -> list[Row[Any]]:
    """Consignments of which something is still on its way, with its quantity as ``open``.

    In (sku, location) order; with codes of SKU, locations and lot.
    """
    origin = t.location.alias()
    query = (
        select(
            consignment,
            OPEN.label("open"),
            t.sku.c.code.label("sku"),
            origin.c.code.label("origin"),
            t.location.c.code.label("location"),
            t.lot.c.code.label("lot"),
        )
        .join(t.sku, t.sku.c.id == consignment.c.sku_id)
        .join(t.location, t.location.c.id == consignment.c.to_location_id)
        .outerjoin(origin, origin.c.id == consignment.c.from_location_id)
        .outerjoin(t.lot, t.lot.c.id == consignment.c.lot_id)
        .where(OPEN > 0)
        .order_by(consignment.c.sku_id, consignment.c.to_location_id, consignment.c.id)
    )
    if reference is not None:
        query = query.where(consignment.c.reference == reference)
    return list(conn.execute(query.with_for_update(of=consignment) if lock else query))


def arrive(
    conn: Connection,
    goods: Row[Any],
    qty: Decimal,
    cause: Cause,
    *,
    lot_id: int | None = None,
    pieces: Sequence[str] = (),
) -> bool:
    """Receive ``qty`` of a consignment (a row of ``in_transit``); false if the key is known.

    More than was on its way is received too: what was announced is a word, what came is a fact.
    """
    came = replace(
        cause,
        reason="receipt" if goods.from_location_id is None else "transfer_in",
        ref=("consignment", goods.id),
    )
    known = min(qty, Decimal(goods.open))
    if posted(conn, cause.key) is not None:
        return False
    received = receive(
        conn,
        sku_id=goods.sku_id,
        location_id=goods.to_location_id,
        qty=qty,
        cause=came,
        lot_id=lot_id if goods.lot_id is None else goods.lot_id,
        pieces=pieces,
        incoming=known,
    )
    _close(conn, goods, "qty_received", known)
    return received


def write_off(conn: Connection, goods: Row[Any], cause: Cause) -> Decimal:
    """The rest of a consignment never comes; returns how many units that were."""
    rest = Decimal(goods.open)
    lost = replace(cause, reason="adjust_count", ref=("consignment", goods.id))
    leg = Leg(goods.sku_id, goods.to_location_id, "incoming", -rest, goods.lot_id)
    if not post(conn, [leg], lost):
        return Decimal(0)
    _close(conn, goods, "qty_lost", rest)
    return rest


def _close(conn: Connection, goods: Row[Any], counter: str, qty: Decimal) -> None:
    values = {counter: consignment.c[counter] + qty}
    conn.execute(update(consignment).where(consignment.c.id == goods.id).values(values))
