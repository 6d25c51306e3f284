"""A payload through its mapping definition: a record, or parked with every problem."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection

from connectors.base import Clock, Finding, Page
from connectors.errors import CrossdockError
from mappings import Definition, ItemProblem, MappingError
from state import inbox
from sync.context import Run

HELD = timedelta(seconds=2)
"""How long records may wait for others that are stored with them. An empty page is not waited
with at all: a slow source sends it so that the engine may stop there."""

log = structlog.get_logger()


@dataclass(slots=True)
class Reading:
    """What the mapping made of one payload; ``record`` is null when it did not map."""

    received: inbox.Received
    record: Any = None
    item_problems: Sequence[ItemProblem] = ()
    raw_id: int = 0


def read(definition: Definition, external_id: str, text: bytes) -> Reading:
    return read_received(definition, inbox.received(external_id, text))


def read_received(definition: Definition, item: inbox.Received) -> Reading:
    """As ``read``, for a payload that has been hashed already."""
    item.mapping_version = f"{definition.name}/{definition.version}"
    try:
        mapped = definition.apply(item.body)
    except MappingError as error:
        item.state = "parked"
        item.problems = described(error)
        return Reading(item)
    return Reading(item, mapped.record, mapped.item_problems)


def described(error: MappingError) -> list[dict[str, str]]:
    """An error's problems as the inbox keeps them; values are masked already."""
    return [{name: str(value) for name, value in asdict(p).items()} for p in error.problems]


def park_unread(
    conn: Connection, connection_id: int, topic: str, readings: Iterable[Reading], now: datetime
) -> int:
    """Keep the payloads that did not map, each content once; returns how many are new.

    Those of them that did not map before and do now need nobody any more.
    """
    readings = list(readings)
    mapped = [r.received.external_id for r in readings if r.record is not None]
    inbox.supersede_parked(conn, connection_id, topic, mapped)
    unread = [reading.received for reading in readings if reading.record is None]
    seen = inbox.known(conn, connection_id, topic, [item.external_id for item in unread])
    fresh = [item for item in unread if (item.external_id, item.sha256) not in seen]
    inbox.add(conn, connection_id, topic, fresh, now)
    return len(fresh)


def gathered(pages: Iterable[Page], at_least: int, clock: Clock) -> Iterator[Page]:
    """Small pages put together to one of ``at_least`` records: a transaction costs the same for
    any number of them. Nothing is held for longer than ``HELD``, and what came before a failure
    is given out first, or a listing that always breaks at the same place would never get on.
    """
    held: list[Page] = []
    since = clock.now()
    try:
        for page in pages:
            if not held:
                since = clock.now()
            held.append(page)
            enough = sum(len(one.records) for one in held) >= at_least
            if enough or not page.records or clock.now() - since >= HELD:
                yield _joined(held)
                held = []
    except CrossdockError:
        if held:
            yield _joined(held)
        raise
    if held:
        yield _joined(held)


def _joined(pages: Sequence[Page]) -> Page:
    return replace(
        pages[-1],
        records=[record for page in pages for record in page.records],
        findings=[finding for page in pages for finding in page.findings],
    )


def report(run: Run, findings: Sequence[Finding]) -> None:
    """Say what a connector could not read at all (a file set aside, which `crossdock check` lists),
    or has read in a way that people must know of.
    """
    for finding in findings:
        if not finding.ok:
            run.count("unreadable")
        log.warning(
            "read with care" if finding.ok else "could not be read",
            connection=run.connection,
            subject=finding.subject,
            detail=finding.detail,
            remedy=finding.remedy,
        )
