"""Reads see one moment, writes queue, and nothing is lost between them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoneFree

from state import tables as t
from state.store import Store, why_no_answer


def test_a_failed_write_leaves_nothing(store: Store) -> None:
    try:
        with store.write() as conn:
            conn.execute(insert(t.rate_bucket).values(key="k", tat_us=1))
            raise KeyError("k")
    except KeyError:
        pass
    with store.read() as conn:
        assert conn.execute(select(t.rate_bucket)).all() == []


def test_concurrent_read_then_write_loses_no_update(store: Store) -> None:
    with store.write() as conn:
        conn.execute(insert(t.rate_bucket).values(key="k", tat_us=0))
    bucket = t.rate_bucket

    def add_one(_: int) -> None:
        with store.write() as conn:
            row = select(bucket.c.tat_us).where(bucket.c.key == "k").with_for_update()
            conn.execute(update(bucket).values(tat_us=conn.execute(row).scalar_one() + 1))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add_one, range(100)))
    with store.read() as conn:
        assert conn.scalar(select(bucket.c.tat_us)) == 100


def test_fault_row_88_who_finds_no_connection_free_waits_no_longer_than_for_a_lock(
    store_url: str,
) -> None:
    store = Store(store_url, patience_s=0.5)
    with ExitStack() as busy:
        for _ in range(42):
            busy.enter_context(store.read())
        with pytest.raises(NoneFree) as none_free:
            busy.enter_context(store.read())
        assert why_no_answer(none_free.value) == "all its connections are in use"
    with store.read() as conn:
        assert conn.scalar(text("SELECT 1")) == 1
    store.close()


def test_a_reader_is_not_stopped_by_a_writer(store: Store) -> None:
    with store.write() as writing:
        writing.execute(insert(t.rate_bucket).values(key="k", tat_us=0))
        with store.read() as reading:
            assert reading.execute(select(t.rate_bucket)).all() == []
    with store.read() as reading:
        assert len(reading.execute(select(t.rate_bucket)).all()) == 1


def test_sqlite_is_set_up_to_survive_a_power_cut_and_to_check_references(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'crossdock.db'}")
    with store.read() as conn:
        found = {
            name: conn.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    store.close()
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_sqlite_writes_its_notes_of_a_transaction_nowhere_and_sorts_on_disk(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'crossdock.db'}")
    found = []
    for way in (store.read, store.write, store.write, store.read):
        with way() as conn:
            found.append(conn.exec_driver_sql("PRAGMA temp_store").scalar())
    store.close()
    file, memory = 1, 2
    assert found == [file, memory, memory, file]


_ONCE = "INSERT INTO rate_bucket (key, tat_us) VALUES (:key, :tat) RETURNING tat_us"


def test_a_statement_at_once_is_committed_and_gives_its_row(store: Store) -> None:
    assert store.at_once(_ONCE, {"key": "k", "tat": 7}) == (7,)
    with store.write() as conn:
        conn.execute(update(t.rate_bucket).values(tat_us=8))
    found = store.at_once("SELECT tat_us FROM rate_bucket WHERE key = :key", {"key": "k"})
    assert found == (8,)
    gone = store.at_once("SELECT tat_us FROM rate_bucket WHERE key = :key", {"key": "other"})
    assert gone is None


def test_a_statement_at_once_fails_as_any_other(store: Store) -> None:
    """Whoever sorts errors knows SQLAlchemy's, and not those of each driver."""
    store.at_once(_ONCE, {"key": "k", "tat": 7})
    with pytest.raises(DBAPIError):
        store.at_once(_ONCE, {"key": "k", "tat": 7})
    with pytest.raises(DBAPIError):
        store.at_once("SELECT nothing FROM nowhere WHERE key = :key", {"key": "k"})
