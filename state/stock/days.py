"""Which clock a location goes by, and so which day it is there."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from state import tables as t
from state.batches import among


def zone_of(conn: Connection, location_id: int) -> ZoneInfo | None:
    """The zone of a location's own hours, else of the connection that takes its work.

    Null where nobody has said one: a connection's UTC is what it has without a word from ops.
    """
    return _zones(conn, [location_id])[location_id]


def today_at(conn: Connection, location_ids: Iterable[int], now: datetime) -> dict[int, date]:
    """The date at each location; the one in UTC where no zone is known."""
    zones = _zones(conn, location_ids)
    return {place: now.astimezone(zone or UTC).date() for place, zone in zones.items()}


def _zones(conn: Connection, location_ids: Iterable[int]) -> dict[int, ZoneInfo | None]:
    place, link = t.location.c, t.connection.c
    query = (
        select(place.id, place.calendar, link.timezone)
        .outerjoin(t.connection, link.id == place.connection_id)
        .where(among(place.id, set(location_ids)))
    )
    found: dict[int, ZoneInfo | None] = {}
    for row in conn.execute(query):
        name = (row.calendar or {}).get("timezone") or row.timezone
        found[row.id] = ZoneInfo(name) if name and name != "UTC" else None
    return found
