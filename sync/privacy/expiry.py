"""Personal data that has been kept for as long as it may be goes by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from state import history, orders
from state.personal import erasing, people, reports, retention
from state.personal.places import Key
from state.personal.reports import Outlived
from state.personal.retention import Keep
from sync.context import Hub, Run
from sync.invariants.rule import Violation
from sync.privacy.erasure import Erased, Said, erase_files, erase_order, known_by

TOGETHER = 100
"""Orders, or reports, of one transaction."""

_SAID = Said("kept for as long as it may be", "job expire-personal")

GRACE = timedelta(days=1)
"""Between two runs of the job."""

_RULE = "personal_data_expires"

log = structlog.get_logger()


def expire(hub: Hub, run: Run) -> None:
    """Job: erase what has reached its connection's bound. Open orders keep their address."""
    erased = 0
    for connection_id, keep in hub.keeps.items():
        if not run.stopping:
            erased += _expire_of(hub, run, connection_id, keep)
    if not run.stopping:
        erased += _expire_reports(hub, run)
    if erased and not run.dry_run and not hub.store.wipe_traces():
        log.warning(
            "erased, and a copy may be left in the store's files until the next run",
            remedy="end what reads the store for long, such as a backup",
        )


def _expire_of(hub: Hub, run: Run, connection_id: int, keep: Keep) -> int:
    """Erase what is due of one connection; returns how many rows changed."""
    now = hub.clock.now()
    with hub.store.read() as conn:
        found, needed = retention.overdue(conn, connection_id, keep, now)
        loose = retention.loose(conn, connection_id, keep, now)
    if needed:
        run.count("still_open", len(needed))
    due = [one.order_id for one in found if one.order_id not in needed]
    changed = 0
    for start in range(0, len(due), TOGETHER):
        changed += _expire_orders(hub, run, connection_id, due[start : start + TOGETHER])
        if run.stopping:
            return changed
    if loose:
        with run.commit() as conn:
            erasing.begin(conn)
            emptied = erasing.empty(conn, loose)
            _note(conn, connection_id, Erased(places=Counter(inbox=emptied)), now)
        run.count("payloads", emptied)
        changed += emptied
    return changed


def _expire_orders(hub: Hub, run: Run, connection_id: int, order_ids: Sequence[int]) -> int:
    now = hub.clock.now()
    with hub.store.read() as conn:
        known = [known_by(conn, row) for row in people.of_ids(conn, order_ids)]
    files = 0 if run.dry_run else erase_files(hub, known)
    with run.commit() as conn:
        erasing.begin(conn)
        orders.lock(conn, order_ids)
        needed = people.open_orders(conn, order_ids)
        done = Erased(files=files)
        for row in people.of_ids(conn, order_ids):
            if row.id not in needed and row.erased_at is None:
                erase_order(conn, row, now, done, _SAID)
        _note(conn, connection_id, done, now)
    run.count("orders", len(done.orders))
    if files:
        run.count("files", files)
    return len(done.orders)


def _expire_reports(hub: Hub, run: Run) -> int:
    """Empty what locations reported of orders that are erased, and of nobody's; returns how many
    rows changed. After the orders, so that their reports go in the same run."""
    now = hub.clock.now()
    with hub.store.read() as conn:
        found = reports.outlived(conn, _bounds(hub.keeps, now), now)
    changed = 0
    for connection_id, records, ids in _portions(found):
        if run.stopping:
            break
        with run.commit() as conn:
            erasing.begin(conn)
            emptied = erasing.erase_payloads(conn, records, now) + erasing.empty(conn, ids)
            _note(conn, connection_id, Erased(places=Counter(inbox=emptied)), now)
        run.count("payloads", emptied)
        changed += emptied
    return changed


def _portions(found: Outlived) -> Iterator[tuple[int, Sequence[Key], Sequence[int]]]:
    """Connection, records to erase and payloads to empty: as many as go into one transaction."""
    for connection_id, records in sorted(found.records.items()):
        for start in range(0, len(records), TOGETHER):
            yield connection_id, records[start : start + TOGETHER], ()
    for connection_id, ids in sorted(found.strangers.items()):
        for start in range(0, len(ids), TOGETHER):
            yield connection_id, (), ids[start : start + TOGETHER]


def _bounds(keeps: Mapping[int, Keep], now: datetime) -> dict[int, datetime]:
    """Until when payloads of no order must have come to be due now, by connection."""
    return {connection_id: now - keep.after_change for connection_id, keep in keeps.items()}


def _note(conn: Connection, connection_id: int, done: Erased, now: datetime) -> None:
    history.audit(
        conn,
        actor=_SAID.by,
        action="expire_personal_data",
        subject=("connection", connection_id),
        after={"orders": done.orders, "rows": dict(done.places)},
        reason="kept for as long as the settings allow",
        now=now,
    )


def violations(conn: Connection, keeps: Mapping[int, Keep], now: datetime) -> list[Violation]:
    """Personal data that is still there a day and more after it should be gone."""
    found = []
    for connection_id, keep in keeps.items():
        late, needed = retention.overdue(conn, connection_id, keep, now - GRACE)
        for one in late:
            why = needed.get(one.order_id, "nothing needs it any more")
            detail = f"its personal data was to go by {one.until:%Y-%m-%d}: {why}"
            found.append(Violation(_RULE, f"order {one.order_id}", detail))
        loose = retention.loose(conn, connection_id, keep, now - GRACE)
        found += _left(connection_id, len(loose), "payloads that became no order")
    return found + _late_reports(conn, keeps, now - GRACE)


def _late_reports(conn: Connection, keeps: Mapping[int, Keep], now: datetime) -> list[Violation]:
    late = reports.outlived(conn, _bounds(keeps, now), now)
    found = []
    for connection_id, records in sorted(late.records.items()):
        found += _left(connection_id, len(records), "reports of orders that were erased")
    for connection_id, ids in sorted(late.strangers.items()):
        found += _left(connection_id, len(ids), "reports of no order of ours")
    return found


def _left(connection_id: int, n: int, what: str) -> list[Violation]:
    detail = f"{n} {what} were to go: `crossdock once expire-personal`"
    return [Violation(_RULE, f"connection {connection_id}", detail)] if n else []
