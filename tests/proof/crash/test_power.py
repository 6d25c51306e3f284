"""Power cuts: what is asked of SQLite, and what a disk may hold after one."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from proof.crash import outages
from state import tables as t
from state.store import Store
from tests.conftest import REPOSITORY


@pytest.mark.timeout(300)
def test_fault_row_83_what_was_acknowledged_is_there_after_a_power_cut() -> None:
    planted = ["what jobs write does not wait for the disk"]
    found = outages.prove("pull-request", cuts=30, flows=["labels"], mutants=planted, processes=1)
    assert found.violations == []
    assert found.runs >= 20
    assert min(found.injections.values()) >= 2
    assert found.holds


def test_every_connection_of_the_store_waits_for_the_disk_but_hasty_ones(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'crossdock.db'}")

    def asked_of(conn: Connection) -> tuple[object, object]:
        names = ("journal_mode", "synchronous")
        mode, synchronous = (conn.execute(text(f"PRAGMA {name}")).scalar() for name in names)
        return mode, synchronous

    full, normal = ("wal", 2), ("wal", 1)
    with store.read() as first, store.read() as second, store.read() as third:
        assert [asked_of(conn) for conn in (first, second, third)] == [full] * 3
    with store.write() as conn:
        assert asked_of(conn) == full
    with store.write(durable=False) as conn:
        assert asked_of(conn) == normal
    # The hasty one went back to a pool of its own.
    with store.write() as conn:
        assert asked_of(conn) == full
    store.close()


@pytest.mark.skipif(shutil.which("strace") is None, reason="counts system calls with strace")
def test_each_durable_commit_syncs_the_log_and_a_hasty_one_does_not(
    sqlite_template: Path, tmp_path: Path
) -> None:
    shutil.copyfile(sqlite_template, tmp_path / "crossdock.db")
    durable, hasty = (_syncs(tmp_path, write) for write in ("store.write()", "hasty()"))
    assert durable >= 20
    assert hasty < 5


def _syncs(folder: Path, write: str) -> int:
    """How often twenty such commits ask the system to write to the disk, after a first one."""
    code = f"""
from sqlalchemy import insert
from state import tables as t
from state.store import Store
store = Store("sqlite:///{folder / "crossdock.db"}")
hasty = lambda: store.write(durable=False)
for number in range(21):
    with {write} as conn:
        conn.execute(insert(t.{t.rate_bucket.name}).values(key="{write}" + str(number), tat_us=0))
"""
    told = folder / "syncs.txt"
    done = subprocess.run(
        ["strace", "-f", "-o", told, "-e", "trace=fsync,fdatasync", sys.executable, "-c", code],
        cwd=REPOSITORY,
        capture_output=True,
        timeout=60,
        check=False,
    )
    if done.returncode and b"ptrace" in done.stderr:
        pytest.skip("this machine does not let strace trace")
    assert done.returncode == 0, done.stderr
    return told.read_text().count("sync(")
