"""T2: a genuine webhook that is sent again has no second effect: at once and by many, with other
headers, after a restart, and for as long as any vendor repeats itself.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest import mock

from connectors import shipbob_hooks, woo_hooks
from connectors.base import Delivery, Hook
from jobs import webhooks
from proof.budget import Budget, reached
from proof.evidence import Evidence, Size
from proof.hooks import rig as rigs
from proof.hooks.forgery import Sent, genuine
from sandbox.hooks import Event, headers_of
from state import hook_events
from web.intake import Intake

REPLAYS = 100
"""Of each webhook, in each way."""
ROUNDS = {"pull-request": 1, "nightly": 20}
PLANTED_REPLAYS = 12
THREADS = 8
UNSIGNED = ("x-wc-webhook-delivery-id", "x-wc-webhook-topic", "x-wc-webhook-id", "x-webhook-topic")


def attack(rig: rigs.Rig, times: int, seed: int, met: Counter[str]) -> list[str]:
    """Replay two genuine webhooks in every way; says what had a second effect."""
    dice = random.Random(f"{seed}:replay")
    sents = genuine(rig.clock.now(), 2, dice)
    wrong: list[str] = []
    for sent in sents:
        wrong += _at_once(rig, sent, times, met)
        wrong += _with_other_headers(rig, sent, times, dice, met)
        wrong += _after_a_restart(rig, sent, met)
    rig.clock.advance(shipbob_hooks.TOLERANCE_S + 1)
    wrong += _too_late(rig, sents, met)
    rig.clock.advance(timedelta(days=29).total_seconds())
    with rig.store.write() as conn:
        hook_events.prune(conn, rig.clock.now())
    return wrong + _again_from_the_vendor(rig, sents, met)


def _at_once(rig: rigs.Rig, sent: Sent, times: int, met: Counter[str]) -> list[str]:
    before, wanted = len(rig.events()), rig.wants()
    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(lambda _: rig.receive(*sent[:3]), range(times)))
    met["in parallel"] += times
    wrong = [f"{sent.name}: a replay was answered {a.status}" for a in answers if a.status != 200]
    if len(rig.events()) != before + 1:
        wrong.append(f"{sent.name}: {times} replays left {len(rig.events()) - before} events")
    if rig.wants() != wanted + 1:
        wrong.append(f"{sent.name}: {times} replays asked {rig.wants() - wanted} times")
    return wrong


def _with_other_headers(
    rig: rigs.Rig, sent: Sent, times: int, dice: random.Random, met: Counter[str]
) -> list[str]:
    before = len(rig.events())
    for _ in range(times):
        name = dice.choice([name for name in UNSIGNED if name in sent.headers])
        rig.receive(sent.name, {**sent.headers, name: f"order.{dice.random()}"}, sent.body)
        met["with other headers"] += 1
    more = len(rig.events()) - before
    return [f"{sent.name}: other headers made {more} more events"] if more else []


def _after_a_restart(rig: rigs.Rig, sent: Sent, met: Counter[str]) -> list[str]:
    before = len(rig.events())
    again = Intake(rig.store, rig.clock, webhooks.endpoints_of(rig.hub))
    status = again.receive(*sent[:3]).status
    met["after a restart"] += 1
    more = len(rig.events()) - before
    return [f"{sent.name}: after a restart {more} more ({status})"] if more or status != 200 else []


def _too_late(rig: rigs.Rig, sents: Sequence[Sent], met: Counter[str]) -> list[str]:
    """Where the vendor signs the time, an old one is refused, known or not."""
    met["with an old time"] += 1
    late = next(sent for sent in sents if sent.name == rigs.BOB)
    status = rig.receive(*late[:3]).status
    return [] if status == 401 else [f"{late.name}: an old time was answered {status}"]


def _again_from_the_vendor(rig: rigs.Rig, sents: Sequence[Sent], met: Counter[str]) -> list[str]:
    """The same events signed anew, as late as we promise to know them."""
    wrong = []
    for sent in sents:
        before = len(rig.events())
        met["after 29 days"] += 1
        if sent.name == rigs.BOB:
            known = sent.headers[shipbob_hooks.ID]
            event = Event(known, rigs.bob(), "order.shipped", sent.body)
            sent = sent._replace(headers=headers_of(event, rig.clock.now()))
        status = rig.receive(*sent[:3]).status
        more = len(rig.events()) - before
        if more or status != 200:
            wrong.append(f"{sent.name}: after 29 days {more} more ({status})")
    return wrong


def prove(size: Size, seed: int = 1, budget_s: float | None = None) -> Evidence:
    """``budget_s``: real seconds; null: all rounds."""
    started, met, budget = time.process_time(), Counter[str](), Budget(budget_s)
    planted = rigs.planted(BUGS, lambda: _fresh_attack(seed, PLANTED_REPLAYS, Counter()))
    rounds = range(seed, seed + ROUNDS[size])
    told = [(number, _fresh_attack(number, REPLAYS, met)) for number in budget.over(rounds)]
    violations = [wrong for _, found in told for wrong in found]
    return Evidence(
        claim="T2",
        title="A webhook that is sent again has no second effect",
        command=f"python -m proof T2 --size {size} --seed {seed}",
        runs=sum(met.values()),
        unit="replays",
        seeds=f"{seed}-{told[-1][0]}",
        injections=dict(met),
        violations=violations,
        planted=planted,
        figures=reached(size, len(told), len(rounds)),
        cpu_s=round(time.process_time() - started, 2),
    )


def _fresh_attack(seed: int, replays: int, met: Counter[str]) -> list[str]:
    with rigs.rig(seed) as rig:
        return attack(rig, replays, seed, met)


_add, _read = hook_events.add, woo_hooks.read


def _every_time_another(conn: Any, *, event_id: str, **given: Any) -> bool:
    return _add(conn, event_id=f"{event_id}-{rigs.random_id()}", **given)


def _named_by_the_delivery(keys: Any, delivery: Delivery) -> Hook | None:
    hook = _read(keys, delivery)
    named = delivery.headers.get("x-wc-webhook-delivery-id", "")
    return None if hook is None else replace(hook, event_id=named)


BUGS: dict[str, Callable[[], Any]] = {
    "every delivery is an event": lambda: mock.patch.object(
        hook_events, "add", _every_time_another
    ),
    "the unsigned delivery id names the event": lambda: mock.patch.object(
        woo_hooks, "read", _named_by_the_delivery
    ),
    "any time is taken": lambda: mock.patch.object(shipbob_hooks, "require_fresh"),
    "events are forgotten after a day": lambda: mock.patch.object(
        hook_events, "KEEP", timedelta(days=1)
    ),
}
