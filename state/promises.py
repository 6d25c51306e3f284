"""What each listing was promised and what that is made of; and marking what must be new."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    update,
)

from state import tables as t
from state.batches import among, insert_of
from state.dirty_marks import mark_dirty
from state.intents import OPEN

_listing, _promise = t.channel_listing, t.channel_availability

WRITTEN = ("live", "draft")
"""States of a listing whose quantity we write."""

_OURS = (
    _listing.c.qty_managed_by == "hub",
    _listing.c.fulfilment_flag == "merchant",
    _listing.c.status.in_(WRITTEN),
)


def _promised_listings() -> Select[Any]:
    """Listings that we keep the quantity of, with what was last promised for each."""
    kept = [column for column in _promise.c if column.name != "listing_id"]
    return (
        select(_listing, t.sku.c.code.label("sku"), *kept)
        .join(t.sku, t.sku.c.id == _listing.c.sku_id)
        .outerjoin(_promise, _promise.c.listing_id == _listing.c.id)
        .where(*_OURS)
        .order_by(_listing.c.id)
    )


def listings_of(conn: Connection, sku_ids: Iterable[int]) -> list[Row[Any]]:
    """The listings of these SKUs that we keep the quantity of."""
    of_them = among(_listing.c.sku_id, set(sku_ids))
    return list(conn.execute(_promised_listings().where(of_them)))


def all_listings_of(conn: Connection, sku_id: int) -> list[Row[Any]]:
    """Every listing of a SKU, whoever keeps its quantity, with its connection and promise."""
    link = t.connection
    kept = [column for column in _promise.c if column.name != "listing_id"]
    query = (
        select(
            _listing,
            link.c.name.label("connection"),
            link.c.status.label("connection_status"),
            link.c.problem,
            *kept,
        )
        .join(link, link.c.id == _listing.c.connection_id)
        .outerjoin(_promise, _promise.c.listing_id == _listing.c.id)
        .where(_listing.c.sku_id == sku_id)
        .order_by(link.c.name, _listing.c.id)
    )
    return list(conn.execute(query))


def at_rest(conn: Connection, connection_id: int, variant_ids: Iterable[str]) -> list[Row[Any]]:
    """Listings with a promise of now, and no write of it under way: what they offer should be it.

    One that has to be computed anew is none of now: a sale just read may explain the difference.
    """
    under_way = select(t.intent.c.id).where(
        t.intent.c.kind == "stock",
        t.intent.c.subject_id == _listing.c.id,
        t.intent.c.state.in_(OPEN),
    )
    query = _promised_listings().where(
        _listing.c.connection_id == connection_id,
        among(_listing.c.external_variant_id, variant_ids),
        _promise.c.computed_qty.is_not(None),
        ~under_way.exists(),
        _listing.c.sku_id.not_in(select(t.dirty_sku.c.sku_id)),
    )
    return list(conn.execute(query))


def written_lately(
    conn: Connection, connection_id: int, before: datetime, limit: int
) -> list[Row[Any]]:
    """Listings among a channel's ``limit`` latest writes, confirmed by ``before``, that nobody has
    looked at since; the newest first."""
    values = {"connection": connection_id, "before": before, "most": limit}
    return list({row.id: row for row in conn.execute(_WRITTEN_LATELY, values)}.values())


def _written_lately() -> Select[Any]:
    write = t.intent.c
    latest = (
        select(write.id, write.subject_id, write.settled_at)
        .where(
            write.connection_id == bindparam("connection"),
            write.kind == "stock",
            write.state == "done",
            write.settled_at <= bindparam("before"),
        )
        .order_by(write.id.desc())
        .limit(bindparam("most", type_=Integer))
        .subquery()
    )
    return (
        select(_listing)
        .join(latest, latest.c.subject_id == _listing.c.id)
        .where(_listing.c.last_seen_at < latest.c.settled_at)
        .order_by(latest.c.id.desc())
    )


_WRITTEN_LATELY = _written_lately()


def parked(
    conn: Connection, connection: str | None = None, limit: int | None = None
) -> list[Row[Any]]:
    """Listings whose promise does not get through, by connection and SKU of the channel."""
    query = (
        select(
            t.connection.c.name.label("connection"),
            _listing.c.external_sku,
            _promise.c.computed_qty,
            _promise.c.block_reason,
            _promise.c.drift_class,
            _promise.c.drift_at,
            _promise.c.read_back_qty,
        )
        .join(_listing, _listing.c.id == _promise.c.listing_id)
        .join(t.connection, t.connection.c.id == _listing.c.connection_id)
        .where(_needs_a_person())
        .order_by(t.connection.c.name, _listing.c.external_sku)
    )
    if connection is not None:
        query = query.where(t.connection.c.name == connection)
    return list(conn.execute(query.limit(limit)))


def set_promise(conn: Connection, listing_id: int, **values: Any) -> None:
    """Change what is known of a listing's promise; does nothing when it has none."""
    where = _promise.c.listing_id == listing_id
    conn.execute(update(_promise).where(where).values(values))


def drift_class_unless(ended: str) -> ColumnElement[str]:
    """The drift class as it stands, but empty where it is ``ended``."""
    return case((_promise.c.drift_class == ended, ""), else_=_promise.c.drift_class)


def retry_refused(conn: Connection, connection_id: int, now: datetime) -> int:
    """Have every write that a channel refused, or undid, tried again; returns how many."""
    query = (
        select(_listing.c.sku_id)
        .join(_promise, _promise.c.listing_id == _listing.c.id)
        .where(_listing.c.connection_id == connection_id, _needs_a_person())
    )
    sku_ids = list(conn.scalars(query.where(_listing.c.sku_id.is_not(None))))
    given_up = _promise.c.listing_id.in_(
        select(_listing.c.id).where(_listing.c.connection_id == connection_id)
    )
    values = {"astray_since": now, "writes_lost": 0}
    conn.execute(update(_promise).where(given_up, _needs_a_person()).values(values))
    mark_dirty(conn, sku_ids)
    return len(sku_ids)


def _needs_a_person() -> ColumnElement[bool]:
    refused, strayed = _promise.c.block_reason != "", _promise.c.drift_class
    # The first part alone is what the index is made of.
    return and_(or_(refused, strayed != ""), or_(refused, strayed == "bundle"))


def upsert(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write promises anew. Every row has the same columns, ``listing_id`` among them."""
    if not rows:
        return
    statement = insert_of(conn.dialect)(_promise)
    changed = {name: statement.excluded[name] for name in rows[0] if name != "listing_id"}
    conn.execute(
        statement.on_conflict_do_update(index_elements=["listing_id"], set_=changed), list(rows)
    )


def lock(conn: Connection, sku_ids: Iterable[int]) -> None:
    """Keep others from changing the promises of these SKUs until the transaction ends.

    Before their marks are taken away: whoever says that a promise is astray changes its row and
    marks its SKU after that. SQLite has one writer at a time and needs no lock.
    """
    if conn.dialect.name == "sqlite":
        return
    mine = select(_listing.c.id).where(among(_listing.c.sku_id, set(sku_ids)))
    conn.execute(_in_order(mine))


def _in_order(listing_ids: Select[Any]) -> Select[Any]:
    """The promises of these listings, locked in the order of their ids."""
    key = _promise.c.listing_id
    return select(key).where(key.in_(listing_ids)).order_by(key).with_for_update()


def mark_astray(
    conn: Connection, connection_id: int, sku_ids: Iterable[int], now: datetime
) -> list[int]:
    """Say that a channel's own numbers of these SKUs are wrong; the SKUs that have a promise."""
    mine = select(_listing.c.id).where(
        _listing.c.connection_id == connection_id, among(_listing.c.sku_id, set(sku_ids))
    )
    listed = _promise.c.listing_id.in_(_in_order(mine))
    conn.execute(update(_promise).where(listed).values(astray_since=now))
    promised = (
        select(_listing.c.sku_id).distinct().join(_promise, _promise.c.listing_id == _listing.c.id)
    )
    return list(conn.scalars(promised.where(_promise.c.listing_id.in_(mine))))


def offered_listings(conn: Connection, connection_id: int) -> int:
    """How many listings of a channel are promised more than nothing."""
    query = (
        select(func.count())
        .select_from(_listing)
        .outerjoin(_promise, _promise.c.listing_id == _listing.c.id)
        .where(
            _listing.c.connection_id == connection_id,
            *_OURS,
            func.coalesce(_promise.c.computed_qty, _listing.c.offered_qty) > 0,
        )
    )
    return conn.scalar(query) or 0
