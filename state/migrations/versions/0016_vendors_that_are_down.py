"""Vendors that are down: what keeps their connections from asking, beside the rate limits"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "rate_bucket", sa.Column("troubles", sa.Integer(), server_default="0", nullable=False)
    )
    op.add_column("rate_bucket", sa.Column("since_us", sa.BigInteger(), nullable=True))
