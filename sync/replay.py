"""Reading the inbox again: what the definitions in force make of payloads taken in before.

Parked orders that map now flow on. Orders whose report reads differently go the way of a channel's
update. An order whose report reads as it did is not written to at all, so a replay with unchanged
definitions changes nothing. Nothing is handed over twice: what a replay opens on an order of which
something was handed over is held for a person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from mappings import Definition
from state import catalogue, history, inbox, order_reports, orders, streams
from state import tables as t
from sync import amendment, intake, quoting
from sync.consequences import consequences, situation
from sync.context import Hub, Link
from sync.order_rows import order_rows
from sync.reading import Reading, read
from sync.reported import differences, stored

PAGE = 200


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of one order that a replay did not leave alone, or could not take.

    ``result``: unparked, still_parked, changed, unreadable (does not map any more and was left as
    it is), older (its version went back; left), renamed (another order id; left), overtaken (a
    newer report waits or came meanwhile; left), erased (its payload is not there any more; left).
    """

    order: str
    result: str
    fields: tuple[str, ...] = ()
    consequences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Replay:
    """One replay of a connection's orders. ``dry_run`` does everything and rolls it back."""

    hub: Hub
    link: Link
    since: datetime | None
    dry_run: bool
    actor: str
    reason: str = ""

    def run(self) -> Iterator[Replayed]:
        """Replay, yielding as it goes; each order is a transaction of its own.

        Raises ``LookupError`` when the connection has no definition for orders.
        """
        definition = self.hub.definition(self.link, intake.TOPIC)
        results: Counter[str] = Counter()
        unparked: set[str] = set()
        for done in self._parked(definition):
            results[done.result] += 1
            if done.result == "unparked":
                unparked.add(done.order)
            yield done
        for done in self._known(definition, unparked):
            results[done.result] += 1
            yield done
        if not self.dry_run and (results["unparked"] or results["changed"]):
            self._note(definition, results)

    def _note(self, definition: Definition, results: Counter[str]) -> None:
        with self.hub.store.write() as conn:
            history.audit(
                conn,
                actor=self.actor,
                action="replay",
                subject=("connection", self.link.id),
                after={"definition": f"{definition.name}/{definition.version}", **results},
                reason=self.reason,
                now=self.hub.clock.now(),
            )

    # ---- parked payloads ---------------------------------------------------------------------

    def _parked(self, definition: Definition) -> Iterator[Replayed]:
        after: int | None = 0
        while after is not None:
            with self.hub.store.read() as conn:
                page, after = inbox.newest(
                    conn,
                    self.link.id,
                    intake.TOPIC,
                    since=self.since,
                    after=after,
                    limit=PAGE,
                    parked_only=True,
                )
                texts = inbox.texts_by_id(conn, page)
            for row in page:
                if inbox.is_erased(row):
                    yield Replayed(row.external_id, "erased")
                    continue
                reading = read(definition, row.external_id, texts[row.id])
                reading.raw_id = row.id
                yield self._unpark(row, reading)

    def _unpark(self, row: Row[Any], reading: Reading) -> Replayed:
        if reading.record is None:
            self._explain_anew(row, reading)
            said = tuple(
                f"{p['field'] or 'record'}: {p['message']}" for p in reading.received.problems or ()
            )
            return Replayed(row.external_id, "still_parked", consequences=said)
        with self.hub.store.write() as conn:
            if not inbox.unpark(conn, row.id):
                return Replayed(row.external_id, "overtaken")
            order_id = reading.record.channel_order_id
            known = orders.existing(conn, self.link.id, [order_id]).get(order_id)
            before = situation(conn, known.id) if known else None
            taken = intake.take_known(conn, self.link, [reading], self.hub.clock.now())
            kept = orders.existing(conn, self.link.id, [order_id])[order_id]
            after = situation(conn, kept.id)
            told = consequences(before, after) if before else [f"a new order, {after.state}"]
            done = Replayed(
                row.external_id,
                "older" if taken.counts.get("stale") else "unparked",
                consequences=tuple(told),
            )
            self._end(conn, kept.id, done, taken.wake)
        return done

    def _explain_anew(self, row: Row[Any], reading: Reading) -> None:
        """Keep today's reasons, where they are other ones."""
        item = reading.received
        same = (row.problems, row.mapping_version) == (item.problems, item.mapping_version)
        if not same and not self.dry_run:
            with self.hub.store.write() as conn:
                inbox.amend_problems(conn, row.id, item.problems, item.mapping_version)

    # ---- orders that we have -----------------------------------------------------------------

    def _known(self, definition: Definition, unparked: set[str]) -> Iterator[Replayed]:
        after = 0
        while True:
            with self.hub.store.read() as conn:
                page = inbox.of_orders(
                    conn, self.link.id, since=self.since, after=after, limit=PAGE
                )
                texts = inbox.texts_by_id(conn, page)
                held = stored(conn, page)
                ever = _with_hold(conn, page, "edited_after_release", still_open=False)
                waiting = _with_hold(conn, page, "mapping", still_open=True)
            for row in page:
                after = row.id
                if row.external_id in unparked:
                    continue
                if inbox.is_erased(row):
                    yield Replayed(row.external_id, "erased")
                    continue
                reading = read(definition, row.external_id, texts[row.id])
                reading.raw_id = row.raw_id
                refused = _refused(row, reading)
                fields = () if refused else self._fields(row, reading, held[row.id], row.id in ever)
                if refused:
                    yield refused
                elif fields and row.id in waiting:
                    yield Replayed(row.external_id, "overtaken", fields)
                elif fields:
                    yield self._amend(row, reading, fields)
            if len(page) < PAGE:
                return

    def _fields(
        self, row: Row[Any], reading: Reading, held: order_reports.OrderRows, settled: bool
    ) -> tuple[str, ...]:
        """The paths at which the report reads differently now."""
        told = order_rows(reading, {}, self.link, row.recorded_at)
        return tuple(sorted(differences(held, told, reading.record, settled=settled)))

    def _amend(self, row: Row[Any], reading: Reading, fields: tuple[str, ...]) -> Replayed:
        now = self.hub.clock.now()
        with self.hub.store.write() as conn:
            old = orders.get(conn, row.id, lock=True)
            if (old.raw_id, old.edit_version) != (row.raw_id, row.edit_version):
                return Replayed(row.external_id, "overtaken", fields)
            before = situation(conn, old.id)
            skus = catalogue.resolve(
                conn, self.link.id, [line.channel_sku for line in reading.record.lines]
            )
            wake = amendment.amend(conn, self.link, old, reading, skus, now)
            after = situation(conn, old.id)
            if after.handed_over and after.open > before.open and after.state == "accepted":
                history.place_hold(
                    conn,
                    old.id,
                    "manual",
                    f"a replay opened {after.open - before.open} more after the hand-over",
                    "see 'crossdock explain ORDER'; 'crossdock release ORDER' has it shipped",
                    now,
                )
                after = situation(conn, old.id)
            told = list(consequences(before, after))
            if after.handed_over and any(name.startswith("ship_to.") for name in fields):
                told.append("what was handed over goes to the former address")
            done = Replayed(row.external_id, "changed", fields, tuple(told))
            self._end(conn, old.id, done, wake)
        return done

    def _end(self, conn: Connection, order_id: int, done: Replayed, wake: set[str]) -> None:
        """End one order's transaction: say who did it and wake who has work now, or forget it all.

        In each of them: whoever stops a replay half way has changed the orders before.
        """
        if self.dry_run:
            conn.rollback()
            return
        history.audit(
            conn,
            actor=self.actor,
            action="replay_order",
            subject=("sales_order", order_id),
            after={"result": done.result, "fields": list(done.fields)},
            reason=self.reason,
            now=self.hub.clock.now(),
        )
        for key in sorted(quoting.asked_first(self.hub, wake)):
            streams.request(conn, key, self.hub.clock.now())


def _refused(row: Row[Any], reading: Reading) -> Replayed | None:
    """Why a reading cannot take the place of the one before; null: it can."""
    if reading.record is None:
        said = tuple(str(p["message"]) for p in reading.received.problems or ())
        return Replayed(row.external_id, "unreadable", consequences=said)
    if reading.record.channel_order_id != row.channel_order_id:
        return Replayed(row.external_id, "renamed", ("channel_order_id",))
    if reading.record.source_version < row.source_version:
        return Replayed(row.external_id, "older", ("source_version",))
    return None


def _with_hold(
    conn: Connection, page: Sequence[Row[Any]], kind: str, *, still_open: bool
) -> set[int]:
    """Orders of this page with a hold of this kind: an open one, or one that ever was.

    ``edited_after_release``: a person settled the quantities. ``mapping``: the newest report is
    parked, and an older one must not pass for it.
    """
    query = select(t.hold.c.order_id).where(
        t.hold.c.order_id.in_([row.id for row in page]), t.hold.c.kind == kind
    )
    if still_open:
        query = query.where(t.hold.c.released_at.is_(None))
    return {row[0] for row in conn.execute(query)}
