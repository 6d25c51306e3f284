"""What an invariant is, and the few words that all of them share."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func


@dataclass(frozen=True, slots=True)
class Violation:
    """One row that breaks an invariant."""

    invariant: str
    subject: str
    detail: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Rule:
    """What must never be. ``broken`` selects the offenders, ``subject`` names one of them."""

    name: str
    detail: str
    subject: str
    broken: Select[Any]

    def violations(self, conn: Connection) -> list[Violation]:
        return [
            Violation(self.name, self.subject.format(**row._mapping), self.detail)
            for row in conn.execute(self.broken)
        ]


def total(amount: ColumnElement[Any]) -> ColumnElement[Any]:
    """The sum of a column; zero of no rows."""
    return func.coalesce(func.sum(amount), 0)
