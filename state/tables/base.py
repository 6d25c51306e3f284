"""The metadata every table joins, and the few column shapes they share."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, MetaData, Table, Text

from state.types import Quantity, Utc

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def table(name: str, *columns: Any) -> Table:
    """A table that SQLite type-checks too (STRICT)."""
    return Table(name, metadata, *columns, sqlite_strict=True)


def pk() -> Column[int]:
    return Column("id", BigInteger, primary_key=True, autoincrement=True)


def ref(name: str, target: str, *, null: bool = False, index: bool = True) -> Column[int]:
    return Column(name, BigInteger, ForeignKey(f"{target}.id"), nullable=null, index=index)


def text(name: str, *, null: bool = False, default: str = "") -> Column[str]:
    return Column(name, Text, nullable=null, server_default=None if null else default)


def minor(name: str, *, null: bool = False) -> Column[int]:
    """An amount in minor units of the row's (or its order's) currency."""
    return Column(name, BigInteger, nullable=null, server_default=None if null else "0")


def qty(name: str) -> Column[Any]:
    return Column(name, Quantity, nullable=False, server_default="0")


def at(name: str, *, null: bool = True) -> Column[Any]:
    return Column(name, Utc, nullable=null)


def one_of(name: str, *values: str, default: str | None = None) -> tuple[Any, ...]:
    """A text column limited to ``values`` by the database."""
    listed = ", ".join(f"'{v}'" for v in values)
    return (
        Column(name, Text, nullable=False, server_default=default),
        CheckConstraint(f"{name} IN ({listed})", name=name),
    )
