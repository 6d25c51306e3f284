"""Goods that left beyond what their order has room for; their stock is off the shelves already."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, or_, select, update

from state import fulfilment
from state import tables as t
from state.batches import among

_inside = t.package_line


def of_order(conn: Connection, order_id: int) -> list[Row[Any]]:
    """Package lines with ``qty_over``, oldest first, each with its work's reference and goods.

    ``fits``: false where the channel has put another SKU in the place of these goods since.
    """
    ffo, line = t.fulfilment_order, t.fulfilment_order_line
    query = (
        select(
            _inside,
            line.c.ffo_id,
            line.c.order_line_id,
            ffo.c.reference,
            t.location.c.code.label("location"),
            t.sku.c.code.label("sku"),
            _fits().label("fits"),
        )
        .join(line, line.c.id == _inside.c.ffo_line_id)
        .join(t.order_line, t.order_line.c.id == line.c.order_line_id)
        .join(ffo, ffo.c.id == line.c.ffo_id)
        .join(t.location, t.location.c.id == ffo.c.location_id)
        .join(t.sku, t.sku.c.id == line.c.sku_id)
        .join(t.package, t.package.c.id == _inside.c.package_id)
        .join(t.shipment, t.shipment.c.id == t.package.c.shipment_id)
        .where(ffo.c.order_id == order_id, t.shipment.c.ffo_id == ffo.c.id, _inside.c.qty_over > 0)
        .order_by(_inside.c.id)
    )
    return list(conn.execute(query))


def _fits() -> ColumnElement[bool]:
    work, wanted = t.fulfilment_order_line.c, t.order_line.c.sku_id
    part = t.bundle_component.c
    inside = select(part.component_sku_id).where(part.bundle_sku_id == wanted)
    return or_(
        wanted.is_(None),
        and_(work.per_bundle.is_(None), work.sku_id == wanted),
        and_(work.per_bundle.is_not(None), work.sku_id.in_(inside)),
    )


def by_line(conn: Connection, ffo_line_ids: Iterable[int]) -> dict[int, Decimal]:
    """How much of each fulfilment line left beyond its order, where any did."""
    query = (
        select(_inside.c.ffo_line_id, func.sum(_inside.c.qty_over, type_=_inside.c.qty.type))
        .where(among(_inside.c.ffo_line_id, ffo_line_ids), _inside.c.qty_over > 0)
        .group_by(_inside.c.ffo_line_id)
    )
    return {row[0]: Decimal(row[1]) for row in conn.execute(query)}


def book(conn: Connection, row: Row[Any], qty: Decimal) -> None:
    """Count ``qty`` of a row of ``of_order`` as shipped after all."""
    less = {"qty_over": _inside.c.qty_over - qty}
    conn.execute(update(_inside).where(_inside.c.id == row.id).values(less))
    cancelled = t.fulfilment_order_line.c.qty_cancelled
    query = select(cancelled).where(t.fulfilment_order_line.c.id == row.ffo_line_id)
    back = min(qty, Decimal(conn.execute(query).scalar_one()))
    # What was never cancelled of it was never asked for: the work was larger than we knew.
    fulfilment.move_ffo_line(
        conn, row.ffo_line_id, qty=qty - back, qty_cancelled=-back, qty_shipped=qty
    )
