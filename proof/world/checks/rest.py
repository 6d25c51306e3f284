"""When everything is over: nothing may be left lying, and it must not have cost too much."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, select

from proof.world.checks.violation import Violation
from sandbox.app import Sandbox
from state import intents
from state import tables as t
from sync import lookback

_SECOND_LOOKS = ("recheck-orders", "recheck-shipments")

SPARE_SHARE = 40
"""Of so many calls one may be refused by a vendor's own limit, and nobody is blamed: a clock that
jumps makes the hub believe that it has waited."""


def waiting(conn: Connection) -> list[str]:
    """What has not come to its end."""
    intent, stream = t.intent.c, t.stream.c
    left = [
        f"intent {row.idempotency_key} {row.state}: {row.message}"
        for row in conn.execute(
            select(intent.idempotency_key, intent.state, intent.message)
            .where(intent.state.in_(intents.OPEN))
            .order_by(intent.idempotency_key)
        )
    ]
    left += [
        f"stream {row.key}: {row.last_error}"
        for row in conn.execute(
            select(stream.key, stream.last_error).where(stream.failures > 0).order_by(stream.key)
        )
    ]
    work, hold = t.fulfilment_order.c, t.hold.c
    held = select(hold.id).where(hold.order_id == work.order_id, hold.released_at.is_(None))
    left += [
        f"work {reference}: nobody was told of it"
        for reference in conn.scalars(
            select(work.reference)
            .where(work.work_state == "planned", ~held.exists())
            .order_by(work.reference)
        )
    ]
    offer = t.channel_availability.c
    left += [
        f"listing {listing}: shows less than promised, perhaps for a sale that was not read yet"
        for listing in conn.scalars(
            select(offer.listing_id)
            .where(offer.drift_class == "sale_in_flight")
            .order_by(offer.listing_id)
        )
    ]
    level, entry = t.inventory_level.c, t.inventory_ledger.c
    left += [
        f"SKU {row.sku_id} at {row.location_id}: not counted since goods of it were told to leave"
        for row in conn.execute(
            select(level.sku_id, level.location_id)
            .join(
                t.inventory_ledger,
                (entry.sku_id == level.sku_id) & (entry.location_id == level.location_id),
            )
            .where(level.authority == "external", entry.reason == "ship")
            .where(entry.recorded_at > level.observed_at)
            .distinct()
            .order_by(level.sku_id, level.location_id)
        )
    ]
    dirty = conn.scalar(select(func.count()).select_from(t.dirty_sku))
    return left + ([f"{dirty} SKUs to promise anew"] if dirty else [])


def looked_back(conn: Connection, since: datetime) -> bool:
    """Has everything been read once more that vendors may have shown too late for the pulls?"""
    stream = t.stream.c
    cursors = conn.scalars(select(stream.cursor).where(stream.job.in_(_SECOND_LOOKS)))
    return all(
        cursor is not None
        and "walk" not in cursor
        and datetime.fromisoformat(cursor["next"]) >= since + lookback.EVERY
        for cursor in cursors
    )


def stranded(conn: Connection) -> list[Violation]:
    """I7: whatever is not over has an end in sight, or a person was told."""
    found = [Violation("I7", "left over", what) for what in waiting(conn)]
    order, line, hold = t.sales_order.c, t.order_line.c, t.hold.c
    told = select(hold.id).where(hold.order_id == order.id, hold.released_at.is_(None))
    other = t.order_line.alias("other").c
    parked = select(other.id).where(other.order_id == order.id, other.park_reason.is_not(None))
    wanted = line.qty_ordered - line.qty_cancelled - line.qty_shipped
    nobodys = (
        select(order.channel_order_id)
        .join(t.order_line, line.order_id == order.id)
        .where(
            order.intake_state == "accepted",
            order.channel_status == "ready",
            line.requires_shipping,
            line.park_reason.is_(None),
            wanted > line.qty_released + line.qty_allocated,
            ~told.exists(),
            ~parked.exists(),
        )
        .order_by(order.channel_order_id)
    )
    return found + [
        Violation("I7", f"order {name}", "waits, and nobody knows what for")
        for name in dict.fromkeys(conn.scalars(nobodys))
    ]


def bounded(conn: Connection, sandbox: Sandbox) -> list[Violation]:
    """I16: every call that failed was made to fail; we brought no refusal upon ourselves."""
    calls = sandbox.calls.entries
    refused = sum(1 for call in calls if call.status == 429)
    made = sum(rule.struck for rule in sandbox.faults.rules if rule.kind == "429")
    found = []
    if refused > made + len(calls) // SPARE_SHARE:
        found.append(Violation("I16", "calls", f"{refused} refused, {made} of them by a fault"))
    attempts = conn.scalar(select(func.max(t.intent.c.attempts))) or 0
    if attempts > 60:
        found.append(Violation("I16", "intents", f"one was sent {attempts} times"))
    return found
