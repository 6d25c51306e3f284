"""Claim, job, and the end written down, whatever happens."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from connectors.errors import ConfigProblem, RateLimited, Unreachable, VendorDown
from connectors.http import Call
from jobs.running import Order, count_call
from state import runs, streams
from state import tables as t
from state.errors import LostLease


def raising(error: Exception) -> Any:
    def job(_hub: Any, _run: Any) -> None:
        raise error

    return job


def test_a_run_leaves_its_counts_calls_and_cursor(bench: Any) -> None:
    def job(_hub: Any, run: Any) -> None:
        count_call(Call("shop", "listOrders", 200, 0.1))
        with run.commit() as conn:
            run.save_cursor(conn, {"page": 1})
            run.count("read", 3)
        bench.clock.advance(5)

    key = bench.stream(job, "pull-orders", connection="shop")
    ended = bench.runner().run_due(key)
    assert ended.verdict is None
    assert ended.again is False
    (run,) = bench.runs()
    assert (run.state, run.trigger, run.error) == ("ok", "schedule", "")
    assert (run.counts, run.calls) == ({"read": 3}, {"listOrders": 1})
    assert (run.cursor_before, run.cursor_after) == (None, {"page": 1})
    assert run.finished_at - run.started_at == timedelta(seconds=5)
    stream = bench.row(key)
    assert stream.cursor == {"page": 1}
    assert stream.due_at == bench.clock.now() + timedelta(seconds=300)


def test_the_job_is_told_its_connection_cursor_and_trigger(bench: Any) -> None:
    seen = []

    def job(_hub: Any, run: Any) -> None:
        seen.append((run.job, run.key, run.connection, run.cursor, run.trigger, run.dry_run))
        with run.commit() as conn:
            run.save_cursor(conn, {"n": len(seen)})

    key = bench.stream(job, "pull-orders", connection="shop")
    bench.runner().run_due(key)
    with bench.store.write() as conn:
        streams.request(conn, key, bench.clock.now())
    bench.runner().run_due(key)
    assert seen == [
        ("pull-orders", "pull-orders:shop", "shop", None, "schedule", False),
        ("pull-orders", "pull-orders:shop", "shop", {"n": 1}, "request", False),
    ]


def test_a_worker_paused_past_its_lease_writes_nothing(bench: Any) -> None:
    def job(_hub: Any, run: Any) -> None:
        with run.commit() as conn:
            bench.note(conn, f"{run.trigger} before")
        if run.trigger == "schedule":
            # The process stands still; another one takes over and ends.
            bench.clock.advance(61)
            with bench.store.write() as conn:
                streams.request(conn, key, bench.clock.now())
            assert bench.runner("run/there/2/b").run_due(key).verdict is None
        with run.commit() as conn:
            bench.note(conn, f"{run.trigger} after")

    key = bench.stream(job)
    ended = bench.runner().run_due(key)
    assert ended.verdict.kind == "lost"
    assert bench.notes() == {"schedule before", "request before", "request after"}
    first, second = bench.runs()
    assert (first.state, second.state) == ("lost", "ok")
    assert bench.row(key).failures == 0


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_a_take_over_during_a_transaction_rolls_it_back(bench: Any) -> None:
    """A claim between the first look and the commit; SQLite's one writer leaves no room for it."""

    def job(_hub: Any, run: Any) -> None:
        with run.commit() as conn:
            bench.note(conn, "zombie")
            with bench.store.write() as other:
                later = bench.clock.advance(61)
                assert streams.claim(other, key, "other", later, 60) is not None

    key = bench.stream(job)
    assert bench.runner().run_due(key).verdict.kind == "lost"
    assert bench.notes() == set()


def test_a_job_that_swallows_a_lost_lease_still_ends_as_lost(bench: Any) -> None:
    def job(_hub: Any, run: Any) -> None:
        with bench.store.write() as other:
            later = bench.clock.advance(61)
            assert streams.claim(other, key, "other", later, 60) is not None
        with pytest.raises(LostLease), run.commit() as conn:
            bench.note(conn, "zombie")

    key = bench.stream(job)
    ended = bench.runner().run_due(key)
    assert ended.verdict.kind == "lost"
    assert bench.notes() == set()
    assert bench.row(key).owner == "other"


def test_a_request_joins_the_transaction_and_is_hinted_after_it(bench: Any) -> None:
    hints: list[set[str]] = []

    def job(_hub: Any, run: Any) -> None:
        with run.commit() as conn:
            run.request(conn, "promise")
            run.request(conn, "promise")
            assert hints == []
        with run.commit() as conn:
            run.request(conn, "allocate")
            raise Unreachable("in the middle of it")

    for name in ("promise", "allocate"):
        bench.stream(lambda _hub, _run: None, name)
    key = bench.stream(job)
    bench.runner(hint=hints.append).run_due(key)
    assert [bench.row(name).want for name in ("promise", "allocate")] == [1, 0]
    assert hints == [{"promise"}]


def test_a_run_that_was_put_off_is_no_failure_and_keeps_the_error_that_was_met(
    bench: Any,
) -> None:
    errors: list[Exception] = [Unreachable("answered 503")]
    errors += [VendorDown("shop", bench.clock.now(), 300.0)] * 3

    def job(_hub: Any, _run: Any) -> None:
        raise errors.pop(0)

    key = bench.stream(job)
    runner = bench.runner(dice=random.Random(7))
    for _ in range(4):
        runner.run_once(key, Order("once"))
    stream = bench.row(key)
    assert (stream.failures, stream.last_error) == (1, "answered 503")
    # Not all at once when the next try may be made.
    assert 300 < (stream.due_at - bench.clock.now()).total_seconds() <= 330


def test_a_stream_that_was_only_put_off_waits_for_its_turn_when_it_is_wanted(bench: Any) -> None:
    key = bench.stream(raising(VendorDown("shop", bench.clock.now(), 300.0)))
    bench.runner().run_due(key)
    due_at = bench.row(key).due_at
    with bench.store.write() as conn:
        streams.request(conn, key, bench.clock.now())
    assert bench.row(key).due_at == due_at
    assert "not asked" in bench.row(key).last_error


def test_cursor_and_requests_only_inside_their_own_transaction(bench: Any) -> None:
    def job(_hub: Any, run: Any) -> None:
        with run.commit() as conn:
            pass
        with pytest.raises(RuntimeError, match="only with the connection"):
            run.save_cursor(conn, {"n": 1})
        with bench.store.read() as other, run.commit() as conn:
            with pytest.raises(RuntimeError, match="only with the connection"):
                run.request(other, "promise")
            with pytest.raises(RuntimeError, match="commit inside a commit"), run.commit():
                pass

    key = bench.stream(job)
    assert bench.runner().run_due(key).verdict is None


@pytest.mark.parametrize("failures", [0, 1, 5, 12])
def test_backoff_doubles_up_to_ten_minutes(bench: Any, failures: int) -> None:
    key = bench.stream(raising(Unreachable("the shop is down")))
    runner = bench.runner(dice=random.Random(7))
    for _ in range(failures):
        runner.run_once(key, Order("once"))
    assert runner.run_once(key, Order("once")).verdict.kind == "retry"
    stream = bench.row(key)
    wait = (stream.due_at - bench.clock.now()).total_seconds()
    least = min(600.0, 2.0 ** (failures + 1))
    assert least <= wait <= min(600.0, 2 * least)
    assert (stream.failures, stream.last_error) == (failures + 1, "the shop is down")


@pytest.mark.parametrize(("asked", "waited"), [(90.0, 90.0), (1e12, 86_400.0), (-5.0, 0.0)])
def test_retry_after_is_honoured_within_reason(bench: Any, asked: float, waited: float) -> None:
    key = bench.stream(raising(RateLimited("slow down", retry_after=asked)))
    bench.runner().run_due(key)
    assert bench.row(key).due_at == bench.clock.now() + timedelta(seconds=waited)


def test_a_config_problem_sets_the_connection_aside_and_heals_by_itself(bench: Any) -> None:
    problems: list[Exception] = [ConfigProblem("the key was refused. Make a new one.")]

    def job(_hub: Any, _run: Any) -> None:
        if problems:
            raise problems.pop()

    def connection() -> Any:
        with bench.store.read() as conn:
            return conn.execute(select(t.connection)).one()

    key = bench.stream(job, "pull-orders", connection="shop")
    assert bench.runner().run_due(key).verdict.kind == "park_connection"
    assert connection().status == "auth_failed"
    assert connection().problem == "the key was refused. Make a new one."
    assert bench.runner().run_due(key) is None
    bench.clock.advance(900)
    assert bench.runner().run_due(key).verdict is None
    assert (connection().status, connection().problem) == ("active", "")


def test_a_bug_is_written_down_and_the_stream_goes_on(bench: Any) -> None:
    key = bench.stream(raising(KeyError("total")))
    ended = bench.runner().run_due(key)
    assert ended.verdict.kind == "bug"
    (run,) = bench.runs()
    assert (run.state, run.error) == ("failed", "KeyError: 'total'")
    bench.clock.advance(4)
    assert bench.runner().run_due(key) is not None


def test_a_dry_run_writes_nothing_but_shows_what_it_would(bench: Any) -> None:
    hints: list[Any] = []

    def job(_hub: Any, run: Any) -> None:
        with run.commit() as conn:
            bench.note(conn, "order")
            run.save_cursor(conn, {"n": 1})
            run.request(conn, "promise")
            run.count("read")

    bench.stream(lambda _hub, _run: None, "promise")
    key = bench.stream(job)
    before = bench.row(key)._asdict()
    ended = bench.runner(hint=hints.append).run_once(key, Order("once", dry_run=True))
    assert ended.verdict is None
    assert ended.run.counts == {"read": 1}
    assert (bench.notes(), bench.runs(), hints) == (set(), [], [])
    assert bench.row("promise").want == 0
    # Only that the stream was held is seen: it must not run twice at a time, dry or not.
    assert bench.row(key)._asdict() == {**before, "fence": before["fence"] + 1}


def test_a_failed_dry_run_leaves_the_stream_as_it_was(bench: Any) -> None:
    key = bench.stream(raising(Unreachable("down")))
    bench.runner().run_once(key, Order("once", dry_run=True))
    assert (bench.row(key).failures, bench.row(key).due_at) == (0, bench.clock.now())


def test_since_is_read_instead_of_the_cursor(bench: Any) -> None:
    seen = []

    def job(_hub: Any, run: Any) -> None:
        seen.append((run.since, run.cursor))
        with run.commit() as conn:
            run.save_cursor(conn, {"n": 1})

    key = bench.stream(job)
    runner = bench.runner()
    runner.run_due(key)
    since = bench.clock.now() - timedelta(days=3)
    runner.run_once(key, Order("once", since=since))
    assert seen == [(None, None), (since, None)]


def test_once_does_not_overlap_a_run_of_the_daemon(bench: Any) -> None:
    inside: list[Any] = []

    def job(_hub: Any, _run: Any) -> None:
        inside.append(bench.runner("once/here/2/b").run_once(key, Order("once")))

    key = bench.stream(job)
    bench.runner().run_due(key)
    assert inside == [None]


def test_a_job_cut_short_by_the_drain_is_due_again_at_once(bench: Any) -> None:
    def job(_hub: Any, run: Any) -> None:
        for n in range(10):
            if run.stopping:
                return
            with run.commit() as conn:
                run.save_cursor(conn, {"n": n})
            bench.stop.set()

    key = bench.stream(job)
    bench.runner().run_due(key)
    stream = bench.row(key)
    assert stream.cursor == {"n": 0}
    assert stream.lease_until is None
    assert stream.due_at == bench.clock.now()


def test_ctrl_c_gives_the_stream_back(bench: Any) -> None:
    def job(_hub: Any, _run: Any) -> None:
        raise KeyboardInterrupt

    key = bench.stream(job)
    with pytest.raises(KeyboardInterrupt):
        bench.runner().run_once(key, Order("once"))
    assert bench.row(key).lease_until is None
    assert bench.runs()[0].error == "interrupted by the operator"


def test_a_run_that_never_ended_is_called_lost_by_the_next_one(bench: Any) -> None:
    key = bench.stream(lambda _hub, _run: None)
    with bench.store.write() as conn:
        held = streams.claim(conn, key, "run/dead/1/a", bench.clock.now(), 60)
        assert held is not None
        runs.start(conn, held, "schedule", bench.clock.now())
    bench.clock.advance(60)
    bench.runner().run_due(key)
    assert [run.state for run in bench.runs()] == ["lost", "ok"]
