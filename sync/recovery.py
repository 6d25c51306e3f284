"""After a restore: everybody is asked what they have of an order before any of it is handed over.

The former store may have given the goods to another location than this one would, under a number
that this one would give to something else: so all who take work are asked for all numbers. What
they have is planned where they have it, before anybody else gets the goods, and settled by a
look-up like any lost reply. What cannot be told apart waits for a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, Row

from connectors.base import BuysLabels, PullsShipments, PushesFulfilmentOrders
from connectors.errors import CrossdockError
from state import fulfilment, history, intents, orders, restorations, streams
from sync import cancellation, handover, planning
from sync.context import Hub, Link, Run

AHEAD = 2
"""How many numbers in a row nobody knows before the next ones are taken for unused too: a plan
that was made and dropped before its hand-over leaves a number that nobody outside ever saw."""

_TAKERS = (PushesFulfilmentOrders, BuysLabels)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Known:
    """Work that a connection has under a reference of ours."""

    reference: str
    link: Link


def ask_around(hub: Hub, run: Run) -> None:
    """Step of ``allocate``: find out what others have of orders older than the last restore."""
    with hub.store.read() as conn:
        since = restorations.latest(conn)
        doubtful = [] if since is None else restorations.unchecked(conn, since)
    if since is None or run.dry_run:
        return
    if not doubtful:
        _end_the_doubt(hub, run, since)
        return
    takers = [link for link in hub.links.values() if isinstance(link.connector, _TAKERS)]
    if hub.clock.now() < since.restored_at + _longest_lag(takers):
        return
    for order_id in doubtful:
        if run.stopping:
            return
        try:
            known = _asked(hub, takers, order_id)
        except CrossdockError as trouble:
            # The rest of this job is not about these orders; they wait for the next run.
            log.warning("nobody can tell yet what was handed over", error=str(trouble))
            run.count("orders_in_doubt", len(doubtful))
            return
        with run.commit() as conn:
            for key in _reconcile(conn, hub, since, order_id, known):
                run.request(conn, key)
        run.count("orders_checked")
        run.count("found_outside", len(known))


def _end_the_doubt(hub: Hub, run: Run, since: Row[Any]) -> None:
    if restorations.is_over(since, hub.clock.now()):
        with run.commit() as conn:
            restorations.settle(conn, since, hub.clock.now())


def _longest_lag(takers: Sequence[Link]) -> timedelta:
    """How long after the last possible sending the last vendor's index knows of it."""
    pushes = [push for link in takers for push in link.connector.info.pushes.values()]
    return timedelta(seconds=max((push.lookup_lag_s for push in pushes), default=0.0))


def _asked(hub: Hub, takers: Sequence[Link], order_id: int) -> list[Known]:
    with hub.store.read() as conn:
        order = orders.get(conn, order_id)
        numbered = len(fulfilment.of_order(conn, order_id))
    found: list[Known] = []
    number, last = 1, numbered + AHEAD
    while number <= last:
        reference = planning.reference_for(hub, order, number)
        here = [Known(reference, link) for link in takers if _has(link.connector, reference)]
        if here:
            last = max(last, number + AHEAD)
        found += here
        number += 1
    return found


def _has(connector: Any, reference: str) -> bool:
    if isinstance(connector, PushesFulfilmentOrders):
        return connector.find_fulfilment_order(reference) is not None
    label = connector.find_label(reference)
    return label is not None and not label.voided


def _reconcile(
    conn: Connection, hub: Hub, since: Row[Any], order_id: int, known: Sequence[Known]
) -> set[str]:
    """Bring the order's work to what others have; returns the streams that have work now."""
    now = hub.clock.now()
    fulfilment.lock(conn, [order_id])
    named = ", ".join(f"{one.link.name} has {one.reference}" for one in known) or "nobody has any"
    restorations.note_checked(conn, order_id, f"after the restore: {named}", now)
    news = [one for one in known if not _is_with_them(conn, order_id, one)]
    if not news:
        return set()
    try:
        with conn.begin_nested():
            _take_back(conn, order_id, known, hub)
            for ffo, one in _planned_as_known(conn, hub, order_id, news):
                _give(conn, hub, ffo, one)
    except _Unlike:
        reason = f"the store was restored from a backup, and does not know what of it {named}"
        remedy = (
            "ask there what it holds, and have them stop what shall not leave; 'crossdock release "
            "ORDER' hands over anew all that is open here"
        )
        history.place_hold(conn, order_id, "manual", reason, remedy, now)
        return set()
    return {key for one in news for key in _wake(conn, since, one.link, hub)}


class _Unlike(Exception):
    """No plan of ours comes to the pieces of work that others have."""


def _is_with_them(conn: Connection, order_id: int, known: Known) -> bool:
    """By our books too: handed over to that connection under this reference."""
    for ffo in fulfilment.of_order(conn, order_id):
        if ffo.reference == known.reference and ffo.connection_id == known.link.id:
            return bool(ffo.work_state not in ("planned", "cancelled"))
    return False


def _take_back(conn: Connection, order_id: int, known: Sequence[Known], hub: Hub) -> None:
    """Undo plans that nobody was told of, and what was perhaps on its way when the backup was taken
    and nobody has: it was not sent, or refused, and others were given the goods.
    """
    now = hub.clock.now()
    why = "others have what it was for"
    names = {(one.reference, one.link.id) for one in known}
    for ffo in fulfilment.of_order(conn, order_id):
        dropped = 0
        if ffo.work_state == "open" and (ffo.reference, ffo.connection_id) not in names:
            dropped = sum(
                intents.overtake(conn, kind, ffo.id, why, now)
                for kind in cancellation.HANDOVER_KINDS
            )
        if dropped or ffo.work_state == "planned":
            cancellation.close_ffo(conn, ffo, "cancelled", why, now)


def _planned_as_known(
    conn: Connection, hub: Hub, order_id: int, news: Sequence[Known]
) -> list[tuple[Row[Any], Known]]:
    """The open goods planned at the very locations that have work for the order, one plan for each
    piece of work. Raises ``_Unlike`` where that is not what comes of it.
    """
    places = {
        place.id for one in news for place in fulfilment.locations_worked_by(conn, one.link.id)
    }
    planning.plan_at(conn, hub, order_id, places)
    planned = [f for f in fulfilment.of_order(conn, order_id) if f.work_state == "planned"]
    by_taker = {ffo.connection_id: ffo for ffo in planned}
    takers = [one.link.id for one in news]
    if len(planned) != len(news) or sorted(by_taker) != sorted(takers):
        raise _Unlike
    return [(by_taker[one.link.id], one) for one in news]


def _give(conn: Connection, hub: Hub, ffo: Row[Any], known: Known) -> None:
    """Make planned work the work that a connection has, to be settled by a look-up."""
    now = hub.clock.now()
    if ffo.reference != known.reference:
        _rename(conn, ffo, known.reference)
    fresh = next(f for f in fulfilment.of_order(conn, ffo.order_id) if f.id == ffo.id)
    place = fulfilment.location(conn, fresh.location_id)
    intent_id = handover.hand_over(conn, hub, fresh, known.link, place)
    told = "it was there when the store was restored"
    intents.move(conn, intent_id, "unknown", message=told, sent_at=now, not_before=now)


def _rename(conn: Connection, ffo: Row[Any], reference: str) -> None:
    """Take the reference that the work has outside; who had it here was never sent under it."""
    other = fulfilment.by_reference(conn, reference)
    if other is None or other.id == ffo.id:
        fulfilment.set_ffo(conn, ffo.id, reference=reference)
        return
    fulfilment.set_ffo(conn, other.id, reference=f"{reference}-unsent-{other.id}")
    fulfilment.set_ffo(conn, ffo.id, reference=reference)
    if other.work_state == "planned":
        fulfilment.set_ffo(conn, other.id, reference=ffo.reference)


def _wake(conn: Connection, since: Row[Any], link: Link, hub: Hub) -> set[str]:
    if isinstance(link.connector, PullsShipments):
        key = streams.key_of("pull-shipments", link.name)
        restorations.read_shipments_again(conn, since, key, link.id, hub.clock.now())
    return {streams.key_of("push", link.name)}
