"""Column types that mean the same on SQLite (STRICT tables) and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Boolean, Date, Dialect, Float, LargeBinary, String, Text
from sqlalchemy import DateTime as SqlDateTime
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import JSON, TypeDecorator

_MICRO = Decimal(1_000_000)


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

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value!r} given to the store")
        value = value.astimezone(UTC)
        if dialect.name == "sqlite":
            return f"{value.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
        return value

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

    def process_bind_param(self, value: Decimal | int | None, dialect: Dialect) -> int | None:
        if value is None:
            return None
        scaled = Decimal(value) * _MICRO
        if scaled != scaled.to_integral_value():
            raise ValueError(f"quantity {value} has more than six decimals")
        return int(scaled)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:
        if value is None:
            return None
        whole, rest = divmod(int(value), 1_000_000)
        return Decimal(whole) if rest == 0 else Decimal(int(value)) / _MICRO


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
