"""A hub over a SQLite file that waits for the disk, vendors in this process, and orders at a
steady pace.

What a vendor takes is no time of ours: the clock stands still while one works, no vendor limits
its callers, and whoever waits only skips the time. Each order is told by a webhook, as it would
be: its stream is asked to run. Everything else runs when its interval says so.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import httpx
import msgspec
from sqlalchemy import func, select

from connectors.base import Rate
from connectors.registry import CONNECTORS
from jobs import app, collector
from jobs.app import App
from jobs.runner import Runner
from proof.budget import Budget
from proof.flow.clock import WorkClock
from proof.world.database import SQLITE, empty_store
from proof.world.simulation import silence
from sandbox import installation, trade_woo
from sandbox.app import Sandbox
from sandbox.catalogue import SKUS
from sandbox.installation import Pace
from sandbox.vendors.shipbob_account import HOME_CENTER
from sandbox.world import World
from state import streams
from state import tables as t
from state.store import Store
from sync import imports

MORNING = datetime(2026, 11, 2, 6, tzinfo=UTC)
_ORDERS = streams.key_of("pull-orders", "shop-eu")
_PACE = Pace(orders="10s")
BASE_URL = "http://sandbox.test"
PLENTY = 1_000_000
UNLIMITED = {"*": Rate(per_second=1e6, burst=1_000_000)}
PATIENCE = timedelta(minutes=3)
"""After the last order came; of the clock that skips what is idle."""
LEAST = 100
"""Orders: fewer say more of the machine at that moment than of us."""


class Timed(httpx.BaseTransport):
    """The way to the vendors. ``accepted``: reference of our work -> when the 3PL took it."""

    def __init__(self, inner: httpx.BaseTransport, clock: WorkClock) -> None:
        self._inner = inner
        self._clock = clock
        self.accepted: dict[str, datetime] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with self._clock.held():
            response = self._inner.handle_request(request)
        asked = (request.method, request.url.path.rpartition("/")[2])
        if asked == ("POST", "order") and response.status_code < 300:
            reference = msgspec.json.decode(request.content)["reference_id"]
            self.accepted.setdefault(reference, self._clock.now())
        return response


@dataclass
class Flow:
    """``placed``: the channel's id of an order -> when it came."""

    sandbox: Sandbox
    hub: App
    runner: Runner
    clock: WorkClock
    way: Timed
    placed: dict[str, datetime] = field(default_factory=dict)

    def trade(self, orders: int, an_hour: float, seed: int, budget: Budget) -> None:
        """Take so many orders at this pace until all are with the 3PL or patience ends; no more
        than ``LEAST`` once the budget is used up."""
        draw, begin = random.Random(f"{seed}:flow"), self.clock.now()
        due = [begin + timedelta(hours=number / an_hour) for number in range(orders)]
        end = begin + timedelta(hours=orders / an_hour) + PATIENCE
        while due or (len(self.way.accepted) < len(self.placed) and self.clock.now() < end):
            if not budget.left and len(self.placed) >= LEAST:
                due.clear()
            now = self.clock.now()
            while due and due[0] <= now:
                self._place(due.pop(0), draw)
            with self.hub.hub.store.read() as conn:
                keys = streams.due(conn, now)
            for key in keys:
                self.runner.run_due(key)
            if not keys:
                self._skip(due)

    def _place(self, at: datetime, draw: random.Random) -> None:
        world = self.sandbox.world
        with self.clock.held():
            world.advance_to(at)
            order = trade_woo.checkout(world, at, trade_woo.compose(world, draw, "plain"))
            assert order is not None, "the sandbox's shop has sold out"
        self.placed[str(order.id)] = at
        with self.hub.hub.store.write() as conn:
            streams.request(conn, _ORDERS, self.clock.now())

    def _skip(self, due: list[datetime]) -> None:
        with self.hub.hub.store.read() as conn:
            following = conn.scalar(select(func.min(t.stream.c.due_at)))
        moments = [one for one in (following, *due[:1]) if one is not None]
        self.clock.until(max(min(moments), self.clock.now() + timedelta(milliseconds=1)))

    def waits(self) -> dict[str, float]:
        """Seconds from the channel to the 3PL, by the channel's id of the order."""
        order, work = t.sales_order.c, t.fulfilment_order.c
        query = select(order.channel_order_id, work.reference).join(
            t.fulfilment_order, work.order_id == order.id
        )
        with self.hub.hub.store.read() as conn:
            known = conn.execute(query).all()
        return {
            row.channel_order_id: (
                self.way.accepted[row.reference] - self.placed[row.channel_order_id]
            ).total_seconds()
            for row in known
            if row.reference in self.way.accepted
        }


@contextmanager
def opened(seed: int) -> Iterator[Flow]:
    """A shop that never sells out, and a 3PL that has it all."""
    clock = WorkClock(MORNING)
    sandbox = Sandbox(World(seed, clock, orders_per_channel=0, day_hours=1))
    _fill(sandbox.world)
    way = Timed(sandbox.transport(), clock)
    with ExitStack() as stack:
        stack.enter_context(silence())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crossdock-flow-")))
        url = stack.enter_context(empty_store(SQLITE, folder))
        store = stack.enter_context(closing(Store(url)))
        for name in ("woocommerce", "amazon", "shipbob", "shipengine"):
            kind = CONNECTORS[name]
            patch = mock.patch.object(kind, "info", replace(kind.info, limits=UNLIMITED))
            stack.enter_context(patch)
        installation.write(folder, BASE_URL, sandbox.world, pace=_PACE)
        _send_all_to_the_3pl(folder)
        configuration = app.load(folder / "settings.toml")
        hub = app.open_app(configuration, store, clock=clock, transport=way)
        stack.callback(hub.close)
        app.set_up_streams(hub)
        with store.write() as conn:
            imports.import_skus(conn, imports.read_skus(folder / "skus.csv"))
        collector.settle()
        flow = Flow(sandbox, hub, hub.runner("run"), clock, way)
        _settle(flow)
        yield flow


def _settle(flow: Flow) -> None:
    """The first look at everything: catalogue, stock, what channels show."""
    until = flow.clock.now() + timedelta(minutes=1)
    while flow.clock.now() < until:
        with flow.hub.hub.store.read() as conn:
            keys = streams.due(conn, flow.clock.now())
        for key in keys:
            flow.runner.run_due(key)
        if not keys:
            flow._skip([until])


def _fill(world: World) -> None:
    world.limiter.enforced = False
    for sku in SKUS:
        world.shipbob.receive(sku.code, HOME_CENTER, PLENTY)
    for product in world.shop.products.values():
        product.stock = PLENTY if product.kind != "variable" else 0


def _send_all_to_the_3pl(folder: Path) -> None:
    for path in (folder / "settings.toml", folder / "connections.d" / "channels.toml"):
        text = path.read_text(encoding="utf-8")
        text = text.replace('release_after = "10m"', 'release_after = "0s"')
        text = text.replace('locations = ["berlin", "bob"]', 'locations = ["bob"]')
        path.write_text(text, encoding="utf-8")
