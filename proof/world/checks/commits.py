"""What must hold at every single commit, cheap enough to be looked at there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, text

from proof.world.checks.packing import packing_lists
from proof.world.checks.violation import Violation
from sandbox.app import Sandbox
from state import intents
from state import tables as t

_NEXT = {
    "planned": {"sending", "superseded"},
    "sending": {"planned", "done", "rejected", "accepted", "unknown", "review", "superseded"},
    "accepted": {"planned", "done", "rejected", "unknown", "review"},
    "unknown": {"planned", "done", "rejected", "accepted", "review", "superseded"},
    "review": {"superseded", "planned", "done"},
}
"""What may become of an intent in one commit. Planned again after unknown: proven absent; after
review: a person said so."""

_LOOKED_AT = {
    "fulfilment_order": ("shipbob:listOrders",),
    "label": ("shipengine:getLabelByExternalId",),
}
"""The calls that are evidence of what became of an intent of that kind."""

_INTENT = select(
    t.intent.c.id, t.intent.c.kind, t.intent.c.state, t.intent.c.idempotency_key.label("key")
)
_RESOLVED = select(t.audit_event.c.before).where(t.audit_event.c.action == "resolve_intent")
_VERSION = select(
    t.sales_order.c.id, t.sales_order.c.channel_updated_at, t.sales_order.c.source_version
)
_EVENT = t.order_event.c
_LAST_EVENT = select(func.max(_EVENT.id))
_EVENT_OF_IT = t.sales_order.c.id.in_(select(_EVENT.order_id).where(_EVENT.id > bindparam("since")))
_CURSORS = select(t.stream.c.key, t.stream.c.cursor)
_FORWARD = ("watermark", "next")
"""What of a cursor only ever grows: up to when everything is read, and when the next walk through
what was read begins. Within a walk pages are counted, and the next one begins anew."""

_OVERSOLD = text(
    "SELECT sku_id, location_id FROM inventory_level WHERE authority = 'hub' "
    "AND on_hand - reserved - damaged - quality_hold < 0"
)
_DOUBLED = text(
    "SELECT channel_order_id FROM sales_order GROUP BY connection_id, channel_order_id "
    "HAVING count(*) > 1"
)


class Commits:
    """Remembers the commit before: some invariants are about what changed."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.printed: dict[str, Counter[str]] = {}
        """Reference -> units by SKU on the packing list that came with the label: what people
        pack, whatever becomes of the order afterwards."""
        self._sandbox = sandbox
        self._open: dict[int, tuple[str, int]] = {}
        self._versions: dict[int, tuple[datetime, str]] = {}
        self._events = 0
        self._cursors: dict[str, Mapping[str, Any]] = {}
        self._calls = 0
        self._sizes = (0, 0)
        self._looks: dict[str, int] = {}

    def look(self, conn: Connection) -> list[Violation]:
        return [
            *self._outcomes(conn),
            *self._rewound(conn),
            *self._changed_back(conn),
            *self._effects(),
            *(
                Violation("I2", f"order {row.channel_order_id}", "is there twice")
                for row in conn.execute(_DOUBLED)
            ),
            *(
                Violation(
                    "I3", f"SKU {row.sku_id} at {row.location_id}", "more taken than is there"
                )
                for row in conn.execute(_OVERSOLD)
            ),
        ]

    def versions(self, conn: Connection) -> list[Violation]:
        """No order's version goes back."""
        return list(self._older(conn.execute(_VERSION)))

    def _older(self, rows: Iterable[Any]) -> Iterator[Violation]:
        """Neither its time of change goes back, nor what reports are told apart by."""
        for row in rows:
            now = (row.channel_updated_at, row.source_version)
            was = self._versions.get(row.id, now)
            if now[0] < was[0] or now[1] < was[1]:
                told = f"went back from {was[0]} ({was[1]}) to {now[0]} ({now[1]})"
                yield Violation("I9 version", f"order {row.id}", told)
            self._versions[row.id] = now

    def _changed_back(self, conn: Connection) -> Iterator[Violation]:
        """Of the orders that something was written down about since the last look."""
        since, self._events = self._events, conn.scalar(_LAST_EVENT) or 0
        if self._events > since:
            yield from self._older(conn.execute(_VERSION.where(_EVENT_OF_IT), {"since": since}))

    def _rewound(self, conn: Connection) -> Iterator[Violation]:
        """No stream goes back to what it has read: nobody rewinds one in these worlds."""
        for key, cursor in conn.execute(_CURSORS):
            was, is_ = self._cursors.get(key, {}), cursor or {}
            for name in _FORWARD:
                if name in was and (name not in is_ or _moment(is_[name]) < _moment(was[name])):
                    told = f"{name} went back from {was[name]} to {is_.get(name)}"
                    yield Violation("I9 cursor", f"stream {key}", told)
            self._cursors[key] = is_

    def _outcomes(self, conn: Connection) -> Iterable[Violation]:
        """No effect leaves its state but in a way that is allowed, and unknown only by evidence."""
        self._count_looks()
        intent = t.intent.c
        states = (*intents.OPEN, "review")
        now = {row.id: row for row in conn.execute(_INTENT.where(intent.state.in_(states)))}
        gone = [number for number in self._open if number not in now]
        if gone:
            now |= {row.id: row for row in conn.execute(_INTENT.where(intent.id.in_(gone)))}
        sent = [n for n, row in now.items() if self._is_label_sent(n, row)]
        if sent:
            self.printed |= packing_lists(conn, intent.id.in_(sent))
        for number, row in now.items():
            was, looks = self._open.get(number, ("planned", 0))
            seen = self._looks.get(row.kind, 0)
            if row.state != was and row.state not in _NEXT[was]:
                yield Violation("I17", f"intent {number}", f"{was}, then {row.state}")
            if was == "unknown" and row.state in ("planned", "done") and seen <= looks:
                yield Violation("I17", f"intent {number}", f"{row.state} without a look")
            if was == "review" and row.state in ("planned", "done") and not _said(conn, row):
                yield Violation("I17", f"intent {number}", f"{row.state}, and nobody said so")
            if row.state != was or number not in self._open:
                self._open[number] = (row.state, seen)
        for number in gone:
            del self._open[number]

    def _is_label_sent(self, number: int, row: Any) -> bool:
        was, _ = self._open.get(number, ("planned", 0))
        return bool(row.kind == "label" and row.state == "sending" and was != "sending")

    def _count_looks(self) -> None:
        entries = self._sandbox.calls.entries
        for call in entries[self._calls :]:
            for kind, names in _LOOKED_AT.items():
                if f"{call.vendor}:{call.operation}" in names:
                    self._looks[kind] = self._looks.get(kind, 0) + 1
        self._calls = len(entries)

    def _effects(self) -> Iterable[Violation]:
        """At most one label and one order at the 3PL for each of our references."""
        world = self._sandbox.world
        sizes = (len(world.shipengine.labels), len(world.shipbob.orders))
        if sizes == self._sizes:
            return
        self._sizes = sizes
        for what, references in (
            ("label", [label.external_id or "" for label in world.shipengine.labels.values()]),
            ("3PL order", [order.reference for order in world.shipbob.orders.values()]),
        ):
            if len(set(references)) < len(references):
                twice = sorted({name for name in references if references.count(name) > 1})
                yield Violation("I4", f"{what} {twice[0]}", "is there twice")


def _moment(told: str) -> datetime:
    return datetime.fromisoformat(told)


def _said(conn: Connection, row: Any) -> bool:
    return any(before["intent"] == row.key for before in conn.scalars(_RESOLVED))
