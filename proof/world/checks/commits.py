"""What must hold at every single commit, cheap enough to be looked at there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, text

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
        self._versions: dict[int, datetime] = {}
        self._calls = 0
        self._sizes = (0, 0)
        self._looks: dict[str, int] = {}

    def look(self, conn: Connection) -> list[Violation]:
        return [
            *self._outcomes(conn),
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
        order, found = t.sales_order.c, []
        for row in conn.execute(select(order.id, order.channel_updated_at)):
            was = self._versions.get(row.id)
            if was is not None and row.channel_updated_at < was:
                found.append(Violation("I9", f"order {row.id}", f"went back from {was}"))
            self._versions[row.id] = row.channel_updated_at
        return found

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


def _said(conn: Connection, row: Any) -> bool:
    return any(before["intent"] == row.key for before in conn.scalars(_RESOLVED))
