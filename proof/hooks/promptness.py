"""How soon a webhook's change is known: looked for each second, as the daemon does.

A storm looks every few minutes, and there a poll would have come anyway. Here the next poll is far
away, and the webhook comes while the shop's newest seconds are not read yet.
"""

from __future__ import annotations

from sqlalchemy import select

from connectors import woo_hooks
from jobs.runner import Runner
from proof.hooks import rig as rigs
from sandbox.hooks import posting
from state import streams
from state import tables as t

DELAYS_S = range(6)
"""Seconds from a change to its webhook."""
KNOWN_WITHIN_S = 10
"""Seconds after the webhook."""
STREAM = streams.key_of("pull-orders", rigs.SHOP)


def promptness(seed: int) -> list[str]:
    """What was known too late, for a webhook of each delay."""
    with rigs.rig(seed, orders=10, hours=1) as rig:
        hooks = rig.world.hooks
        hooks.send = posting(rig.client)
        for topic in woo_hooks.TOPICS:
            hooks.subscribe(rigs.woo(topic=topic))
        runner = rig.hub.runner("run")
        _pass(rig, 7200)
        waits = {delay: _wait(rig, runner, delay) for delay in DELAYS_S}
    return [
        f"a webhook {delay} s after its change: known after {wait} s"
        for delay, wait in waits.items()
        if wait is None or wait > KNOWN_WITHIN_S
    ]


def _wait(rig: rigs.Rig, runner: Runner, delay: int) -> int | None:
    """Seconds from the webhook until its change is known; null: longer than anybody waits."""
    while runner.run_due(STREAM) is not None:
        _pass(rig, _QUIET_S)
    _pass(rig, _QUIET_S)
    order = min(rig.world.shop.orders.values(), key=lambda one: one.id)
    note = f"told after {delay} s"
    order.body["customer_note"] = note
    rig.world.shop.set_status(order, order.status, rig.clock.now().replace(microsecond=0))
    _pass(rig, delay)
    for waited in range(_PATIENCE_S):
        runner.run_due(STREAM)
        if _note(rig, order.id) == note:
            return waited
        _pass(rig, 1)
    return None


_QUIET_S = 60
"""Longer than anything is unseen, and far from the end of the interval."""
_PATIENCE_S = 60


def _pass(rig: rigs.Rig, seconds: float) -> None:
    rig.clock.advance(seconds)
    rig.world.advance_to(rig.clock.now())


def _note(rig: rigs.Rig, order_id: int) -> str | None:
    order = t.sales_order.c
    ours = order.connection_id == rig.hub.hub.links[rigs.SHOP].id
    with rig.store.read() as conn:
        return conn.scalar(select(order.note).where(ours, order.channel_order_id == str(order_id)))
