"""An intake over a store of either database: one shop and one 3PL that send webhooks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Row, insert, select
from structlog.testing import capture_logs

from connectors.base import Delivery, Hook, Info
from connectors.shipbob import ShipBob, ShipBobConfig
from connectors.woocommerce import WooCommerce, WooConfig
from jobs.clock import ManualClock
from sandbox.hooks import Event, Subscription, headers_of
from state import streams
from state import tables as t
from state.store import Store
from web.endpoints import Endpoint
from web.intake import Answer, Intake

SHOP_SECRET = "a-secret-of-the-shop-and-long"
BOB_SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"


class Proving:
    """A connector as far as webhooks go: nothing here calls out."""

    def __init__(self, made: Any, config: Any) -> None:
        self._read = made.read_hook
        self._config = config
        self.info: Info = made.info

    def takes_hooks(self) -> bool:
        return bool(self._config.hook_keys())

    def read_hook(self, delivery: Delivery, now: datetime) -> Hook | None:
        hook: Hook | None = self._read(self, delivery, now)
        return hook


@dataclass
class Bench:
    store: Store
    clock: ManualClock
    intake: Intake
    endpoints: dict[str, Endpoint]
    hinted: list[str] = field(default_factory=list)

    def woo(self, body: bytes = b'{"id":7}', topic: str = "order.updated", **more: str) -> Answer:
        """The shop's webhook; ``more`` are headers that are changed on the way."""
        sender = Subscription("woocommerce", [topic], "", SHOP_SECRET)
        headers = headers_of(Event("msg_1", sender, topic, body), self.clock.now())
        changed = {name.replace("_", "-"): value for name, value in more.items()}
        return self.intake.receive("shop", {**headers, **changed}, body)

    def bob(self, event_id: str = "msg_1", topic: str = "order.shipped") -> Answer:
        sender = Subscription("shipbob", [topic], "", BOB_SECRET)
        body = b'{"id":9}'
        headers = headers_of(Event(event_id, sender, topic, body), self.clock.now())
        return self.intake.receive("bob", headers, body)

    def events(self) -> list[Row[Any]]:
        with self.store.read() as conn:
            return list(conn.execute(select(t.hook_event).order_by(t.hook_event.c.id)))

    def stream(self, key: str) -> Row[Any]:
        with self.store.read() as conn:
            return conn.execute(select(t.stream).where(t.stream.c.key == key)).one()


OpenBench = Callable[..., Bench]


@pytest.fixture
def open_bench(store: Store, clock: ManualClock) -> OpenBench:
    """``patient``: another way into the same store, for the intake."""

    def make(patient: Store | None = None) -> Bench:
        configs: dict[str, tuple[Any, Any]] = {
            "shop": (
                WooCommerce,
                WooConfig.model_validate(
                    {
                        "url": "https://shop.example",
                        "consumer_key": "k",
                        "consumer_secret": "s",
                        "webhook_secret": SHOP_SECRET,
                    }
                ),
            ),
            "bob": (
                ShipBob,
                ShipBobConfig.model_validate(
                    {"token": "t", "channel_id": 1, "webhook_secret": BOB_SECRET}
                ),
            ),
            "closed": (
                WooCommerce,
                WooConfig.model_validate(
                    {"url": "https://b.example", "consumer_key": "k", "consumer_secret": "s"}
                ),
            ),
        }
        endpoints = {}
        with store.write() as conn:
            for name, (made, config) in configs.items():
                values = {"name": name, "connector": made.info.name, "kind": made.info.kind}
                added = insert(t.connection).values(values).returning(t.connection.c.id)
                link_id = conn.execute(added).scalar_one()
                keys = {"orders": f"pull-orders:{name}", "shipments": f"pull-shipments:{name}"}
                for key in keys.values():
                    streams.ensure(conn, key, key.split(":")[0], link_id, 300, clock.now())
                proving = Proving(made, config)
                endpoints[name] = Endpoint(link_id, name, proving, keys)
        hinted: list[str] = []
        intake = Intake(patient or store, clock, endpoints, hinted.extend)
        return Bench(store, clock, intake, endpoints, hinted)

    return make


@pytest.fixture
def bench(open_bench: OpenBench) -> Any:
    with capture_logs():
        yield open_bench()
