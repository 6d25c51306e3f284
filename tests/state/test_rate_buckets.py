"""The limit holds whatever the number of threads, processes and restarts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.base import Rate
from connectors.http import Limiter
from jobs.clock import ManualClock
from state.rate_buckets import RateBuckets
from state.store import Store

PATIENT = 1e6


def most_in_any_window(moments: list[float], seconds: float) -> int:
    """The highest count of ``moments`` in a half-open window of that length."""
    moments = sorted(moments)
    return max(
        sum(start <= moment < start + seconds for moment in moments[i:])
        for i, start in enumerate(moments)
    )


def test_it_is_the_limiter_that_the_door_asks_for(store: Store, clock: ManualClock) -> None:
    limiter: Limiter = RateBuckets(store, clock)
    assert limiter.wait_s("shop/*", Rate(1, 1), PATIENT) == 0


def test_a_burst_is_free_and_then_calls_are_spaced(store: Store, clock: ManualClock) -> None:
    buckets = RateBuckets(store, clock)
    waits = [buckets.wait_s("k", Rate(per_second=2, burst=3), PATIENT) for _ in range(6)]
    assert waits == pytest.approx([0, 0, 0, 0.5, 1.0, 1.5])


def test_an_idle_bucket_saves_up_no_more_than_its_burst(store: Store, clock: ManualClock) -> None:
    buckets = RateBuckets(store, clock)
    buckets.wait_s("k", Rate(1, 2), PATIENT)
    clock.advance(3600)
    waits = [buckets.wait_s("k", Rate(1, 2), PATIENT) for _ in range(3)]
    assert waits == pytest.approx([0, 0, 1])


def test_fault_row_92_a_bucket_of_a_clock_that_was_a_month_ahead_keeps_nobody_waiting(
    store: Store, clock: ManualClock
) -> None:
    buckets, rate = RateBuckets(store, clock), Rate(1, 2)
    clock.advance(30 * 86_400)
    buckets.wait_s("k", rate, PATIENT)
    buckets.block("k", 3600)
    clock.set_back(30 * 86_400)
    patience = 60.0
    waits = [RateBuckets(store, clock).wait_s("k", rate, patience) for _ in range(3)]
    assert waits == pytest.approx([0, 0, 1])


def test_a_stop_of_an_hour_is_kept_whatever_the_patience(store: Store, clock: ManualClock) -> None:
    buckets, rate = RateBuckets(store, clock), Rate(1, 2)
    buckets.wait_s("k", rate, 60.0)
    buckets.block("k", 3600)
    assert buckets.wait_s("k", rate, 60.0) == pytest.approx(3600)


def test_eight_threads_never_exceed_the_rate(store: Store, clock: ManualClock) -> None:
    rate = Rate(per_second=10, burst=2)
    buckets = RateBuckets(store, clock)
    with ThreadPoolExecutor(8) as pool:
        moments = list(pool.map(lambda _: buckets.wait_s("k", rate, PATIENT), range(80)))
    assert most_in_any_window(moments, 1.0) <= 10 + 2
    # Nobody took the same slot twice: the last call is exactly where the rate puts it.
    assert max(moments) == pytest.approx((80 - 2) / 10)


def test_impatient_callers_take_nothing_and_learn_when_to_come_back(
    store: Store, clock: ManualClock
) -> None:
    buckets = RateBuckets(store, clock)
    slow = Rate(per_second=1 / 60, burst=1)
    assert buckets.wait_s("k", slow, 5) == 0
    assert [buckets.wait_s("k", slow, 5) for _ in range(5)] == pytest.approx([60] * 5)
    clock.advance(60)
    assert buckets.wait_s("k", slow, 5) == 0


def test_a_blocked_bucket_lets_nobody_through_burst_or_not(
    store: Store, clock: ManualClock
) -> None:
    buckets = RateBuckets(store, clock)
    rate = Rate(per_second=2, burst=10)
    buckets.wait_s("k", rate, PATIENT)
    buckets.block("k", 30)
    assert buckets.wait_s("k", rate, 5) == pytest.approx(30)
    clock.advance(29.9)
    assert buckets.wait_s("k", rate, 0) > 0
    clock.advance(0.1)
    assert buckets.wait_s("k", rate, 0) == 0
    assert buckets.wait_s("other", rate, 0) == 0


def test_a_shorter_block_does_not_lift_a_longer_one(store: Store, clock: ManualClock) -> None:
    buckets = RateBuckets(store, clock)
    buckets.block("k", 30)
    buckets.block("k", 1)
    assert buckets.wait_s("k", Rate(1, 1), 0) == pytest.approx(30)


def test_limits_and_blocks_outlive_the_process(
    store: Store, store_url: str, clock: ManualClock
) -> None:
    rate = Rate(per_second=0.1, burst=1)
    RateBuckets(store, clock).wait_s("k", rate, PATIENT)
    RateBuckets(store, clock).block("blocked", 100)
    reopened = Store(store_url)
    after = RateBuckets(reopened, clock)
    waits = (after.wait_s("k", rate, 5), after.wait_s("blocked", rate, 5))
    reopened.close()
    assert waits == pytest.approx((10, 100))


@dataclass
class Recorded:
    """A clock for one example: the fixture's would run on from example to example."""

    moment: datetime

    def now(self) -> datetime:
        return self.moment


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    per_second=st.floats(0.01, 50),
    burst=st.integers(1, 20),
    pauses=st.lists(st.floats(0, 3), min_size=2, max_size=15),
)
def test_no_pattern_of_calls_gets_more_than_burst_and_rate(
    store: Store, clock: ManualClock, per_second: float, burst: int, pauses: list[float]
) -> None:
    recorded = Recorded(clock.now())
    buckets = RateBuckets(store, recorded)
    key = f"{per_second}/{burst}/{pauses}"
    sent = []
    for pause in pauses:
        recorded.moment += timedelta(seconds=pause)
        wait = buckets.wait_s(key, Rate(per_second, burst), PATIENT)
        sent.append((recorded.moment - clock.now()).total_seconds() + wait)
    for i, first in enumerate(sent):
        for j in range(i, len(sent)):
            allowed = burst + (sent[j] - first) * per_second
            # One millionth of tolerance per call: intervals are whole microseconds.
            assert j - i + 1 <= allowed + 1e-3
