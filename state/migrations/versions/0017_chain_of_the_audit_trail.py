"""Chain of the audit trail"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from state import audit_chain

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_REFUSAL = "the audit trail is only ever added to"
_SEALED = (
    *("id", "at", "actor", "action", "subject_type", "subject_id"),
    *("number", "words_sha256", "seal"),
)


def upgrade() -> None:
    op.add_column("audit_event", sa.Column("number", sa.BigInteger(), nullable=True))
    for name in ("salt", "words_sha256", "seal"):
        op.add_column("audit_event", sa.Column(name, sa.Text(), server_default="", nullable=False))
    op.create_index("uq_audit_event_number", "audit_event", ["number"], unique=True)
    op.create_table(
        "audit_head",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("seal", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
        sqlite_strict=True,
    )
    # What was written before there was a chain is sealed as it is found.
    audit_chain.seal_all(op.get_bind())
    for statement in _sqlite() if op.get_bind().dialect.name == "sqlite" else _postgres():
        op.execute(statement)


def _changed(differs: str) -> str:
    columns = " OR ".join(f'NEW."{name}" {differs} OLD."{name}"' for name in _SEALED)
    return f"OLD.seal <> '' AND (NEW.salt <> '' OR {columns})"


def _sqlite() -> tuple[str, ...]:
    refuse = f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
    return (
        f"CREATE TRIGGER audit_event_stays BEFORE DELETE ON audit_event {refuse}",
        "CREATE TRIGGER audit_event_as_sealed BEFORE UPDATE ON audit_event "
        f"WHEN {_changed('IS NOT')} {refuse}",
    )


def _postgres() -> tuple[str, ...]:
    return (
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
