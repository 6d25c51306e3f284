"""One order's open lines to reserved goods and fulfilment orders, by what routing decides."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row

from state import fulfilment, history, orders, stock
from state.errors import OutOfStock
from sync import overshipping
from sync.context import Hub
from sync.routing import survey, trace
from sync.routing.decide import decide, prepare
from sync.routing.decision import Decision, Share
from sync.routing.facts import UNIT, OrderFacts, SiteFacts
from sync.routing.survey import Allotment
from sync.routing.waiting import Waiting

_REFERENCE = re.compile(r"(?P<order>.+)-(?P<mark>[0-9a-f]{8})-\d+")

REFERENCE_MAX = 40
"""The shortest limit among the 3PLs (Amazon MCF's sellerFulfillmentOrderId)."""

RACES_MAX = 3
"""How often an order is decided anew because others took the goods in between."""


def plan_order(
    conn: Connection,
    hub: Hub,
    order_id: int,
    allotment: Allotment | None = None,
    seen: Waiting | None = None,
) -> int:
    """Reserve goods for an order's open lines; returns how many fulfilment orders came of it.

    ``allotment``: what it may take of goods for which several orders compete. ``seen``: what
    it is left alone with, if nothing can be planned until that changes.
    """
    order = orders.get(conn, order_id, lock=True)
    if not _may_be_planned(order):
        return 0
    overshipping.settle(conn, hub, order_id, hub.clock.now())
    for _ in range(RACES_MAX):
        facts, sites, decision = _decided(conn, hub, order, allotment)
        if not facts.lines:
            return 0
        if not decision.shares:
            _wait(conn, hub, facts, sites, decision)
            _leave_alone(conn, order, sites, decision, seen)
            return 0
        try:
            with conn.begin_nested():
                return _commit_plan(conn, hub, order, facts, sites, decision)
        except OutOfStock:
            # Somebody took the goods between our look and our hand: look again.
            continue
    return 0


def plan_at(conn: Connection, hub: Hub, order_id: int, places: Collection[int]) -> int:
    """Plan an order whatever its state, at these locations only, as its goods are in their hands
    already; returns how many fulfilment orders came of it.
    """
    order = orders.get(conn, order_id, lock=True)
    facts = _facts(conn, hub, order)
    every = survey.site_facts(conn, order, facts, hub.routing, None)
    sites = tuple(site for site in every if site.location_id in places)
    decision = decide(facts, sites, hub.routing)
    if not decision.shares:
        return 0
    try:
        with conn.begin_nested():
            return _commit_plan(conn, hub, order, facts, sites, decision)
    except OutOfStock:
        return 0


def needs_in_vain(conn: Connection, hub: Hub, order_id: int) -> bool:
    """Does the order need goods none of which can be planned, now or when its quotes are there?

    Changes nothing.
    """
    order = orders.get(conn, order_id)
    facts, _, decision = _decided(conn, hub, order, None)
    hopeful = decision.shares or (decision.waits is not None and decision.waits[0] == "quotes")
    return bool(facts.lines) and not (_may_be_planned(order) and hopeful)


def waits_for_quotes(conn: Connection, hub: Hub, order_id: int) -> bool:
    """Was it last decided that the order waits for what carriers are asked?"""
    if not any(quoting.wait_minutes for quoting in hub.routing.quotes):
        return False
    row = fulfilment.last_decision(conn, order_id)
    waits = trace.stored(row).waits if row is not None and trace.is_told(row) else None
    return waits is not None and waits[0] == "quotes"


def payment_came(conn: Connection, hub: Hub, order_id: int, mark: str = "") -> bool:
    """Lift the order's payment hold when what its rule asks for has happened.

    ``mark``: what it keeps if not.
    """
    order = orders.get(conn, order_id, lock=True)
    waits = prepare(_facts(conn, hub, order), (), hub.routing).waits
    if waits is not None and waits[0] == "payment":
        orders.set_order(conn, order_id, waits_for=mark)
        return False
    history.release_holds(conn, order_id, ["payment"], "the payment", hub.clock.now())
    return True


def _may_be_planned(order: Row[Any]) -> bool:
    return bool(order.intake_state == "accepted" and order.channel_status == "ready")


def _decided(
    conn: Connection, hub: Hub, order: Row[Any], allotment: Allotment | None
) -> tuple[OrderFacts, tuple[SiteFacts, ...], Decision]:
    facts = _facts(conn, hub, order)
    sites = survey.site_facts(conn, order, facts, hub.routing, allotment)
    return facts, sites, decide(facts, sites, hub.routing)


def _facts(conn: Connection, hub: Hub, order: Row[Any]) -> OrderFacts:
    channel = hub.link_by_id(order.connection_id).name
    return survey.order_facts(conn, order, channel, hub.routing, hub.clock.now())


def _leave_alone(
    conn: Connection,
    order: Row[Any],
    sites: tuple[SiteFacts, ...],
    decision: Decision,
    seen: Waiting | None,
) -> None:
    """Keep what the order waits for; nothing where it may go on for a reason no mark knows of."""
    kept = ""
    if seen is not None and decision.waits is None:
        kept = seen.mark(order.id, sites, whole=bool(decision.policy.settled.ship_complete))
    elif seen is not None and decision.waits is not None:
        known = decision.waits[0] in ("parked", "not_before")
        kept = seen.mark_of_other_cause(order.id) if known else ""
    if order.waits_for != kept:
        orders.set_order(conn, order.id, waits_for=kept)


def _wait(
    conn: Connection,
    hub: Hub,
    facts: OrderFacts,
    sites: tuple[SiteFacts, ...],
    decision: Decision,
) -> None:
    """Keep why nothing is planned, once for as long as it stays so; hold what waits for people."""
    now = hub.clock.now()
    if not trace.says_the_same(fulfilment.last_decision(conn, facts.order_id), decision):
        trace.keep(conn, facts, sites, hub.routing, decision, now)
    if decision.waits is None:
        return
    kind, reason = decision.waits
    if kind == "payment":
        remedy = "nothing to do: it goes on by itself when the channel reports the payment"
        history.place_hold(conn, facts.order_id, "payment", reason, remedy, now)
    elif kind == "hold":
        remedy = "look into it, then 'crossdock release ORDER'"
        history.place_hold(conn, facts.order_id, "manual", reason, remedy, now)


def _commit_plan(
    conn: Connection,
    hub: Hub,
    order: Row[Any],
    facts: OrderFacts,
    sites: tuple[SiteFacts, ...],
    decision: Decision,
) -> int:
    now = hub.clock.now()
    decision_id = trace.keep(conn, facts, sites, hub.routing, decision, now)
    reserved = _reserve(conn, decision, decision_id, now)
    codes = {site.location_id: site.code for site in sites}
    sequence = len(fulfilment.of_order(conn, order.id))
    for location_id, lines in sorted(reserved.items()):
        sequence += 1
        # After a restore work may have a later number than it would have got here.
        while fulfilment.by_reference(conn, reference_for(hub, order, sequence)) is not None:
            sequence += 1
        reference = reference_for(hub, order, sequence)
        fulfilment.add(
            conn,
            order_id=order.id,
            location_id=location_id,
            decision_id=decision_id,
            reference=reference,
            lines=lines,
            now=now,
            pickup=decision.policy.settled.pickup is not None,
        )
        units = sum((line["qty"] for line in lines), Decimal(0))
        told = f"{units} units from {codes[location_id]} as {reference}"
        history.event(conn, order.id, "planned", told, now)
    return len(reserved)


def _reserve(
    conn: Connection, decision: Decision, decision_id: int, now: datetime
) -> Mapping[int, list[dict[str, Any]]]:
    """Reserve goods by goods in (SKU, location) order, the order every transaction keeps.

    Returns the lines of each location's work: one for every component of a bundle.
    """
    reserved: dict[int, list[dict[str, Any]]] = {}
    for share in decision.shares:
        orders.move_line(conn, share.line_id, qty_allocated=Decimal(share.quantity) / UNIT)
    goods = [(sku, share, quantity) for share in decision.shares for sku, quantity in share.takes]
    for sku_id, share, quantity in sorted(goods, key=lambda one: (one[0], one[1].location_id)):
        qty = Decimal(quantity) / UNIT
        reservation_id = stock.reserve(
            conn,
            sku_id=sku_id,
            location_id=share.location_id,
            qty=qty,
            order_line_id=share.line_id,
            key=_reservation_key(decision_id, share, sku_id),
            now=now,
        )
        line = {
            "order_line_id": share.line_id,
            "sku_id": sku_id,
            "reservation_id": reservation_id,
            "qty": qty,
            "per_bundle": Decimal(quantity) / share.quantity if share.parts else None,
        }
        reserved.setdefault(share.location_id, []).append(line)
    return reserved


def _reservation_key(decision_id: int, share: Share, sku_id: int) -> str:
    part = f":{sku_id}" if share.parts else ""
    return f"reserve:{decision_id}:{share.line_id}:{share.location_id}{part}"


def reference_for(hub: Hub, order: Row[Any], sequence: int) -> str:
    """Our key for a location's work at the other side.

    Made of the channel's order id and not of ours: after a restore from backup the same work gets
    the same key again, and the other side recognises it.
    """
    name = hub.link_by_id(order.connection_id).name
    mark = _mark(name, order.channel_order_id)
    readable = re.sub(r"[^A-Za-z0-9-]", "-", order.channel_order_id)
    tail = f"-{mark}-{sequence}"
    return readable[: REFERENCE_MAX - len(tail)] + tail


def is_reference(hub: Hub, text: str) -> bool:
    """Was it made by ``reference_for`` here? One that was shortened cannot be told from others'."""
    found = _REFERENCE.fullmatch(text)
    return found is not None and any(
        _mark(name, found["order"]) == found["mark"] for name in hub.links
    )


def _mark(connection: str, channel_order_id: str) -> str:
    return hashlib.sha256(f"{connection}/{channel_order_id}".encode()).hexdigest()[:8]
