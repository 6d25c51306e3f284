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
from sync import bundles, cancellation, overshipping, planning
from sync.context import Hub, Run


def give_up(
    conn: Connection, hub: Hub, ffo: Row[Any], state: str, why: str, hold: tuple[str, str]
) -> set[str]:
    """The location will not ship what is left of ``ffo``; returns the streams that have work now.

    ``state``: how its work ends. ``hold``: (reason, remedy) for a person where no other location
    has any of the goods.
    """
    now = hub.clock.now()
    for kind in cancellation.HANDOVER_KINDS:
        # What it has answered, it must not be asked again: others get the work.
        intents.overtake(conn, kind, ffo.id, why, now)
    cancellation.close_ffo(conn, ffo, state, why, now)
    fulfilment.set_ffo(conn, ffo.id, given_up_at=now)
    wake = overshipping.settle(conn, hub, ffo.order_id, now)
    torn = _torn(conn, ffo)
    if torn:
        history.place_hold(conn, ffo.order_id, "manual", *torn, now)
    if orders.get(conn, ffo.order_id).channel_status == "cancelled":
        cancellation.settle_order(conn, ffo.order_id, now)
        return wake
    if not torn and planning.needs_in_vain(conn, hub, ffo.order_id):
        history.place_hold(conn, ffo.order_id, "manual", *hold, now)
    cancellation.settle_order(conn, ffo.order_id, now)
    return wake | {"allocate"}


def _torn(conn: Connection, ffo: Row[Any]) -> tuple[str, str] | None:
    """(reason, remedy) where parts of a bundle have left and the rest of it will not."""
    loose = bundles.loose(fulfilment.lines_of(conn, [ffo.id]).get(ffo.id, []))
    if not loose:
        return None
    goods = ", ".join(f"{qty.normalize():f} {line.sku} of {line.bundle}" for line, qty in loose)
    reason = f"{ffo.reference} has sent {goods} without the rest of the bundle"
    remedy = "settle it with the buyer; 'crossdock release ORDER' sends whole bundles for those"
    return reason, remedy


def refused(conn: Connection, hub: Hub, ffo: Row[Any], outcome: Outcome) -> set[str]:
    """The location, or its carrier, does not take the work.

    One that has begun to ship it says so of a repetition: then only a person can find out.
    """
    reason = f"{ffo.reference} was refused: {outcome.message}"
    if ffo.work_state in ("open", "in_progress"):
        fulfilment.set_ffo(conn, ffo.id, request_state="rejected")
        remedy = "mend the cause, then 'crossdock release ORDER' plans it anew"
        why = outcome.message or "refused"
        return give_up(conn, hub, ffo, "incomplete", why, (reason, remedy))
    now = hub.clock.now()
    history.event(conn, ffo.order_id, "refusal_came_late", reason, now)
    if ffo.work_state in fulfilment.LIVE_WORK:
        remedy = "ask the location whether it ships the rest, then 'crossdock release ORDER'"
        reason += ", and a part of it has left"
        history.place_hold(conn, ffo.order_id, "manual", reason, remedy, now)
    return set()


def taken_in_vain(conn: Connection, hub: Hub, ffo: Row[Any]) -> set[str]:
    """A location has taken work that is over for us: others may have it by now."""
    now = hub.clock.now()
    link = hub.link_by_id(ffo.connection_id)
    if isinstance(link.connector, CancelsFulfilmentOrders):
        return cancellation.request_cancellation(conn, ffo, now)
    reason = f"{ffo.location} has taken {ffo.reference} after it was {ffo.work_state}"
    remedy = f"have {ffo.location} stop it, then 'crossdock release ORDER'"
    history.place_hold(conn, ffo.order_id, "manual", reason, remedy, now)
    return set()


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
    ffo = fulfilment.locked(conn, intent.subject_id)
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
            fulfilment.locked(conn, ffo_id)
            for row in fulfilment.overdue(conn, ffo_id):
                for key in _too_slow(conn, hub, row):
                    run.request(conn, key)
                run.count("overdue")
        if run.stopping:
            return


def _limit_passed(conn: Connection, hub: Hub, ffo: Row[Any]) -> bool:
    since = _with_it_since(conn, ffo)
    limit_s = ffo.ack_within_s if ffo.work_state == "open" else ffo.ship_within_s
    return since is not None and hub.clock.now() - since > timedelta(seconds=limit_s)


def _with_it_since(conn: Connection, ffo: Row[Any]) -> datetime | None:
    """Since when the location could have accepted the work, has it, or was asked to stop."""
    kinds: tuple[str, ...] = cancellation.HANDOVER_KINDS
    if ffo.work_state != "open":
        if ffo.request_state == "accepted":
            accepted_at: datetime | None = ffo.accepted_at
            return accepted_at
        kinds = ("cancel_fulfilment_order",)
    asked = [
        row.created_at
        for kind in kinds
        for row in intents.of_subject(conn, kind, ffo.id)
        if row.state != "superseded"
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
    may_be_asked = ffo.work_state != "open" and ffo.request_state == "accepted"
    if may_be_asked and isinstance(link.connector, CancelsFulfilmentOrders):
        return cancellation.request_cancellation(conn, full, now)
    _tell_a_person(conn, full, now)
    return set()


def _tell_a_person(conn: Connection, ffo: Row[Any], now: datetime) -> None:
    """Nobody can take it back: whether the location still ships it, only the location knows."""
    late_with = "taken" if ffo.work_state == "open" else "shipped"
    reason = f"{ffo.location} has not {late_with} {ffo.reference} in time"
    if ffo.request_state == "cancellation_requested":
        reason += ", and has not answered whether it stops"
    elif ffo.request_state == "cancellation_rejected":
        reason += ", and would not stop"
    if "manual" in history.open_holds(conn, [ffo.order_id]).get(ffo.order_id, {}):
        return
    if reason not in history.lifted_reasons(conn, ffo.order_id, "manual"):
        remedy = f"ask {ffo.location}; 'crossdock release ORDER' when that is settled"
        history.place_hold(conn, ffo.order_id, "manual", reason, remedy, now)


def why_in_vain(row: Row[Any]) -> str:
    """Why a line waits of which nobody else has what a location gave up."""
    return (
        f"{row.location} gave up {row.reference} ({row.refused_reason}), and no other location "
        "has the goods"
    )


def remedy_in_vain(row: Row[Any]) -> str:
    return (
        "it goes on when another location has them; 'crossdock release ORDER' lets "
        f"{row.location} try again"
    )
