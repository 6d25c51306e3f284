"""Draining intents: send what is planned, settle what came back, resolve what is unknown.

An intent is committed as ``sending`` before the first byte leaves, so a crash at any point leaves
a row that says what may have happened. From ``unknown`` only evidence or a person leads out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from connectors.base import Outcome, PollsSubmissions, Push
from connectors.errors import Ambiguous, Rejected, Retryable
from state import intents
from sync.context import Hub, Link, Run
from sync.pushes import BY_NAME, KINDS, Kind

BACKOFF_MAX_S = 3600.0
REPEATABLE = ("absolute", "natural", "reference")


def push(hub: Hub, run: Run) -> None:
    """Job: bring every due intent of a connection one step further."""
    link = hub.link(run)
    _recover(hub, run, link)
    _poll(hub, run, link)
    _resolve(hub, run, link)
    for kind in KINDS:
        if isinstance(link.connector, kind.capability):
            _send_all(hub, run, link, kind)


def _recover(hub: Hub, run: Run, link: Link) -> None:
    """Intents left ``sending`` belong to a run that died: what became of them is unknown."""
    with hub.store.read() as conn:
        left = intents.in_state(conn, link.id, "sending")
    if not left:
        return
    with run.commit() as conn:
        for row in left:
            _unknown(conn, hub, link, row, "the process ended during the call")
            run.count("recovered")


def _declared(link: Link, kind: Kind) -> Push:
    return link.connector.info.pushes[kind.method]


def _unknown(conn: Connection, hub: Hub, link: Link, row: Row[Any], why: str) -> None:
    """File an intent whose effect nobody knows, by what the vendor makes possible."""
    rule = _declared(link, BY_NAME[row.kind])
    now = hub.clock.now()
    if rule.idempotency in REPEATABLE:
        intents.move(conn, row.id, "planned", message=why, not_before=_later(now, row, None))
    elif rule.idempotency == "lookup":
        intents.move(
            conn,
            row.id,
            "unknown",
            message=why,
            not_before=now + timedelta(seconds=rule.lookup_lag_s),
        )
    else:
        intents.move(conn, row.id, "review", message=f"{why}; look at the vendor by hand")


def _later(now: datetime, row: Row[Any], retry_after: float | None) -> datetime:
    # A vendor that says 0 would be asked without end within one run.
    wait = (
        max(1.0, retry_after) if retry_after is not None else min(BACKOFF_MAX_S, 2.0**row.attempts)
    )
    return now + timedelta(seconds=wait)


def _poll(hub: Hub, run: Run, link: Link) -> None:
    """Read the results of batches that the vendor took for later."""
    if not isinstance(link.connector, PollsSubmissions):
        return
    with hub.store.read() as conn:
        waiting = intents.in_state(conn, link.id, "accepted")
    handles = {row.handle for row in waiting}
    for handle in sorted(handles):
        batch = {row.idempotency_key: row for row in waiting if row.handle == handle}
        outcomes = link.connector.poll_submission(handle, list(batch))
        if outcomes is None:
            continue
        with run.commit() as conn:
            for outcome in outcomes:
                _settle(conn, hub, run, link, batch[outcome.key], outcome)


def _resolve(hub: Hub, run: Run, link: Link) -> None:
    """Look up what happened to unknown intents, once the vendor's index must know it."""
    with hub.store.read() as conn:
        rows = intents.in_state(conn, link.id, "unknown")
    for row in rows:
        kind = BY_NAME[row.kind]
        if row.not_before > hub.clock.now() or kind.find is None:
            continue
        found = kind.find(link.connector, row.body)
        with run.commit() as conn:
            if found is not None:
                _settle(conn, hub, run, link, row, found)
            else:
                intents.move(conn, row.id, "planned", message="proven absent, to be sent again")
            run.count("resolved")


def _send_all(hub: Hub, run: Run, link: Link, kind: Kind) -> None:
    rule = _declared(link, kind)
    while not run.stopping and not run.dry_run:
        now = hub.clock.now()
        with hub.store.read() as conn:
            batch = intents.due(conn, link.id, kind.name, now, rule.at_once or rule.batch_max)
        if not batch:
            return
        with run.commit() as conn:
            batch = intents.claim(conn, batch, now)
        if batch:
            _send(hub, run, link, kind, batch)


def _send(hub: Hub, run: Run, link: Link, kind: Kind, batch: Sequence[Row[Any]]) -> None:
    """Send one batch and settle every item; one refused as a whole is halved.

    So a bad item costs the calls of a search for it, and not a call for every other item.
    """
    outcomes = _call(link, kind, batch)
    if outcomes is None:
        half = (len(batch) + 1) // 2
        _send(hub, run, link, kind, batch[:half])
        _send(hub, run, link, kind, batch[half:])
        return
    told = {outcome.key: outcome for outcome in outcomes}
    with run.commit() as conn:
        for row in batch:
            silent = Outcome(row.idempotency_key, "unknown", message="the reply does not name it")
            _settle(conn, hub, run, link, row, told.get(row.idempotency_key, silent))


def _call(link: Link, kind: Kind, batch: Sequence[Row[Any]]) -> Sequence[Outcome] | None:
    """One outcome per item, or null when a batch of several was refused as a whole."""
    bodies = {row.idempotency_key: row.body for row in batch}
    try:
        return kind.send(link.connector, bodies)
    except Retryable as error:
        return [
            Outcome(key, "retry", message=str(error), retry_after=error.retry_after)
            for key in bodies
        ]
    except Ambiguous as error:
        return [Outcome(key, "unknown", message=str(error)) for key in bodies]
    except Rejected as error:
        if len(batch) > 1:
            return None
        return [Outcome(key, "rejected", code=error.code, message=str(error)) for key in bodies]


def _settle(
    conn: Connection, hub: Hub, run: Run, link: Link, row: Row[Any], outcome: Outcome
) -> None:
    """Write down what became of one intent and let its domain draw the consequences."""
    now = hub.clock.now()
    run.count(f"{row.kind}_{outcome.status}")
    if outcome.status == "unknown":
        _unknown(conn, hub, link, row, outcome.message)
        return
    if outcome.status == "retry":
        intents.move(
            conn,
            row.id,
            "planned",
            code=outcome.code,
            message=outcome.message,
            not_before=_later(now, row, outcome.retry_after),
        )
        return
    state = {"applied": "done", "accepted": "accepted", "rejected": "rejected"}[outcome.status]
    if state == "accepted" and not isinstance(link.connector, PollsSubmissions):
        # Handed over to somebody who gives no receipt: there is nothing more to wait for here.
        state = "done"
    intents.move(
        conn,
        row.id,
        state,
        remote_id=outcome.remote_id,
        handle=outcome.handle,
        code=outcome.code,
        message=outcome.message,
        settled_at=None if state == "accepted" else now,
    )
    for key in sorted(BY_NAME[row.kind].settle(conn, hub, row, outcome)):
        run.request(conn, key)
