"""Pieces with a number of their own: each stands at one location, once, or at none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, select, update

from state import tables as t
from state.batches import among, insert_rows
from state.errors import Misplaced

unit = t.serial_unit


def track_serials(conn: Connection, sku_id: int) -> None:
    """Ask for the serial of every piece of a SKU that comes from now on."""
    conn.execute(update(t.sku).where(t.sku.c.id == sku_id).values(serial_tracked=True))


def come(
    conn: Connection,
    *,
    sku_id: int,
    location_id: int,
    qty: Decimal,
    serials: Sequence[str],
    now: datetime,
) -> None:
    """``qty`` pieces have come to a location. Raises ``Misplaced``, and the transaction must be
    given up, when one of them stands somewhere already, or their serials are not told.
    """
    tracked = conn.execute(select(t.sku.c.serial_tracked).where(t.sku.c.id == sku_id)).scalar_one()
    if not tracked and not serials:
        return
    if len(set(serials)) != len(serials) or len(serials) != qty:
        raise Misplaced(f"{qty} pieces need as many different serials, not {len(serials)}")
    values = {"location_id": location_id, "state": "in_stock", "changed_at": now}
    rows = [{"sku_id": sku_id, "serial": serial, **values} for serial in sorted(serials)]
    # New ones first: what is left has been here before, and must not stand anywhere now.
    moved = insert_rows(conn, unit, rows, unless_known=True)
    if moved != len(serials):
        moved += _change(conn, sku_id, serials, unit.c.location_id.is_(None), values)
    if moved != len(serials):
        raise Misplaced("a piece with one of these serials stands somewhere already")


def leave(
    conn: Connection,
    *,
    sku_id: int,
    location_id: int,
    serials: Sequence[str],
    state: Literal["shipped", "in_transit", "lost"],
    now: datetime,
) -> None:
    """These pieces have left a location. Raises ``Misplaced`` when one does not stand there.

    Pieces whose serials nobody tells leave unnamed: theirs stay where they were last seen.
    """
    values = {"location_id": None, "state": state, "changed_at": now}
    here = unit.c.location_id == location_id
    if _change(conn, sku_id, serials, here, values) != len(serials):
        raise Misplaced("a piece with one of these serials does not stand there")


def place_of(conn: Connection, sku_id: int, serial: str) -> int | None:
    """Where a piece stands; null: nowhere, or never seen."""
    query = select(unit.c.location_id).where(unit.c.sku_id == sku_id, unit.c.serial == serial)
    return conn.scalar(query)


def _change(
    conn: Connection,
    sku_id: int,
    serials: Sequence[str],
    condition: ColumnElement[bool],
    values: dict[str, Any],
) -> int:
    mine = (unit.c.sku_id == sku_id) & among(unit.c.serial, sorted(serials))
    return conn.execute(update(unit).where(mine, condition).values(values)).rowcount
