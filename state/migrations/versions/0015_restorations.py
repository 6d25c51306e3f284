"""Restorations"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from state import types

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "restoration",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("restored_at", types.Utc(), nullable=False),
        sa.Column("taken_at", types.Utc(), nullable=False),
        sa.Column("actor", sa.Text(), server_default="", nullable=False),
        sa.Column("cursors", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("last_event_id", sa.BigInteger(), nullable=True),
        sa.Column("settled_at", types.Utc(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_restoration")),
        sqlite_strict=True,
    )
