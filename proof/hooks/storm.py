"""G11: webhooks that are lost, doubled, late, overtaken and forged leave the hub with the truth.

A shop of the sandbox trades and tells of each change by webhook; the way there loses, doubles,
delays and forges some, and the store is locked now and then. The hub polls seldom. Afterwards the
shop's own state is compared with the hub's orders, and each webhook that was answered with 200
with the rows that were kept.
"""

from __future__ import annotations

import hashlib
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

from sqlalchemy import select

from connectors import woo_hooks
from jobs import settings
from proof.budget import Budget, reached
from proof.evidence import Evidence, Size
from proof.hooks import pace
from proof.hooks import rig as rigs
from proof.hooks.promptness import promptness
from sandbox.hooks import Attempt, Send, Way, posting
from sandbox.vendors.woo_shop import UNSHIPPABLE_STATUSES, WooOrder
from sandbox.world import World
from state import hook_events, streams
from state import tables as t
from web import intake as taking

EVENTS = 1_000
"""Of a storm; each is a hub and a shop of its own."""
STORMS = {"pull-request": 5, "nightly": 200}
PLANTED_EVENTS = 60
WAY = Way(lost=0.05, doubled=0.20, late=0.20, forged=0.01, late_s=900)
LOCKED = 0.02
STEP = timedelta(minutes=4)
"""How often due streams are looked for: the daemon does it each second."""
HEALED_WITHIN = timedelta(seconds=settings.Every().orders) + STEP
STREAM = streams.key_of("pull-orders", rigs.SHOP)


def storm(rig: rigs.Rig, events: int, seed: int, met: Counter[str]) -> list[str]:
    """Trade until the shop has told of so many changes; says what does not agree afterwards."""
    hooks = rig.world.hooks
    dice = random.Random(f"{seed}:storm")
    hooks.way, hooks.send = WAY, _through_locks(rig, dice, met, posting(rig.client))
    subscriptions = [hooks.subscribe(rigs.woo(topic=topic)) for topic in woo_hooks.TOPICS]
    runner = rig.hub.runner("run")
    wanted, polls = rig.wants(STREAM), 0
    edits = random.Random(f"{seed}:edits")
    while len(hooks.events) < events or rig.world.next_event() is not None:
        if len(hooks.events) < events:
            _edit(rig.world, edits, events - len(hooks.events))
        rig.clock.advance(STEP.total_seconds())
        rig.world.advance_to(rig.clock.now())
        for subscription in subscriptions:
            # Five locks in a row, by chance: the merchant switches it on again.
            subscription.enabled, subscription.failures = True, 0
        polls += runner.run_due(STREAM) is not None
    _change_in_silence(rig.world)
    rig.clock.advance(HEALED_WITHIN.total_seconds())
    polls += runner.run_due(STREAM) is not None
    met.update(hooks.met)
    met["events"] += len(hooks.events)
    met["runs of the stream"] += polls
    return _disagreements(rig) + _answers(rig, hooks.attempts, rig.wants(STREAM) - wanted)


def _edit(world: World, dice: random.Random, left: int) -> None:
    """The merchant works through open orders: each change is one more webhook."""
    open_ = [o for o in world.shop.orders.values() if o.status not in UNSHIPPABLE_STATUSES]
    for _ in range(min(left, _EDITS, len(open_))):
        order = dice.choice(open_)
        at = world.now.replace(microsecond=0)
        status = dice.choices(["processing", "on-hold", "cancelled"], [10, 10, 1])[0]
        if status == "cancelled":
            world.shop.cancel(order, at)
        else:
            order.body["customer_note"] = f"edited {dice.randrange(10**6)}"
            world.shop.set_status(order, status, at)


_EDITS = 40


def _change_in_silence(world: World) -> None:
    """The very last change, and nobody hears of it: only a poll can."""
    world.hooks.way = Way(lost=1)
    order = max(world.shop.orders.values(), key=lambda one: one.id)
    order.body["customer_note"] = "changed in silence"
    world.shop.set_status(order, order.status, world.now.replace(microsecond=0))


def _through_locks(rig: rigs.Rig, dice: random.Random, met: Counter[str], send: Send) -> Send:
    """Some webhooks meet a store that somebody else has locked for longer than they wait."""
    path = rig.store.url.database
    assert path is not None

    def sent(url: str, headers: dict[str, str], body: bytes) -> int:
        if dice.random() >= LOCKED:
            return send(url, headers, body)
        met["store locked"] += 1
        blocker = sqlite3.connect(path, isolation_level=None)
        try:
            blocker.execute("BEGIN IMMEDIATE")
            return send(url, headers, body)
        finally:
            blocker.close()

    return sent


def _disagreements(rig: rigs.Rig) -> list[str]:
    """Orders that the hub knows otherwise than the shop."""
    order = t.sales_order
    ours = order.c.connection_id == rig.hub.hub.links[rigs.SHOP].id
    with rig.store.read() as conn:
        known = {row.channel_order_id: row for row in conn.execute(select(order).where(ours))}
    truth = rig.world.shop.orders
    wrong = [f"order {name} is nobody's" for name in known.keys() - {str(n) for n in truth}]
    for number, real in truth.items():
        row = known.get(str(number))
        if row is None:
            wrong.append(f"order {number} is missing")
        elif _told(row) != _real(real):
            wrong.append(f"order {number}: {_told(row)} and not {_real(real)}")
    return wrong


def _told(row: Any) -> tuple[datetime, bool, str]:
    return row.channel_updated_at, row.channel_status == "cancelled", row.note


def _real(order: WooOrder) -> tuple[datetime, bool, str]:
    note = " ".join(order.body["customer_note"].split())
    return order.modified.replace(microsecond=0), order.status in _CANCELLED, note


_CANCELLED = ("cancelled", "refunded", "trash")
"""What the mapping takes for cancelled, of the shop's words."""


def _answers(rig: rigs.Rig, attempts: Sequence[Attempt], wanted: int) -> list[str]:
    """Each answer against the rows: no 200 without one, none for a forgery, one for an event."""
    rows = Counter(row.sha256 for row in rig.events())
    wrong = []
    genuine = set()
    for attempt in attempts:
        digest = hashlib.sha256(attempt.event.body).digest()
        if attempt.event.forged:
            if attempt.status != 401 or digest in rows:
                wrong.append(f"a forgery was answered {attempt.status}")
        elif attempt.status == 200:
            genuine.add(digest)
            if digest not in rows:
                wrong.append("answered 200, and there is no row")
        elif attempt.status != 503:
            wrong.append(f"a genuine webhook was answered {attempt.status}")
    wrong += [f"{n} rows of one event" for n in rows.values() if n > 1]
    if set(rows) != genuine:
        wrong.append(f"{len(set(rows) ^ genuine)} events have a row and no 200, or the reverse")
    if wanted != len(genuine):
        wrong.append(f"{len(genuine)} events asked {wanted} times for the stream")
    return wrong


def prove(size: Size, seed: int = 1, budget_s: float | None = None) -> Evidence:
    """``budget_s``: real seconds; null: all storms."""
    started, met, budget = time.process_time(), Counter[str](), Budget(budget_s)
    planted = rigs.planted(
        BUGS, lambda: [*_fresh_storm(PLANTED_EVENTS, seed, Counter()), *promptness(seed)]
    )
    planted |= pace.noticed(seed)
    figures, violations = pace.paces(size, seed)
    violations += promptness(seed)
    storms = range(seed, seed + STORMS[size])
    told = [(number, _fresh_storm(EVENTS, number, met)) for number in budget.over(storms)]
    violations += [wrong for _, found in told for wrong in found]
    return Evidence(
        claim="G11",
        title="Webhooks that are lost, doubled, late and forged leave the truth",
        command=f"python -m proof G11 --size {size} --seed {seed}",
        runs=met["events"],
        unit="webhook events",
        seeds=f"{seed}-{told[-1][0]}",
        injections=dict(met),
        violations=violations,
        planted=planted,
        figures={**figures, **reached(size, len(told), len(storms))},
        cpu_s=round(time.process_time() - started, 2),
    )


def _fresh_storm(events: int, seed: int, met: Counter[str]) -> list[str]:
    with rigs.rig(seed, orders=max(10, events // 20), hours=1, patience_s=_PATIENCE_S) as rig:
        return storm(rig, events, seed, met)


_PATIENCE_S = 0.02


_add, _keep = hook_events.add, taking.Intake._keep


def _every_time_another(conn: Any, *, event_id: str, **given: Any) -> bool:
    return _add(conn, event_id=f"{event_id}-{rigs.random_id()}", **given)


def _taken_all_the_same(self: Any, *given: Any) -> taking.Answer:
    _keep(self, *given)
    return taking.ACCEPTED


_finish = streams.finish


def _only_when_asked(conn: Any, held: Any, now: datetime, **more: Any) -> bool:
    again = _finish(conn, held, now, **more)
    if not again:
        never = now + timedelta(days=3650)
        conn.execute(t.stream.update().where(t.stream.c.key == held.key).values(due_at=never))
    return again


def _no_polling() -> Any:
    """A hub that believes its webhooks to be all there is."""
    return mock.patch.object(streams, "finish", _only_when_asked)


BUGS: dict[str, Callable[[], Any]] = {
    "every delivery is an event": lambda: mock.patch.object(
        hook_events, "add", _every_time_another
    ),
    "a failure is answered with 200": lambda: mock.patch.object(
        taking.Intake, "_keep", _taken_all_the_same
    ),
    "the answer goes out, and nothing is kept": lambda: mock.patch.object(
        taking.Intake, "_keep", return_value=taking.ACCEPTED
    ),
    "nothing is asked of the stream": lambda: mock.patch.object(streams, "request"),
    "signatures are not looked at": lambda: mock.patch.object(woo_hooks, "require_proof"),
    "there is no polling": _no_polling,
    "a change that does not show yet waits for a poll": lambda: mock.patch.object(
        hook_events, "last_nudge", return_value=None
    ),
}
