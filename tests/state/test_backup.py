"""A backup holds every row of one moment, moves between the databases, and is whole or refused."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, MetaData, insert, select, text

from state import backup, intents, migrate, migration_steps, restorations, streams
from state import tables as t
from state.backup import BadBackup
from state.errors import LostLease
from state.store import Store

NOW = datetime(2026, 11, 2, 8, tzinfo=UTC)
LATER = datetime(2026, 11, 2, 11, tzinfo=UTC)


@pytest.fixture
def filled(store: Store) -> Store:
    """A store with a row of every kind of value."""
    with store.write() as conn:
        link = conn.execute(
            insert(t.connection)
            .values(name="shop", connector="none", kind="channel")
            .returning(t.connection.c.id)
        ).scalar_one()
        streams.ensure(conn, "pull-orders:shop", "pull-orders", link, 60, NOW)
        conn.execute(t.stream.update().values(fence=17, cursor={"v": 1, "seen": "2026\u2028é"}))
        row = {"connection_id": link, "topic": "orders", "external_id": "1", "received_at": NOW}
        conn.execute(
            insert(t.inbox).values(**row, sha256=b"\x00\xff", body=b"\x80", state="mapped")
        )
        conn.execute(insert(t.sku).values(id=41, code="MUG", active=True))
        place = {"code": "berlin", "kind": "warehouse", "authority": "hub", "active": True}
        conn.execute(insert(t.location).values(id=7, **place))
        level = {"sku_id": 41, "location_id": 7, "on_hand": Decimal("12.000001")}
        conn.execute(insert(t.inventory_level).values(**level, authority="hub"))
        intents.plan(
            conn,
            connection_id=link,
            kind="label",
            subject=("fulfilment_order", 1),
            key="label:A-1",
            body={"reference": "A-1", "weight_g": 3},
            now=NOW,
        )
    return store


def rows(store: Store) -> dict[str, list[Any]]:
    with store.read() as conn:
        return {
            table.name: [tuple(row) for row in conn.execute(select(table))]
            for table in t.metadata.sorted_tables
        }


def nothing(_conn: Connection, _header: backup.Header, _fence: int) -> None:
    """What a plain copy does after the rows are in."""


def put(into: Store, file: Path, safe: Any = nothing) -> str | None:
    return backup.put(into, file, backup.verify(file), LATER, safe, lambda _t, _n: None)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Store]:
    made = Store(f"sqlite:///{tmp_path / 'other.db'}")
    yield made
    made.close()


def test_a_restored_store_has_every_row_of_the_backup(
    filled: Store, other: Store, tmp_path: Path
) -> None:
    file = tmp_path / "a.crossdock"
    made = backup.write(filled, file, NOW)
    assert made.rows == sum(len(found) for found in rows(filled).values())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert put(other, file) is None
    assert rows(other) == rows(filled)
    assert migrate.is_current(other)


def test_a_store_moves_to_the_other_database_and_back(
    filled: Store, other: Store, tmp_path: Path
) -> None:
    there, back = tmp_path / "there.crossdock", tmp_path / "back.crossdock"
    backup.write(filled, there, NOW)
    put(other, there)
    backup.write(other, back, NOW)
    was = rows(filled)
    filled.engine.dispose()
    assert put(filled, back) is not None
    assert rows(filled) == was
    with filled.write() as conn:
        conn.execute(insert(t.sku).values(code="CUP", active=True))
        assert conn.scalar(select(t.sku.c.id).where(t.sku.c.code == "CUP")) == 42


def test_a_backup_is_of_one_moment_whatever_is_written_meanwhile(
    filled: Store, other: Store, tmp_path: Path
) -> None:
    file = tmp_path / "a.crossdock"

    def busy(table: str, _rows: int) -> None:
        if table == "connection":
            with filled.write() as conn:
                conn.execute(insert(t.rate_bucket).values(key="late", tat_us=1))
                conn.execute(insert(t.sku).values(code="LATE", active=True))

    backup.write(filled, file, NOW, busy)
    put(other, file)
    assert [row[2] for row in rows(other)["sku"]] == ["MUG"]
    assert len(rows(filled)["sku"]) == 2


def test_a_file_is_never_written_over(filled: Store, tmp_path: Path) -> None:
    file = tmp_path / "a.crossdock"
    backup.write(filled, file, NOW)
    was = file.read_bytes()
    with pytest.raises(FileExistsError):
        backup.write(filled, file, LATER)
    assert file.read_bytes() == was
    assert [one.name for one in tmp_path.glob("*crossdock*") if "db" not in one.name] == [file.name]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> bytes:
    """A small backup as bytes."""
    folder = tmp_path_factory.mktemp("whole")
    store = Store(f"sqlite:///{folder / 'a.db'}")
    (folder / "a.db").write_bytes(sqlite_template.read_bytes())
    with store.write() as conn:
        conn.execute(insert(t.sku).values(code="MUG", active=True))
    backup.write(store, folder / "a.crossdock", NOW)
    store.close()
    return (folder / "a.crossdock").read_bytes()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_refused(data: st.DataObject, whole: bytes, tmp_path: Path) -> None:
    damage: Callable[[bytes], bytes] = data.draw(
        st.one_of(
            st.integers(0, len(whole) - 1).map(lambda at: lambda file: file[:at]),
            st.tuples(st.integers(0, len(whole) - 1), st.integers(1, 255)).map(
                lambda hit: (
                    lambda file: (
                        file[: hit[0]] + bytes([file[hit[0]] ^ hit[1]]) + file[hit[0] + 1 :]
                    )
                )
            ),
        )
    )
    file = tmp_path / "damaged.crossdock"
    file.write_bytes(damage(whole))
    try:
        found = backup.verify(file)
    except BadBackup:
        return
    # A bit of the frame's header that says nothing: what is read must be what was written.
    assert found.tables["sku"] == 1


def repacked(whole: bytes, change: Callable[[list[bytes]], list[bytes]]) -> bytes:
    lines = zstandard.ZstdDecompressor().decompressobj().decompress(whole).splitlines(True)
    return zstandard.ZstdCompressor().compress(b"".join(change(lines)))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda lines: [one.replace(b"MUG", b"CUP") for one in lines], id="a value"),
        pytest.param(lambda lines: lines[:-1], id="no end"),
        pytest.param(lambda lines: lines[1:], id="no header"),
        pytest.param(lambda lines: [], id="empty"),
        pytest.param(lambda lines: [b"[" * 5000 + b"\n"], id="deep"),
        pytest.param(
            lambda lines: [lines[0].replace(migrate.newest().encode(), b"9999"), *lines[1:]],
            id="newer",
        ),
    ],
)
def test_a_file_that_was_changed_is_refused(
    whole: bytes, tmp_path: Path, change: Callable[[list[bytes]], list[bytes]]
) -> None:
    file = tmp_path / "changed.crossdock"
    file.write_bytes(repacked(whole, change))
    with pytest.raises(BadBackup):
        backup.verify(file)


def test_a_backup_of_an_older_version_is_brought_up_to_date(
    tmp_path: Path, other: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = Store(f"sqlite:///{tmp_path / 'old.db'}")
    with old.write() as conn:
        migration_steps.apply(conn, "0011")
        conn.execute(text("INSERT INTO sku (code, active) VALUES ('MUG', 1)"))
    tables = MetaData()
    tables.reflect(old.engine, only=["sku"])
    # What that version knew of its tables.
    monkeypatch.setattr("state.backup.dump.metadata", tables)
    file = tmp_path / "old.crossdock"
    made = backup.write(old, file, NOW)
    old.close()
    assert (made.header.revision, made.rows) == ("0011", 1)
    put(other, file)
    assert migrate.is_current(other)
    assert [row[2] for row in rows(other)["sku"]] == ["MUG"]


def test_fault_row_89_a_restore_raises_fences_and_doubts_what_was_in_flight(
    filled: Store, tmp_path: Path
) -> None:
    file = tmp_path / "a.crossdock"
    backup.write(filled, file, NOW)
    with filled.write() as conn:
        former = streams.claim(conn, "pull-orders:shop", "run/here/1/a", NOW, 60.0)
    assert former is not None
    filled.engine.dispose()

    def safe(conn: Connection, header: backup.Header, fence: int) -> None:
        restorations.begin(conn, header.taken_at, LATER, "ops", fence)

    put(filled, file, safe)
    with filled.read() as conn:
        row = conn.execute(select(t.stream)).one()
        label = intents.by_key(conn, "label:A-1")
        epoch = restorations.latest(conn)
    assert row.fence > former.fence
    assert row.owner == ""
    assert row.cursor == {"v": 1, "seen": "2026\u2028é"}
    assert label is not None
    assert (label.state, label.sent_at) == ("sending", LATER)
    assert epoch is not None
    assert epoch.cursors == {"pull-orders:shop": row.cursor}
    with pytest.raises(LostLease), filled.write() as conn:
        streams.seal(conn, former, LATER)
