"""Orders in: from a channel's pages to accepted orders, or parked ones with the reason.

At least once, in any order: a payload already seen costs a hash comparison, an older version never
overwrites a newer one, and a page's records and its cursor are committed together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from connectors.base import Cursor, Page, PullsOrders, RawRecord
from mappings import canonical as c
from state import catalogue, fulfilment, history, inbox, order_reports, orders, stock
from state import tables as t
from state.batches import insert_rows
from state.personal import erasing as personal
from sync import amendment, quoting
from sync.context import Hub, Link, Run
from sync.guard.cancellations import CancellationWatch
from sync.guard.watch import holding
from sync.judgement import holds_of
from sync.order_rows import order_rows
from sync.privacy.stripping import stripped
from sync.promise.writing import note_restock_missing
from sync.reading import Reading, gathered, read_received, report

TOPIC = "orders"
BATCH = 500
"""Orders that are worth a transaction of their own, where a vendor's pages are smaller."""

SETTLED = timedelta(minutes=2)
"""So long after a report that makes no sense, a channel that shows the order as it was before has
nothing newer to say: that report was garbled on its way. Until then an answer may be an old one."""


@dataclass(slots=True)
class Intake:
    """What one page came to; ``wake`` names the streams that have work now."""

    counts: dict[str, int] = field(default_factory=dict)
    wake: set[str] = field(default_factory=set)

    def count(self, name: str, n: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + n


def pull_orders(hub: Hub, run: Run) -> None:
    """Job: take in what changed at a channel since the cursor."""
    link = hub.link(run)
    connector = link.connector
    if not isinstance(connector, PullsOrders):
        raise TypeError(f"{connector.info.name} does not pull orders")
    with hub.store.read() as conn:
        watch = CancellationWatch(conn, hub, run)
    pages = connector.pull_orders(run.cursor, run.since or link.since)
    for page in gathered(pages, BATCH, hub.clock):
        take_page(hub, run, watch, page, page.cursor)
        if run.stopping:
            return
    if watch.settles:
        with run.commit() as conn:
            watch.passed(conn, hub)


def take_page(
    hub: Hub, run: Run, watch: CancellationWatch, page: Page, cursor: Cursor
) -> Sequence[Reading]:
    """Take in what is new on a page, together with ``cursor``; returns that."""
    link = hub.link(run)
    report(run, page.findings)
    arrivals = read_page(hub, link, page.records)
    with holding(hub, run), run.commit() as conn:
        watch.look(conn, link, arrivals)
        intake = take_in(conn, link, arrivals, hub.clock.now())
        run.save_cursor(conn, cursor)
        for key in sorted(quoting.asked_first(hub, intake.wake)):
            run.request(conn, key)
    if not run.dry_run:
        watch.taken()
    run.count("read", len(page.records))
    run.count("unchanged", len(page.records) - len(arrivals))
    for name, n in intake.counts.items():
        run.count(name, n)
    return arrivals


def read_page(hub: Hub, link: Link, records: Iterable[RawRecord]) -> list[Reading]:
    """Map what is new on a page, and what is shown again as it was before a garbled report.

    No transaction is open while the mapping runs.
    """
    hashed = [inbox.received(record.external_id, record.text) for record in records]
    ids = [item.external_id for item in hashed]
    with hub.store.read() as conn:
        seen = inbox.known(conn, link.id, TOPIC, ids)
        old = [i.external_id for i in hashed if (i.external_id, i.sha256) in seen]
        again = inbox.doubted(conn, link.id, old, hub.clock.now() - SETTLED) if old else {}
    shown = Counter(external_id for external_id, _ in {(i.external_id, i.sha256) for i in hashed})
    definition = hub.definition(link, TOPIC)
    arrivals = []
    for item in hashed:
        mark = (item.external_id, item.sha256)
        # Of two reports on one page nobody can say which is the last word.
        raw_id = again.pop(mark, 0) if shown[item.external_id] == 1 else 0
        if mark not in seen or raw_id:
            seen.add(mark)
            reading = read_received(definition, item)
            if (item.external_id, inbox.NO_CONTENT) in seen:
                reading = stripped(reading)
            reading.raw_id = raw_id
            arrivals.append(reading)
    return arrivals


def take_in(conn: Connection, link: Link, arrivals: Sequence[Reading], now: datetime) -> Intake:
    """Store arrivals and bring their orders up to date, in the caller's transaction."""
    _store_raw(conn, link, [arrival for arrival in arrivals if not arrival.raw_id], now)
    return take_known(conn, link, arrivals, now)


def take_known(conn: Connection, link: Link, arrivals: Sequence[Reading], now: datetime) -> Intake:
    """As ``take_in``, where the inbox holds all of the payloads already (``raw_id`` is set)."""
    intake = Intake()
    if not arrivals:
        return intake
    ids = [
        a.received.external_id if a.record is None else a.record.channel_order_id for a in arrivals
    ]
    existing = orders.existing(conn, link.id, ids)
    fulfilment.lock(conn, [row.id for row in existing.values()])
    new: dict[str, Reading] = {}
    later: list[Reading] = []
    for arrival, order_id in zip(arrivals, ids, strict=True):
        if arrival.record is not None and order_id not in existing and order_id not in new:
            new[order_id] = arrival
        else:
            later.append(arrival)
    skus = _resolve(conn, link, arrivals)
    _insert_new(conn, link, list(new.values()), skus, intake, now)
    for arrival in later:
        _take_later(conn, link, arrival, skus, intake, now)
    _supersede_parked(conn, link, arrivals)
    _note_freed_goods(conn, link, arrivals, skus, intake, now)
    return intake


def _note_freed_goods(
    conn: Connection,
    link: Link,
    arrivals: Sequence[Reading],
    skus: Mapping[str, int],
    intake: Intake,
    now: datetime,
) -> None:
    """Orders that gave goods back: a channel that does not restock by itself is told once more."""
    orders_ = [a.record for a in arrivals if a.record is not None]
    freed = {
        skus[line.channel_sku]
        for order in orders_
        if order.status == "cancelled" or order.refunds
        for line in order.lines
        if line.channel_sku in skus
    }
    astray = note_restock_missing(conn, link, freed, now) if freed else []
    if astray:
        stock.mark_dirty(conn, astray)
        intake.wake.add("promise")


def _supersede_parked(conn: Connection, link: Link, arrivals: Sequence[Reading]) -> None:
    """What mapped needs nobody any more, nor do older payloads of it that did not map."""
    mapped = [a for a in arrivals if a.record is not None and a.received.state != "stale"]
    inbox.supersede_parked(conn, link.id, TOPIC, [a.received.external_id for a in mapped])


def _store_raw(conn: Connection, link: Link, arrivals: Sequence[Reading], now: datetime) -> None:
    ids = inbox.add(conn, link.id, TOPIC, [a.received for a in arrivals], now)
    for arrival, raw_id in zip(arrivals, ids, strict=True):
        arrival.raw_id = raw_id


def _resolve(conn: Connection, link: Link, arrivals: Iterable[Reading]) -> dict[str, int]:
    names = {line.channel_sku for a in arrivals if a.record is not None for line in a.record.lines}
    return catalogue.resolve(conn, link.id, names)


def intake_state(order: c.Order, held: bool) -> str:
    """Where a new order starts."""
    if order.status == "ignored":
        return "ignored"
    if order.status == "cancelled":
        return "cancelled"
    if order.status == "fulfilled":
        return "closed"
    return "parked" if held else "accepted"


def _insert_new(
    conn: Connection,
    link: Link,
    arrivals: Sequence[Reading],
    skus: Mapping[str, int],
    intake: Intake,
    now: datetime,
) -> None:
    coming = ((link.id, TOPIC, arrival.record.channel_order_id) for arrival in arrivals)
    insertion = order_reports.Insertion(conn, coming)
    events, reasons, demanded = [], [], set[int]()
    for arrival in arrivals:
        order: c.Order = arrival.record
        rows = order_rows(arrival, skus, link, now)
        held = holds_of(order, rows.order.total_variance, arrival.item_problems)
        state = intake_state(order, bool(held))
        intake.count(state)
        order_id = insertion.add(rows, state)
        reasons += [(order_id, reason) for reason in held]
        events.append(
            {
                "order_id": order_id,
                "at": now,
                "kind": "received",
                "raw_id": arrival.raw_id,
                "summary": f"received from {link.name} as {state}",
            }
        )
        if state in ("accepted", "parked"):
            demanded.update(line.values.sku_id for line in rows.lines if line.values.sku_id)
    insertion.write()
    insert_rows(conn, t.order_event, events)
    for order_id, reason in reasons:
        history.place_hold(conn, order_id, reason.kind, reason.reason, reason.remedy, now)
    if arrivals:
        intake.wake.add("allocate")
    # Demand not yet allocated lowers the promise, so its SKUs are computed anew.
    stock.mark_dirty(conn, demanded)


def _take_later(
    conn: Connection,
    link: Link,
    arrival: Reading,
    skus: Mapping[str, int],
    intake: Intake,
    now: datetime,
) -> None:
    """A payload of an order that we know, or one that did not map."""
    external_id = arrival.received.external_id
    if arrival.record is None:
        intake.count("parked")
        known = orders.existing(conn, link.id, [external_id]).get(external_id)
        if known is not None and known.intake_state in ("accepted", "parked"):
            history.place_hold(
                conn,
                known.id,
                "mapping",
                "the channel's newest report of it could not be read",
                "see 'crossdock parked'; correct the mapping definition, then 'crossdock retry'",
                now,
            )
        return
    old = orders.existing(conn, link.id, [arrival.record.channel_order_id])
    row = old[arrival.record.channel_order_id]
    if row.erased_at is not None and arrival.received.body:
        # It was erased after this page had been read.
        arrival = stripped(arrival)
        personal.empty(conn, [arrival.raw_id])
    if arrival.record.source_version < row.source_version:
        arrival.received.state = "stale"
        inbox.settle(conn, [arrival.raw_id], "stale")
        intake.count("stale")
        return
    if arrival.raw_id < row.raw_id:
        # Shown again: what came in between was garbled, and no replay shall bring it back.
        inbox.settle(conn, [row.raw_id], "stale")
    intake.count("changed")
    intake.wake |= amendment.amend(conn, link, row, arrival, skus, now)
    intake.wake.add("allocate")
