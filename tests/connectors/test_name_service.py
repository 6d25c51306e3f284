"""A name server that does not answer: a call waits for it no longer than for anything else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from connectors import name_service
from connectors.clock import stopwatch
from connectors.errors import Unreachable
from connectors.http import Bounds, Door

OpenDoor = Callable[..., Door]


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Look-ups that end when the event is set."""
    answered = threading.Event()

    def look_up(host: str, port: int) -> list[str]:
        answered.wait(30)
        return ["203.0.113.1"]

    monkeypatch.setattr(name_service, "addresses", look_up)
    yield answered
    answered.set()


def test_a_name_that_nobody_answers_about_was_never_asked_anything(
    open_door: OpenDoor, silent: threading.Event
) -> None:
    door = open_door(None, bounds=Bounds(connect_s=0.3, total_s=5, attempts=1))
    client = door.client("https://shop.example", limits={})
    began = stopwatch()
    with closing(client), pytest.raises(Unreachable, match="no name server answered"):
        # A write too: it was never sent.
        client.post("/x", op="write", json={})
    assert stopwatch() - began < 3


def test_there_are_never_ever_more_of_those_that_wait(silent: threading.Event) -> None:
    before = threading.active_count()
    for _ in range(name_service.WAITING_MAX + 3):
        with pytest.raises(TimeoutError):
            name_service.within(0.01, name_service.addresses, "shop.example", 443)
    assert threading.active_count() - before <= name_service.WAITING_MAX
    silent.set()
    assert name_service.within(5, name_service.addresses, "shop.example", 443) == ["203.0.113.1"]


def test_what_the_system_says_is_said_at_once() -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    assert "127.0.0.1" in name_service.within(5, name_service.addresses, "localhost", 80)
    with pytest.raises(OSError, match="no such name"):
        name_service.within(5, unknown, "shop.example", 443)
