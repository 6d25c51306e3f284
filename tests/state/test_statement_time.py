"""T20: a statement that takes for ever is ended by the database, but those that may."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from state.store import STATEMENT_S, Store, take_your_time

SLEEP = text("SELECT pg_sleep(3)")
ALLOWED = text("SHOW statement_timeout")


@pytest.fixture
def postgres(store: Store) -> Store:
    if store.is_sqlite:
        pytest.skip("SQLite has no such time")
    return store


def test_threat_t20_a_statement_is_ended_when_its_time_is_over(
    postgres: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("state.store.STATEMENT_S", 1)
    hurried = Store(postgres.url.render_as_string(hide_password=False))
    try:
        with hurried.read() as conn, pytest.raises(OperationalError, match="statement timeout"):
            conn.execute(SLEEP)
        with hurried.write() as conn:
            take_your_time(conn)
            assert conn.scalar(ALLOWED) == "0"
        with hurried.write() as conn:
            assert conn.scalar(ALLOWED) == "1s"
        assert hurried.wipe_traces()
        with hurried.read() as conn:
            assert conn.scalar(ALLOWED) == "1s"
    finally:
        hurried.close()


def test_threat_t20_who_is_waited_for_has_little_time(postgres: Store) -> None:
    url = postgres.url.render_as_string(hide_password=False)
    patient, hook = Store(url), Store(url, patience_s=2)
    try:
        for store, time in ((patient, f"{STATEMENT_S // 60}min"), (hook, "2s")):
            with store.read() as conn:
                assert conn.scalar(ALLOWED) == time
    finally:
        patient.close()
        hook.close()


def test_what_the_url_says_counts_all_the_same(postgres: Store) -> None:
    own = postgres.url.update_query_dict({"options": "-c statement_timeout=7000"})
    store = Store(own.render_as_string(hide_password=False), patience_s=2)
    try:
        with store.read() as conn:
            assert conn.scalar(ALLOWED) == "7s"
            assert conn.scalar(text("SHOW lock_timeout")) == "2s"
    finally:
        store.close()
