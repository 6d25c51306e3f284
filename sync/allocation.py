"""Accepted orders to reserved goods and fulfilment orders, and from there to the location."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import Connection, Row

from state import fulfilment, history, orders, stock
from state.errors import OutOfStock
from sync import handover
from sync.context import Hub, Run
from sync.distance import distance_km
from sync.routing import POLICY, Candidate, Need, Plan, Share, route

REFERENCE_MAX = 40
"""The shortest limit among the 3PLs (Amazon MCF's sellerFulfillmentOrderId)."""


def allocate(hub: Hub, run: Run) -> None:
    """Job: plan every order that can be planned, then release what is due."""
    with hub.store.read() as conn:
        waiting = orders.awaiting_allocation(conn)
    for order_id in waiting:
        with run.commit() as conn:
            run.count("planned", plan_order(conn, hub, order_id))
        if run.stopping:
            return
    handover.release_due(hub, run)


def plan_order(conn: Connection, hub: Hub, order_id: int) -> int:
    """Reserve goods for an order's open lines; returns how many fulfilment orders came of it."""
    now = hub.clock.now()
    order = orders.get(conn, order_id, lock=True)
    needs = _needs(orders.lines(conn, [order_id]).get(order_id, []))
    if order.intake_state != "accepted" or order.channel_status != "ready" or not needs:
        return 0
    candidates = _candidates(conn, order, needs)
    plan = route(needs, candidates)
    if not plan.shares:
        return 0
    try:
        with conn.begin_nested():
            return _commit_plan(conn, hub, order, needs, candidates, plan, now)
    except OutOfStock:
        # Somebody took the goods between our look and our hand; the next run looks again.
        return 0


def _needs(lines: Sequence[Row[Any]]) -> list[Need]:
    found = []
    for line in lines:
        if line.park_reason is None and line.sku_id is not None and line.requires_shipping:
            open_qty = Decimal(
                line.qty_ordered
                - line.qty_cancelled
                - line.qty_allocated
                - line.qty_released
                - line.qty_shipped
            )
            if open_qty > 0:
                found.append(Need(line.id, line.sku_id, open_qty))
    return found


def _candidates(conn: Connection, order: Row[Any], needs: Sequence[Need]) -> list[Candidate]:
    available: dict[int, dict[int, Decimal]] = {}
    for level in stock.levels(conn, [need.sku_id for need in needs]):
        available.setdefault(level.location_id, {})[level.sku_id] = Decimal(level.available)
    ship_to = orders.address(conn, order.ship_to_id)
    country, postcode = (ship_to.country, ship_to.postcode) if ship_to else ("", "")
    return [
        Candidate(
            location_id=location.id,
            code=location.code,
            rank=location.rank,
            km=distance_km(location.country, location.postcode, country, postcode),
            available=available.get(location.id, {}),
        )
        for location in fulfilment.locations_of_channel(conn, order.connection_id)
    ]


def _commit_plan(
    conn: Connection,
    hub: Hub,
    order: Row[Any],
    needs: Sequence[Need],
    candidates: Sequence[Candidate],
    plan: Plan,
    now: datetime,
) -> int:
    decision_id = fulfilment.add_decision(
        conn,
        order_id=order.id,
        decided_at=now,
        policy_version=POLICY,
        inputs_hash=plan.inputs_hash,
        inputs=msgspec.to_builtins({"needs": needs, "candidates": candidates}, str_keys=True),
        candidates=list(plan.verdicts),
        chosen=msgspec.to_builtins(plan.shares),
    )
    reserved = _reserve(conn, plan.shares, decision_id, now)
    codes = {candidate.location_id: candidate.code for candidate in candidates}
    sequence = len(fulfilment.of_order(conn, order.id))
    for location_id in sorted({share.location_id for share in plan.shares}):
        sequence += 1
        lines = [line for place, line in reserved if place == location_id]
        reference = reference_for(hub, order, sequence)
        fulfilment.add(
            conn,
            order_id=order.id,
            location_id=location_id,
            decision_id=decision_id,
            reference=reference,
            lines=lines,
            now=now,
        )
        units = sum((line["qty"] for line in lines), Decimal(0))
        history.event(
            conn,
            order.id,
            "planned",
            f"{units} units from {codes[location_id]} as {reference}",
            now,
        )
    return len({share.location_id for share in plan.shares})


def _reserve(
    conn: Connection, shares: Sequence[Share], decision_id: int, now: datetime
) -> list[tuple[int, dict[str, Any]]]:
    """Reserve share by share in (SKU, location) order, the order every transaction keeps."""
    reserved = []
    for share in shares:
        key = f"reserve:{decision_id}:{share.order_line_id}:{share.location_id}"
        reservation_id = stock.reserve(
            conn,
            sku_id=share.sku_id,
            location_id=share.location_id,
            qty=share.qty,
            order_line_id=share.order_line_id,
            key=key,
            now=now,
        )
        orders.move_line(conn, share.order_line_id, qty_allocated=share.qty)
        line = {
            "order_line_id": share.order_line_id,
            "sku_id": share.sku_id,
            "reservation_id": reservation_id,
            "qty": share.qty,
        }
        reserved.append((share.location_id, line))
    return reserved


def reference_for(hub: Hub, order: Row[Any], sequence: int) -> str:
    """Our key for a location's work at the other side.

    Made of the channel's order id and not of ours: after a restore from backup the same work gets
    the same key again, and the other side recognises it.
    """
    name = hub.link_by_id(order.connection_id).name
    mark = hashlib.sha256(f"{name}/{order.channel_order_id}".encode()).hexdigest()[:8]
    readable = re.sub(r"[^A-Za-z0-9-]", "-", order.channel_order_id)
    tail = f"-{mark}-{sequence}"
    return readable[: REFERENCE_MAX - len(tail)] + tail
