"""Where parcels are: the carrier's events, once each, and what they say about the shipment."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, update

from connectors.base import Tracks
from mappings import canonical as c
from state import fulfilment
from state import tables as t
from state.batches import insert_rows
from sync.context import Hub, Run

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
    for shipment in shipments:
        events = connector.track(shipment.external_id)
        with run.commit() as conn:
            run.count("events", sum(_take(conn, shipment, event) for event in events))
            _advance(conn, shipment, events)
        if run.stopping:
            return


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
