"""A claim stops when its time is over, tells what it reached, and never stops before it began."""

from __future__ import annotations

import subprocess
import sys
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proof import budget, money
from proof.budget import Budget, reached, shuffled
from proof.crash.lanes import LaneBroken, Lanes

_ECHO = (
    "import sys, json\n"
    "for line in sys.stdin:\n"
    "    told = json.loads(line)\n"
    "    print(json.dumps({'failed': 'n'} if told['n'] < 0 else told), flush=True)\n"
)


class Watch:
    """Shows what it is told; each look takes ``step`` seconds."""

    def __init__(self, step: float = 0.0) -> None:
        self.now, self.step = 100.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def watched(monkeypatch: pytest.MonkeyPatch, step: float = 0.0) -> Watch:
    watch = Watch(step)
    monkeypatch.setattr(budget, "stopwatch", watch)
    return watch


def test_without_seconds_all_items_are_gone_through() -> None:
    assert list(Budget().over(range(1000))) == list(range(1000))
    assert list(Budget().part(3).over("abc")) == ["a", "b", "c"]


@given(least=st.integers(1, 9), number=st.integers(0, 20))
def test_when_nothing_is_left_the_least_is_done_all_the_same(least: int, number: int) -> None:
    assert list(Budget(0.0).over(range(number), least=least)) == list(range(min(least, number)))


def test_items_without_end_end_with_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = watched(monkeypatch)
    seen = []
    for item in Budget(10.0).over(count()):
        seen.append(item)
        watch.now += 3.0
    assert seen == [0, 1, 2, 3]


def test_what_would_outlast_the_time_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = watched(monkeypatch)
    seen = []
    for hours in Budget(11.0).over([1, 2, 48, 3, 4, 1], work=float):
        seen.append(hours)
        watch.now += hours * 1.5
    assert seen == [1, 2, 3, 1], "4 would have taken 6 s of the 2 that were left"


def test_parts_are_parts_of_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = watched(monkeypatch)
    whole = Budget(90.0)
    assert whole.part(3).left == 30.0
    watch.now += 60.0
    assert whole.part(2).left == 15.0


def test_the_share_of_a_night_is_told_of_nights_only() -> None:
    assert reached("nightly", 3, 12) == {"of a night": 0.25}
    assert reached("nightly", 15, 12) == {"of a night": 1.0}
    assert reached("pull-request", 3, 12) == {}


@given(st.lists(st.integers()), st.integers(0, 9))
def test_a_shuffled_order_loses_nothing_and_comes_again(items: list[int], seed: int) -> None:
    found = shuffled(items, seed)
    assert sorted(found) == sorted(items)
    assert found == shuffled(items, seed)


def test_a_claim_at_night_size_stops_with_its_budget_and_says_so() -> None:
    found = money.prove("nightly", budget_s=0.0)
    assert found.holds, found.planted
    assert found.runs == 1
    assert found.figures["of a night"] == 0.0


@pytest.fixture
def lanes() -> Any:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _ECHO], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    yield Lanes(processes)
    for one in processes:
        one.communicate(timeout=30)


def test_lanes_draw_tasks_as_they_get_free_and_keep_their_order(lanes: Lanes) -> None:
    assert [one["n"] for one in lanes.ask_all({"n": n} for n in range(50))] == list(range(50))
    # Tasks without end: what breaks ends it at once.
    with pytest.raises(LaneBroken):
        lanes.ask_all({"n": 3 - number} for number in count())
