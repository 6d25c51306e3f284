"""A store with every table and no row, for one simulation."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Dialect, create_engine, make_url, text
from sqlalchemy.util import LRUCache

from jobs.problems import UsageProblem
from state import migrate
from state.store import Store

SQLITE = "sqlite"


@contextmanager
def empty_store(database: str, folder: Path) -> Iterator[str]:
    """The URL of a store with the tables of this version.

    ``database``: ``sqlite`` makes a file in ``folder``; the URL of a PostgreSQL gets a schema of
    its own, which is dropped afterwards. Nothing else there is touched.
    """
    if database == SQLITE:
        path = folder / "crossdock.db"
        shutil.copyfile(_template(), path)
        yield f"sqlite:///{path}"
        return
    url = make_url(database)
    if url.get_backend_name() != "postgresql":
        raise UsageProblem(f"{database} is no database.", "Give sqlite, or postgresql://...")
    name = f"crossdock_simulation_{os.getpid()}"
    server = create_engine(url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with server.connect() as conn:
        conn.execute(text(f'DROP SCHEMA IF EXISTS "{name}" CASCADE'))
        conn.execute(text(f'CREATE SCHEMA "{name}"'))
    own = server.url.update_query_dict({"options": f"-csearch_path={name}"})
    shown = own.render_as_string(hide_password=False)
    try:
        _upgrade(shown)
        yield shown
    finally:
        with server.connect() as conn:
            conn.execute(text(f'DROP SCHEMA "{name}" CASCADE'))
        server.dispose()


@cache
def _template() -> Path:
    """A file that is copied for every simulation: cheaper than all the steps of a migration."""
    folder = Path(tempfile.mkdtemp(prefix="crossdock-template-"))
    path = folder / "empty.db"
    _upgrade(f"sqlite:///{path}")
    return path


def _upgrade(url: str) -> None:
    store = Store(url)
    try:
        migrate.upgrade(store)
    finally:
        store.close()


def share_what_is_compiled(store: Store) -> None:
    """Let every store of this process use the SQL that any of them has compiled.

    SQLAlchemy keeps it by engine and dialect, and a daemon that comes back opens its own: half of
    what a life of a few simulated minutes costs. What is compiled depends on the statement alone,
    so a planted bug that changes one has it compiled anew. Nothing of the hub's own is shared.
    """
    if store.is_sqlite:
        dialect, compiled = _compiled()
        store.engine.dialect = dialect
        store.engine.update_execution_options(compiled_cache=compiled)


_STATEMENTS = 2000
"""Many more than there are: none is compiled twice because another one took its place."""


@cache
def _compiled() -> tuple[Dialect, Any]:
    engine = create_engine("sqlite://")
    with engine.connect():
        # The dialect learns from its first connection what this SQLite can do.
        pass
    return engine.dialect, LRUCache(_STATEMENTS)
