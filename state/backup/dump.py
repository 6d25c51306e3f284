"""Writing a backup: one snapshot, streamed, in a file that nobody else may read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import msgspec
import zstandard
from sqlalchemy import Connection, Table, select

from state import migrate
from state.backup.layout import FORMAT, Begin, End, Header, Summary, Trailer, kind_of
from state.backup.load import verify
from state.store import Store
from state.tables import metadata

AT_ONCE = 500
"""Rows in memory."""

Told = Callable[[str, int], None]
"""Called with a table's name and its number of rows once it is written."""

_encode = msgspec.json.Encoder(decimal_format="string").encode


def write(store: Store, path: Path, now: datetime, told: Told = lambda _t, _n: None) -> Summary:
    """Write every row of one moment to ``path``, which appears whole or not at all.

    The file is read back and compared with its checksums before it gets its name. The store may
    be used meanwhile; on SQLite its write-ahead log grows until the last row is read. Raises
    ``FileExistsError`` rather than to overwrite.
    """
    if path.exists():
        raise FileExistsError(f"{path} is there already")
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(file, "wb") as raw:
            with zstandard.ZstdCompressor(level=3, write_checksum=True).stream_writer(
                raw, closefd=False
            ) as packed:
                _write_all(store, packed, now, told)
            raw.flush()
            os.fsync(raw.fileno())
        found = verify(part)
        part.rename(path)
        _sync_folder(path.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return found


def _sync_folder(folder: Path) -> None:
    """A name is as durable as the folder it stands in."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_all(store: Store, out: IO[bytes], now: datetime, told: Told) -> None:
    whole = hashlib.sha256()

    def line(content: Any) -> bytes:
        written: bytes = _encode(content) + b"\n"
        out.write(written)
        whole.update(written)
        return written

    rows = 0
    with store.read() as conn:
        line(Header(FORMAT, migrate.revision(conn), now, conn.dialect.name))
        for table in metadata.sorted_tables:
            line(Begin(str(table.name), [(str(c.name), kind_of(c)) for c in table.columns]))
            count, digest = _write_rows(conn, table, line)
            line(End(str(table.name), count, digest))
            told(table.name, count)
            rows += count
    out.write(_encode(Trailer(len(metadata.sorted_tables), rows, whole.hexdigest())) + b"\n")


def _write_rows(conn: Connection, table: Table, line: Callable[[Any], bytes]) -> tuple[int, str]:
    digest, count = hashlib.sha256(), 0
    query = select(table).execution_options(yield_per=AT_ONCE)
    for row in conn.execute(query):
        digest.update(line(tuple(row)))
        count += 1
    return count, digest.hexdigest()
