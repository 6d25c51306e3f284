"""Webhooks that the vendors send: signed by their rules, on a way that may lose or change them.

What happens to a webhook is drawn from the world's seed when its event happens, and it is delivered
by the world's own plan; the same seed gives the same deliveries, byte for byte.

A shop sends once and disables a webhook after five failures in a row; a 3PL repeats, with the same
id and a new time, and gives up in the end.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

import httpx

from sandbox.wire import Json, stamp

if TYPE_CHECKING:
    from sandbox.world import World

ORIGIN = "https://shop.example"
FAILURES_MAX = 5
REPEATS_S = (5, 300, 1800, 7200, 18_000, 36_000, 36_000)

Send = Callable[[str, dict[str, str], bytes], int]
"""Takes url, headers and body; answers the status, 0 when there was no answer."""


@dataclass
class Subscription:
    """What a vendor was asked to send where. ``secret`` as the merchant was given it."""

    vendor: Literal["woocommerce", "shipbob"]
    topics: Sequence[str]
    url: str
    secret: str
    id: int = 0
    enabled: bool = True
    failures: int = 0


@dataclass(frozen=True)
class Way:
    """Shares of the webhooks that are lost, doubled, late (and so overtaken), or joined by a forged
    one. ``late_s``: how late at most."""

    lost: float = 0.0
    doubled: float = 0.0
    late: float = 0.0
    forged: float = 0.0
    late_s: float = 600.0


@dataclass(frozen=True)
class Event:
    """One thing that happened, as one subscription tells of it."""

    id: str
    subscription: Subscription
    topic: str
    body: bytes
    forged: bool = False


@dataclass
class Attempt:
    """One delivery, and what was answered (0: nothing)."""

    event: Event
    at: datetime
    status: int


@dataclass
class Hooks:
    """The webhooks of one world. ``met`` counts what really happened to them, by kind."""

    world: World
    send: Send | None = None
    way: Way = field(default_factory=Way)
    subscriptions: list[Subscription] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    met: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._dice = random.Random(f"{self.world.seed}:hooks")

    def subscribe(self, subscription: Subscription) -> Subscription:
        """Have a vendor send from now on."""
        subscription.id = len(self.subscriptions) + 1
        self.subscriptions.append(subscription)
        return subscription

    def happened(self, vendor: str, topic: str, body: Callable[[], Json], at: datetime) -> None:
        """Tell everyone who asked to be told. ``body`` is only made when somebody did."""
        for subscription in self.subscriptions:
            wanted = subscription.vendor == vendor and topic in subscription.topics
            if wanted and subscription.enabled and self.send is not None:
                text = json.dumps(body(), ensure_ascii=False, separators=(",", ":"))
                event = Event(self._new_id(), subscription, topic, text.encode())
                self.events.append(event)
                self._dispatch(event, at)

    def deliver(self, event: Event, at: datetime, repeats: int = 0) -> None:
        """One attempt, now; ``repeats``: how many have failed before."""
        subscription = event.subscription
        if self.send is None or not subscription.enabled:
            self.met["not sent"] += 1
            return
        status = self.send(subscription.url, headers_of(event, at), event.body)
        self.attempts.append(Attempt(event, at, status))
        if event.forged:
            return
        failed = not 200 <= status < 300
        subscription.failures = subscription.failures + 1 if failed else 0
        if failed and subscription.vendor == "shipbob" and repeats < len(REPEATS_S):
            self.met["repeated by the vendor"] += 1
            self._plan(event, at + timedelta(seconds=REPEATS_S[repeats]), repeats + 1)
        elif failed and subscription.failures >= FAILURES_MAX:
            self.met["subscription disabled"] += 1
            subscription.enabled = False

    def _dispatch(self, event: Event, at: datetime) -> None:
        # All are drawn for each event, so that one share does not reshuffle the others.
        lost, doubled, late, forged = (self._dice.random() for _ in range(4))
        wait = timedelta(seconds=self._dice.uniform(1, self.way.late_s))
        second = timedelta(seconds=self._dice.uniform(0, self.way.late_s))
        if forged < self.way.forged:
            self.met["forged"] += 1
            self._plan(self._forgery(event), at)
        if lost < self.way.lost:
            self.met["lost"] += 1
            return
        is_late = late < self.way.late
        self.met["late"] += is_late
        self._plan(event, at + (wait if is_late else timedelta()))
        if doubled < self.way.doubled:
            self.met["doubled"] += 1
            self._plan(event, at + second)

    def _plan(self, event: Event, at: datetime, repeats: int = 0) -> None:
        self.world.schedule(at, lambda _, now: self.deliver(event, now, repeats))

    def _forgery(self, event: Event) -> Event:
        """Somebody who knows everything but the secret."""
        stranger = replace(event.subscription, secret=foreign_secret(event.subscription.secret))
        body = event.body[:-1] + b',"forged":true}'
        return Event(self._new_id(), stranger, event.topic, body, forged=True)

    def _new_id(self) -> str:
        return f"msg_{self._dice.getrandbits(96):024x}"


def foreign_secret(secret: str) -> str:
    """Another secret of the same kind."""
    other = base64.b64encode(hashlib.sha256(secret.encode()).digest()[:24]).decode()
    return f"whsec_{other}" if secret.startswith("whsec_") else other


def headers_of(event: Event, at: datetime) -> dict[str, str]:
    """What the vendor sends beside the body, signed at this moment."""
    subscription = event.subscription
    if subscription.vendor == "shipbob":
        seconds = str(int(at.timestamp()))
        key = base64.b64decode(subscription.secret.removeprefix("whsec_"))
        signed = f"{event.id}.{seconds}.".encode() + event.body
        return {
            "content-type": "application/json",
            "webhook-id": event.id,
            "webhook-timestamp": seconds,
            "webhook-signature": f"v1,{_hmac(key, signed)}",
            "x-webhook-topic": event.topic,
        }
    resource, _, name = event.topic.partition(".")
    return {
        "content-type": "application/json",
        "user-agent": "WooCommerce/9.4 Hookshot (WordPress/6.7)",
        "x-wc-webhook-source": f"{ORIGIN}/",
        "x-wc-webhook-topic": event.topic,
        "x-wc-webhook-resource": resource,
        "x-wc-webhook-event": name,
        "x-wc-webhook-signature": _hmac(subscription.secret.encode(), event.body),
        "x-wc-webhook-id": str(subscription.id),
        "x-wc-webhook-delivery-id": event.id,
    }


def posting(client: httpx.Client) -> Send:
    """Sends through ``client``: over sockets, or into an application in this process."""

    def send(url: str, headers: dict[str, str], body: bytes) -> int:
        try:
            return client.post(url, content=body, headers=headers).status_code
        except httpx.TransportError:
            return 0

    return send


def woo_row(subscription: Subscription, at: datetime) -> Json:
    """A webhook as the shop lists it."""
    topic = subscription.topics[0]
    resource, _, name = topic.partition(".")
    moment = stamp(at).removesuffix("Z")
    return {
        "id": subscription.id,
        "name": f"Webhook {subscription.id}",
        "status": "active" if subscription.enabled else "disabled",
        "topic": topic,
        "resource": resource,
        "event": name,
        "hooks": [],
        "delivery_url": subscription.url,
        "date_created": moment,
        "date_created_gmt": moment,
        "date_modified": moment,
        "date_modified_gmt": moment,
    }


def bob_row(subscription: Subscription, at: datetime) -> Json:
    """A subscription as the 3PL lists it."""
    return {
        "id": str(subscription.id),
        "url": subscription.url,
        "topics": list(subscription.topics),
        "enabled": subscription.enabled,
        "description": "",
        "created_at": stamp(at),
    }


def _hmac(key: bytes, content: bytes) -> str:
    return base64.b64encode(hmac.digest(key, content, "sha256")).decode()
