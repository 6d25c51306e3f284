"""One row per execution of a job: what it counted, what it called, how far it got."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from state import tables as t
from state.streams import Claim

_r = t.run

RunState = Literal["ok", "failed", "lost"]

# Put together once: every run has them.
_LOST = (
    update(_r)
    .where(_r.c.stream_key == bindparam("of_stream"), _r.c.state == "running")
    .values(state="lost")
)
_BEGUN = insert(_r).returning(_r.c.id)
_ENDED = update(_r).where(_r.c.id == bindparam("of_id"))


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended. ``calls``: requests to the vendor by operation."""

    state: RunState
    counts: Mapping[str, int]
    calls: Mapping[str, int]
    cursor: dict[str, Any] | None
    error: str = ""


def start(conn: Connection, held: Claim, trigger: str, now: datetime) -> int:
    """Write the run down; answer its id. Earlier runs of the stream that never ended are lost."""
    conn.execute(_LOST, {"of_stream": held.key, "finished_at": now})
    row = {
        "stream_key": held.key,
        "job": held.job,
        "connection_id": held.connection_id,
        "trigger": trigger,
        "fence": held.fence,
        "started_at": now,
        "counts": {},
        "calls": {},
        "cursor_before": held.cursor,
    }
    return int(conn.execute(_BEGUN, row).scalar_one())


def finish(conn: Connection, run_id: int, result: Result, now: datetime) -> None:
    changes = {
        "state": result.state,
        "finished_at": now,
        "counts": dict(result.counts),
        "calls": dict(result.calls),
        "cursor_after": result.cursor,
        "error": result.error,
    }
    conn.execute(_ENDED, {"of_id": run_id, **changes})


def latest(conn: Connection) -> dict[str, Row[Any]]:
    """The newest run of every stream, by stream key."""
    newest = select(func.max(_r.c.id)).group_by(_r.c.stream_key)
    return {row.stream_key: row for row in conn.execute(select(_r).where(_r.c.id.in_(newest)))}


def prune(conn: Connection, before: datetime) -> int:
    """Delete what started before that time; answer how many. The newest of a stream stays."""
    newest = select(func.max(_r.c.id)).group_by(_r.c.stream_key).scalar_subquery()
    return conn.execute(delete(_r).where(_r.c.started_at < before, _r.c.id.not_in(newest))).rowcount
