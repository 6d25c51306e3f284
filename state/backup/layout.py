"""What a backup file looks like: JSON lines in one zstd frame, each table with its checksum.

A header; then for each table, parents first, a line that names its columns, a line for each row,
and a line with the number of rows and their SHA-256; at the end the same for the whole file. A
file that was cut off, or changed in one bit, is told from a whole one before anything is written.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import JSON, BigInteger, Boolean, Column, Date, LargeBinary, Text
from sqlalchemy.types import TypeEngine

from state.types import Json, Quantity, Utc

FORMAT = 1


class BadBackup(Exception):
    """The file is no whole backup, or not one that this version can read; says why."""


class Header(msgspec.Struct, frozen=True):
    """``revision``: the step of the tables (``state.migrations``). ``database``: where it is from.

    ``taken_at``: the moment that every row is of, UTC.
    """

    crossdock_backup: int
    revision: str
    taken_at: datetime
    database: str


class Begin(msgspec.Struct, frozen=True):
    """``columns``: (name, kind) in the order of the values of each row."""

    table: str
    columns: list[tuple[str, str]]


class End(msgspec.Struct, frozen=True):
    """``sha256``: of the rows' lines with their line ends."""

    end: str
    rows: int
    sha256: str


class Trailer(msgspec.Struct, frozen=True):
    """``sha256``: of every line before this one."""

    tables: int
    rows: int
    sha256: str


class Summary(msgspec.Struct, frozen=True):
    """What a file holds. ``tables``: rows by name; ``size``: bytes of the file."""

    header: Header
    tables: dict[str, int]
    size: int

    @property
    def rows(self) -> int:
        return sum(self.tables.values())


def _same(value: Any) -> Any:
    return value


KINDS: dict[str, tuple[TypeEngine[Any], Callable[[Any], Any]]] = {
    "time": (Utc(), datetime.fromisoformat),
    "quantity": (Quantity(), Decimal),
    "bytes": (LargeBinary(), base64.b64decode),
    "day": (Date(), date.fromisoformat),
    "json": (Json, _same),
    "yes_no": (Boolean(create_constraint=False), _same),
    "number": (BigInteger(), _same),
    "text": (Text(), _same),
}
"""Kind of a column -> the type it is written with, and how its value is read from JSON.

In the file and not taken from today's tables: a backup is loaded into the tables of its time.
"""

_BY_TYPE: tuple[tuple[type, str], ...] = (
    (Utc, "time"),
    (Quantity, "quantity"),
    (LargeBinary, "bytes"),
    (Date, "day"),
    (JSON, "json"),
    (Boolean, "yes_no"),
    (Text, "text"),
)


def kind_of(column: Column[Any]) -> str:
    return next((kind for type_, kind in _BY_TYPE if isinstance(column.type, type_)), "number")
