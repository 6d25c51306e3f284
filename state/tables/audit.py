"""The audit trail: what people and their settings changed, chained row by row."""

from __future__ import annotations

from typing import Any

from sqlalchemy import DDL, BigInteger, Column, Index, event

from state.tables.base import at, pk, table
from state.tables.base import text as words
from state.types import Json

audit_event = table(
    "audit_event",
    pk(),
    at("at", null=False),
    words("actor"),
    words("action"),
    words("subject_type"),
    Column("subject_id", BigInteger, nullable=False),
    Column("before", Json, nullable=True),
    Column("after", Json, nullable=True),
    words("reason"),
    # Its place in the chain, from 1 without a gap; null until its transaction is about to commit.
    Column("number", BigInteger, nullable=True),
    # Random; emptied with the personal words that the digest beside it could be guessed from.
    words("salt"),
    # Of salt, before, after and reason.
    words("words_sha256"),
    # Of the former row's seal and of everything here but the words themselves.
    words("seal"),
    Index("ix_audit_event_subject", "subject_type", "subject_id"),
    Index("uq_audit_event_number", "number", unique=True),
)

# One row: the number and the seal of the newest. Whoever seals a row holds its lock.
audit_head = table(
    "audit_head",
    pk(),
    Column("number", BigInteger, nullable=False),
    words("seal"),
)

_SEALED = (
    *("id", "at", "actor", "action", "subject_type", "subject_id"),
    *("number", "words_sha256", "seal"),
)


def _changed(differs: str) -> str:
    """Of a sealed row only the words may go, and their salt with them."""
    columns = " OR ".join(f'NEW."{name}" {differs} OLD."{name}"' for name in _SEALED)
    return f"OLD.seal <> '' AND (NEW.salt <> '' OR {columns})"


_REFUSAL = "the audit trail is only ever added to"

SQLITE_GUARDS = (
    "CREATE TRIGGER audit_event_stays BEFORE DELETE ON audit_event "
    f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END",
    f"CREATE TRIGGER audit_event_as_sealed BEFORE UPDATE ON audit_event WHEN {_changed('IS NOT')} "
    f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END",
)
POSTGRES_GUARDS = (
    "CREATE OR REPLACE FUNCTION audit_event_refuses() RETURNS trigger LANGUAGE plpgsql AS "
    f"'BEGIN RAISE EXCEPTION USING MESSAGE = ''{_REFUSAL}'', "
    "ERRCODE = ''integrity_constraint_violation''; END'",
    "CREATE TRIGGER audit_event_stays BEFORE DELETE ON audit_event "
    "FOR EACH ROW EXECUTE FUNCTION audit_event_refuses()",
    "CREATE TRIGGER audit_event_whole BEFORE TRUNCATE ON audit_event "
    "FOR EACH STATEMENT EXECUTE FUNCTION audit_event_refuses()",
    "CREATE TRIGGER audit_event_as_sealed BEFORE UPDATE ON audit_event "
    f"FOR EACH ROW WHEN ({_changed('IS DISTINCT FROM')}) "
    "EXECUTE FUNCTION audit_event_refuses()",
)
"""They stop a slip and a careless statement. Whoever owns the database can drop them: that is what
the chain is for."""

for _dialect, _statements in (("sqlite", SQLITE_GUARDS), ("postgresql", POSTGRES_GUARDS)):
    for _statement in _statements:
        _guard: Any = DDL(_statement)  # type: ignore[no-untyped-call]
        event.listen(audit_event, "after_create", _guard.execute_if(dialect=_dialect))
