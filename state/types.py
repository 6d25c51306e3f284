"""Column types that mean the same on SQLite (STRICT tables) and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Boolean, Date, Dialect, Float, LargeBinary, String, Text
from sqlalchemy import DateTime as SqlDateTime
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import JSON, TypeDecorator

_MICRO = 1_000_000


class Utc(TypeDecorator[datetime]):
    """An aware UTC time: timestamptz on PostgreSQL, sortable ISO text on SQLite.

    A naive datetime is refused: it would silently become somebody's local time.
    """

    impl = SqlDateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(Text())
        return dialect.type_descriptor(SqlDateTime(timezone=True))

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any]:
        return _sortable if dialect.name == "sqlite" else _in_utc

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if dialect.name == "sqlite":
            return datetime.fromisoformat(value)
        return value.astimezone(UTC)  # type: ignore[no-any-return]


Json = JSON(none_as_null=True)
"""JSON that keeps an absent document as NULL, not as the text ``null``."""


class Quantity(TypeDecorator[Decimal]):
    """An exact quantity with six decimals, stored as whole millionths.

    SQLite has no decimal type; integers keep sums and comparisons in SQL exact on both databases.
    """

    impl = BigInteger
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Decimal | int | None], int | None]:
        return _millionths

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:
        if value is None:
            return None
        whole, rest = divmod(int(value), 1_000_000)
        return Decimal(whole) if rest == 0 else Decimal(int(value)) / _MICRO


def _in_utc(value: datetime | None) -> datetime | None:
    if value is None or value.tzinfo is UTC:
        return value
    if value.tzinfo is None:
        raise ValueError(f"naive datetime {value!r} given to the store")
    return value.astimezone(UTC)


def _sortable(value: datetime | None) -> str | None:
    """Always with microseconds: as text, "48.5Z" would come before "48Z"."""
    if value is None:
        return None
    # An eighth of what datetime.isoformat takes, and eight times come with every order.
    text: str = msgspec.to_builtins(_in_utc(value))
    return text if len(text) == _WITH_MICROSECONDS else f"{text[:-1]}.000000Z"


_WITH_MICROSECONDS = len("2026-11-02T08:00:00.123456Z")


def _millionths(value: Decimal | int | None) -> int | None:
    if value is None:
        return None
    scaled = value * _MICRO
    whole = int(scaled)
    if whole != scaled:
        raise ValueError(f"quantity {value} has more than six decimals")
    return whole


# STRICT tables accept only INTEGER, REAL, TEXT, BLOB and ANY as column types.
@compiles(BigInteger, "sqlite")
@compiles(Boolean, "sqlite")
def _integer(_type: Any, _compiler: Any, **_kw: Any) -> str:
    return "INTEGER"


@compiles(String, "sqlite")
@compiles(JSON, "sqlite")
@compiles(Date, "sqlite")
def _text(_type: Any, _compiler: Any, **_kw: Any) -> str:
    return "TEXT"


@compiles(LargeBinary, "sqlite")
def _blob(_type: Any, _compiler: Any, **_kw: Any) -> str:
    return "BLOB"


@compiles(Float, "sqlite")
def _real(_type: Any, _compiler: Any, **_kw: Any) -> str:
    return "REAL"
