"""Reads see one moment, writes queue, and nothing is lost between them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import insert, select, text, update

from state import tables as t
from state.store import Store


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
