"""Encryption at rest"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "data_key",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("connection_id", sa.BigInteger(), nullable=False),
        sa.Column("topic", sa.Text(), server_default="", nullable=False),
        sa.Column("external_id", sa.Text(), server_default="", nullable=False),
        sa.Column("master", sa.Text(), server_default="", nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_key")),
        sa.UniqueConstraint(
            "connection_id",
            "topic",
            "external_id",
            name=op.f("uq_data_key_connection_id_topic_external_id"),
        ),
        sqlite_strict=True,
    )
    op.create_index("ix_data_key_master", "data_key", ["master"], unique=False)
    op.add_column("address", sa.Column("email_mark", sa.Text(), server_default="", nullable=False))
    there = sa.text("email_mark <> ''")
    op.create_index(
        "ix_address_email_mark",
        "address",
        ["email_mark"],
        sqlite_where=there,
        postgresql_where=there,
    )
