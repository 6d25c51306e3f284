"""An installation that takes webhooks: the real application over a store of its own, two accounts
at each vendor, and a sandbox whose shop sends to the first one."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
from sqlalchemy import event, func, select
from structlog.testing import capture_logs

from jobs import app, webhooks
from jobs.app import App
from jobs.clock import ManualClock
from jobs.settings_loader import Configuration
from sandbox.app import Sandbox
from sandbox.hooks import Subscription
from sandbox.vendors import woocommerce
from sandbox.world import World
from state import migrate
from state import tables as t
from state.store import Store
from web.application import Application
from web.endpoints import Endpoint
from web.intake import Answer, Intake

START = datetime(2026, 11, 2, 6, tzinfo=UTC)
BASE = "http://hooks.test"
SHOP, OTHER_SHOP, BOB, OTHER_BOB, LABELS = "shop-eu", "shop-us", "bob", "bob-uk", "labels"
CLOSED_SHOP = "shop-closed"
"""Has no secret: its address must not exist."""
WOO_SECRET = "woo-secret-of-the-european-shop"
OLD_WOO_SECRET = "woo-secret-that-is-on-its-way-out"
OTHER_WOO_SECRET = "woo-secret-of-the-american-shop"
BOB_SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
OTHER_BOB_SECRET = "whsec_NzY1NDMyMTBmZWRjYmE5ODc2NTQzMjEw"
LABEL_SECRET = "label-secret-of-the-only-account"

SETTINGS = f"""
[web]
listen = "127.0.0.1:8431"
public_url = "{BASE}"
[connections.{SHOP}]
connector = "woocommerce"
url = "http://sandbox.test/woo"
consumer_key = "env:PROOF_KEY"
consumer_secret = "env:PROOF_SECRET"
timezone = "Europe/Berlin"
since = {START.isoformat()}
webhook_secret = "env:PROOF_WOO"
webhook_secret_before = "env:PROOF_WOO_OLD"
[connections.{OTHER_SHOP}]
connector = "woocommerce"
url = "http://sandbox.test/elsewhere"
consumer_key = "env:PROOF_KEY"
consumer_secret = "env:PROOF_SECRET"
webhook_secret = "env:PROOF_WOO_US"
[connections.{BOB}]
connector = "shipbob"
url = "http://sandbox.test/shipbob"
token = "env:PROOF_KEY"
channel_id = 1
webhook_secret = "env:PROOF_BOB"
[connections.{OTHER_BOB}]
connector = "shipbob"
url = "http://sandbox.test/shipbob"
token = "env:PROOF_KEY"
channel_id = 1
webhook_secret = "env:PROOF_BOB_UK"
[connections.{LABELS}]
connector = "shipengine"
url = "http://sandbox.test/shipengine"
api_key = "env:PROOF_KEY"
carrier_ids = ["se-1"]
webhook_secret = "env:PROOF_LABELS"
[connections.{CLOSED_SHOP}]
connector = "woocommerce"
url = "http://sandbox.test/closed"
consumer_key = "env:PROOF_KEY"
consumer_secret = "env:PROOF_SECRET"
"""

ENVIRONMENT = {
    "PROOF_KEY": woocommerce.CONSUMER_KEY,
    "PROOF_SECRET": woocommerce.CONSUMER_SECRET,
    "PROOF_WOO": WOO_SECRET,
    "PROOF_WOO_OLD": OLD_WOO_SECRET,
    "PROOF_WOO_US": OTHER_WOO_SECRET,
    "PROOF_BOB": BOB_SECRET,
    "PROOF_BOB_UK": OTHER_BOB_SECRET,
    "PROOF_LABELS": LABEL_SECRET,
}


class OneClock(ManualClock):
    """The hub's clock and the sandbox's at once."""

    def set_speed(self, speed: float) -> None:
        raise ValueError("a manual clock has no speed: advance it")


@dataclass
class Rig:
    """``intake`` takes webhooks in this process; ``client`` reaches it as HTTP."""

    folder: Path
    sandbox: Sandbox
    clock: OneClock
    hub: App
    store: Store
    intake: Intake
    client: httpx.Client
    hinted: list[str] = field(default_factory=list)

    @property
    def world(self) -> World:
        return self.sandbox.world

    @property
    def endpoints(self) -> Mapping[str, Endpoint]:
        return webhooks.endpoints_of(self.hub)

    def receive(self, name: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """As the application does: names of headers in lower case."""
        return self.intake.receive(name, {k.lower(): v for k, v in headers.items()}, body)

    def events(self, name: str | None = None) -> list[Any]:
        """The rows of webhooks that were kept, all or one connection's."""
        row = t.hook_event
        query = select(row).order_by(row.c.id)
        if name is not None:
            query = query.where(row.c.connection_id == self.hub.hub.links[name].id)
        with self.store.read() as conn:
            return list(conn.execute(query))

    def wants(self, key: str | None = None) -> int:
        """How often runs were asked for, of one stream or of all."""
        query = select(func.sum(t.stream.c.want))
        if key is not None:
            query = query.where(t.stream.c.key == key)
        with self.store.read() as conn:
            return int(conn.scalar(query) or 0)


def configuration(folder: Path, environment: Mapping[str, str] = ENVIRONMENT) -> Configuration:
    """The settings above, in ``folder``. Raises ``SettingsProblem``."""
    file = folder / "settings.toml"
    file.write_text(SETTINGS, encoding="utf-8")
    with mock.patch.dict("os.environ", environment):
        return app.load(file)


@contextmanager
def rig(
    seed: int,
    *,
    orders: int = 0,
    hours: float = 8,
    patience_s: float = webhooks.PATIENCE_S,
    durable: bool = False,
) -> Iterator[Rig]:
    """Put it together, in a folder that is gone afterwards; ``orders`` a channel in ``hours``.

    ``patience_s``: real seconds that a webhook waits for a lock. ``durable``: commits wait for the
    disk; nobody cuts the power here, and only how long a webhook takes depends on it.
    """
    sandbox = Sandbox(World(seed, OneClock(START), orders_per_channel=orders, day_hours=hours))
    with (
        tempfile.TemporaryDirectory() as name,
        opened(Path(name), sandbox, patience_s, durable=durable) as made,
    ):
        yield made


@contextmanager
def opened(
    folder: Path,
    sandbox: Sandbox | None = None,
    patience_s: float = webhooks.PATIENCE_S,
    *,
    durable: bool = False,
) -> Iterator[Rig]:
    """The installation in ``folder``, set up where it is new."""
    sandbox = sandbox or Sandbox(World(1, OneClock(START), orders_per_channel=0))
    clock = sandbox.world.clock
    assert isinstance(clock, OneClock)
    given = configuration(folder)
    store = Store(given.settings.store.url)
    hasty = Store(given.settings.store.url, patience_s)
    if not durable:
        for one in (store, hasty):
            event.listen(one.engine, "connect", _no_waiting_for_the_disk)
    migrate.upgrade(store)
    transport = sandbox.transport()
    try:
        with capture_logs(), app.open_app(given, store, clock=clock, transport=transport) as hub:
            app.set_up_streams(hub)
            hinted: list[str] = []
            intake = Intake(hasty, clock, webhooks.endpoints_of(hub), hinted.extend)
            inside = httpx.WSGITransport(app=Application(intake))
            with httpx.Client(transport=inside, base_url=BASE) as client:
                yield Rig(folder, sandbox, clock, hub, store, intake, client, hinted)
    finally:
        hasty.close()
        store.close()


def _no_waiting_for_the_disk(dbapi: Any, _record: Any) -> None:
    dbapi.execute("PRAGMA synchronous = OFF").close()


def woo(secret: str = WOO_SECRET, name: str = SHOP, topic: str = "order.updated") -> Subscription:
    return Subscription("woocommerce", [topic], f"{BASE}/hooks/{name}", secret)


def bob(secret: str = BOB_SECRET, name: str = BOB) -> Subscription:
    topics = ["order.shipped", "order.shipment.cancelled", "order.shipment.exception"]
    return Subscription("shipbob", topics, f"{BASE}/hooks/{name}", secret)


Check = Callable[[], Sequence[str]]
"""Looks for what does not hold, and says it."""


def planted(bugs: Mapping[str, Callable[[], Any]], check: Check) -> dict[str, str | None]:
    """Each bug alone, and what the check said first of it; null: it noticed nothing."""
    noticed: dict[str, str | None] = {}
    for name, plant in bugs.items():
        with plant():
            said = check()
        noticed[name] = said[0] if said else None
    return noticed


def random_id() -> str:
    """Another one at every call: what a bug would make of an event."""
    return secrets.token_hex(16)
