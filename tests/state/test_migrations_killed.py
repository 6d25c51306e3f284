"""A migration that is killed half way: nothing of it is left, and the next start does it whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import URL, text

from state import migrate, migration_steps
from state.store import Store
from tests.conftest import REPOSITORY
from tests.state.test_migrations import fresh_database

KILLED_AT = """
import os, signal, sys
from sqlalchemy import Engine, event
from state import migrate, migration_steps
from state.store import Store
left = [int(sys.argv[2])]

@event.listens_for(Engine, "after_cursor_execute")
def count(*_):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
        signal.pause()

migrate.upgrade(Store(sys.argv[1]))
"""
OLD = "0003"


def at_an_old_step(url: str) -> Store:
    store = Store(url)
    with store.write() as conn:
        command.upgrade(migration_steps._config(conn), OLD)
    return store


def killed(url: str, statement: int) -> int:
    done = subprocess.run(
        [sys.executable, "-c", KILLED_AT, url, str(statement)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        timeout=60,
        check=False,
    )
    return done.returncode


def step_of(store: Store) -> str | None:
    with store.read() as conn:
        found: str | None = conn.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_fault_row_90_a_migration_killed_half_way_leaves_the_old_step_and_is_resumed(
    backend: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path / 'crossdock.db'}"
    if backend == "postgresql":
        server: URL = request.getfixturevalue("postgres_server")
        url = fresh_database(server, "killed_half_way")
    store = at_an_old_step(url)
    assert killed(url, 40) == -signal.SIGKILL
    assert step_of(store) == OLD
    assert not migrate.is_current(store)
    migrate.upgrade(store)
    assert migrate.is_current(store)
    store.close()
