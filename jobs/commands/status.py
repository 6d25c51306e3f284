"""``crossdock status``: how every stream is doing."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Row

from jobs.catalogue import JOBS
from jobs.commands.options import as_json, opened_store, require_connection, settings_option
from jobs.listing import show, span
from state import breakers, intents, runs, streams
from state.breakers import Down
from state.store import Store

_COLUMNS = {
    "connection": "connection",
    "job": "job",
    "state": "state",
    "last_success_at": "last success",
    "lag": "lag",
    "next": "next run",
    "parked": "parked",
    "pending": "pending",
    "counts": "last run",
    "cursor": "cursor",
    "last_error": "last error",
    "outage": "vendor",
}


@click.command()
@click.argument("connection", required=False)
@as_json
@settings_option
def status(config: Path | None, connection: str | None, as_json: bool) -> None:
    """Show how every stream is doing.

    Per connection and stream: last success, lag, cursor, parked, pending, next run. Lag is
    the time since the last success. Parked is what could not be mapped (`crossdock parked`
    says why). Pending is what waits to be sent to the connection. Vendor says since when it is
    down, and when it is asked again. Times are UTC.

    \b
    Examples:
      crossdock status
      crossdock status shop-eu
      crossdock status --json
    """
    with opened_store(config) as (configuration, store, clock):
        if connection is not None:
            require_connection(configuration, connection)
        rows = _rows(store, connection, clock.now())
    empty = "Nothing has run yet: start the daemon with `crossdock run`."
    show(rows, _COLUMNS, as_json=as_json, empty=empty)


def _rows(store: Store, connection: str | None, now: datetime) -> list[dict[str, Any]]:
    with store.read() as conn:
        latest, parked = runs.latest(conn), streams.parked_counts(conn)
        pending = intents.open_counts(conn)
        down = breakers.down(conn)
        found = [
            stream
            for stream in streams.overview(conn)
            if connection in (None, stream.connection)
            and stream.job in JOBS
            and stream.status != "retired"
        ]
    return [
        _row(stream, latest.get(stream.key), now)
        | _outage(down.get(stream.connection), now)
        | {
            "parked": parked.get((stream.connection_id, JOBS[stream.job].every)),
            "pending": pending.get(stream.connection_id) if stream.job == "push" else None,
        }
        for stream in found
    ]


def _row(stream: Row[Any], last: Row[Any] | None, now: datetime) -> dict[str, Any]:
    success = stream.last_success_at
    lag_s = (now - success).total_seconds() if success else None
    return {
        "stream": stream.key,
        "connection": stream.connection,
        "job": stream.job,
        "state": _state(stream, now),
        "problem": stream.problem,
        "every_s": stream.every_s,
        "last_success_at": success,
        "lag_s": lag_s,
        "lag": span(lag_s),
        "next_run_at": stream.due_at,
        "next": _next(stream, now),
        "failures": stream.failures,
        "last_error": stream.last_error or None,
        "cursor": stream.cursor,
        "counts": last.counts if last else None,
        "calls": last.calls if last else None,
        "trigger": last.trigger if last else None,
    }


def _outage(down: Down | None, now: datetime) -> dict[str, Any]:
    if down is None:
        return {"outage": None, "down_since": None, "next_try_at": None}
    wait_s = (down.next_try - now).total_seconds()
    next_try = f"in {span(wait_s)}" if wait_s > 0 else "with the next run"
    return {
        "outage": f"down since {down.since:%Y-%m-%d %H:%M}, next try {next_try}",
        "down_since": down.since,
        "next_try_at": down.next_try,
    }


def _state(stream: Row[Any], now: datetime) -> str:
    if stream.lease_until is not None and stream.lease_until > now:
        return "running"
    if stream.status == "paused":
        return "paused"
    if stream.failures and stream.status == "auth_failed":
        return "needs mending"
    return "failing" if stream.failures else "well"


def _next(stream: Row[Any], now: datetime) -> str | None:
    state = _state(stream, now)
    if state == "paused":
        return None
    wait_s = (stream.due_at - now).total_seconds()
    if wait_s > 0:
        return f"in {span(wait_s)}"
    return "when this one ends" if state == "running" else f"due for {span(wait_s)}"
