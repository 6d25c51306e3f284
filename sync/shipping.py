"""Goods that have left: recorded once per shipment, taken out of stock, told to the channel."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row
from sqlalchemy.exc import IntegrityError

from connectors.base import Cursor, Page, PullsShipments
from mappings import MappingError
from mappings import canonical as c
from mappings.problems import Problem
from state import fulfilment, history, inbox, orders, stock
from state import tables as t
from state.errors import Misplaced
from state.ids import take_ids
from sync import bundles, cancellation, counts, notices, overshipping, rerouting
from sync.context import Hub, Run
from sync.loads import Load, load_of
from sync.reading import Reading, described, read, report

TOPIC = "shipments"


def pull_shipments(hub: Hub, run: Run) -> None:
    """Job: take in what a location has shipped since the cursor."""
    link = hub.link(run)
    connector = link.connector
    if not isinstance(connector, PullsShipments):
        raise TypeError(f"{connector.info.name} does not pull shipments")
    for page in connector.pull_shipments(run.cursor, run.since or link.since):
        take_page(hub, run, page, page.cursor)
        if run.stopping:
            return


def take_page(hub: Hub, run: Run, page: Page, cursor: Cursor) -> None:
    """Apply what a page reports, together with ``cursor``."""
    link = hub.link(run)
    definition = hub.definition(link, TOPIC)
    report(run, page.findings)
    readings = [read(definition, raw.external_id, raw.text) for raw in page.records]
    with run.commit() as conn:
        for key in _apply(conn, hub, run, link.id, readings):
            run.request(conn, key)
        run.save_cursor(conn, cursor)


def _apply(
    conn: Connection, hub: Hub, run: Run, connection_id: int, readings: Sequence[Reading]
) -> set[str]:
    """Apply what is new on a page, in its order, and keep every payload; returns whom to wake."""
    now = hub.clock.now()
    seen = inbox.known(conn, connection_id, TOPIC, [r.received.external_id for r in readings])
    fresh: list[inbox.Received] = []
    wake: set[str] = set()
    references = [r.record.reference for r in readings if r.record is not None]
    fulfilment.lock(conn, fulfilment.orders_of(conn, references))
    erased = fulfilment.erased_references(conn, references)
    for reading in readings:
        mark = (reading.received.external_id, reading.received.sha256)
        if mark in seen:
            continue
        seen.add(mark)
        named = reading.record and reading.record.reference
        if named in erased or (mark[0], inbox.NO_CONTENT) in seen:
            # It may name the buyer, whom we were asked to forget.
            reading.received.body = inbox.NO_CONTENT
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
    # It may have moved on while we waited for it.
    ffo = fulfilment.locked(conn, ffo.id)
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
    every = fulfilment.packages_of_order(conn, ffo.order_id)
    nameless = [p for p in every if p.shipment_id == known.id and not p.tracking_number]
    told = Counter(p.tracking_number for p in every)
    new = _not_among(told, shipment.packages)
    for package, parcel in zip(nameless, new, strict=False):
        fulfilment.name_package(conn, package.id, parcel.tracking_number, parcel.tracking_url)
    others = [p.tracking_number for p in new[len(nameless) :]]
    _tell_of_others(conn, ffo, [number for number in others if number not in told], now)
    return notices.plan(conn, hub, ffo.order_id, now) if nameless and new else set()


def _not_among(told: Mapping[str, int], parcels: Sequence[c.Package]) -> list[c.Package]:
    """Parcels whose number was not told yet, or of fewer parcels: it may be a master number."""
    left, new = Counter(told), []
    for parcel in parcels:
        if left[parcel.tracking_number] > 0:
            left[parcel.tracking_number] -= 1
        elif parcel.tracking_number:
            new.append(parcel)
    return new


def _tell_of_others(conn: Connection, ffo: Row[Any], numbers: Sequence[str], now: datetime) -> None:
    """More parcels, or others, than a shipment had: what is in them was booked, or was it not?"""
    reason = f"{ffo.reference}: its shipment is now said to be in other parcels: "
    reason += ", ".join(numbers)
    if numbers and reason not in history.lifted_reasons(conn, ffo.order_id, "manual"):
        remedy = "ask the location what left in them, then 'crossdock release ORDER'"
        history.place_hold(conn, ffo.order_id, "manual", reason, remedy, now)


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
    load = load_of(conn, lines, late=late)
    parcels = [(parcel, load.take(parcel)) for parcel in shipment.packages]
    moment = counts.left_at(shipment.shipped_at, now)
    for line in lines:
        if load.sent[line.id] or load.over[line.id]:
            _consume(conn, line, load, shipment_id, now, moment)
    after = fulfilment.lines_of(conn, [ffo.id])[ffo.id]
    bundles.book(conn, bundles.counts(lines), bundles.counts(after), "qty_released")
    for seq, (parcel, inside) in enumerate(parcels, start=1):
        _add_package(conn, shipment_id, seq, parcel, label, [one for one in inside if one["qty"]])
    _advance(conn, ffo, late)
    history.event(
        conn,
        ffo.order_id,
        "late_shipped" if late else "shipped",
        f"{ffo.reference}: {len(shipment.packages)} parcel(s) with {shipment.carrier}",
        now,
    )
    wake = overshipping.settle(conn, hub, ffo.order_id, now, tell=True)
    wake |= notices.plan(conn, hub, ffo.order_id, now)
    cancellation.settle_order(conn, ffo.order_id, now)
    _tell_of_strangers(conn, ffo, load.strangers, now)
    if not late and orders.get(conn, ffo.order_id).channel_status == "cancelled":
        reason = f"{ffo.reference} was shipped, and the channel has cancelled the order"
        history.place_hold(conn, ffo.order_id, "manual", reason, overshipping.REMEDY, now)
    return wake


def _tell_of_strangers(
    conn: Connection, ffo: Row[Any], strangers: Sequence[c.ShippedLine], now: datetime
) -> None:
    if strangers:
        goods = ", ".join(f"{one.quantity.normalize():f} x {one.sku}" for one in strangers)
        reason = f"{ffo.reference}: a parcel holds what was not asked for: {goods}"
        remedy = "ask the location and count those goods there, then 'crossdock release ORDER'"
        history.place_hold(conn, ffo.order_id, "manual", reason, remedy, now)


def _add_package(
    conn: Connection,
    shipment_id: int,
    seq: int,
    parcel: c.Package,
    label: c.Label | None,
    inside: Sequence[dict[str, Any]],
) -> None:
    package_id = take_ids(conn, t.package, 1)[0]
    fulfilment.add_package(
        conn,
        inside,
        id=package_id,
        shipment_id=shipment_id,
        seq=seq,
        package_reference=_package_reference(conn, shipment_id, seq),
        carrier=parcel.carrier,
        tracking_number=parcel.tracking_number,
        tracking_url=parcel.tracking_url,
        label_url=label.label_url if label else "",
    )


def _package_reference(conn: Connection, shipment_id: int, seq: int) -> str:
    """A positive number that names the parcel at the channel.

    Made of the location's own names and not of our id: after a restore from backup the same parcel
    gets the same number again, and the channel takes the notice for a repetition.
    """
    shipment = fulfilment.shipment_by_id(conn, shipment_id)
    name = f"{shipment.reference}/{shipment.external_id}/{seq}"
    return str(int.from_bytes(hashlib.sha256(name.encode()).digest()[:6]) + 1)


def _consume(
    conn: Connection,
    line: Row[Any],
    load: Load,
    shipment_id: int,
    now: datetime,
    left_at: datetime | None,
) -> None:
    """Take a line's goods off the shelves, and count as shipped what its work was for.

    Goods beyond it that are on no shelf, by our books, must not keep the buyer's from being told.
    """
    sent = load.sent[line.id]
    key, cause = f"ship:{shipment_id}:{line.id}", (now, left_at)
    try:
        with conn.begin_nested():
            stock.ship(conn, line.reservation_id, sent + load.over[line.id], key, *cause)
    except UNBOOKABLE:
        if load.late or not load.over[line.id]:
            raise
        load.disown(line)
        if sent:
            stock.ship(conn, line.reservation_id, sent, key, *cause)
    if sent:
        fulfilment.move_ffo_line(conn, line.id, qty_shipped=sent)


def _advance(conn: Connection, ffo: Row[Any], late: bool) -> None:
    lines = fulfilment.lines_of(conn, [ffo.id])[ffo.id]
    if late:
        state = "late_shipped"
    elif all(line.qty_shipped + line.qty_cancelled >= line.qty for line in lines):
        state = "shipped"
    else:
        state = "part_shipped"
    fulfilment.set_ffo(conn, ffo.id, work_state=state)
