"""Others at the same SQLite file: an admin's shell, a backup, somebody who reads for hours."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

from sqlalchemy import func, insert, select

from state import migrate
from state import tables as t
from state.errors import StoreProblem
from state.store import LOG_KEPT_BYTES, Store


def fill(store: Store, name: str, bytes_: int = 10) -> None:
    with store.write() as conn:
        conn.execute(insert(t.rate_bucket).values(key=name + "x" * bytes_, tat_us=1))


def opened(template: Path, folder: Path) -> Store:
    path = folder / "crossdock.db"
    path.write_bytes(template.read_bytes())
    return Store(f"sqlite:///{path}")


def test_fault_row_84_a_write_waits_for_an_admin_shell_that_holds_the_lock(
    sqlite_template: Path, tmp_path: Path
) -> None:
    store = opened(sqlite_template, tmp_path)
    fill(store, "first")
    shell = sqlite3.connect(
        tmp_path / "crossdock.db", isolation_level=None, check_same_thread=False
    )
    shell.execute("BEGIN EXCLUSIVE")
    held_s = 0.6
    release = threading.Timer(held_s, lambda: shell.execute("COMMIT"))
    began = time.monotonic()
    release.start()
    fill(store, "second")
    assert time.monotonic() - began >= held_s * 0.9
    release.join()
    shell.close()
    store.close()


def test_fault_row_84_a_backup_taken_meanwhile_stops_nobody_and_is_whole(
    sqlite_template: Path, tmp_path: Path
) -> None:
    store = opened(sqlite_template, tmp_path)
    fill(store, "before")
    with (
        closing(sqlite3.connect(tmp_path / "crossdock.db")) as source,
        closing(sqlite3.connect(tmp_path / "copy.db")) as copy,
    ):
        steps: list[int] = []

        def step(_status: int, remaining: int, _total: int) -> None:
            if len(steps) < 5:
                fill(store, f"during {len(steps)}")
            steps.append(remaining)

        source.backup(copy, pages=20, progress=step)
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert len(steps) > 5
        [copied] = copy.execute("SELECT count(*) FROM rate_bucket").fetchone()
    with store.read() as conn:
        assert conn.scalar(select(func.count()).select_from(t.rate_bucket)) == 6
    assert copied in range(1, 7)
    store.close()


def test_fault_row_85_the_log_that_a_long_reader_let_grow_is_given_back(
    sqlite_template: Path, tmp_path: Path
) -> None:
    store = opened(sqlite_template, tmp_path)
    log = tmp_path / "crossdock.db-wal"
    fill(store, "before")
    with store.read() as reading:
        reading.execute(select(t.rate_bucket)).all()
        for number in range(12):
            fill(store, f"grows {number}", 2_000_000)
        grown = log.stat().st_size
        assert grown > LOG_KEPT_BYTES
    for number in range(3):
        fill(store, f"after {number}")
    assert log.stat().st_size <= LOG_KEPT_BYTES
    store.close()


def test_a_second_store_of_a_process_takes_no_lock_away_from_the_first(
    sqlite_template: Path, tmp_path: Path
) -> None:
    """POSIX: to close a file is to let go of all locks on it. Whoever came after that from another
    process took itself for the last one, and threw the log away under us."""
    first = opened(sqlite_template, tmp_path)
    fill(first, "first")
    path = tmp_path / "crossdock.db"
    second = Store(f"sqlite:///{path}")
    with suppress(StoreProblem):  # the template was made without steps
        migrate.is_current(second)
    look = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT 1 FROM rate_bucket')"
    subprocess.run([sys.executable, "-c", look, str(path)], check=True)
    assert path.with_name("crossdock.db-wal").exists()
    fill(first, "second")
    with second.read() as conn:
        assert conn.scalar(select(func.count()).select_from(t.rate_bucket)) == 2
    first.close()
    second.close()
