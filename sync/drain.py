"""Draining intents: send what is planned, settle what came back, resolve what is unknown.

An intent is committed as ``sending`` before the first byte leaves, so a crash at any point leaves
a row that says what may have happened. From ``unknown`` only evidence or a person leads out.

It is sent by the process that claimed it and before ``send_by``, or not at all: both are written
down with the claim, and the moment is looked at again just before the bytes leave. So a worker
that sleeps through its lease sends nothing when it wakes (docs/adr/0018).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row

from connectors.base import Outcome
from connectors.deadline import require_time, send_before
from connectors.errors import Ambiguous, ConfigProblem, Rejected, Retryable, VendorDown
from state import breakers, intents
from sync import asking, doubt
from sync.context import Hub, Link, Run
from sync.pushes import KINDS, Kind
from sync.settling import declared, key_forgotten, review, settle, unknown


def push(hub: Hub, run: Run) -> None:
    """Job: bring every due intent of a connection one step further."""
    link = hub.link(run)
    _recover(hub, run, link)
    with hub.store.read() as conn:
        _require_up(conn, hub, run, link)
    asking.poll(hub, run, link)
    asking.resolve(hub, run, link)
    for kind in KINDS:
        if isinstance(link.connector, kind.capability):
            _send_all(hub, run, link, kind)


def _recover(hub: Hub, run: Run, link: Link) -> None:
    """Intents left ``sending`` by a run that died: what became of them is unknown."""
    with hub.store.read() as conn:
        left = doubt.not_about_doubtful(conn, intents.in_state(conn, link.id, "sending"))
    left = [row for row in left if _is_abandoned(hub, row)]
    if not left:
        return
    with run.commit() as conn:
        for row in left:
            unknown(conn, hub, link, row, "the process ended during the call", row.send_by)
            run.count("recovered")


def _is_abandoned(hub: Hub, row: Row[Any]) -> bool:
    """Will nobody settle it any more: its owner is dead, or its call long over?"""
    over = row.send_by is not None and row.send_by + hub.sender.call_within < hub.clock.now()
    return over or not hub.sender.lives(row.owner)


def _require_up(conn: Connection, hub: Hub, run: Run, link: Link) -> None:
    """Raise ``VendorDown`` before anything is claimed, asked or postponed in vain."""
    if run.dry_run:
        return
    now = hub.clock.now()
    down = breakers.down(conn).get(link.name)
    if down is not None and down.keeps_out(now):
        raise VendorDown(link.name, down.since, (down.next_try - now).total_seconds())


def _send_all(hub: Hub, run: Run, link: Link, kind: Kind) -> None:
    while not run.stopping and not run.dry_run:
        batch = _claimed(hub, run, link, kind)
        if batch is None:
            return
        if not batch:
            continue
        try:
            with send_before(hub.clock, batch[0].send_by):
                _send(hub, run, link, kind, batch)
        except ConfigProblem:
            # Raised before anything has happened, so what is not settled was not sent.
            with run.commit() as conn:
                intents.put_back(conn, batch)
            raise


def _claimed(hub: Hub, run: Run, link: Link, kind: Kind) -> list[Row[Any]] | None:
    """The next batch, committed as ``sending`` by us; null when nothing is due. Raises
    ``VendorDown``."""
    rule = declared(link, kind)
    now = hub.clock.now()
    with hub.store.read() as conn:
        _require_up(conn, hub, run, link)
        most = rule.at_once or rule.batch_max
        due = intents.due(conn, link.id, kind.name, now, most, newest=kind.newest)
    if not due:
        return None
    owner = hub.sender.begin()
    with run.commit() as conn:
        for row in due:
            if not intents.is_frozen(conn, row):
                review(conn, row, "its body is not the one that was written down")
            elif row.doubtful_since and key_forgotten(rule, row, now):
                unknown(conn, hub, link, row, "the vendor has forgotten its key by now")
        send_by = now + hub.sender.send_within
        return intents.claim(conn, due, now, owner=owner, send_by=send_by, newest=kind.newest)


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
            settle(conn, hub, run, link, row, told.get(row.idempotency_key, silent))


def _call(link: Link, kind: Kind, batch: Sequence[Row[Any]]) -> Sequence[Outcome] | None:
    """One outcome per item, or null when a batch of several was refused as a whole."""
    bodies = {row.idempotency_key: row.body for row in batch}
    try:
        require_time()
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
