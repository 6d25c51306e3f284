"""The stage: one actor at a time, in the order the director says, on simulated time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from proof.world.stage import Crashed, Stage

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def test_actors_go_on_when_they_are_told_to_and_nobody_else_meanwhile() -> None:
    stage, seen = Stage(NOON), []

    def work(name: str) -> None:
        for part in range(3):
            seen.append(f"{name}{part}")
            stage.pause(1)

    first = stage.enter("a", lambda: work("a"))
    second = stage.enter("b", lambda: work("b"))
    for actor in (first, second, second, first):
        stage.go_on(actor)
    assert seen == ["a0", "b0", "b1", "a1"]
    assert first.wakes == NOON + timedelta(seconds=1)
    assert stage.now == NOON
    for actor in (first, second):
        stage.doom(actor)
        assert actor.ended
        assert actor.crashed
    assert seen == ["a0", "b0", "b1", "a1"]


def test_alone_time_passes_at_once() -> None:
    stage = Stage(NOON)
    stage.perform("a", lambda: stage.pause(60))
    assert stage.now == NOON + timedelta(minutes=1)
    assert stage.acting is None


def test_a_crash_gets_past_whoever_catches_errors() -> None:
    stage, seen = Stage(NOON), []

    def work() -> None:
        try:
            stage.pause(1)
        except Exception:  # noqa: BLE001  the point of the test
            seen.append("caught")
        finally:
            seen.append("unwound")

    actor = stage.enter("a", work)
    stage.go_on(actor)
    stage.doom(actor)
    assert seen == ["unwound"]
    assert actor.crashed


def test_what_an_actor_fails_with_reaches_the_director() -> None:
    stage = Stage(NOON)

    def work() -> None:
        raise LookupError("lost")

    actor = stage.enter("a", work)
    with pytest.raises(LookupError):
        stage.go_on(actor)
    assert actor.ended


def test_the_end_of_a_process_is_no_exception_of_ours() -> None:
    assert not issubclass(Crashed, Exception)
