"""Says in the audit trail what the settings changed in the store, and under whose hands."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from jobs import accountable
from state import history
from state import tables as t

Picture = Mapping[str, Mapping[str, Any]]
"""What the settings say, as the store has it: "location berlin" -> its columns."""


def picture(conn: Connection) -> Picture:
    """Connections, locations and who serves whom; without what jobs note down beside them."""
    found: dict[str, dict[str, Any]] = {}
    row = t.connection.c
    settings = select(row.name, row.connector, row.kind, row.timezone, row.status)
    for one in conn.execute(settings):
        told = dict(one._mapping) | {"status": "retired" if one.status == "retired" else "in use"}
        found[f"connection {told.pop('name')}"] = told
    for one in conn.execute(select(t.location)):
        told = {name: _plain(value) for name, value in one._mapping.items() if name != "id"}
        found[f"location {told.pop('code')}"] = told
    served = (
        select(row.name, t.location.c.code)
        .join(t.channel_location, t.channel_location.c.connection_id == row.id)
        .join(t.location, t.location.c.id == t.channel_location.c.location_id)
        .order_by(row.name, t.channel_location.c.rank)
    )
    for name, code in conn.execute(served):
        found[f"connection {name}"].setdefault("served_by", []).append(code)
    return found


def note(conn: Connection, before: Picture, file: str, now: datetime) -> None:
    """Write down what is other now than ``before``; nothing where nothing is.

    The actor is whoever runs the first process that reads the changed file: who wrote it, the
    store cannot know.
    """
    after = picture(conn)
    changed = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    if not changed:
        return
    history.audit(
        conn,
        actor=accountable.actor(),
        action="take_settings",
        subject=("settings", 0),
        before=_differing(changed, before, after),
        after=_differing(changed, after, before),
        reason=f"{file} as {accountable.reason()} found it",
        now=now,
    )


def _differing(changed: list[str], these: Picture, others: Picture) -> dict[str, Any]:
    return {
        name: {
            column: value
            for column, value in these.get(name, {}).items()
            if others.get(name, {}).get(column, ...) != value
        }
        for name in changed
    }


def _plain(value: Any) -> Any:
    return msgspec.to_builtins(value, enc_hook=str)
