"""Bundles in work"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from state import types

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("fulfilment_order_line", sa.Column("per_bundle", types.Quantity(), nullable=True))
