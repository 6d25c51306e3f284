"""A runner over a real store, with jobs that the test writes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import structlog
from sqlalchemy import Connection, Row, insert, select

from jobs.clock import ManualClock
from jobs.heartbeat import Heartbeat
from jobs.runner import JobFunction, Runner
from mappings import Definitions
from state import streams
from state import tables as t
from state.store import Store
from sync.context import Hub, Link

LEASE_S = 60.0


class Bench:
    """A store with streams whose jobs are plain functions, and runners like those of processes."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self.store = store
        self.clock = clock
        self.jobs: dict[str, JobFunction] = {}
        self.links: dict[str, Link] = {}
        self.stop = threading.Event()
        self.hub = Hub(store, clock, Definitions({}), self.links)

    def stream(self, job: JobFunction, name: str = "job", *, connection: str | None = None) -> str:
        """Register ``job`` and make its stream, due now, every five minutes."""
        self.jobs[name] = job
        link = self.link(connection) if connection else None
        key = streams.key_of(name, connection)
        with self.store.write() as conn:
            streams.ensure(conn, key, name, link.id if link else None, 300, self.clock.now())
        return key

    def link(self, name: str) -> Link:
        if name not in self.links:
            values = {"name": name, "connector": "none", "kind": "channel"}
            with self.store.write() as conn:
                made = insert(t.connection).values(values).returning(t.connection.c.id)
                link_id = conn.execute(made).scalar_one()
            connector: Any = SimpleNamespace(check=list)
            zone, since = ZoneInfo("UTC"), self.clock.now()
            self.links[name] = Link(link_id, name, connector, zone, since)
        return self.links[name]

    def runner(self, owner: str = "run/here/1/a", **changes: Any) -> Runner:
        """What another process would have; all share the store."""
        heartbeat = Heartbeat(self.store, self.clock, LEASE_S)
        given: dict[str, Any] = {"stop": self.stop, **changes}
        return Runner(self.hub, self.jobs, self.clock, heartbeat, owner, LEASE_S, **given)

    def row(self, key: str) -> Row[Any]:
        with self.store.read() as conn:
            return conn.execute(select(t.stream).where(t.stream.c.key == key)).one()

    def runs(self) -> list[Row[Any]]:
        with self.store.read() as conn:
            return list(conn.execute(select(t.run).order_by(t.run.c.id)))

    @staticmethod
    def note(conn: Connection, text: str) -> None:
        """Write something that can be seen; any table without references will do."""
        conn.execute(insert(t.rate_bucket).values(key=text, tat_us=0))

    @staticmethod
    def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
        """Look until ``condition`` holds, for so many real seconds; answers whether it did."""
        pause = threading.Event()
        for _ in range(int(seconds / 0.01)):
            if condition():
                return True
            pause.wait(0.01)
        return condition()

    def notes(self) -> set[str]:
        """What jobs have written by ``note``."""
        with self.store.read() as conn:
            return set(conn.scalars(select(t.rate_bucket.c.key)))


@pytest.fixture
def bench(store: Store, clock: ManualClock) -> Bench:
    return Bench(store, clock)


@pytest.fixture(autouse=True)
def logging_left_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()
