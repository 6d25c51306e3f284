"""A hub that trades with the sandbox in this process: the real application, one clock for both."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Table, func, select

from jobs import app
from jobs.app import App
from jobs.clock import ManualClock
from jobs.runner import Ended, Runner
from jobs.running import Order
from sandbox import installation, truth
from sandbox.app import Sandbox
from sandbox.world import World
from state import streams
from state import tables as t
from state.store import Store
from sync import imports

DAY = datetime(2026, 11, 2, 6, tzinfo=UTC)
BASE_URL = "http://sandbox.test"
OPEN = ("planned", "sending", "accepted", "unknown")
"""States of an intent of which the last word is not spoken."""

MACHINERY = {"stream", "run", "rate_bucket", "dirty_sku"}
"""Tables that hold what the machine did, not what it knows."""

LOOKED_AT = {"observed_at", "last_seen_at", "last_ok_at"}
"""Columns that say when something was last looked at."""

# Fewer looks at the store than an operator would want: the day is as long, its test is not.
_INTERVALS = (
    (
        'allocate = "5m", promise = "5m"',
        'allocate = "30m", promise = "30m", holds = "6h", prune = "6h"',
    ),
    ('orders = "15m", listings = "1h", push = "10m"', 'orders = "20m", listings = "2h", push="1h"'),
    ('shipments = "15m", stock = "1h", push = "10m"', 'shipments="30m", stock="2h", push = "1h"'),
    ('tracking = "3h", push = "10m"', 'tracking = "6h", push = "1h"'),
)


class OneClock(ManualClock):
    """The hub's clock and the sandbox's at once."""

    def set_speed(self, speed: float) -> None:
        raise ValueError("a manual clock has no speed: advance it")


@dataclass
class Trade:
    """``failed``: how often a run of a stream ended badly, by stream and verdict."""

    world: World
    sandbox: Sandbox
    hub: App
    clock: OneClock
    runner: Runner
    failed: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def store(self) -> Store:
        return self.hub.hub.store

    def until(self, end: datetime) -> None:
        """Run what is due, when it is due, as the daemon would."""
        while self.clock.now() < end:
            with self.store.read() as conn:
                keys = streams.due(conn, self.clock.now())
                following = conn.scalar(select(func.min(t.stream.c.due_at)))
            for key in keys:
                self._note(key, self.runner.run_due(key))
            if not keys:
                assert following is not None
                ahead = min(following, end) - self.clock.now()
                self.clock.advance(max(ahead.total_seconds(), 0.001))

    def day(self) -> None:
        """The whole day of trade, and on until nothing is left to do."""
        self.until(self.world.day_ends)
        for _ in range(24):
            while (event := self.world.next_event()) is not None:
                self.until(event)
                self.world.advance_to(event)
            # Long enough for every stream to have looked at what came last.
            self.until(self.clock.now() + timedelta(hours=2, minutes=10))
            if self.is_quiet() and self.world.next_event() is None:
                return
        raise AssertionError(f"the day does not end: {self.waiting()}")

    def is_quiet(self) -> bool:
        with self.store.read() as conn:
            dirty = conn.scalar(select(func.count()).select_from(t.dirty_sku))
            failing = conn.scalar(select(func.count()).where(t.stream.c.failures > 0))
        return not (self.waiting() or dirty or failing)

    def waiting(self) -> list[tuple[str, str, str]]:
        """(kind, state, message) of every intent that is not settled."""
        intent = t.intent.c
        query = select(intent.kind, intent.state, intent.message).where(intent.state.in_(OPEN))
        with self.store.read() as conn:
            return [(row.kind, row.state, row.message) for row in conn.execute(query)]

    def once(self, job: str, connection: str | None = None, since: datetime | None = None) -> Any:
        """``crossdock once``; the run, which must have gone well."""
        order = Order("once", connection, since)
        ended = self.runner.run_once(streams.key_of(job, connection), order)
        assert ended is not None
        assert ended.verdict is None, ended.verdict
        return ended.run

    def _note(self, key: str, ended: Ended | None) -> None:
        if ended is not None and ended.verdict is not None:
            assert ended.verdict.kind != "bug", (key, ended.verdict.message)
            self.failed[(key, ended.verdict.kind)] += 1


def set_up(folder: Path, store: Store, orders_per_channel: int, seed: int = 7) -> Trade:
    """The files of an operator, the opening counts, and the application over ``store``."""
    sandbox = sandbox_of(orders_per_channel, seed)
    installation.write(folder, BASE_URL, sandbox.world)
    _look_less_often(folder)
    trade = put_together(folder, store, sandbox)
    with store.write() as conn:
        counts = folder / "counts.csv"
        imports.import_counts(
            conn, counts, "berlin", imports.read_counts(counts), "ops", trade.clock.now()
        )
    return trade


def sandbox_of(orders_per_channel: int, seed: int) -> Sandbox:
    """A world at the begin of its day."""
    return Sandbox(World(seed, OneClock(DAY), orders_per_channel=orders_per_channel, day_hours=8))


def put_together(folder: Path, store: Store, sandbox: Sandbox) -> Trade:
    """The application as the files in ``folder`` say, with the merchant's SKUs."""
    clock = sandbox.world.clock
    assert isinstance(clock, OneClock)
    configuration = app.load(folder / "settings.toml")
    hub = app.open_app(configuration, store, clock=clock, transport=sandbox.transport())
    app.set_up_streams(hub)
    with store.write() as conn:
        imports.import_skus(conn, imports.read_skus(folder / "skus.csv"))
    return Trade(sandbox.world, sandbox, hub, clock, hub.runner("run"))


def _look_less_often(folder: Path) -> None:
    changed = 0
    for path in (folder / "settings.toml", *(folder / "connections.d").iterdir()):
        text = path.read_text(encoding="utf-8")
        for often, seldom in _INTERVALS:
            changed += text.count(often)
            text = text.replace(often, seldom)
        path.write_text(text, encoding="utf-8")
    assert changed == 5, "the sandbox's installation is written differently now"


def contents(store: Store) -> dict[str, list[Any]]:
    """Every row of every table that holds knowledge, in order of its key."""
    with store.read() as conn:
        return {
            table.name: [tuple(row) for row in conn.execute(_knowledge(table))]
            for table in t.metadata.sorted_tables
            if table.name not in MACHINERY
        }


def _knowledge(table: Table) -> Any:
    columns = [column for column in table.columns if column.name not in LOOKED_AT]
    return select(*columns).order_by(*table.primary_key.columns)


def outside(world: World) -> dict[str, Any]:
    """What really happened, without what time it is."""
    return {name: value for name, value in truth.summary(world).items() if name != "now"}
