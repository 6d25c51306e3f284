"""A worker that sleeps through its lease, as a real process that is stopped and woken (row 60).

It has claimed an intent, and is stopped before its call. Another process takes over; when the
first one wakes up it sends nothing. On both databases.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from sqlalchemy import insert, select

from connectors.deadline import TooLate, send_before
from connectors.http import Door
from jobs.clock import ManualClock
from jobs.runner import Runner
from state import intents, owners, streams
from state import tables as t
from state.rate_buckets import RateBuckets
from state.store import Store
from tests.conftest import REPOSITORY
from tests.jobs.stalled_worker import LEASE_S, push_once, worker


class Shop:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.told: list[bytes] = []
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                shop.told.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Silence."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def shop() -> Iterator[Shop]:
    made = Shop()
    yield made
    made.close()


@pytest.fixture
def planned(store: Store) -> Store:
    """A store with one quantity to tell the shop."""
    now = datetime.now(UTC)
    body = {
        "external_product_id": "7",
        "external_variant_id": "7",
        "external_sku": "A",
        "quantity": 5,
    }
    with store.write() as conn:
        key = conn.execute(
            insert(t.connection).values(name="shop", connector="rest", kind="channel")
        ).inserted_primary_key
        assert key is not None
        listing = conn.execute(
            insert(t.channel_listing).values(
                connection_id=key[0],
                external_product_id="7",
                external_variant_id="7",
                match_state="unmatched",
                fulfilment_flag="merchant",
                status="live",
                qty_managed_by="hub",
                last_seen_at=now,
            )
        ).inserted_primary_key
        assert listing is not None
        streams.ensure(conn, "push:shop", "push", key[0], 30, now)
        intents.plan(
            conn,
            connection_id=key[0],
            kind="stock",
            subject=("listing", listing[0]),
            key="stock:1:1",
            body=body,
            now=now,
        )
    return store


@contextmanager
def stopped(store_url: str, shop: Shop) -> Iterator[subprocess.Popen[str]]:
    """A worker that has claimed the intent and stands still before its call."""
    command = [sys.executable, "-m", "tests.jobs.stalled_worker", store_url, shop.url, "run/h/1/a"]
    first = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    try:
        _, status = os.waitpid(first.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        yield first
    finally:
        first.kill()
        first.wait()
        assert first.stdout is not None
        first.stdout.close()


def state_of(store: Store) -> str:
    with store.read() as conn:
        return str(conn.scalar(select(t.intent.c.state)))


def within(runner: Runner, call_within: timedelta) -> Runner:
    """The same process, if calls were over so soon."""
    sender = replace(runner.hub.sender, call_within=call_within)
    return replace(runner, hub=replace(runner.hub, sender=sender))


def test_fault_row_60_a_worker_that_wakes_after_the_take_over_sends_nothing(
    planned: Store, store_url: str, shop: Shop
) -> None:
    with stopped(store_url, shop) as first:
        time.sleep(LEASE_S + 0.2)
        # Its process lives, so only a call that is long over lets another one take it.
        second = worker(planned, shop.url, "run/h/2/b", timedelta(seconds=120))
        push_once(second)
        assert (state_of(planned), shop.told) == ("sending", [])
        deadline = time.monotonic() + 20
        while state_of(planned) != "done" and time.monotonic() < deadline:
            time.sleep(LEASE_S / 4)
            push_once(within(second, timedelta(0)))
        assert len(shop.told) == 1
        first.send_signal(signal.SIGCONT)
        assert first.stdout is not None
        told = first.stdout.read().strip().splitlines()[-1]
    assert told == "lost"
    assert len(shop.told) == 1
    assert state_of(planned) == "done"


def test_fault_row_61_a_killed_worker_is_followed_as_soon_as_its_deadline_is_over(
    planned: Store, store_url: str, shop: Shop
) -> None:
    with stopped(store_url, shop) as first:
        first.kill()
        first.wait()
        time.sleep(LEASE_S + 0.2)
        second = worker(planned, shop.url, "run/h/2/b", timedelta(seconds=120))
        deadline = time.monotonic() + 20
        while state_of(planned) != "done" and time.monotonic() < deadline:
            push_once(second)
            time.sleep(LEASE_S / 4)
    assert (state_of(planned), len(shop.told)) == ("done", 1)


def test_a_process_lives_for_as_long_as_it_holds_its_lock(store: Store, store_url: str) -> None:
    other = Store(store_url)
    ours, theirs = owners.of_process(store, "run/a"), owners.of_process(other, "run/b")
    assert not theirs.lives("run/a")
    assert ours.begin() == "run/a"
    assert theirs.begin() == "run/b"
    assert theirs.lives("run/a")
    assert ours.lives("run/a"), "our own as well, whoever asks"
    assert not ours.lives("")
    store.close()
    assert dies("run/a", theirs)
    other.close()


def dies(owner: str, asked: owners.Owners) -> bool:
    """Is it dead before long? A server notices some milliseconds later that a session ended."""
    deadline = time.monotonic() + 5
    while asked.lives(owner) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not asked.lives(owner)


def test_a_broken_session_takes_its_lock_again(store: Store, store_url: str) -> None:
    if store.is_sqlite:
        pytest.skip("SQLite has no sessions to break")
    other = Store(store_url)
    ours, theirs = owners.of_process(store, "run/a"), owners.of_process(other, "run/b")
    ours.begin()
    with other.write() as conn:
        mine = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
        (pid,) = conn.exec_driver_sql(mine).scalars().all()
        conn.exec_driver_sql(f"SELECT pg_terminate_backend({pid})")
    assert dies("run/a", theirs)
    assert ours.begin() == "run/a"
    assert theirs.lives("run/a")
    other.close()


class Late(ManualClock):
    """Passes the deadline between the first look at it and the second."""

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self.looks = 0
        self.late_from: Callable[[int], bool] = lambda _: False

    def now(self) -> datetime:
        self.looks += 1
        late = timedelta(hours=1) if self.late_from(self.looks) else timedelta(0)
        return super().now() + late


@pytest.mark.parametrize("look", [1, 2], ids=["before the connection", "before the bytes"])
def test_the_deadline_is_looked_at_again_just_before_the_bytes_leave(
    store: Store, shop: Shop, look: int
) -> None:
    start = datetime(2026, 11, 2, 8, tzinfo=UTC)
    clock = Late(start)
    limiter = RateBuckets(store, ManualClock(start))
    door = Door("shop", ManualClock(start), limiter, httpx.HTTPTransport())
    api = door.client(shop.url, limits={})
    clock.late_from = lambda looks: looks >= look
    with send_before(clock, start), pytest.raises(TooLate):
        api.post("/stock", op="push", json={})
    assert clock.looks == look
    assert shop.told == []
    api.close()
