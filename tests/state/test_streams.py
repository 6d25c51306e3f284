"""One run per stream at a time, nothing asked for is lost, and a run that lost writes nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Row, event, insert, select, update

from jobs.clock import ManualClock
from state import streams
from state import tables as t
from state.errors import LostLease
from state.store import Store
from state.streams import Claim

KEY = "pull-orders:shop"
LEASE_S = 60.0
EVERY_S = 300


@pytest.fixture
def stream(store: Store, clock: ManualClock) -> str:
    """A stream of an active connection, due now."""
    with store.write() as conn:
        connection_id = conn.execute(
            insert(t.connection)
            .values(name="shop", connector="woocommerce", kind="channel")
            .returning(t.connection.c.id)
        ).scalar_one()
        streams.ensure(conn, KEY, "pull-orders", connection_id, EVERY_S, clock.now())
    return KEY


def claim(store: Store, now: datetime, owner: str = "me", key: str = KEY) -> Claim | None:
    with store.write() as conn:
        return streams.claim(conn, key, owner, now, LEASE_S)


def must_claim(store: Store, now: datetime, owner: str = "me", key: str = KEY) -> Claim:
    held = claim(store, now, owner, key)
    assert held is not None
    return held


def finish(store: Store, held: Claim, now: datetime) -> bool:
    with store.write() as conn:
        return streams.finish(conn, held, now)


def row(store: Store, key: str = KEY) -> Row[Any]:
    with store.read() as conn:
        return conn.execute(select(t.stream).where(t.stream.c.key == key)).one()


def connection_row(store: Store) -> Row[Any]:
    with store.read() as conn:
        return conn.execute(select(t.connection)).one()


def due(store: Store, now: datetime) -> list[str]:
    with store.read() as conn:
        return streams.due(conn, now)


def test_a_new_stream_is_due_at_once_and_then_at_its_interval(
    store: Store, clock: ManualClock, stream: str
) -> None:
    assert due(store, clock.now()) == [stream]
    assert finish(store, must_claim(store, clock.now()), clock.now()) is False
    assert due(store, clock.advance(EVERY_S - 1)) == []
    assert claim(store, clock.now()) is None
    assert due(store, clock.advance(1)) == [stream]
    assert row(store).last_success_at == datetime.fromisoformat("2026-11-02T08:00:00+00:00")


def test_of_many_threads_exactly_one_wins_a_stream(
    store: Store, clock: ManualClock, stream: str
) -> None:
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: claim(store, clock.now(), f"worker {n}"), range(16)))
    winners = [held for held in won if held is not None]
    assert len(winners) == 1
    assert row(store).owner == winners[0].owner


def test_a_running_stream_is_neither_due_nor_free(
    store: Store, clock: ManualClock, stream: str
) -> None:
    must_claim(store, clock.now())
    assert due(store, clock.now()) == []
    assert claim(store, clock.advance(LEASE_S - 1)) is None


def test_a_request_during_a_run_is_kept(store: Store, clock: ManualClock, stream: str) -> None:
    held = must_claim(store, clock.now())
    with store.write() as conn:
        assert streams.request(conn, stream, clock.advance(1)) is True
    assert finish(store, held, clock.advance(1)) is True
    second = must_claim(store, clock.now())
    assert second.want == second.done + 1
    assert finish(store, second, clock.advance(1)) is False
    assert due(store, clock.now()) == []


def test_a_stream_may_be_due_again_before_its_interval_and_never_after(
    store: Store, clock: ManualClock, stream: str
) -> None:
    for again_in_s, expected in ((8, 8), (EVERY_S + 8, EVERY_S), (0, 0)):
        held = must_claim(store, clock.now())
        with store.write() as conn:
            again_at = clock.now() + timedelta(seconds=again_in_s)
            again = streams.finish(conn, held, clock.now(), again_at=again_at)
        assert again is (expected == 0)
        assert row(store).due_at == clock.now() + timedelta(seconds=expected)
        clock.advance(expected)


def test_a_request_makes_an_idle_stream_due_now(
    store: Store, clock: ManualClock, stream: str
) -> None:
    finish(store, must_claim(store, clock.now()), clock.now())
    clock.advance(10)
    assert due(store, clock.now()) == []
    with store.write() as conn:
        streams.request(conn, stream, clock.now())
    assert due(store, clock.now()) == [stream]


def test_requests_do_not_push_a_waiting_stream_back(
    store: Store, clock: ManualClock, stream: str
) -> None:
    since = row(store).due_at
    with store.write() as conn:
        streams.request(conn, stream, clock.advance(30))
    assert row(store).due_at == since


def test_asking_for_a_stream_that_does_not_exist_answers_false(
    store: Store, clock: ManualClock
) -> None:
    with store.write() as conn:
        assert streams.request(conn, "push:nobody", clock.now()) is False


def test_an_expired_lease_is_taken_over_and_the_paused_worker_can_write_nothing(
    store: Store, clock: ManualClock, stream: str
) -> None:
    paused = must_claim(store, clock.now(), "paused")
    other = must_claim(store, clock.advance(LEASE_S), "other")
    assert other.fence == paused.fence + 1
    before = row(store)
    for write in (
        lambda conn: streams.look(conn, paused),
        lambda conn: streams.extend(conn, paused, clock.now()),
        lambda conn: streams.seal(conn, paused, clock.now(), cursor={"n": 1}, wanted=[stream]),
        lambda conn: streams.finish(conn, paused, clock.now()),
        lambda conn: streams.fail(conn, paused, "late", clock.now()),
        lambda conn: streams.release(conn, paused),
    ):
        with pytest.raises(LostLease, match="another run has taken over"), store.write() as conn:
            write(conn)
    assert row(store) == before


def test_a_late_worker_that_nobody_replaced_may_still_write(
    store: Store, clock: ManualClock, stream: str
) -> None:
    held = must_claim(store, clock.now())
    with store.write() as conn:
        streams.seal(conn, held, clock.advance(LEASE_S * 2), cursor={"n": 7})
    assert row(store).cursor == {"n": 7}
    assert claim(store, clock.now()) is None


def test_sealing_renews_the_lease_and_keeps_a_cursor_it_was_not_given(
    store: Store, clock: ManualClock, stream: str
) -> None:
    held = must_claim(store, clock.now())
    with store.write() as conn:
        streams.seal(conn, held, clock.advance(50), cursor={"page": 1})
    with store.write() as conn:
        streams.seal(conn, held, clock.advance(50))
    assert claim(store, clock.advance(50)) is None
    assert row(store).cursor == {"page": 1}


def test_what_a_transaction_asks_for_is_lost_with_it(
    store: Store, clock: ManualClock, stream: str
) -> None:
    with store.write() as conn:
        streams.ensure(conn, "allocate", "allocate", None, 60, clock.now())
    held = must_claim(store, clock.now())
    with store.write() as conn:
        streams.seal(conn, held, clock.now(), cursor={"n": 1}, wanted=["allocate"])
        conn.rollback()
    assert row(store, "allocate").want == 0
    assert row(store).cursor is None
    with store.write() as conn:
        streams.seal(conn, held, clock.now(), cursor={"n": 1}, wanted=["allocate"])
    assert row(store, "allocate").want == 1


def test_a_failed_stream_waits_and_a_request_does_not_shorten_that(
    store: Store, clock: ManualClock, stream: str
) -> None:
    held = must_claim(store, clock.now())
    retry_at = clock.advance(30)
    with store.write() as conn:
        streams.fail(conn, held, "the shop is down", retry_at)
    with store.write() as conn:
        streams.request(conn, stream, clock.now())
    failed = row(store)
    assert (failed.failures, failed.last_error, failed.due_at) == (1, "the shop is down", retry_at)
    again = must_claim(store, retry_at)
    assert again.failures == 1
    finish(store, again, retry_at)
    assert (row(store).failures, row(store).last_error) == (0, "")


def test_two_runs_that_ask_for_each_other_do_not_deadlock(store: Store, clock: ManualClock) -> None:
    keys = ["allocate", "promise"]
    with store.write() as conn:
        for key in keys:
            streams.ensure(conn, key, key, None, 60, clock.now())
    held = {key: must_claim(store, clock.now(), key=key) for key in keys}

    def seal(n: int) -> None:
        mine, other = keys[n % 2], keys[(n + 1) % 2]
        with store.write() as conn:
            streams.seal(conn, held[mine], clock.now(), wanted=[other])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(seal, range(40)))
    assert [row(store, key).want for key in keys] == [20, 20]


def test_leases_of_a_dead_process_end_at_once(
    store: Store, clock: ManualClock, stream: str
) -> None:
    must_claim(store, clock.now(), "run/host_1/17/ab")
    with store.write() as conn:
        assert streams.lease_owners(conn) == ["run/host_1/17/ab"]
        # An underscore is a wildcard for LIKE: it must not reach another host.
        assert streams.expire_leases(conn, "run/hostX1/17") == 0
        assert streams.expire_leases(conn, "run/host_1/17/") == 1
    assert due(store, clock.now()) == [stream]


def test_releasing_leaves_the_stream_as_due_as_it_was(
    store: Store, clock: ManualClock, stream: str
) -> None:
    before = row(store)
    held = must_claim(store, clock.now())
    with store.write() as conn:
        streams.release(conn, held)
    assert row(store)._asdict() == {**before._asdict(), "fence": before.fence + 1}


def test_a_person_may_run_what_is_not_due_but_not_what_is_running(
    store: Store, clock: ManualClock, stream: str
) -> None:
    finish(store, must_claim(store, clock.now()), clock.now())
    with store.write() as conn:
        held = streams.claim(conn, KEY, "me", clock.now(), LEASE_S, even_if_not_due=True)
        assert held is not None
        twice = streams.claim(conn, KEY, "you", clock.now(), LEASE_S, even_if_not_due=True)
        assert twice is None


def test_a_shorter_interval_counts_from_now_and_keeps_the_cursor(
    store: Store, clock: ManualClock, stream: str
) -> None:
    held = must_claim(store, clock.now())
    with store.write() as conn:
        streams.seal(conn, held, clock.now(), cursor={"n": 3})
    finish(store, held, clock.now())
    with store.write() as conn:
        streams.ensure(conn, KEY, "pull-orders", held.connection_id, 20, clock.now())
    assert due(store, clock.advance(20)) == [stream]
    assert row(store).cursor == {"n": 3}


@pytest.mark.parametrize("status", ["paused", "retired"])
def test_a_connection_that_is_set_aside_runs_nothing(
    store: Store, clock: ManualClock, stream: str, status: str
) -> None:
    with store.write() as conn:
        conn.execute(update(t.connection).values(status=status))
    assert due(store, clock.now()) == []


def test_a_connection_to_be_mended_heals_when_none_of_its_streams_fails(
    store: Store, clock: ManualClock, stream: str
) -> None:
    held = must_claim(store, clock.now())
    connection_id = held.connection_id
    assert connection_id is not None
    with store.write() as conn:
        streams.ensure(conn, "push:shop", "push", connection_id, 30, clock.now())
        streams.fail(conn, held, "401", clock.now())
        streams.park_connection(conn, connection_id, "the key was refused")
    # A push with nothing to send succeeds, which proves nothing about the key.
    finish(store, must_claim(store, clock.now(), key="push:shop"), clock.now())
    broken = connection_row(store)
    assert (broken.status, broken.problem) == ("auth_failed", "the key was refused")
    finish(store, must_claim(store, clock.now()), clock.now())
    healed = connection_row(store)
    assert (healed.status, healed.problem, healed.last_ok_at) == ("active", "", clock.now())


def test_after_a_restart_a_connection_to_be_mended_is_tried_at_once(
    store: Store, clock: ManualClock, stream: str
) -> None:
    held = must_claim(store, clock.now())
    assert held.connection_id is not None
    later = clock.advance(0)
    with store.write() as conn:
        streams.fail(conn, held, "401", later.replace(hour=9))
        streams.park_connection(conn, held.connection_id, "the key was refused")
    assert due(store, clock.now()) == []
    with store.write() as conn:
        streams.retry_parked_connections(conn, clock.now())
    assert due(store, clock.now()) == [stream]


def test_the_longest_overdue_stream_comes_first(store: Store, clock: ManualClock) -> None:
    with store.write() as conn:
        for name in ("c", "a", "b"):
            streams.ensure(conn, name, name, None, 60, clock.advance(1))
    assert due(store, clock.now()) == ["c", "a", "b"]


def test_a_heartbeat_after_the_end_of_its_run_leases_the_stream_to_nobody(
    store: Store, clock: ManualClock
) -> None:
    with store.write() as conn:
        streams.ensure(conn, "allocate", "allocate", None, 60, clock.now())
        held = streams.claim(conn, "allocate", "run/here/1/a", clock.now(), 60)
        assert held is not None
        streams.finish(conn, held, clock.now())
    with pytest.raises(LostLease), store.write() as conn:
        streams.extend(conn, held, clock.now())
    clock.advance(60)
    with store.write() as conn:
        assert streams.claim(conn, "allocate", "run/here/1/b", clock.now(), 60) is not None


def test_many_streams_are_set_up_in_as_few_statements_as_one(
    store: Store, clock: ManualClock
) -> None:
    statements: list[str] = []
    event.listen(store.engine, "before_cursor_execute", lambda *told: statements.append(told[2]))
    for number in (1, 40, 40):
        wanted = [streams.Wanted(f"job {one}", "job", None, 60) for one in range(number)]
        with store.write() as conn:
            statements.clear()
            streams.ensure_all(conn, wanted, clock.now())
        # The one that is known already, and those that are not.
        assert len(statements) <= 3
    with store.read() as conn:
        assert len(streams.due(conn, clock.now())) == 40
