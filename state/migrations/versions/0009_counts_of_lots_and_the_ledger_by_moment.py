"""When a lot was last counted, and the ledger's index down to the moment"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from state import types

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("lot_level", sa.Column("observed_at", types.Utc(), nullable=True))
    op.create_index(
        "ix_inventory_ledger_moved",
        "inventory_ledger",
        ["sku_id", "location_id", "bucket", "occurred_at"],
        unique=False,
    )
    op.drop_index("ix_inventory_ledger_sku_location", "inventory_ledger")
