"""Accepted orders to reserved goods and fulfilment orders, and from there to the location."""

from __future__ import annotations

from state import orders, stock
from sync import doubt, handover, planning, quoting, recovery, rerouting
from sync.context import Hub, Run
from sync.routing import together, waiting


def allocate(hub: Hub, run: Run) -> None:
    """Job: plan every order that can be planned, then release what is due."""
    steps = (
        recovery.ask_around,
        rerouting.end_overdue,
        _withhold_lots,
        _lift_payment_holds,
        _plan,
        handover.release_due,
    )
    for work in steps:
        work(hub, run)
        if run.stopping:
            return


def _withhold_lots(hub: Hub, run: Run) -> None:
    """Before anything is planned: an order given to goods that have expired would wait for ever,
    as routing finds enough there and no reservation gets any.
    """
    now = hub.clock.now()
    with hub.store.read() as conn:
        over = stock.unsellable(conn, now)
    if over:
        with run.commit() as conn:
            run.count("units_withheld", int(stock.withhold(conn, now)))
            run.request(conn, "promise")


def _lift_payment_holds(hub: Hub, run: Run) -> None:
    """Look at orders held for their payment of which anything has changed since the last look."""
    now = hub.clock.now()
    version = hub.routing.version()
    with hub.store.read() as conn:
        held = orders.held_for(conn, "payment")
        paid = orders.payments_of(conn, held)
        rows = {row.id: row for row in orders.marks(conn, held)}
    for order_id in held:
        row = rows[order_id]
        mark = waiting.unpaid_mark(row, paid.get(order_id, ()), version, now)
        if row.waits_for == mark:
            continue
        with run.commit() as conn:
            run.count("paid", planning.payment_came(conn, hub, order_id, mark))
        if run.stopping:
            return


def _plan(hub: Hub, run: Run) -> None:
    with hub.store.read() as conn:
        waiting_ids = doubt.known_well(conn, orders.awaiting_allocation(conn))
        queue = together.queue(conn, hub, waiting_ids)
    for turn in queue:
        with run.commit() as conn:
            planned = planning.plan_order(conn, hub, turn.order_id, turn.allotment, turn.seen)
            if not planned and planning.waits_for_quotes(conn, hub, turn.order_id):
                for key in quoting.asking(hub):
                    run.request(conn, key)
        run.count("planned", planned)
        if run.stopping:
            return
