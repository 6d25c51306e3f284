"""Promise rules, read-back and guard"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from state import types

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("channel_listing", sa.Column("offered_qty", sa.Integer(), nullable=True))
    _channel_availability()
    _promise_ground()
    _sku_tag()
    _location_group()
    _guard_hold()
    _guard_change()


def _channel_availability() -> None:
    for column in (
        sa.Column("replaced_qty", sa.Integer(), nullable=True),
        sa.Column("astray_since", types.Utc(), nullable=True),
        sa.Column("drift_class", sa.Text(), server_default="", nullable=False),
        sa.Column("drift_at", types.Utc(), nullable=True),
        sa.Column("drift_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("writes_lost", sa.Integer(), server_default="0", nullable=False),
    ):
        op.add_column("channel_availability", column)
    op.create_index(
        "ix_channel_availability_refused",
        "channel_availability",
        ["listing_id"],
        unique=False,
        sqlite_where=sa.text("block_reason <> '' OR drift_class <> ''"),
        postgresql_where=sa.text("block_reason <> '' OR drift_class <> ''"),
    )


def _promise_ground() -> None:
    op.create_table(
        "promise_ground",
        sa.Column("connection_id", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("scope", sa.JSON(none_as_null=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_promise_ground_connection_id")
        ),
        sa.PrimaryKeyConstraint("connection_id", "digest", name=op.f("pk_promise_ground")),
        sqlite_strict=True,
    )


def _sku_tag() -> None:
    op.create_table(
        "sku_tag",
        sa.Column("sku_id", sa.BigInteger(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["sku_id"], ["sku.id"], name=op.f("fk_sku_tag_sku_id")),
        sa.PrimaryKeyConstraint("sku_id", "tag", name=op.f("pk_sku_tag")),
        sqlite_strict=True,
    )
    op.create_index("ix_sku_tag_tag", "sku_tag", ["tag"], unique=False)


def _location_group() -> None:
    op.create_table(
        "location_group",
        sa.Column("location_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["location_id"], ["location.id"], name=op.f("fk_location_group_location_id")
        ),
        sa.PrimaryKeyConstraint("location_id", name=op.f("pk_location_group")),
        sqlite_strict=True,
    )


def _guard_hold() -> None:
    op.create_table(
        "guard_hold",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("stream_key", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("held_at", types.Utc(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("measured", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("approved_by", sa.Text(), server_default="", nullable=False),
        sa.Column("approved_at", types.Utc(), nullable=True),
        sa.Column("settled_at", types.Utc(), nullable=True),
        sa.CheckConstraint(
            "state IN ('held', 'approved', 'done', 'replaced', 'passed')",
            name=op.f("ck_guard_hold_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guard_hold")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_guard_hold_open",
        "guard_hold",
        ["stream_key"],
        unique=False,
        sqlite_where=sa.text("state IN ('held', 'approved')"),
        postgresql_where=sa.text("state IN ('held', 'approved')"),
    )


def _guard_change() -> None:
    op.create_table(
        "guard_change",
        sa.Column("hold_id", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), server_default="", nullable=False),
        sa.Column("before", sa.BigInteger(), nullable=False),
        sa.Column("after", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["hold_id"], ["guard_hold.id"], name=op.f("fk_guard_change_hold_id")
        ),
        sa.PrimaryKeyConstraint("hold_id", "subject", name=op.f("pk_guard_change")),
        sqlite_strict=True,
    )
