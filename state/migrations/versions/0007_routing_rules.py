"""Routing rules"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from state import types

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "routing_rules",
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("body", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("first_used_at", types.Utc(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_routing_rules")),
        sqlite_strict=True,
    )
    for column in (
        sa.Column("trace", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("rules_version", sa.Text(), server_default="", nullable=False),
        sa.Column("stock_version", sa.BigInteger(), nullable=True),
    ):
        op.add_column("routing_decision", column)
    for column in (
        sa.Column("pickup", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("given_up_at", types.Utc(), nullable=True),
    ):
        op.add_column("fulfilment_order", column)
    for column in (
        sa.Column("ships", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("picks_up", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("hazmat", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("daily_orders", sa.Integer(), nullable=True),
        sa.Column("daily_units", sa.Integer(), nullable=True),
        sa.Column("ack_within_s", sa.Integer(), nullable=True),
        sa.Column("ship_within_s", sa.Integer(), nullable=True),
        sa.Column("calendar", sa.JSON(none_as_null=True), nullable=True),
    ):
        op.add_column("location", column)
    op.add_column(
        "sku", sa.Column("hazmat", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
