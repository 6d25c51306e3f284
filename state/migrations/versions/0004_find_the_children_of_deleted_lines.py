"""Find the children of deleted lines"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        op.f("ix_refund_line_order_line_id"), "refund_line", ["order_line_id"], unique=False
    )
    op.create_index(
        op.f("ix_return_line_order_line_id"), "return_line", ["order_line_id"], unique=False
    )
    op.create_index(
        "ix_tax_line_adjustment_id",
        "tax_line",
        ["adjustment_id"],
        unique=False,
        sqlite_where=sa.text("adjustment_id IS NOT NULL"),
        postgresql_where=sa.text("adjustment_id IS NOT NULL"),
    )
    op.create_index(
        "ix_tax_line_order_line_id",
        "tax_line",
        ["order_line_id"],
        unique=False,
        sqlite_where=sa.text("order_line_id IS NOT NULL"),
        postgresql_where=sa.text("order_line_id IS NOT NULL"),
    )
