"""The story of one order, from what the store holds: what it is, what was decided and why."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row

from state import fulfilment, given_up, history, intents, orders
from sync import rerouting
from sync.routing import trace, words


def status_of(
    order: Row[Any],
    lines: list[Row[Any]],
    holds: dict[str, Row[Any]],
    *,
    waits_in_vain: bool = False,
) -> str:
    """One word for people, derived; first match wins."""
    open_lines = [line for line in lines if line.park_reason is None and line.requires_shipping]
    wanted = sum(line.qty_ordered - line.qty_cancelled for line in open_lines)
    shipped = sum(line.qty_shipped for line in open_lines)
    if order.intake_state == "cancelled":
        return "cancelled"
    if order.intake_state == "ignored":
        return "not ours"
    if holds:
        return "on hold"
    if waits_in_vain or any(line.park_reason for line in lines):
        return "attention"
    if shipped and shipped >= wanted:
        return "shipped"
    if shipped:
        return "partly shipped"
    if order.intake_state == "closed":
        return "closed"
    if any(line.qty_released for line in lines):
        return "processing"
    if any(line.qty_allocated for line in lines):
        return "ready"
    return "awaiting stock" if order.channel_status == "ready" else "pending"


def explain(conn: Connection, order: Row[Any]) -> dict[str, Any]:
    """Everything about one order as plain data; ``order`` comes from ``orders.find``."""
    lines = orders.lines(conn, [order.id]).get(order.id, [])
    holds = history.open_holds(conn, [order.id]).get(order.id, {})
    ship_to = orders.address(conn, order.ship_to_id)
    in_vain = {row.line_no: row for row in given_up.in_vain(conn, order.id)}
    return {
        "id": order.id,
        "connection": order.connection,
        "order": order.channel_order_name,
        "channel_order_id": order.channel_order_id,
        "status": status_of(order, lines, holds, waits_in_vain=bool(in_vain)),
        "channel_status": order.channel_status,
        "placed_at": order.placed_at.isoformat(),
        "business_date": order.business_date.isoformat(),
        "currency": order.currency,
        "grand_total": order.grand_total,
        "total_variance": order.total_variance,
        # The parcel's country and postcode explain a decision; who lives there does not.
        "ship_to": f"{ship_to.country} {ship_to.postcode}".strip() if ship_to else None,
        "holds": [
            {"kind": hold.kind, "reason": hold.reason, "remedy": hold.remedy}
            for hold in holds.values()
        ],
        "lines": [_line(line, in_vain.get(line.line_no)) for line in lines],
        "decisions": [_decision(row) for row in fulfilment.decisions(conn, order.id)],
        "fulfilment_orders": [_work(conn, ffo) for ffo in fulfilment.of_order(conn, order.id)],
        "packages": [_package(row) for row in fulfilment.packages_of_order(conn, order.id)],
        "notices": [_notice(row) for row in intents.of_subject(conn, "tracking", order.id)],
        "events": [
            {"at": row.at.isoformat(), "kind": row.kind, "summary": row.summary}
            for row in history.events(conn, order.id)
        ],
    }


def _line(line: Row[Any], in_vain: Row[Any] | None) -> dict[str, Any]:
    parked, remedy = line.park_reason, line.park_detail or None
    if in_vain is not None:
        parked = "given_up"
        remedy = f"{rerouting.why_in_vain(in_vain)}; {rerouting.remedy_in_vain(in_vain)}"
    counters = ("ordered", "cancelled", "allocated", "released", "shipped")
    return {
        "line_no": line.line_no,
        "sku": line.channel_sku,
        "title": line.title,
        **{name: str(getattr(line, f"qty_{name}")) for name in counters},
        "parked": parked,
        "remedy": remedy,
    }


def _decision(row: Row[Any]) -> dict[str, Any]:
    """A decision with its sentences; ``decision`` is null for those from before rule files."""
    decision = trace.stored(row) if trace.is_told(row) else None
    return {
        "at": row.decided_at.isoformat(),
        "policy": row.policy_version,
        "rules": row.rules_name,
        "rules_version": row.rules_version or None,
        "stock_version": row.stock_version,
        "inputs_hash": row.inputs_hash,
        "candidates": row.candidates,
        "chosen": row.chosen,
        "decision": row.trace,
        "said": (
            words.told(decision, trace.inputs_of(row).order)
            if decision
            else words.told_of_old(row.candidates)
        ),
    }


def _work(conn: Connection, ffo: Row[Any]) -> dict[str, Any]:
    return {
        "reference": ffo.reference,
        "location": ffo.location,
        "taken_by": ffo.taker,
        "external_id": ffo.external_id or None,
        "work_state": ffo.work_state,
        "request_state": ffo.request_state,
        "reason": ffo.refused_reason or None,
        "lines": [
            {
                "sku": line.sku,
                "qty": str(line.qty),
                "shipped": str(line.qty_shipped),
                # What the order names, where the line is a part of it.
                "bundle": None if line.per_bundle is None else line.bundle,
            }
            for line in fulfilment.lines_of(conn, [ffo.id]).get(ffo.id, [])
        ],
    }


def _package(row: Row[Any]) -> dict[str, Any]:
    return {
        "carrier": row.carrier,
        "tracking_number": row.tracking_number,
        "state": row.state,
        "shipped_at": row.shipped_at.isoformat() if row.shipped_at else None,
        "label_cost": row.label_cost,
        "label_currency": row.label_currency or None,
    }


def _notice(row: Row[Any]) -> dict[str, Any]:
    return {
        "tracking_number": row.body["tracking_number"],
        "state": row.state,
        "attempts": row.attempts,
        "message": row.message or None,
    }
