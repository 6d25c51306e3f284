"""A hub that trades with the sandbox in this process, for the checks that need a whole one."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import httpx

from jobs import app
from jobs.app import App
from jobs.clock import ManualClock
from jobs.runner import Ended
from jobs.running import Order
from proof.threats.texts import logged
from sandbox import installation, trade_woo
from sandbox.app import Sandbox
from sandbox.installation import SECRETS
from sandbox.people import Person
from sandbox.world import World
from state import migrate, streams
from state.store import Store
from sync import imports

DAY = datetime(2026, 11, 2, 6, tzinfo=UTC)
SHOP, BOB, LABELS = "shop-eu", "bob", "labels"
_URL = "http://127.0.0.1:9"
"""Nobody listens there, should anything go past the transport."""

Rewrite = Callable[[httpx.Request, Any], Any]
"""What a vendor's JSON answer becomes before the hub reads it."""


class OneClock(ManualClock):
    """The hub's clock and the sandbox's at once."""

    def set_speed(self, speed: float) -> None:
        raise ValueError("a manual clock has no speed: advance it")


class Rewriting(httpx.BaseTransport):
    """The sandbox, whose answers ``rewrite`` may change; null: as they are."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner
        self.rewrite: Rewrite | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._inner.handle_request(request)
        answer.read()
        is_json = "json" in answer.headers.get("content-type", "")
        if self.rewrite is None or not is_json or answer.status_code != httpx.codes.OK:
            return answer
        headers = [(k, v) for k, v in answer.headers.multi_items() if k != "content-length"]
        content = self.rewrite(request, answer.json())
        return httpx.Response(answer.status_code, headers=headers, json=content)


@dataclass
class Rig:
    """``log``: what the hub has logged so far, at level debug."""

    folder: Path
    world: World
    sandbox: Sandbox
    network: Rewriting
    hub: App
    clock: OneClock
    log: StringIO

    @property
    def store(self) -> Store:
        return self.hub.hub.store

    def once(self, job: str, connection: str | None = None) -> Ended:
        """One run of a stream, however it ends."""
        key = streams.key_of(job, connection)
        ended = self.hub.runner("once").run_once(key, Order("once", connection))
        if ended is None:
            raise RuntimeError(f"{key} is run by somebody else")
        return ended

    def buy(self, person: Person, sku: str) -> str:
        """One piece, at the shop; the order's id there."""
        at = self.clock.now().replace(microsecond=0)
        self.world.advance_to(self.clock.now())
        basket = trade_woo.basket_of(self.world, person, [(sku, 1)])
        placed = trade_woo.checkout(self.world, at, basket)
        if placed is None:
            raise RuntimeError(f"{sku} is sold out")
        return str(placed.id)


@contextmanager
def opened() -> Iterator[Rig]:
    """Goods are counted, and nobody has bought anything yet."""
    with (
        logged(set(SECRETS.values())) as written,
        tempfile.TemporaryDirectory(prefix="crossdock-threats-") as name,
    ):
        folder, clock = Path(name), OneClock(DAY)
        world = World(
            7,
            clock,
            orders_per_channel=0,
            day_hours=100_000,
            pick_after=timedelta(minutes=1),
            ship_after=timedelta(minutes=2),
        )
        sandbox = Sandbox(world)
        installation.write(folder, _URL, world)
        network = Rewriting(sandbox.transport())
        store = Store(f"sqlite:///{folder / 'crossdock.db'}")
        try:
            migrate.upgrade(store)
            configuration = app.load(folder / "settings.toml")
            with app.open_app(configuration, store, clock=clock, transport=network) as hub:
                app.set_up_streams(hub)
                rig = Rig(folder, world, sandbox, network, hub, clock, written)
                _stock(rig)
                yield rig
        finally:
            store.close()


def _stock(rig: Rig) -> None:
    folder = rig.folder
    with rig.store.write() as conn:
        imports.import_skus(conn, imports.read_skus(folder / "skus.csv"))
        counts = imports.read_counts(folder / "counts.csv")
        now = rig.clock.now()
        imports.import_counts(conn, folder / "counts.csv", "berlin", counts, "ops", now)
    rig.once("pull-stock", BOB)
