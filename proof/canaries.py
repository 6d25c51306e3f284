"""Words that occur nowhere else: where one is found, the person it belongs to can be found."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import zstandard
from sqlalchemy import select

from state import inbox
from state import tables as t
from state.store import Store
from state.vault import bodies, destinations, fields

_FRAME = b"\x28\xb5\x2f\xfd"
"""What every zstd frame begins with."""


def found_in_store(store: Store, wanted: re.Pattern[bytes]) -> list[str]:
    """``table.column`` of every value that holds one, compressed payloads among them, and on SQLite
    the names of the database's files: freed pages and the write-ahead log are in there."""
    places = set(_in_rows(store, wanted))
    if store.is_sqlite:
        database = Path(str(store.url.database))
        # Beside them there is a folder: the locks of the processes.
        files = [path for path in database.parent.glob(f"{database.name}*") if path.is_file()]
        places |= {path.name for path in files if _in_bytes(path.read_bytes(), wanted)}
    return sorted(places)


def found_opened(store: Store, wanted: re.Pattern[bytes]) -> list[str]:
    """Where something encrypted holds one, as who has the keys reads it."""
    return sorted({place for place, value in _opened(store) if wanted.search(value)})


def all_opened(store: Store, wanted: re.Pattern[bytes]) -> set[bytes]:
    """What the first group of ``wanted`` is, wherever something encrypted holds one."""
    return {found[1] for _, value in _opened(store) for found in wanted.finditer(value)}


def _opened(store: Store) -> Iterator[tuple[str, bytes]]:
    """Place and content of everything that can be encrypted, in clear."""
    with store.read() as conn:
        for table, columns in fields.COLUMNS.items():
            for row in fields.clear(conn, table, conn.execute(select(table))):
                for name in columns:
                    yield f"{table.name}.{name} opened", _plain(row._mapping[name])
        rows = conn.execute(select(t.inbox)).all()
        for text in inbox.texts_by_id(conn, rows).values():
            yield "inbox.body opened", text
        for row in bodies.clear(conn, conn.execute(select(t.intent)).all()):
            yield "intent.body opened", _plain(row.body)
        for row in destinations.clear(conn, conn.execute(select(t.routing_decision))):
            yield "routing_decision.inputs opened", _plain(row.inputs)


def all_in_store(store: Store, wanted: re.Pattern[bytes]) -> set[bytes]:
    """What the first group of ``wanted`` is, wherever a row holds one."""
    with store.read() as conn:
        return {
            found[1]
            for table in t.metadata.sorted_tables
            for row in conn.execute(select(table))
            for value in row
            for found in wanted.finditer(_plain(value))
        }


def found_in_files(folder: Path, wanted: re.Pattern[bytes]) -> list[str]:
    """Files below ``folder`` that hold one."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [path.name for path in files if _in_bytes(path.read_bytes(), wanted)]


def _in_rows(store: Store, wanted: re.Pattern[bytes]) -> Iterator[str]:
    with store.read() as conn:
        for table in t.metadata.sorted_tables:
            for row in conn.execute(select(table)):
                for name, value in row._mapping.items():
                    if wanted.search(_plain(value)):
                        yield f"{table.name}.{name}"


def _plain(value: Any) -> bytes:
    if isinstance(value, bytes):
        return _inflated(value) if value.startswith(_FRAME) else value
    if isinstance(value, str):
        return value.encode()
    return msgspec.json.encode(value, enc_hook=str)


def _in_bytes(content: bytes, wanted: re.Pattern[bytes]) -> bool:
    frames = (content[found.start() :] for found in re.finditer(re.escape(_FRAME), content))
    return bool(wanted.search(content)) or any(wanted.search(_inflated(one)) for one in frames)


def _inflated(frame: bytes) -> bytes:
    """A payload, maybe one that still lies in a page; what is cut off there cannot be read."""
    try:
        return zstandard.ZstdDecompressor().decompressobj().decompress(frame)
    except zstandard.ZstdError:
        return b""
