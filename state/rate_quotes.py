"""What carriers said that parcels would cost: kept while it is good, and a while longer."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, select

from state import tables as t
from state.batches import among
from state.ids import insert_one

KEEP = timedelta(days=7)
"""After it has lapsed, so that people can look at it. A decision keeps its own copy."""

_quote = t.rate_quote


def add(
    conn: Connection,
    *,
    connection_id: int,
    location_id: int,
    to: tuple[str, str],
    weight_g: int,
    offers: Sequence[Mapping[str, Any]],
    problem: str,
    quoted_at: datetime,
    good_for: timedelta,
) -> int:
    """Keep one answer; returns its number. ``to``: country and postcode."""
    return insert_one(
        conn,
        _quote,
        connection_id=connection_id,
        location_id=location_id,
        to_country=to[0],
        to_postcode=to[1],
        weight_g=weight_g,
        offers=list(offers),
        problem=problem,
        quoted_at=quoted_at,
        valid_until=quoted_at + good_for,
    )


def valid(
    conn: Connection, location_ids: Iterable[int], to: tuple[str, str], now: datetime
) -> list[Row[Any]]:
    """Answers about parcels to (country, postcode) that are still good, the oldest first."""
    query = _named().where(
        among(_quote.c.location_id, location_ids),
        _quote.c.to_country == to[0],
        _quote.c.to_postcode == to[1],
        _quote.c.valid_until > now,
    )
    return list(conn.execute(query.order_by(_quote.c.id)))


def listing(conn: Connection, now: datetime, limit: int) -> list[Row[Any]]:
    """Answers that are still good, the newest first, with the names of who gave them and where."""
    query = _named().where(_quote.c.valid_until > now)
    return list(conn.execute(query.order_by(_quote.c.id.desc()).limit(limit)))


def newest(
    conn: Connection,
    location_ids: Iterable[int],
    destinations: Collection[tuple[str, str]],
    now: datetime,
) -> dict[tuple[str, str], int]:
    """The number of the last answer that is still good, by (country, postcode) it is about."""
    to = (_quote.c.to_country, _quote.c.to_postcode)
    query = (
        select(*to, func.max(_quote.c.id))
        .where(
            among(_quote.c.location_id, location_ids),
            among(_quote.c.to_country, {country for country, _ in destinations}),
            among(_quote.c.to_postcode, {postcode for _, postcode in destinations}),
            _quote.c.valid_until > now,
        )
        .group_by(*to)
    )
    return {(country, postcode): last for country, postcode, last in conn.execute(query)}


def prune(conn: Connection, now: datetime) -> int:
    """Delete what has lapsed long ago; answers how many."""
    old = _quote.c.valid_until < now - KEEP
    return conn.execute(delete(_quote).where(old)).rowcount


def _named() -> Select[Any]:
    names = (t.connection.c.name.label("connection"), t.location.c.code.label("location"))
    return (
        select(_quote, *names)
        .join(t.connection, t.connection.c.id == _quote.c.connection_id)
        .join(t.location, t.location.c.id == _quote.c.location_id)
    )
