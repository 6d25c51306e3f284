"""Goods that have left: recorded once per shipment, taken out of stock, told to the channel."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row
from sqlalchemy.exc import IntegrityError

from connectors.base import PullsShipments
from mappings import MappingError
from mappings import canonical as c
from mappings.problems import Problem
from state import fulfilment, history, inbox, orders, stock
from state import tables as t
from state.errors import Misplaced
from state.ids import take_ids
from sync import cancellation, counts, notices, rerouting
from sync.context import Hub, Run
from sync.reading import Reading, described, read, report

TOPIC = "shipments"


def pull_shipments(hub: Hub, run: Run) -> None:
    """Job: take in what a location has shipped since the cursor."""
    link = hub.link(run)
    connector = link.connector
    if not isinstance(connector, PullsShipments):
        raise TypeError(f"{connector.info.name} does not pull shipments")
    definition = hub.definition(link, TOPIC)
    for page in connector.pull_shipments(run.cursor, run.since or link.since):
        report(run, page.findings)
        readings = [read(definition, raw.external_id, raw.text) for raw in page.records]
        with run.commit() as conn:
            for key in _take_page(conn, hub, run, link.id, readings):
                run.request(conn, key)
            run.save_cursor(conn, page.cursor)
        if run.stopping:
            return


def _take_page(
    conn: Connection, hub: Hub, run: Run, connection_id: int, readings: Sequence[Reading]
) -> set[str]:
    """Apply what is new on a page, in its order, and keep every payload; returns whom to wake."""
    now = hub.clock.now()
    seen = inbox.known(conn, connection_id, TOPIC, [r.received.external_id for r in readings])
    fresh: list[inbox.Received] = []
    wake: set[str] = set()
    for reading in readings:
        mark = (reading.received.external_id, reading.received.sha256)
        if mark in seen:
            continue
        seen.add(mark)
        fresh.append(reading.received)
        if reading.record is None:
            run.count("parked")
        elif fulfilment.by_reference(conn, reading.record.reference) is None:
            # Work that others gave the location, or a reference that somebody mistyped.
            reading.received.state = "ignored"
            run.count("not_ours")
        else:
            wake |= _recorded(conn, hub, run, reading, now)
    inbox.add(conn, connection_id, TOPIC, fresh, now)
    mapped = [r.received.external_id for r in readings if r.received.state != "parked"]
    inbox.supersede_parked(conn, connection_id, TOPIC, mapped)
    run.count("read", len(readings))
    run.count("unchanged", len(readings) - len(fresh))
    return wake


def _recorded(conn: Connection, hub: Hub, run: Run, reading: Reading, now: datetime) -> set[str]:
    """Apply one report; one that the books cannot take is parked, and the others go on."""
    try:
        with conn.begin_nested():
            wake = record(conn, hub, reading.record, now)
    except UNBOOKABLE as error:
        reading.received.state = "parked"
        reading.received.problems = unbookable(error)
        run.count("parked")
        return set()
    run.count(reading.record.state)
    return wake


UNBOOKABLE = (IntegrityError, Misplaced)
"""Goods have left that, by our books, others hold, or nobody has."""


def unbookable(error: Exception) -> list[dict[str, str]]:
    """Why a report is parked, as the inbox keeps it."""
    said = str(error.orig if isinstance(error, IntegrityError) else error).strip()
    message = (
        f"what it says has left cannot be booked ({said}): count the goods there or settle the "
        "orders that hold them, then 'crossdock retry'"
    )
    return described(MappingError("shipments", [Problem("", "", "", message, "")]))


def record(
    conn: Connection,
    hub: Hub,
    shipment: c.Shipment,
    now: datetime,
    *,
    label: c.Label | None = None,
) -> set[str]:
    """Apply what a location reports about one of our fulfilment orders; repeats change nothing."""
    ffo = fulfilment.by_reference(conn, shipment.reference)
    if ffo is None:
        return set()
    if shipment.state == "cancelled":
        return rerouting.stopped(conn, hub, ffo)
    if shipment.state == "exception":
        history.event(
            conn,
            ffo.order_id,
            "location_exception",
            f"{ffo.reference} needs attention at the location",
            now,
        )
        return set()
    if shipment.state == "processing":
        return set()
    known = fulfilment.shipment(conn, ffo.id, shipment.external_id)
    if known is not None:
        return _tracking_came_later(conn, hub, ffo, known, shipment, now)
    return _shipped(conn, hub, ffo, shipment, label, now)


def _tracking_came_later(
    conn: Connection,
    hub: Hub,
    ffo: Row[Any],
    known: Row[Any],
    shipment: c.Shipment,
    now: datetime,
) -> set[str]:
    """A shipment reported again: parcels that had no tracking number may have one now."""
    nameless = [
        p
        for p in fulfilment.packages_of_order(conn, ffo.order_id)
        if p.shipment_id == known.id and not p.tracking_number
    ]
    told = {p.tracking_number for p in fulfilment.packages_of_order(conn, ffo.order_id)}
    new = [p for p in shipment.packages if p.tracking_number and p.tracking_number not in told]
    for package, parcel in zip(nameless, new, strict=False):
        fulfilment.name_package(conn, package.id, parcel.tracking_number, parcel.tracking_url)
    return notices.plan(conn, hub, ffo.order_id, now) if nameless and new else set()


def _shipped(
    conn: Connection,
    hub: Hub,
    ffo: Row[Any],
    shipment: c.Shipment,
    label: c.Label | None,
    now: datetime,
) -> set[str]:
    shipment_id = fulfilment.add_shipment(
        conn,
        ffo_id=ffo.id,
        carrier=shipment.carrier,
        service_code=shipment.service_name,
        state="shipped",
        shipped_at=shipment.shipped_at or now,
        external_id=shipment.external_id,
        label_cost=label.cost if label else None,
        label_currency=label.currency if label else "",
    )
    late = ffo.work_state not in fulfilment.LIVE_WORK
    lines = fulfilment.lines_of(conn, [ffo.id])[ffo.id]
    sent: dict[int, Decimal] = {}
    for seq, parcel in enumerate(shipment.packages, start=1):
        _add_package(
            conn, shipment_id, seq, parcel, label, _contents(parcel, lines, sent, late=late)
        )
    for line in lines:
        if sent.get(line.id):
            moment = counts.left_at(shipment.shipped_at, now)
            _consume(conn, ffo, line, sent[line.id], shipment_id, late, now, moment)
    _advance(conn, ffo, late, now)
    history.event(
        conn,
        ffo.order_id,
        "late_shipped" if late else "shipped",
        f"{ffo.reference}: {len(shipment.packages)} parcel(s) with {shipment.carrier}",
        now,
    )
    wake = notices.plan(conn, hub, ffo.order_id, now)
    cancellation.settle_order(conn, ffo.order_id, now)
    return wake


def _contents(
    parcel: c.Package, lines: Sequence[Row[Any]], sent: dict[int, Decimal], *, late: bool
) -> list[tuple[int, Decimal]]:
    """Which fulfilment lines a parcel's goods belong to; adds what it takes to ``sent``.

    A location that does not tell the contents is taken to have sent all that is left; of work that
    was cancelled too ``late``, all that it had been given.
    """
    inside: list[tuple[int, Decimal]] = []
    reported = parcel.lines or tuple(
        c.ShippedLine(sku=line.sku, channel_line_id=line.channel_line_id, quantity=line.qty)
        for line in lines
    )
    for told in reported:
        left = told.quantity
        for line in lines:
            if told.sku != line.sku or told.channel_line_id not in ("", line.channel_line_id):
                continue
            given = line.qty if late else line.qty - line.qty_cancelled
            room = Decimal(given - line.qty_shipped) - sent.get(line.id, Decimal(0))
            take = min(left, room)
            if take > 0:
                sent[line.id] = sent.get(line.id, Decimal(0)) + take
                inside.append((line.id, take))
                left -= take
    return _merged(inside)


def _merged(inside: Sequence[tuple[int, Decimal]]) -> list[tuple[int, Decimal]]:
    total: dict[int, Decimal] = {}
    for line_id, qty in inside:
        total[line_id] = total.get(line_id, Decimal(0)) + qty
    return list(total.items())


def _add_package(
    conn: Connection,
    shipment_id: int,
    seq: int,
    parcel: c.Package,
    label: c.Label | None,
    inside: Sequence[tuple[int, Decimal]],
) -> None:
    package_id = take_ids(conn, t.package, 1)[0]
    fulfilment.add_package(
        conn,
        inside,
        id=package_id,
        shipment_id=shipment_id,
        seq=seq,
        package_reference=str(package_id),
        carrier=parcel.carrier,
        tracking_number=parcel.tracking_number,
        tracking_url=parcel.tracking_url,
        label_url=label.label_url if label else "",
    )


def _consume(
    conn: Connection,
    ffo: Row[Any],
    line: Row[Any],
    qty: Decimal,
    shipment_id: int,
    late: bool,
    now: datetime,
    left_at: datetime | None,
) -> None:
    key = f"ship:{shipment_id}:{line.id}"
    stock.ship(conn, line.reservation_id, qty, key, now, left_at)
    deltas = {"qty_shipped": qty}
    if late:
        # Its release was undone when the work was cancelled; the goods have left all the same.
        fulfilment.move_ffo_line(
            conn, line.id, qty_shipped=qty, qty_cancelled=-min(qty, Decimal(line.qty_cancelled))
        )
        order_line = next(
            o
            for o in orders.lines(conn, [ffo.order_id])[ffo.order_id]
            if o.id == line.order_line_id
        )
        deltas["qty_cancelled"] = -min(qty, Decimal(order_line.qty_cancelled))
    else:
        fulfilment.move_ffo_line(conn, line.id, qty_shipped=qty)
        deltas["qty_released"] = -qty
    orders.move_line(conn, line.order_line_id, **deltas)


def _advance(conn: Connection, ffo: Row[Any], late: bool, now: datetime) -> None:
    lines = fulfilment.lines_of(conn, [ffo.id])[ffo.id]
    if late:
        state = "late_shipped"
        history.place_hold(
            conn,
            ffo.order_id,
            "manual",
            f"{ffo.reference} was shipped after it was cancelled",
            "arrange the return with the buyer, then 'crossdock release ORDER'",
            now,
        )
    elif all(line.qty_shipped + line.qty_cancelled >= line.qty for line in lines):
        state = "shipped"
    else:
        state = "part_shipped"
    fulfilment.set_ffo(conn, ffo.id, work_state=state)
