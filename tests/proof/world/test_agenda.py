"""The director's notes of what is due say what the store would say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from proof.world.agenda import Agenda
from proof.world.course import Course
from proof.world.database import SQLITE, empty_store, share_what_is_compiled
from proof.world.simulation import MORNING, simulate
from state import streams
from state.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with empty_store(SQLITE, tmp_path) as url:
        store = Store(url)
        yield store
        store.close()


def test_it_answers_as_the_store_would_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, differ = 0, list[tuple[datetime, list[str], list[str]]]()
    remembered = Agenda.due

    def compared(self: Agenda, now: datetime) -> list[str]:
        nonlocal asked
        found = remembered(self, now)
        with self._store.read() as conn:
            there = streams.due(conn, now)
        asked += 1
        if found != there:
            differ.append((now, found, there))
        return found

    monkeypatch.setattr(Agenda, "due", compared)
    simulate(Course(5, days=0.05, workers=3), to_rest=False)
    assert differ == []
    assert asked > 100


def test_what_becomes_due_or_free_is_found_without_a_commit(store: Store) -> None:
    agenda, minute = Agenda(store), timedelta(minutes=1)
    with store.write() as conn:
        for key in ("sooner", "later"):
            streams.ensure(conn, key, key, None, 60, MORNING)
        streams.claim(conn, "later", "somebody", MORNING, 90)
    assert agenda.due(MORNING) == ["sooner"]
    assert agenda.later(MORNING) == [MORNING + 1.5 * minute]
    assert agenda.due(MORNING + 2 * minute) == ["later", "sooner"]


def test_a_clock_that_is_set_back_is_asked_again(store: Store) -> None:
    agenda = Agenda(store)
    with store.write() as conn:
        streams.ensure(conn, "one", "one", None, 60, MORNING)
    assert agenda.due(MORNING) == ["one"]
    assert agenda.due(MORNING - timedelta(seconds=1)) == []


def test_what_is_compiled_is_shared_by_stores_and_nothing_else_is(
    store: Store, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with empty_store(SQLITE, other) as url:
        second = Store(url)
        for one in (store, second):
            share_what_is_compiled(one)
        with store.write() as conn:
            streams.ensure(conn, "mine", "mine", None, 60, MORNING)
        with second.read() as conn:
            assert streams.due(conn, MORNING) == []
            assert conn.scalar(text("SELECT count(*) FROM stream")) == 0
        assert store.engine.dialect is second.engine.dialect
        second.close()
