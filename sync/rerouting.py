"""A location that refuses, gives up or is too slow: the rest of its work goes to another one.

Goods are planned elsewhere only once it is certain that the location will not ship them: it said
so, or it was never told. What it may have in hand it is asked to stop, and its answer counts.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from connectors.base import CancelsFulfilmentOrders, Outcome
from state import fulfilment, history, intents, orders
from sync import cancellation, planning
from sync.context import Hub, Run


def give_up(
    conn: Connection, hub: Hub, ffo: Row[Any], state: str, why: str, hold: tuple[str, str]
) -> set[str]:
    """The location will not ship what is left of ``ffo``; returns the streams that have work now.

    ``state``: how its work ends. ``hold``: (reason, remedy) for a person where no other location
    has any of the goods.
    """
    now = hub.clock.now()
    cancellation.close_ffo(conn, ffo, state, why, now)
    fulfilment.set_ffo(conn, ffo.id, given_up_at=now)
    if orders.get(conn, ffo.order_id).channel_status == "cancelled":
        cancellation.settle_order(conn, ffo.order_id, now)
        return set()
    if not planning.would_ship(conn, hub, ffo.order_id):
        history.place_hold(conn, ffo.order_id, "manual", *hold, now)
    cancellation.settle_order(conn, ffo.order_id, now)
    return {"allocate"}


def refused(conn: Connection, hub: Hub, ffo: Row[Any], outcome: Outcome) -> set[str]:
    """The location, or its carrier, does not take the work."""
    fulfilment.set_ffo(conn, ffo.id, request_state="rejected")
    reason = f"{ffo.reference} was refused: {outcome.message}"
    remedy = "mend the cause, then 'crossdock release ORDER' plans it anew"
    why = outcome.message or "refused"
    return give_up(conn, hub, ffo, "incomplete", why, (reason, remedy))


def stopped(conn: Connection, hub: Hub, ffo: Row[Any]) -> set[str]:
    """The location will not ship the rest; unless it was asked to, by itself (a short pick)."""
    if ffo.work_state not in fulfilment.LIVE_WORK:
        return set()
    short = ffo.work_state == "part_shipped"
    state = "incomplete" if short else "cancelled"
    why = "picked short by the location" if short else "stopped by the location"
    reason = f"the location cancelled {ffo.reference} by itself"
    remedy = "ask the location; 'crossdock release ORDER' plans the goods anew"
    return give_up(conn, hub, ffo, state, why, (reason, remedy))


def settle_stop(conn: Connection, hub: Hub, intent: Row[Any], outcome: Outcome) -> set[str]:
    """The location has answered our request to stop.

    ``accepted`` is no answer yet: what it ships or stops later tells.
    """
    ffo = fulfilment.get(conn, intent.subject_id)
    now = hub.clock.now()
    if outcome.status == "applied":
        fulfilment.set_ffo(conn, ffo.id, request_state="cancellation_accepted")
        if ffo.work_state in fulfilment.LIVE_WORK:
            return stopped(conn, hub, ffo)
    elif outcome.status == "rejected":
        fulfilment.set_ffo(conn, ffo.id, request_state="cancellation_rejected")
        told = f"too late for {ffo.reference}: {outcome.message}"
        history.event(conn, ffo.order_id, "cancellation_rejected", told, now)
    cancellation.settle_order(conn, ffo.order_id, now)
    return set()


def end_overdue(hub: Hub, run: Run) -> None:
    """Take work away from locations that had it longer than their settings allow."""
    with hub.store.read() as conn:
        late = [row.id for row in fulfilment.overdue(conn) if _limit_passed(conn, hub, row)]
    for ffo_id in late:
        with run.commit() as conn:
            # It may have been shipped or cancelled since we looked.
            row = next((row for row in fulfilment.overdue(conn) if row.id == ffo_id), None)
            if row is None:
                continue
            for key in _too_slow(conn, hub, row):
                run.request(conn, key)
            run.count("overdue")


def _limit_passed(conn: Connection, hub: Hub, ffo: Row[Any]) -> bool:
    since = _with_it_since(conn, ffo)
    limit_s = ffo.ack_within_s if ffo.work_state == "open" else ffo.ship_within_s
    return since is not None and hub.clock.now() - since > timedelta(seconds=limit_s)


def _with_it_since(conn: Connection, ffo: Row[Any]) -> datetime | None:
    """Since when the location could have accepted the work, or has accepted it."""
    if ffo.work_state != "open":
        accepted_at: datetime | None = ffo.accepted_at
        return accepted_at
    asked = [
        row.created_at
        for kind in cancellation.HANDOVER_KINDS
        for row in intents.of_subject(conn, kind, ffo.id)
    ]
    return min(asked, default=None)


def _too_slow(conn: Connection, hub: Hub, ffo: Row[Any]) -> set[str]:
    now = hub.clock.now()
    full = next(one for one in fulfilment.of_order(conn, ffo.order_id) if one.id == ffo.id)
    if ffo.work_state == "open" and cancellation.withdrawn(conn, full, now):
        why = "did not take the work in time"
        remedy = "'crossdock release ORDER' lets it try again"
        reason = f"{full.location} {why}, and no other location has the goods"
        return give_up(conn, hub, full, "cancelled", why, (reason, remedy))
    link = hub.link_by_id(full.connection_id)
    if ffo.work_state != "open" and isinstance(link.connector, CancelsFulfilmentOrders):
        return cancellation.request_cancellation(conn, full, now)
    _tell_a_person(conn, full, now)
    return set()


def _tell_a_person(conn: Connection, ffo: Row[Any], now: datetime) -> None:
    """Nobody can take it back: whether the location still ships it, only the location knows."""
    late_with = "taken" if ffo.work_state == "open" else "shipped"
    reason = f"{ffo.location} has not {late_with} {ffo.reference} in time"
    if reason not in history.lifted_reasons(conn, ffo.order_id, "manual"):
        remedy = f"ask {ffo.location}; 'crossdock release ORDER' when that is settled"
        history.place_hold(conn, ffo.order_id, "manual", reason, remedy, now)
