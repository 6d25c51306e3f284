"""What is set aside, why, and how it gets going again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from connectors.base import Finding, SetsAside
from mappings import Problem
from state import (
    catalogue,
    fulfilment,
    given_up,
    history,
    holds,
    inbox,
    intents,
    orders,
    promises,
    stock,
    streams,
)
from sync import cancellation, intake, outcomes, rerouting, shipping
from sync.context import Hub, Link
from sync.judgement import JUDGED
from sync.promise import drift
from sync.reading import Reading, read

RELEASABLE = ("total_variance", "manual", "edited_after_release", "cancel_pending")
"""Holds that a person may lift. The others end when their cause does."""


@dataclass(frozen=True, slots=True)
class Parked:
    """One thing set aside.

    ``what``: connection, input, record, order, line, intent, listing, or run.
    """

    what: str
    connection: str
    order: str
    reason: str
    detail: str
    remedy: str
    since: datetime | None

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "since": self.since.isoformat() if self.since else None}


def listing(
    conn: Connection, hub: Hub, connection: str | None = None, limit: int | None = None
) -> list[Parked]:
    """Everything that waits for a person, or for something outside to change; of a connection, or
    of all. At most ``limit`` things, and no more than that are read of each kind."""
    links = [link for name, link in hub.links.items() if connection in (None, name)]
    only = links[0].id if connection is not None and links else None
    found = [
        *_connections(conn),
        *_unreadable(links),
        *_records(conn, only, limit),
        *_held(conn, only, limit),
        *_lines(conn, only, limit),
        *_given_up(conn),
        *_intents(conn, links, limit),
        *_listings(conn, connection, limit),
        *_held_runs(conn),
    ]
    return [item for item in found if connection in (None, item.connection)][:limit]


def _connections(conn: Connection) -> list[Parked]:
    return [
        Parked(
            what="connection",
            connection=row.name,
            order="",
            reason="refused",
            detail=row.problem,
            remedy=f"mend the settings or the account, then 'crossdock check {row.name}'; "
            "it is tried again by itself, and at once after a restart",
            since=None,
        )
        for row in streams.parked_connections(conn)
    ]


def _unreadable(links: Sequence[Link]) -> list[Parked]:
    """Input that connectors could not read at all; the store knows nothing of it."""
    return [
        Parked("input", link.name, one.subject, "unreadable", one.detail, one.remedy, None)
        for link in links
        if isinstance(link.connector, SetsAside)
        for one in _set_aside(link.connector)
    ]


def _set_aside(connector: SetsAside) -> list[Finding]:
    found: list[Finding] = []
    verdict = outcomes.attempt(lambda: found.extend(connector.set_aside()))
    if verdict is not None:
        # A share that is away must not hide all the rest.
        return [Finding("", False, verdict.message, "look again when it is back")]
    return found


def _records(conn: Connection, connection_id: int | None, limit: int | None) -> list[Parked]:
    return [
        Parked(
            what="record",
            connection=row.connection,
            order=row.external_id,
            reason="mapping",
            detail="; ".join(map(_told, row.problems or [])),
            remedy=f"correct the definition {row.mapping_version or row.topic} "
            "(or the record at its source), then 'crossdock retry'",
            since=row.received_at,
        )
        for row in inbox.parked(conn, connection_id, limit=limit)
    ]


def _told(kept: Mapping[str, str]) -> str:
    """A problem of a payload in full, as the inbox keeps it."""
    return str(
        Problem(
            field=kept["field"],
            expression=kept["expression"],
            value=kept["value"],
            message=kept["message"],
            file=kept["file"],
            line=int(kept.get("line", 0)),
        )
    )


def _held(conn: Connection, connection_id: int | None, limit: int | None) -> list[Parked]:
    return [
        Parked(
            "order",
            row.connection,
            row.channel_order_name,
            row.kind,
            row.reason,
            row.remedy,
            row.placed_at,
        )
        for row in orders.held_orders(conn, connection_id, limit)
    ]


def _lines(conn: Connection, connection_id: int | None, limit: int | None) -> list[Parked]:
    return [
        Parked(
            what="line",
            connection=row.connection,
            order=row.channel_order_name,
            reason=row.park_reason,
            detail=f"line {row.line_no} {row.title!r}",
            remedy=row.park_detail,
            since=None,
        )
        for row in orders.parked_lines(conn, connection_id, limit)
    ]


def _given_up(conn: Connection) -> list[Parked]:
    """Lines of orders that go on, of which nobody else has what a location gave up."""
    return [
        Parked(
            what="line",
            connection=row.connection,
            order=row.channel_order_name,
            reason="given_up",
            detail=f"line {row.line_no} {row.title!r}: {rerouting.why_in_vain(row)}",
            remedy=rerouting.remedy_in_vain(row),
            since=row.given_up_at,
        )
        for row in given_up.in_vain(conn)
    ]


def _intents(conn: Connection, links: Sequence[Link], limit: int | None) -> list[Parked]:
    return [
        Parked(
            what="intent",
            connection=link.name,
            order=row.idempotency_key,
            reason="review",
            detail=row.message,
            remedy="find out at the vendor whether it happened, then 'crossdock intents resolve "
            f"{row.idempotency_key}'",
            since=row.created_at,
        )
        for link in links
        for row in intents.in_state(conn, link.id, "review", limit=limit)
    ]


def _listings(conn: Connection, connection: str | None, limit: int | None) -> list[Parked]:
    return [
        Parked(
            what="listing",
            connection=row.connection,
            order=row.external_sku,
            reason="refused" if row.block_reason else row.drift_class,
            detail=row.block_reason or f"{row.computed_qty} promised, {row.read_back_qty} offered",
            remedy=drift.REMEDIES["refused" if row.block_reason else row.drift_class],
            since=row.drift_at,
        )
        for row in promises.parked(conn, connection, limit)
    ]


def _held_runs(conn: Connection) -> list[Parked]:
    return [
        Parked(
            what="run",
            connection=row.stream_key.partition(":")[2],
            order=str(row.id),
            reason="held",
            detail=f"{row.stream_key}: {row.reason}",
            remedy=f"look at it with 'crossdock guard show {row.id}', then '{how_to_pass(row)}'",
            since=row.held_at,
        )
        for row in holds.listing(conn)
        if row.state == "held"
    ]


def how_to_pass(hold: Row[Any]) -> str:
    """The command that lets a held run pass."""
    job, _, connection = hold.stream_key.partition(":")
    return " ".join(filter(None, ("crossdock once", job, connection, f"--approve {hold.id}")))


def retry(conn: Connection, hub: Hub, link: Link) -> tuple[dict[str, int], set[str]]:
    """Read a connection's parked records again, resolve its parked lines anew, and have what it
    refused written once more.

    Returns what came of it, and the streams that have work now.
    """
    wake = {"allocate", "promise"}
    takers = {intake.TOPIC: _order_again, shipping.TOPIC: _shipment_again}
    tried = mapped = 0
    for topic, take in takers.items():
        for row in inbox.parked(conn, link.id, topic):
            tried += 1
            mapped += _again(conn, hub, link, row, topic, take, wake)
    freed = unpark_lines(conn, [link], hub.clock.now())
    again = promises.retry_refused(conn, link.id, hub.clock.now())
    counts = {"records": tried, "records_mapped": mapped, "lines_unparked": freed}
    return {**counts, "listings_retried": again}, wake


def _again(
    conn: Connection,
    hub: Hub,
    link: Link,
    row: Row[Any],
    topic: str,
    take: Callable[[Connection, Hub, Link, Reading], set[str]],
    wake: set[str],
) -> bool:
    if inbox.is_erased(row):
        return False
    definition = hub.definition(link, topic)
    reading = read(definition, row.external_id, inbox.text(conn, row))
    if reading.record is None:
        item = reading.received
        inbox.amend_problems(conn, row.id, item.problems, item.mapping_version)
        return False
    reading.raw_id = row.id
    try:
        with conn.begin_nested():
            inbox.settle(conn, [row.id], "mapped")
            wake |= take(conn, hub, link, reading)
    except shipping.UNBOOKABLE as error:
        if topic != shipping.TOPIC:
            raise
        version = reading.received.mapping_version
        inbox.amend_problems(conn, row.id, shipping.unbookable(error), version)
        return False
    return True


def _order_again(conn: Connection, hub: Hub, link: Link, reading: Reading) -> set[str]:
    return intake.take_known(conn, link, [reading], hub.clock.now()).wake


def _shipment_again(conn: Connection, hub: Hub, _link: Link, reading: Reading) -> set[str]:
    return shipping.record(conn, hub, reading.record, hub.clock.now())


def unpark_lines(conn: Connection, links: Iterable[Link], now: datetime) -> int:
    """Free every line of these connections whose SKU is known by now; returns how many.

    For all connections at once: orders are locked in one order, whichever channel they are of.
    """
    ids = [link.id for link in links]
    locked = {row.order_id for row, _ in _known_by_now(conn, ids)}
    fulfilment.lock(conn, locked)
    # Read again: while we waited, the channel may have reported something else.
    freed = [found for found in _known_by_now(conn, ids) if found[0].order_id in locked]
    for row, sku_id in freed:
        _unpark(conn, row, sku_id, now)
    stock.mark_dirty(conn, [sku_id for _, sku_id in freed])
    for order_id in sorted({row.order_id for row, _ in freed}):
        # All of it may have been cancelled while it was parked.
        cancellation.settle_order(conn, order_id, now)
    return len(freed)


def _known_by_now(conn: Connection, connection_ids: Iterable[int]) -> list[tuple[Row[Any], int]]:
    """Lines that are parked for a name, and the SKU that it means by now."""
    found = []
    for connection_id in connection_ids:
        rows = orders.parked_lines(conn, connection_id)
        unmapped = [row for row in rows if row.park_reason == "unmapped"]
        skus = catalogue.resolve(conn, connection_id, [row.channel_sku for row in unmapped])
        found += [(row, skus[row.channel_sku]) for row in unmapped if row.channel_sku in skus]
    return found


def _unpark(conn: Connection, row: Row[Any], sku_id: int, now: datetime) -> None:
    # Lines that an earlier version parked do not say what was given back of them.
    refunded = min(row.qty_ordered, orders.refunded_quantity(conn, row.id))
    orders.set_line(
        conn,
        row.id,
        sku_id=sku_id,
        park_reason=None,
        park_detail="",
        qty_cancelled=max(row.qty_cancelled, refunded),
    )
    known = f"line {row.line_no}: {row.channel_sku} known"
    history.event(conn, row.order_id, "line_unparked", known, now)


def release(conn: Connection, order_id: int, actor: str, reason: str, now: datetime) -> list[str]:
    """Lift an order's holds on a person's word; returns the kinds lifted, for the audit trail.

    Locations that gave it up may have it again; where no hold was lifted, that is the kind
    ``given_up``.
    """
    holds = history.open_holds(conn, [order_id]).get(order_id, {})
    lifted = [kind for kind in holds if kind in RELEASABLE]
    if "manual" in lifted or not holds:
        forgiven = given_up.forgive(conn, order_id)
        if forgiven and not lifted:
            lifted = ["given_up"]
    if not lifted:
        return []
    history.release_holds(conn, order_id, lifted, actor, now)
    order = orders.get(conn, order_id)
    if order.intake_state == "parked" and not _still_judged(holds, lifted):
        orders.set_order(conn, order_id, intake_state="accepted")
    history.audit(
        conn,
        actor=actor,
        action="release_holds",
        subject=("sales_order", order_id),
        before={"holds": sorted(holds)},
        after={"holds": sorted(set(holds) - set(lifted))},
        reason=reason,
        now=now,
    )
    return lifted


def _still_judged(holds: Any, lifted: Sequence[str]) -> bool:
    return any(kind in JUDGED and kind not in lifted for kind in holds)
