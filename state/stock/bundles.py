"""Bundles and kits: sold as one, kept as their components."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from state import tables as t
from state.batches import among, insert_rows
from state.dirty_marks import mark_dirty
from state.errors import Misplaced
from state.stock.levels import levels

part = t.bundle_component


@dataclass(frozen=True, slots=True)
class Shortage:
    """A SKU of which less is available than is wanted of it altogether."""

    sku_id: int
    wanted: Decimal
    available: Decimal


def set_components(conn: Connection, bundle_sku_id: int, parts: Mapping[int, Decimal]) -> None:
    """Say what one bundle holds: quantities by component SKU; empty: it is no bundle any more.

    Raises ``Misplaced`` where a bundle would hold a bundle: its stock would be counted twice.
    """
    nested = set(contents(conn, parts)) | set(holders(conn, [bundle_sku_id]))
    if parts and (nested or bundle_sku_id in parts):
        raise Misplaced("a bundle holds components, not bundles")
    conn.execute(delete(part).where(part.c.bundle_sku_id == bundle_sku_id))
    rows = [
        {"bundle_sku_id": bundle_sku_id, "component_sku_id": sku_id, "qty": qty}
        for sku_id, qty in sorted(parts.items())
    ]
    insert_rows(conn, part, rows)
    mark_dirty(conn, [bundle_sku_id])


def components(conn: Connection, bundle_sku_id: int) -> list[Row[Any]]:
    """What one bundle holds, for people: codes and quantity."""
    component = t.sku.alias()
    query = (
        select(t.sku.c.code.label("bundle"), component.c.code.label("component"), part.c.qty)
        .join(t.sku, t.sku.c.id == part.c.bundle_sku_id)
        .join(component, component.c.id == part.c.component_sku_id)
        .where(part.c.bundle_sku_id == bundle_sku_id)
        .order_by(component.c.code)
    )
    return list(conn.execute(query))


def contents(conn: Connection, sku_ids: Iterable[int]) -> dict[int, dict[int, Decimal]]:
    """Components of those SKUs that are bundles."""
    found: dict[int, dict[int, Decimal]] = {}
    for row in conn.execute(select(part).where(among(part.c.bundle_sku_id, set(sku_ids)))):
        found.setdefault(row.bundle_sku_id, {})[row.component_sku_id] = Decimal(row.qty)
    return found


def holders(conn: Connection, sku_ids: Iterable[int]) -> list[int]:
    """Bundles that hold one of these SKUs."""
    query = select(part.c.bundle_sku_id).where(among(part.c.component_sku_id, set(sku_ids)))
    return list(conn.scalars(query))


def explode(conn: Connection, demand: Iterable[tuple[int, Decimal]]) -> dict[int, Decimal]:
    """What (SKU, quantity) pairs want of each component altogether, in SKU order.

    Summed before anything is checked against it: two lines that share a component would each find
    enough of it, and together take more than there is.
    """
    wanted = list(demand)
    return taken_apart(contents(conn, [sku_id for sku_id, _ in wanted]), wanted)


def taken_apart(
    inside: Mapping[int, Mapping[int, Decimal]], demand: Iterable[tuple[int, Decimal]]
) -> dict[int, Decimal]:
    """The same from ``contents`` that are known already."""
    total: dict[int, Decimal] = {}
    for sku_id, qty in demand:
        for component, each in inside.get(sku_id, {sku_id: Decimal(1)}).items():
            total[component] = total.get(component, Decimal(0)) + qty * each
    return dict(sorted(total.items()))


def shortages(
    conn: Connection, location_id: int, demand: Iterable[tuple[int, Decimal]]
) -> list[Shortage]:
    """What a location has too little of to serve all of ``demand``; empty: it can."""
    wanted = explode(conn, demand)
    there = {
        row.sku_id: Decimal(row.available)
        for row in levels(conn, wanted)
        if row.location_id == location_id
    }
    return [
        Shortage(sku_id, qty, there.get(sku_id, Decimal(0)))
        for sku_id, qty in wanted.items()
        if there.get(sku_id, Decimal(0)) < qty
    ]


@dataclass(frozen=True, slots=True)
class Made:
    """How many whole bundles a location's components make, and which of them makes the fewest."""

    bundles: Decimal
    limited_by: int
    available: Decimal
    each: Decimal


def makeable(conn: Connection, sku_ids: Iterable[int]) -> dict[int, dict[int, Decimal]]:
    """Whole bundles that could be sold, by bundle SKU and location: by the scarcest component.

    SKUs that are no bundles are left out. A component without a level stands nowhere: zero.
    """
    return {
        bundle: {place: made.bundles for place, made in places.items()}
        for bundle, places in made_of(conn, sku_ids).items()
    }


def made_of(conn: Connection, sku_ids: Iterable[int]) -> dict[int, dict[int, Made]]:
    """The same, with the component that limits it at each location: the first by its SKU id."""
    inside = contents(conn, sku_ids)
    there: dict[int, dict[int, Decimal]] = {}
    for row in levels(conn, {component for parts in inside.values() for component in parts}):
        there.setdefault(row.location_id, {})[row.sku_id] = Decimal(row.available)
    return {
        bundle: {
            place: _made(stock, parts)
            for place, stock in sorted(there.items())
            if parts.keys() <= stock.keys()
        }
        for bundle, parts in inside.items()
    }


def makes(stock: Mapping[int, Decimal], parts: Mapping[int, Decimal]) -> Decimal:
    """How many whole bundles of ``parts`` are in ``stock``; a component it lacks: none."""
    return _made(stock, parts).bundles if parts.keys() <= stock.keys() else Decimal(0)


def _made(stock: Mapping[int, Decimal], parts: Mapping[int, Decimal]) -> Made:
    fewest, sku_id = min(
        ((stock[sku_id] / each).to_integral_value(ROUND_FLOOR), sku_id)
        for sku_id, each in parts.items()
    )
    return Made(max(Decimal(0), fewest), sku_id, stock[sku_id], parts[sku_id])
