"""Handing planned work over: to a 3PL as a fulfilment order, to a carrier as a label to buy."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import Connection, Row

from connectors.base import BuysLabels, Outcome, PushesFulfilmentOrders
from mappings import canonical as c
from state import fulfilment, history, intents, orders
from state.vault import keys
from sync import bundles, cancellation, doubt, overshipping, rerouting, shipping
from sync.context import Hub, Link, Run


def release_due(hub: Hub, run: Run) -> None:
    """Release every fulfilment order that has waited its time and whose order is free."""
    before = hub.clock.now() - timedelta(seconds=hub.policy.release_after_s)
    with hub.store.read() as conn:
        due = doubt.not_in_doubt(conn, fulfilment.due_for_release(conn, before))
    for ffo_id in due:
        with run.commit() as conn:
            for key in release(conn, hub, ffo_id):
                run.request(conn, key)
                run.count("released")
        if run.stopping:
            return


def release(conn: Connection, hub: Hub, ffo_id: int) -> list[str]:
    """Turn one planned fulfilment order into an intent; returns the stream that sends it."""
    now = hub.clock.now()
    ffo = fulfilment.get(conn, ffo_id)
    orders.get(conn, ffo.order_id, lock=True)
    if not fulfilment.may_be_released(conn, ffo_id):
        return []
    location = fulfilment.location(conn, ffo.location_id)
    if location.connection_id is None:
        history.place_hold(
            conn,
            ffo.order_id,
            "manual",
            f"location {location.code} has nobody to take its work",
            f"give [locations.{location.code}] a connection in the settings",
            now,
        )
        return []
    link = hub.link_by_id(location.connection_id)
    if ffo.pickup and not isinstance(link.connector, PushesFulfilmentOrders):
        history.place_hold(
            conn,
            ffo.order_id,
            "manual",
            f"the buyer collects {ffo.reference} at {location.code}, and {link.name} buys labels",
            f"give [locations.{location.code}] a connection that takes fulfilment orders",
            now,
        )
        return []
    hand_over(conn, hub, ffo, link, location)
    return [f"push:{link.name}"]


def hand_over(conn: Connection, hub: Hub, ffo: Row[Any], link: Link, location: Row[Any]) -> int:
    """Write down what tells ``link`` of the work, and count it as released; returns the intent."""
    now = hub.clock.now()
    order = orders.get(conn, ffo.order_id)
    kind, body = _intent_for(conn, link, order, ffo, location)
    intent_id = intents.plan(
        conn,
        connection_id=link.id,
        kind=kind,
        subject=("fulfilment_order", ffo.id),
        key=_key(conn, kind, ffo),
        body=msgspec.to_builtins(body),
        now=now,
        of=keys.of_order(order.connection_id, order.channel_order_id),
    )
    fulfilment.set_ffo(conn, ffo.id, work_state="open")
    for order_line_id, (qty, _) in bundles.counts(_to_ship(conn, ffo.id)).items():
        orders.move_line(conn, order_line_id, qty_allocated=-qty, qty_released=qty)
    history.event(conn, ffo.order_id, "released", f"{ffo.reference} to {link.name}", now)
    return intent_id


def _key(conn: Connection, kind: str, ffo: Row[Any]) -> str:
    """What was withdrawn keeps its key; what is written in its place has one of its own."""
    written = len(intents.of_subject(conn, kind, ffo.id))
    return f"{kind}:{ffo.reference}" + (f":{written + 1}" if written else "")


def _intent_for(
    conn: Connection, link: Link, order: Row[Any], ffo: Row[Any], location: Row[Any]
) -> tuple[str, c.Record]:
    lines = _to_ship(conn, ffo.id)
    ship_to = _address(orders.address(conn, order.ship_to_id))
    if isinstance(link.connector, PushesFulfilmentOrders):
        return "fulfilment_order", c.FulfilmentRequest(
            reference=ffo.reference,
            order_name=order.channel_order_name,
            placed_at=order.placed_at,
            currency=order.currency,
            service_name=order.service_name,
            ship_to=ship_to,
            lines=tuple(
                c.FulfilmentLine(
                    line_reference=str(line.id),
                    sku=line.sku,
                    title=line.title,
                    quantity=_left(line),
                    unit_weight_g=line.weight_g,
                    unit_price=bundles.piece_price(line, lines),
                )
                for line in lines
            ),
        )
    return "label", c.LabelRequest(
        reference=ffo.reference,
        ship_from=c.Address(
            name=location.name,
            street=location.street,
            city=location.city,
            region=location.region,
            postcode=location.postcode,
            country=location.country,
            phone=location.phone,
        ),
        ship_to=ship_to,
        weight_g=max(1, int(sum(line.weight_g * _left(line) for line in lines))),
        currency=order.currency,
        customs_value=_value(lines),
    )


def _value(lines: Sequence[Row[Any]]) -> int:
    """What the goods were sold for, minor units; a bundle is in it once, not once per component."""
    price = {line.order_line_id: line.unit_price for line in lines}
    return int(sum(price[one] * qty for one, (qty, _) in bundles.counts(lines).items()))


def _to_ship(conn: Connection, ffo_id: int) -> list[Row[Any]]:
    """The lines of a fulfilment order that were not all taken back before the hand-over."""
    return [line for line in fulfilment.lines_of(conn, [ffo_id])[ffo_id] if _left(line) > 0]


def _left(line: Row[Any]) -> Decimal:
    return Decimal(line.qty - line.qty_cancelled)


def _address(row: Row[Any] | None) -> c.Address:
    if row is None:
        return c.Address()
    return c.Address(**{name: getattr(row, name) for name in c.Address.__struct_fields__})


def send_orders(connector: PushesFulfilmentOrders, bodies: dict[str, Any]) -> list[Outcome]:
    requests = {key: msgspec.convert(b, c.FulfilmentRequest) for key, b in bodies.items()}
    return list(connector.push_fulfilment_orders(requests))


def find_order(connector: PushesFulfilmentOrders, body: dict[str, Any]) -> Outcome | None:
    remote_id = connector.find_fulfilment_order(body["reference"])
    return Outcome(body["reference"], "applied", remote_id=remote_id) if remote_id else None


def settle_order(conn: Connection, hub: Hub, intent: Row[Any], outcome: Outcome) -> set[str]:
    """The 3PL has taken the work, or refused it."""
    now = hub.clock.now()
    ffo = fulfilment.locked(conn, intent.subject_id)
    if outcome.status == "rejected":
        return rerouting.refused(conn, hub, ffo, outcome)
    fulfilment.set_ffo(
        conn,
        ffo.id,
        external_id=outcome.remote_id,
        request_state="accepted",
        accepted_at=now,
        sent_at=intent.sent_at,
        work_state="in_progress" if ffo.work_state == "open" else ffo.work_state,
    )
    history.event(
        conn,
        ffo.order_id,
        "accepted_by_location",
        f"{ffo.reference} taken as {outcome.remote_id}",
        now,
    )
    fresh = next(f for f in fulfilment.of_order(conn, ffo.order_id) if f.id == ffo.id)
    if fresh.work_state in ("cancelled", "incomplete"):
        return rerouting.taken_in_vain(conn, hub, fresh)
    if orders.get(conn, ffo.order_id).channel_status == "cancelled":
        return cancellation.request_cancellation(conn, fresh, now)
    return overshipping.stop_superfluous(conn, ffo.order_id, now)


def send_labels(connector: BuysLabels, bodies: dict[str, Any]) -> list[Outcome]:
    requests = {key: msgspec.convert(b, c.LabelRequest) for key, b in bodies.items()}
    return list(connector.buy_labels(requests))


def find_label(connector: BuysLabels, body: dict[str, Any]) -> Outcome | None:
    label = connector.find_label(body["reference"])
    if label is None or label.voided:
        return None
    return Outcome(body["reference"], "applied", remote_id=label.external_id, result=label)


def settle_label(conn: Connection, hub: Hub, intent: Row[Any], outcome: Outcome) -> set[str]:
    """A label is bought: the warehouse hands over what it labels, so the parcel has shipped."""
    now = hub.clock.now()
    ffo = fulfilment.locked(conn, intent.subject_id)
    if outcome.status == "rejected":
        return rerouting.refused(conn, hub, ffo, outcome)
    label = outcome.result
    if not isinstance(label, c.Label):
        raise TypeError(f"label intent {intent.id} was applied without a label")
    fulfilment.set_ffo(
        conn,
        ffo.id,
        external_id=label.external_id,
        request_state="accepted",
        accepted_at=now,
        sent_at=intent.sent_at,
    )
    lines = _to_ship(conn, ffo.id)
    parcel = c.Package(
        tracking_number=label.tracking_number,
        carrier=label.carrier,
        tracking_url=label.tracking_url,
        lines=tuple(
            c.ShippedLine(sku=line.sku, channel_line_id=line.channel_line_id, quantity=_left(line))
            for line in lines
        ),
    )
    shipment = c.Shipment(
        reference=ffo.reference,
        external_id=label.external_id,
        state="shipped",
        carrier=label.carrier,
        service_name=label.service_code,
        shipped_at=now,
        packages=(parcel,),
    )
    return shipping.record(conn, hub, shipment, now, label=label)
