"""Accepted orders to reserved goods and fulfilment orders, and from there to the location."""

from __future__ import annotations

from state import orders
from sync import handover, planning, quoting, rerouting
from sync.context import Hub, Run
from sync.routing import together


def allocate(hub: Hub, run: Run) -> None:
    """Job: plan every order that can be planned, then release what is due."""
    rerouting.end_overdue(hub, run)
    _lift_payment_holds(hub, run)
    with hub.store.read() as conn:
        queue = together.queue(conn, hub, orders.awaiting_allocation(conn))
    for order_id, allotment in queue:
        with run.commit() as conn:
            planned = planning.plan_order(conn, hub, order_id, allotment)
            run.count("planned", planned)
            if not planned and planning.waits_for_quotes(conn, hub, order_id):
                for key in quoting.asking(hub):
                    run.request(conn, key)
        if run.stopping:
            return
    handover.release_due(hub, run)


def _lift_payment_holds(hub: Hub, run: Run) -> None:
    with hub.store.read() as conn:
        held = orders.held_for(conn, "payment")
    for order_id in held:
        with run.commit() as conn:
            run.count("paid", planning.payment_came(conn, hub, order_id))
