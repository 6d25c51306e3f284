"""What carriers said that parcels would cost"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from state import types

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rate_quote",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("connection_id", sa.BigInteger(), nullable=False),
        sa.Column("location_id", sa.BigInteger(), nullable=False),
        sa.Column("to_country", sa.Text(), nullable=False),
        sa.Column("to_postcode", sa.Text(), nullable=False),
        sa.Column("weight_g", sa.BigInteger(), nullable=False),
        sa.Column("quoted_at", types.Utc(), nullable=False),
        sa.Column("valid_until", types.Utc(), nullable=False),
        sa.Column("offers", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("problem", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_rate_quote_connection_id")
        ),
        sa.ForeignKeyConstraint(
            ["location_id"], ["location.id"], name=op.f("fk_rate_quote_location_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rate_quote")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_rate_quote_connection_id"), "rate_quote", ["connection_id"])
    op.create_index(
        "ix_rate_quote_lane",
        "rate_quote",
        ["location_id", "to_country", "to_postcode", "valid_until"],
    )
    op.create_index("ix_rate_quote_valid_until", "rate_quote", ["valid_until"])
