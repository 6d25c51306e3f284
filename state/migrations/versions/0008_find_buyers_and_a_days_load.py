"""Find buyers and a day's load; what orders wait for, and what left beyond its order"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from state import types

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_NAMED = sa.text("email <> ''")


def upgrade() -> None:
    op.create_index(
        "ix_address_email",
        "address",
        [sa.text("lower(email)")],
        sqlite_where=_NAMED,
        postgresql_where=_NAMED,
    )
    op.create_index(
        "ix_sales_order_buyer", "sales_order", [sa.text("coalesce(bill_to_id, ship_to_id)")]
    )
    op.drop_index("ix_fulfilment_order_location_id", table_name="fulfilment_order")
    op.create_index("ix_fulfilment_order_given", "fulfilment_order", ["location_id", "created_at"])
    op.add_column(
        "sales_order", sa.Column("waits_for", sa.Text(), server_default="", nullable=False)
    )
    op.add_column(
        "order_line",
        sa.Column("qty_unwanted", types.Quantity(), server_default="0", nullable=False),
    )
    op.add_column(
        "package_line",
        sa.Column("qty_over", types.Quantity(), server_default="0", nullable=False),
    )
