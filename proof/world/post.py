"""Webhooks of the simulated world: real senders, a bad way, and our own application at its end.

The way is drawn for every seed: some are lost, doubled, late or joined by forged ones, nobody
answers while no process lives, and some answers are lost after the event was kept.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from random import Random

import httpx
from sqlalchemy import Connection, select

from connectors import woo_hooks
from jobs import webhooks
from jobs.app import App
from proof.world.checks.violation import Violation
from proof.world.course import WEBHOOKS, Course
from sandbox.hooks import Subscription, Way, posting
from sandbox.world import World
from state import hook_events
from state import tables as t
from web.application import Application
from web.intake import Intake

BASE = "http://hub.test"
SECRETS = {"shop-eu": "the-shop-signs-with-this", "bob": "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"}
_BOB_TOPICS = ("order.shipped", "order.shipment.cancelled", "order.shipment.exception")
_UNHEARD = 0.05
"""Of the answers: the event is kept, and the vendor never hears of it."""

_FORGED = b'"forged":true}'


def draw(course: Course) -> Way | None:
    """The way of this world; null: no vendor sends any."""
    dice = course.dice("webhooks")
    sends = dice.random() < 0.6
    lost, doubled, late, forged = (dice.choice((0.0, 0.1, 0.4)) for _ in range(4))
    if not sends or course.faults not in ("calm", "storm") or WEBHOOKS in course.without:
        return None
    return Way(lost, doubled, late, forged, late_s=dice.choice((60.0, 7200.0)))


class Post:
    """Takes what the vendors send. ``is_open``: whether a process is there that would."""

    def __init__(
        self, office: App, world: World, way: Way | None, dice: Random, is_open: Callable[[], bool]
    ) -> None:
        self._world, self._dice, self._is_open = world, dice, is_open
        self._clock = world.clock
        self._intake = Intake(office.hub.store, office.clock, webhooks.endpoints_of(office))
        inside = httpx.WSGITransport(app=Application(self._intake))
        self._client = httpx.Client(transport=inside, base_url=BASE)
        self._post = posting(self._client)
        self._answers: list[tuple[datetime, bytes, bool, int]] = []
        self._told = 0
        self._unheard = _UNHEARD
        if way is not None:
            self._subscribe(way)

    def news(self) -> Iterator[tuple[datetime, str]]:
        """What was answered since the last time this was asked."""
        answers, self._told = self._answers[self._told :], len(self._answers)
        for at, digest, _, status in answers:
            yield at, f"{digest.hex()[:12]} {status}"

    def switch_on(self) -> None:
        """What the merchant does about a webhook that its shop has disabled."""
        for subscription in self._world.hooks.subscriptions:
            subscription.enabled, subscription.failures = True, 0

    def clear(self) -> None:
        """From now on every one comes as it should."""
        self._world.hooks.way = Way()
        self._unheard = 0.0

    def close(self) -> None:
        self._client.close()

    def differences(self, conn: Connection) -> list[Violation]:
        """One row for each event that was answered with 200, and none for any other."""
        row = t.hook_event.c
        since = self._clock.now() - hook_events.KEEP / 2
        query = select(row.sha256).where(row.received_at >= since)
        rows = Counter(conn.scalars(query))
        recent = [one for one in self._answers if one[0] >= since]
        kept = {digest for _, digest, _, status in recent if status == 200}
        found = []
        for digest, forged, status in sorted({(d, f, s) for _, d, f, s in recent}):
            name = f"webhook {digest.hex()[:12]}"
            if forged and (status != 401 or digest in rows):
                found.append(Violation("webhooks", name, f"was forged, and answered {status}"))
            elif not forged and status not in (200, 503):
                found.append(Violation("webhooks", name, f"is genuine, and was answered {status}"))
            elif status == 200 and digest not in rows:
                found.append(Violation("webhooks", name, "was answered 200, and is not there"))
        events = Counter(
            hashlib.sha256(one.body).digest() for one in self._world.hooks.events if not one.forged
        )
        for digest, times in sorted(rows.items()):
            if digest not in kept or times > events[digest]:
                told = f"{times} rows of {events[digest]} events"
                found.append(Violation("webhooks", f"webhook {digest.hex()[:12]}", told))
        return found

    def _subscribe(self, way: Way) -> None:
        hooks = self._world.hooks
        hooks.way, hooks.send = way, self._send
        for topic in woo_hooks.TOPICS:
            url = f"{BASE}/hooks/shop-eu"
            hooks.subscribe(Subscription("woocommerce", [topic], url, SECRETS["shop-eu"]))
        hooks.subscribe(Subscription("shipbob", _BOB_TOPICS, f"{BASE}/hooks/bob", SECRETS["bob"]))

    def _send(self, url: str, headers: dict[str, str], body: bytes) -> int:
        if not self._is_open():
            return 0
        status = self._post(url, headers, body)
        digest = hashlib.sha256(body).digest()
        self._answers.append((self._clock.now(), digest, body.endswith(_FORGED), status))
        return 0 if self._dice.random() < self._unheard else status
