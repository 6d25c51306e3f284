"""Reading a backup: proven whole first, then into empty tables."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import zstandard
from sqlalchemy import Connection, column, insert, table, text

from state import migrate
from state.backup.layout import (
    FORMAT,
    KINDS,
    BadBackup,
    Begin,
    End,
    Header,
    Summary,
    Trailer,
)

AT_ONCE = 500
"""Rows in memory."""

LINE_MAX = 256 * 1024 * 1024
"""Bytes of one row: more cannot be ours, and must not fill the memory."""

_CHUNK = 1 << 20

Told = Callable[[str, int], None]
"""Called with a table's name and its number of rows once it is loaded."""


def verify(path: Path) -> Summary:
    """Read the whole file and compare it with its checksums.

    Raises ``BadBackup`` for anything but a whole backup of this or an earlier version.
    """
    counts: dict[str, int] = {}
    header: Header | None = None
    for part in _parts(path):
        if isinstance(part, Header):
            header = part
        elif isinstance(part, End):
            counts[part.end] = part.rows
    if header is None:
        raise BadBackup(f"{path} is empty")
    return Summary(header, counts, path.stat().st_size)


def fill(conn: Connection, path: Path, told: Told = lambda _t, _n: None) -> Header:
    """Load every row into the empty tables of the backup's revision; answers its header.

    In the caller's transaction. Raises ``BadBackup``, and then nothing may be committed.
    """
    header: Header | None = None
    put: _Put | None = None
    for part in _parts(path):
        if isinstance(part, Header):
            header = part
        elif isinstance(part, Begin):
            put = _Put(conn, part)
        elif isinstance(part, End):
            assert put is not None
            put.flush()
            told(part.end, part.rows)
        elif isinstance(part, list):
            assert put is not None
            put.add(part)
    if header is None:
        raise BadBackup(f"{path} is empty")
    if conn.dialect.name == "postgresql":
        _count_on(conn)
    return header


class _Put:
    """Rows of one table on their way in."""

    def __init__(self, conn: Connection, begin: Begin) -> None:
        self._conn = conn
        self._names = [name for name, _ in begin.columns]
        self._read = [KINDS[kind][1] for _, kind in begin.columns]
        shape = table(begin.table, *(column(name, KINDS[kind][0]) for name, kind in begin.columns))
        self._insert = insert(shape)
        self._rows: list[dict[str, Any]] = []

    def add(self, values: list[Any]) -> None:
        read = zip(self._names, self._read, values, strict=True)
        self._rows.append({n: None if v is None else of(v) for n, of, v in read})
        if len(self._rows) >= AT_ONCE:
            self.flush()

    def flush(self) -> None:
        if self._rows:
            self._conn.execute(self._insert, self._rows)
            self._rows = []


def _count_on(conn: Connection) -> None:
    """Rows came with their ids: have every sequence go on after the highest."""
    owned = text(
        "SELECT table_name, column_name FROM information_schema.columns "
        "WHERE table_schema = current_schema() "
        "AND (column_default LIKE 'nextval(%' OR is_identity = 'YES')"
    )
    for name, key in conn.execute(owned).all():
        conn.execute(
            text(
                f"SELECT setval(pg_get_serial_sequence(:name, :key), "  # noqa: S608 - catalogue names
                f'COALESCE((SELECT MAX("{key}") FROM "{name}"), 0) + 1, false)'
            ),
            {"name": name, "key": key},
        )


def _parts(path: Path) -> Iterator[Header | Begin | End | list[Any]]:
    """Everything in the file, in order, each table's end only when its checksum is right."""
    whole, rows_of_table = hashlib.sha256(), hashlib.sha256()
    opened: Begin | None = None
    count = total = tables = 0
    header: Header | None = None
    for line in _lines(path):
        part = _decoded(path, line, first=header is None)
        if isinstance(part, Trailer):
            if opened or (part.tables, part.rows, part.sha256) != (
                tables,
                total,
                whole.hexdigest(),
            ):
                raise BadBackup(f"{path} is damaged: its checksum is not that of what it holds")
            return
        whole.update(line)
        if isinstance(part, Header):
            header = part
            _understood(path, part)
        elif isinstance(part, Begin):
            opened, rows_of_table, count = part, hashlib.sha256(), 0
            if any(kind not in KINDS for _, kind in part.columns):
                raise BadBackup(f"{path} was written by a newer Crossdock: install that one")
        elif isinstance(part, End):
            right = opened and (part.end, part.rows) == (opened.table, count)
            if not right or part.sha256 != rows_of_table.hexdigest():
                raise BadBackup(f"{path} is damaged in the table {part.end}")
            opened, tables, total = None, tables + 1, total + count
        elif opened is None or len(part) != len(opened.columns):
            raise BadBackup(f"{path} is damaged: a row outside of its table")
        else:
            rows_of_table.update(line)
            count += 1
        yield part
    raise BadBackup(f"{path} is not whole: its end is missing")


def _understood(path: Path, header: Header) -> None:
    if header.crossdock_backup != FORMAT or header.revision not in migrate.revisions():
        raise BadBackup(
            f"{path} was written by a newer Crossdock (its tables are at step "
            f"{header.revision}): install that version to restore it"
        )


_line: Any = msgspec.json.Decoder(dict[str, Any] | list[Any]).decode


def _decoded(path: Path, line: bytes, *, first: bool) -> Header | Begin | End | Trailer | list[Any]:
    try:
        content = _line(line)
        if isinstance(content, list):
            if first:
                raise BadBackup(f"{path} is no backup of Crossdock")
            return content
        if first:
            return msgspec.convert(content, Header)
        kind: Any = Begin if "table" in content else End if "end" in content else Trailer
        return msgspec.convert(content, kind)  # type: ignore[no-any-return]
    except (msgspec.MsgspecError, RecursionError):
        said = "is no backup of Crossdock" if first else "is damaged: a line cannot be read"
        raise BadBackup(f"{path} {said}") from None


def _lines(path: Path) -> Iterator[bytes]:
    """The lines of the file, each with its end; memory stays flat whatever the file says."""
    rest = b""
    try:
        with path.open("rb") as raw, zstandard.ZstdDecompressor().stream_reader(raw) as plain:
            while chunk := plain.read(_CHUNK):
                *whole, rest = (rest + chunk).split(b"\n")
                if len(rest) > LINE_MAX:
                    raise BadBackup(f"{path} is no backup of Crossdock: a line without end")
                for line in whole:
                    yield line + b"\n"
    except zstandard.ZstdError:
        raise BadBackup(f"{path} is damaged, or no backup of Crossdock") from None
