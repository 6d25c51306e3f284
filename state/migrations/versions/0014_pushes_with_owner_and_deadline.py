"""Who sends an intent and until when, what its body was, and what a sweep found at vendors"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from state import types

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("body_sha256", "owner"):
        op.add_column("intent", sa.Column(name, sa.Text(), server_default="", nullable=False))
    for name in ("send_by", "doubtful_since"):
        op.add_column("intent", sa.Column(name, types.Utc(), nullable=True))
    op.create_table(
        "stray_effect",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("connection_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), server_default="", nullable=False),
        sa.Column("external_id", sa.Text(), server_default="", nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), server_default="", nullable=False),
        sa.Column("remedy", sa.Text(), server_default="", nullable=False),
        sa.Column("placed_at", types.Utc(), nullable=False),
        sa.Column("found_at", types.Utc(), nullable=False),
        sa.Column("gone_at", types.Utc(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('fulfilment_order', 'label')", name=op.f("ck_stray_effect_kind")
        ),
        sa.CheckConstraint(
            "problem IN ('double', 'not_done', 'unknown_reference', 'missing')",
            name=op.f("ck_stray_effect_problem"),
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_stray_effect_connection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stray_effect")),
        sa.UniqueConstraint(
            "connection_id",
            "kind",
            "reference",
            "external_id",
            "problem",
            name="uq_stray_effect_object",
        ),
        sqlite_strict=True,
    )
