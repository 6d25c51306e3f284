"""Brings the store's connections, locations and who serves whom to what the settings say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Row, Table, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from connectors.base import Connector, PullsOrders
from jobs.problems import UsageProblem
from jobs.settings import LocationSettings, Settings
from state import grounds
from state import tables as t
from state.ids import insert_one

_CALENDAR = {"timezone", "workdays", "cutoff", "holidays", "closed", "handling_days"}
_NOT_AS_WRITTEN = {"connection", "authority", "group", "ack_within", "ship_within", *_CALENDAR}
"""Settings of a location that the store keeps in another shape."""


def register(
    conn: Connection, settings: Settings, connectors: Mapping[str, Connector]
) -> dict[str, int]:
    """Write the rows and answer the connections' ids by name, which ``connectors`` are kept by.

    What the settings no longer name is kept, as history refers to it, but retired.
    """
    ids = {
        name: _connection(conn, name, given.timezone, connectors[name])
        for name, given in settings.connections.items()
    }
    gone = t.connection.c.name.not_in(ids)
    conn.execute(update(t.connection).where(gone).values(status="retired"))
    places = {code: _location(conn, code, given, ids) for code, given in settings.locations.items()}
    conn.execute(update(t.location).where(t.location.c.code.not_in(places)).values(active=False))
    for name, given in settings.connections.items():
        # Without a word from ops every location may serve it, by its own priority.
        served_by = given.locations or _by_priority(settings)
        sells = isinstance(connectors[name], PullsOrders)
        _serve(conn, ids[name], [places[code] for code in served_by] if sells else [])
    return ids


def known(conn: Connection) -> list[Row[Any]]:
    """id, name and connector of every connection of the store, those of former settings among
    them, by name."""
    row = t.connection.c
    return list(conn.execute(select(row.id, row.name, row.connector).order_by(row.name)))


def _connection(conn: Connection, name: str, timezone: str, connector: Connector) -> int:
    was = conn.scalar(select(t.connection.c.connector).where(t.connection.c.name == name))
    if was not in (None, connector.info.name):
        raise UsageProblem(
            f"connections.{name} was a {was} connection: its orders and cursors mean nothing to "
            f"{connector.info.name}.",
            "Give the new connection a name of its own.",
        )
    values = {"connector": connector.info.name, "kind": connector.info.kind, "timezone": timezone}
    found = _upsert(conn, t.connection, {"name": name}, values, {"status": "active"})
    back = (t.connection.c.id == found, t.connection.c.status == "retired")
    conn.execute(update(t.connection).where(*back).values(status="active"))
    return found


def _location(conn: Connection, code: str, given: LocationSettings, ids: Mapping[str, int]) -> int:
    values = given.model_dump(exclude=_NOT_AS_WRITTEN)
    values["ack_within_s"], values["ship_within_s"] = given.ack_within, given.ship_within
    values["calendar"] = given.calendar()
    values["connection_id"] = ids[given.connection] if given.connection else None
    values["authority"] = given.stock_authority()
    values["active"] = True
    found = _upsert(conn, t.location, {"code": code}, values, {})
    grounds.set_group(conn, found, given.group)
    levels = t.inventory_level
    stale = (levels.c.location_id == found, levels.c.authority != given.stock_authority())
    try:
        conn.execute(update(levels).where(*stale).values(authority=given.stock_authority()))
    except IntegrityError:
        raise UsageProblem(
            f"locations.{code}.authority cannot become hub: a stock count there is below zero.",
            'Have the location count again, or leave authority = "external".',
        ) from None
    return found


def _by_priority(settings: Settings) -> Iterable[str]:
    return sorted(settings.locations, key=lambda code: (settings.locations[code].priority, code))


def _serve(conn: Connection, connection_id: int, location_ids: list[int]) -> None:
    link = t.channel_location
    conn.execute(delete(link).where(link.c.connection_id == connection_id))
    rows = [
        {"connection_id": connection_id, "location_id": location_id, "rank": rank}
        for rank, location_id in enumerate(location_ids)
    ]
    if rows:
        conn.execute(insert(link), rows)


def _upsert(
    conn: Connection,
    table: Table,
    key: Mapping[str, Any],
    values: Mapping[str, Any],
    at_first: Mapping[str, Any],
) -> int:
    """Set ``values`` on the row with ``key``; ``at_first`` only where it is new. Answers its id."""
    named = {f"of_{name}": value for name, value in key.items()}
    where = [table.c[name] == bindparam(f"of_{name}") for name in key]
    change = update(table).where(*where).returning(table.c.id)
    found = conn.execute(change, {**named, **values}).scalar()
    if found is None:
        found = insert_one(conn, table, **key, **values, **at_first)
    return int(found)
