"""Webhooks that came"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from state import types

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hook_event",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("connection_id", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), server_default="", nullable=False),
        sa.Column("external_id", sa.Text(), server_default="", nullable=False),
        sa.Column("version", sa.Text(), server_default="", nullable=False),
        sa.Column("headers", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("received_at", types.Utc(), nullable=False),
        sa.CheckConstraint("state IN ('nudged', 'unused')", name=op.f("ck_hook_event_state")),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_hook_event_connection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hook_event")),
        sa.UniqueConstraint(
            "connection_id", "event_id", name=op.f("uq_hook_event_connection_id_event_id")
        ),
        sqlite_strict=True,
    )
    op.create_index("ix_hook_event_received_at", "hook_event", ["received_at"])
    op.create_table(
        "hook_tally",
        sa.Column("connection_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.Column("last_at", types.Utc(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_hook_tally_connection_id")
        ),
        sa.PrimaryKeyConstraint("connection_id", "kind", name=op.f("pk_hook_tally")),
        sqlite_strict=True,
    )
