"""What promises are made of: tags, groups, rules in force, what is dirty, what is sold how fast."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    delete,
    func,
    or_,
    select,
    union,
)

from state import tables as t
from state.batches import among, insert_rows
from state.dirty_marks import mark_dirty_among
from state.stock.demand import through_bundles

_listing = t.channel_listing
_part = t.bundle_component.c


def tags_of(conn: Connection, sku_ids: Iterable[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    query = select(t.sku_tag).where(among(t.sku_tag.c.sku_id, set(sku_ids)))
    for row in conn.execute(query.order_by(t.sku_tag.c.tag)):
        found.setdefault(row.sku_id, []).append(row.tag)
    return found


def set_tags(conn: Connection, tags: Mapping[int, Iterable[str]]) -> list[int]:
    """Give SKUs exactly these tags; returns those whose tags are others now."""
    known = tags_of(conn, tags)
    gone: dict[str, list[int]] = {}
    new: list[dict[str, Any]] = []
    changed = []
    for sku_id, given in tags.items():
        wanted, had = set(given), set(known.get(sku_id, ()))
        for tag in had - wanted:
            gone.setdefault(tag, []).append(sku_id)
        new += [{"sku_id": sku_id, "tag": tag} for tag in sorted(wanted - had)]
        if wanted != had:
            changed.append(sku_id)
    for tag, sku_ids in gone.items():
        of_them = (t.sku_tag.c.tag == tag) & among(t.sku_tag.c.sku_id, sku_ids)
        conn.execute(delete(t.sku_tag).where(of_them))
    insert_rows(conn, t.sku_tag, new)
    return changed


def known_tags(conn: Connection) -> set[str]:
    return set(conn.scalars(select(t.sku_tag.c.tag).distinct()))


def places_of(conn: Connection, connection_ids: Iterable[int]) -> dict[int, dict[int, Any]]:
    """Active locations that serve each channel, by id, with ``code`` and ``group``, if any."""
    served, place, group = t.channel_location, t.location, t.location_group
    query = (
        select(
            served.c.connection_id,
            place.c.id,
            place.c.code,
            func.coalesce(group.c.name, "").label("group"),
        )
        .join(place, place.c.id == served.c.location_id)
        .outerjoin(group, group.c.location_id == place.c.id)
        .where(among(served.c.connection_id, set(connection_ids)), place.c.active)
        .order_by(place.c.code)
    )
    found: dict[int, dict[int, Any]] = {}
    for row in conn.execute(query):
        found.setdefault(row.connection_id, {})[row.id] = row
    return found


def set_group(conn: Connection, location_id: int, name: str) -> None:
    """Put a location into a group; empty: into none."""
    conn.execute(delete(t.location_group).where(t.location_group.c.location_id == location_id))
    if name:
        insert_rows(conn, t.location_group, [{"location_id": location_id, "name": name}])


def noted(conn: Connection, connection_id: int) -> dict[str, dict[str, str]]:
    """What decided a connection's promises when it was last noted: digest -> scope."""
    table = t.promise_ground
    query = select(table.c.digest, table.c.scope).where(table.c.connection_id == connection_id)
    return {row.digest: row.scope for row in conn.execute(query)}


def noted_connections(conn: Connection) -> set[int]:
    return set(conn.scalars(select(t.promise_ground.c.connection_id).distinct()))


def forget(conn: Connection, connection_ids: Iterable[int]) -> None:
    """Have whatever these connections are promised computed anew when they are back."""
    table = t.promise_ground
    conn.execute(delete(table).where(among(table.c.connection_id, connection_ids)))


def note(
    conn: Connection, connection_id: int, gone: Iterable[str], new: Mapping[str, Mapping[str, str]]
) -> None:
    table = t.promise_ground
    of_them = (table.c.connection_id == connection_id) & among(table.c.digest, gone)
    conn.execute(delete(table).where(of_them))
    rows = [
        {"connection_id": connection_id, "digest": digest, "scope": dict(scope)}
        for digest, scope in new.items()
    ]
    insert_rows(conn, table, rows)


def mark_dirty_within(conn: Connection, scopes: Iterable[tuple[int, Mapping[str, str]]]) -> None:
    """Have every promise within any (connection id, scope) computed anew.

    One statement inside the database: it may be about a hundred thousand of them, and marks are
    only in order, so that nobody waits in a circle, where all are written together.
    """
    queries = [
        select(_listing.c.sku_id).where(
            _listing.c.connection_id == connection_id,
            _listing.c.sku_id.is_not(None),
            *_within(scope),
        )
        for connection_id, scope in {
            (key, *sorted(scope.items())): (key, scope) for key, scope in scopes
        }.values()
    ]
    for start in range(0, len(queries), _TOGETHER):
        mark_dirty_among(conn, union(*queries[start : start + _TOGETHER]))


_TOGETHER = 400
"""SQLite takes 500 queries in a union; who has more scopes than that changed all rules at once."""


def _within(scope: Mapping[str, str]) -> list[ColumnElement[bool]]:
    sku_id = _listing.c.sku_id
    found: list[ColumnElement[bool]] = []
    if "sku" in scope:
        found.append(sku_id.in_(select(t.sku.c.id).where(t.sku.c.code == scope["sku"])))
    if "tag" in scope:
        tagged = select(t.sku_tag.c.sku_id).where(t.sku_tag.c.tag == scope["tag"])
        found.append(sku_id.in_(tagged))
    if "group" in scope:
        inside = select(t.location_group.c.location_id).where(
            t.location_group.c.name == scope["group"]
        )
        stocked = select(t.inventory_level.c.sku_id).where(
            t.inventory_level.c.location_id.in_(inside)
        )
        found.append(or_(sku_id.in_(stocked), sku_id.in_(_holding(stocked))))
    if "sold_since" in scope:
        since = date.fromisoformat(scope["sold_since"])
        sold_then = (
            select(t.order_line.c.sku_id)
            .join(t.sales_order, t.sales_order.c.id == t.order_line.c.order_id)
            .where(t.sales_order.c.business_date >= since, t.order_line.c.sku_id.is_not(None))
        )
        inside = select(_part.component_sku_id).where(_part.bundle_sku_id.in_(sold_then))
        touched = sold_then.union(inside)
        found.append(or_(sku_id.in_(touched), sku_id.in_(_holding(touched))))
    return found


def _holding(sku_ids: Select[Any] | CompoundSelect[Any]) -> Select[Any]:
    """The bundles that hold one of these SKUs: they have no level and may have no sale."""
    return select(_part.bundle_sku_id).where(_part.component_sku_id.in_(sku_ids))


def dirty(conn: Connection, after: int, limit: int) -> list[int]:
    """The next SKUs whose promise must be computed anew, in the order of their ids."""
    table = t.dirty_sku
    query = select(table.c.sku_id).where(table.c.sku_id > after).order_by(table.c.sku_id)
    return list(conn.scalars(query.limit(limit)))


def clean(conn: Connection, sku_ids: Iterable[int]) -> None:
    """Take marks away, in the order in which all that mark them lock their rows."""
    column = t.dirty_sku.c.sku_id
    locked = select(column).where(among(column, sku_ids)).order_by(column).with_for_update()
    conn.execute(delete(t.dirty_sku).where(column.in_(locked)))


def is_dirty(conn: Connection, sku_id: int) -> bool:
    return conn.scalar(select(t.dirty_sku.c.sku_id).where(t.dirty_sku.c.sku_id == sku_id)) == sku_id


def sold(
    conn: Connection, sku_ids: Iterable[int], now: datetime, window: timedelta
) -> dict[int, Decimal]:
    """Units ordered on all channels within ``window``, by SKU; also inside bundles."""
    return through_bundles(conn, sku_ids, lambda named: _ordered(conn, named, now - window))


def _ordered(conn: Connection, sku_ids: Iterable[int], since: datetime) -> dict[int, Decimal]:
    line, order = t.order_line, t.sales_order
    query = (
        select(line.c.sku_id, func.sum(line.c.qty_ordered, type_=line.c.qty_ordered.type))
        .join(order, order.c.id == line.c.order_id)
        .where(
            among(line.c.sku_id, set(sku_ids)),
            line.c.park_reason.is_(None),
            order.c.placed_at > since,
        )
        .group_by(line.c.sku_id)
    )
    return {row[0]: Decimal(row[1]) for row in conn.execute(query)}


def write_delays(conn: Connection, connection_id: int, latest: int) -> list[timedelta]:
    """From plan to confirmation, of a channel's latest stock writes."""
    table = t.intent
    query = (
        select(table.c.created_at, table.c.settled_at)
        .where(
            table.c.connection_id == connection_id,
            table.c.kind == "stock",
            table.c.state == "done",
        )
        .order_by(table.c.id.desc())
        .limit(latest)
    )
    return [row.settled_at - row.created_at for row in conn.execute(query)]
