"""The embedded engine: what is due runs, once at a time, and stops when told."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.errors import Unreachable
from jobs.engine import Engine
from jobs.running import Order
from state import streams


class Daemons:
    """Engines over the bench's jobs, each like a process of its own."""

    def __init__(self, bench: Any) -> None:
        self._bench = bench
        self._running: list[Engine] = []

    def start(
        self, owner: str = "run/here/1/a", *, threads: int = 4, tick_s: float = 0.05
    ) -> Engine:
        runner = self._bench.runner(owner, stop=threading.Event())
        with self._bench.store.read() as conn:
            keys = {row.key for row in streams.overview(conn)}
        engine = Engine(runner, keys, threads=threads, tick_s=tick_s)
        engine.start()
        self._running.append(engine)
        return engine

    def drain(self, engine: Engine, grace_s: float = 10) -> list[str]:
        self._running.remove(engine)
        return engine.drain(grace_s)

    def drain_all(self) -> None:
        for engine in list(self._running):
            assert self.drain(engine) == []


@pytest.fixture
def daemons(bench: Any) -> Iterator[Daemons]:
    made = Daemons(bench)
    yield made
    made.drain_all()


def test_what_is_due_runs_at_start_and_at_every_interval(bench: Any, daemons: Daemons) -> None:
    ran = threading.Semaphore(0)
    bench.stream(lambda _hub, _run: ran.release())
    daemons.start()
    assert ran.acquire(timeout=10)
    assert bench.wait_for(lambda: bench.row("job").last_success_at is not None)
    bench.clock.advance(300)
    assert ran.acquire(timeout=10)


def test_fault_row_92_a_clock_that_is_set_back_keeps_no_stream_waiting(
    bench: Any, daemons: Daemons
) -> None:
    ran = threading.Semaphore(0)
    bench.stream(lambda _hub, _run: ran.release())
    bench.clock.advance(30 * 86_400)
    daemons.start()
    assert ran.acquire(timeout=10)
    assert bench.wait_for(lambda: bench.row("job").last_success_at is not None)
    bench.clock.set_back(30 * 86_400)
    assert ran.acquire(timeout=10)


def test_what_a_job_asks_for_starts_without_waiting_for_the_tick(
    bench: Any, daemons: Daemons
) -> None:
    asked = threading.Event()

    def ask(_hub: Any, run: Any) -> None:
        with run.commit() as conn:
            run.request(conn, "asked")

    bench.stream(lambda _hub, run: asked.set() if run.trigger == "request" else None, "asked")
    bench.stream(ask, "asking")
    daemons.start(tick_s=60)
    assert asked.wait(10)


def test_a_trigger_during_a_run_is_kept_and_runs_right_after(bench: Any, daemons: Daemons) -> None:
    inside, go_on, ran = threading.Event(), threading.Event(), Counter[str]()

    def job(_hub: Any, run: Any) -> None:
        ran[run.trigger] += 1
        inside.set()
        assert go_on.wait(10)

    key = bench.stream(job)
    engine = daemons.start(tick_s=60)
    assert inside.wait(10)
    for _ in range(5):
        with bench.store.write() as conn:
            streams.request(conn, key, bench.clock.now())
        engine.dispatch([key])
    go_on.set()
    assert bench.wait_for(lambda: bench.row(key).done == 5)
    # Five triggers while it ran are one more run, not five and not none.
    assert ran == {"schedule": 1, "request": 1}


def test_hints_for_a_running_stream_start_no_second_run(bench: Any, daemons: Daemons) -> None:
    inside, go_on = threading.Event(), threading.Event()
    at_once: list[int] = []
    active = 0

    def job(_hub: Any, _run: Any) -> None:
        nonlocal active
        active += 1
        at_once.append(active)
        inside.set()
        assert go_on.wait(10)
        active -= 1

    key = bench.stream(job)
    engine = daemons.start(tick_s=0.05)
    assert inside.wait(10)
    engine.dispatch([key, key])
    go_on.set()
    assert bench.wait_for(lambda: bench.row(key).lease_until is None)
    assert set(at_once) == {1}


def test_two_daemons_on_one_store_never_run_a_stream_at_the_same_time(
    bench: Any, daemons: Daemons
) -> None:
    lock = threading.Lock()
    overlaps: list[str] = []
    ran = Counter[str]()

    def job(_hub: Any, run: Any) -> None:
        if not lock.acquire(blocking=False):
            overlaps.append(run.key)
            return
        with run.commit() as conn:
            ran[run.key] += 1
            bench.note(conn, f"{ran[run.key]}")
        with bench.store.write() as conn:
            streams.request(conn, run.key, bench.clock.now())
        lock.release()

    bench.stream(job)
    daemons.start("run/here/1/a", tick_s=0.05)
    daemons.start("run/there/2/b", tick_s=0.05)
    assert bench.wait_for(lambda: ran["job"] >= 20)
    daemons.drain_all()
    assert overlaps == []
    assert {run.state for run in bench.runs()} == {"ok"}


def test_a_failing_stream_backs_off_and_others_go_on(bench: Any, daemons: Daemons) -> None:
    tries = Counter[str]()

    def fails(_hub: Any, _run: Any) -> None:
        tries["fails"] += 1
        raise Unreachable("the shop is down")

    bench.stream(fails, "fails")
    bench.stream(lambda _hub, _run: tries.update(["works"]), "works")
    daemons.start()
    assert bench.wait_for(lambda: bench.row("fails").failures == 1 and tries["works"] == 1)
    bench.clock.advance(4)
    assert bench.wait_for(lambda: bench.row("fails").failures == 2)
    assert tries == {"fails": 2, "works": 1}


def test_a_drain_lets_running_jobs_reach_a_safe_point_and_starts_nothing_new(
    bench: Any, daemons: Daemons
) -> None:
    inside = threading.Event()

    def job(_hub: Any, run: Any) -> None:
        inside.set()
        assert bench.wait_for(lambda: run.stopping)
        with run.commit() as conn:
            bench.note(conn, "safe point")

    bench.stream(job, "long")
    bench.clock.advance(1)
    bench.stream(lambda _hub, _run: None, "waiting")
    engine = daemons.start(threads=1)
    assert inside.wait(10)
    assert daemons.drain(engine) == []
    engine.dispatch(["waiting"])
    assert bench.notes() == {"safe point"}
    assert bench.row("waiting").last_success_at is None
    assert bench.row("long").lease_until is None


def test_a_drain_does_not_wait_longer_than_its_grace(bench: Any, daemons: Daemons) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def stubborn(_hub: Any, _run: Any) -> None:
        inside.set()
        go_on.wait(10)

    bench.stream(stubborn)
    engine = daemons.start()
    assert inside.wait(10)
    left = daemons.drain(engine, grace_s=0.1)
    go_on.set()
    assert left == ["job"]
    assert bench.wait_for(lambda: bench.row("job").lease_until is None)


def test_a_stream_of_other_settings_is_left_alone(bench: Any, daemons: Daemons) -> None:
    bench.stream(lambda _hub, _run: None, "mine")
    daemons.start()
    with bench.store.write() as conn:
        streams.ensure(conn, "of a newer version", "unheard-of", None, 60, bench.clock.now())
    assert bench.wait_for(lambda: bench.row("mine").last_success_at is not None)
    assert bench.row("of a newer version").fence == 0


def test_a_store_that_fails_for_a_while_does_not_end_the_engine(
    bench: Any, daemons: Daemons
) -> None:
    ran = threading.Event()
    bench.stream(lambda _hub, _run: ran.set())
    runner = bench.runner(stop=threading.Event())
    engine = Engine(runner, {"job"}, threads=1, tick_s=60)
    with bench.store.write() as conn:
        conn.exec_driver_sql("ALTER TABLE stream RENAME TO hidden")
    engine.tick()
    with bench.store.write() as conn:
        conn.exec_driver_sql("ALTER TABLE hidden RENAME TO stream")
    engine.start()
    assert ran.wait(10)
    assert engine.drain(10) == []


def test_the_heartbeat_keeps_a_long_call_s_lease(bench: Any) -> None:
    runner = bench.runner()

    def waits_for_a_vendor(_hub: Any, run: Any) -> None:
        for _ in range(5):
            bench.clock.advance(40)
            runner.heartbeat.beat()
        other = bench.runner("run/there/2/b")
        assert other.run_once(run.key, Order("once")) is None

    key = bench.stream(waits_for_a_vendor)
    assert runner.run_due(key).verdict is None
    assert bench.runs()[0].state == "ok"


def test_a_run_that_is_silent_for_too_long_loses_its_stream(bench: Any) -> None:
    runner = bench.runner()

    def hangs(_hub: Any, run: Any) -> None:
        for _ in range(60):
            bench.clock.advance(20)
            runner.heartbeat.beat()
        assert bench.row(run.key).lease_until < bench.clock.now()
        with bench.store.write() as conn:
            assert streams.claim(conn, run.key, "other", bench.clock.now(), 60) is not None

    key = bench.stream(hangs)
    assert runner.run_due(key).verdict.kind == "lost"


def test_a_run_that_commits_is_not_silent(bench: Any) -> None:
    runner = bench.runner()

    def long_backfill(_hub: Any, run: Any) -> None:
        for _ in range(60):
            bench.clock.advance(20)
            runner.heartbeat.beat()
            with run.commit() as conn:
                run.save_cursor(conn, {})

    key = bench.stream(long_backfill)
    assert runner.run_due(key).verdict is None
