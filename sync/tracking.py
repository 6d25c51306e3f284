"""Where parcels are: the carrier's events, once each, and what they say about the shipment.

A parcel that cannot be followed is told, and holds up none of the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
from sqlalchemy import Connection, Row, update

from connectors.base import Cursor, Tracked, Tracks
from connectors.errors import Rejected, Retryable, VendorDown
from mappings import canonical as c
from state import fulfilment
from state import tables as t
from state.batches import insert_rows
from sync.context import Hub, Run
from sync.reading import report

log = structlog.get_logger()

STATE_OF = {
    "in_transit": "in_transit",
    "picked_up": "in_transit",
    "out_for_delivery": "in_transit",
    "delivered": "delivered",
    "exception": "exception",
    "returned": "returned",
    "lost": "lost",
}


def track(hub: Hub, run: Run) -> None:
    """Job: follow every parcel that a carrier still has on its way."""
    link = hub.link(run)
    connector = link.connector
    if not isinstance(connector, Tracks):
        raise TypeError(f"{connector.info.name} does not track")
    with hub.store.read() as conn:
        shipments = fulfilment.undelivered(conn, link.id)
    for shipment in _in_turn(shipments, run.cursor):
        told = _asked(run, connector, shipment)
        report(run, told.findings)
        with run.commit() as conn:
            run.count("events", sum(_take(conn, shipment, event) for event in told.events))
            _advance(conn, shipment, told.events)
            run.save_cursor(conn, _after(shipment))
        if run.stopping:
            return


def _in_turn(shipments: Sequence[Row[Any]], cursor: Cursor | None) -> list[Row[Any]]:
    """Those after the one that was asked last come first: a run that breaks off at the same parcel
    each time would else never reach the parcels behind it."""
    last = cursor["asked"] if cursor is not None else 0
    return sorted(shipments, key=lambda shipment: shipment.id <= last)


def _after(shipment: Row[Any]) -> Cursor:
    return {"v": 1, "asked": shipment.id}


def _asked(run: Run, connector: Tracks, shipment: Row[Any]) -> Tracked:
    """What the carrier says of a parcel; nothing where it refuses to tell of just this one."""
    try:
        return connector.track(shipment.external_id)
    except Rejected as refusal:
        run.count("untracked")
        log.warning(
            "parcel not tracked",
            connection=run.connection,
            subject=f"label {shipment.external_id}",
            detail=str(refusal),
            remedy="look the parcel up at its carrier; it is asked for again in the next run",
        )
        return Tracked()
    except VendorDown:
        # Nothing was asked: this parcel has not had its turn.
        raise
    except Retryable:
        with run.commit() as conn:
            run.save_cursor(conn, _after(shipment))
        raise


def _take(conn: Connection, shipment: Row[Any], event: c.TrackingEvent) -> int:
    row = {
        "package_id": shipment.package_id,
        "code": event.code,
        "carrier_code": event.carrier_code,
        "occurred_at": event.occurred_at,
        "place": event.place,
    }
    return insert_rows(conn, t.tracking_event, [row], unless_known=True)


def _advance(conn: Connection, shipment: Row[Any], events: Any) -> None:
    """The newest event that means something decides; a carrier may report them out of order."""
    telling = [e for e in sorted(events, key=lambda e: e.occurred_at) if e.code in STATE_OF]
    if not telling:
        return
    newest = telling[-1]
    values: dict[str, Any] = {"state": STATE_OF[newest.code]}
    if newest.code == "delivered":
        values["delivered_at"] = newest.occurred_at
    conn.execute(update(t.shipment).where(t.shipment.c.id == shipment.id).values(values))
