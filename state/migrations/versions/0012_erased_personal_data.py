"""When an order's personal data was erased"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from state import types

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sales_order", sa.Column("erased_at", types.Utc(), nullable=True))
