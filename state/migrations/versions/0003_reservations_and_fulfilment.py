"""reservations and fulfilment"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from state import types

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _routing_decision()
    _fulfilment_order()
    _reservation()
    _fulfilment_order_line()
    _shipment()
    _package()
    _package_line()
    _tracking_event()


def _routing_decision() -> None:
    op.create_table(
        "routing_decision",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", types.Utc(), nullable=False),
        sa.Column("policy_version", sa.Text(), server_default="", nullable=False),
        sa.Column("inputs_hash", sa.Text(), server_default="", nullable=False),
        sa.Column("inputs", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("candidates", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("chosen", sa.JSON(none_as_null=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["sales_order.id"], name=op.f("fk_routing_decision_order_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_routing_decision")),
        sqlite_strict=True,
    )
    op.create_index(
        op.f("ix_routing_decision_order_id"), "routing_decision", ["order_id"], unique=False
    )


def _fulfilment_order() -> None:
    op.create_table(
        "fulfilment_order",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("location_id", sa.BigInteger(), nullable=False),
        sa.Column("decision_id", sa.BigInteger(), nullable=True),
        sa.Column("work_state", sa.Text(), nullable=False),
        sa.Column("request_state", sa.Text(), server_default="unsubmitted", nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), server_default="", nullable=False),
        sa.Column("refused_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.Column("sent_at", types.Utc(), nullable=True),
        sa.Column("accepted_at", types.Utc(), nullable=True),
        sa.CheckConstraint(
            "request_state IN ('unsubmitted', 'submitted', 'accepted', 'rejected', 'cancellation_requested', 'cancellation_accepted', 'cancellation_rejected', 'closed')",
            name=op.f("ck_fulfilment_order_request_state"),
        ),
        sa.CheckConstraint(
            "work_state IN ('planned', 'open', 'in_progress', 'part_shipped', 'shipped', 'cancelled', 'incomplete', 'late_shipped')",
            name=op.f("ck_fulfilment_order_work_state"),
        ),
        sa.ForeignKeyConstraint(
            ["decision_id"], ["routing_decision.id"], name=op.f("fk_fulfilment_order_decision_id")
        ),
        sa.ForeignKeyConstraint(
            ["location_id"], ["location.id"], name=op.f("fk_fulfilment_order_location_id")
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["sales_order.id"], name=op.f("fk_fulfilment_order_order_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fulfilment_order")),
        sa.UniqueConstraint("reference", name=op.f("uq_fulfilment_order_reference")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_fulfilment_order_external", "fulfilment_order", ["external_id"], unique=False
    )
    op.create_index(
        op.f("ix_fulfilment_order_location_id"), "fulfilment_order", ["location_id"], unique=False
    )
    op.create_index(
        op.f("ix_fulfilment_order_order_id"), "fulfilment_order", ["order_id"], unique=False
    )
    op.create_index(
        "ix_fulfilment_order_work",
        "fulfilment_order",
        ["work_state", "request_state"],
        unique=False,
    )


def _reservation() -> None:
    op.create_table(
        "reservation",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("sku_id", sa.BigInteger(), nullable=False),
        sa.Column("location_id", sa.BigInteger(), nullable=False),
        sa.Column("qty", types.Quantity(), server_default="0", nullable=False),
        sa.Column("qty_consumed", types.Quantity(), server_default="0", nullable=False),
        sa.Column("qty_released", types.Quantity(), server_default="0", nullable=False),
        sa.Column("order_line_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default="active", nullable=False),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('active', 'consumed', 'released')", name=op.f("ck_reservation_state")
        ),
        sa.CheckConstraint(
            "qty > 0 AND qty_consumed >= 0 AND qty_released >= 0",
            name=op.f("ck_reservation_counters"),
        ),
        sa.CheckConstraint(
            "qty_consumed + qty_released <= qty", name=op.f("ck_reservation_bounds")
        ),
        sa.ForeignKeyConstraint(
            ["location_id"], ["location.id"], name=op.f("fk_reservation_location_id")
        ),
        sa.ForeignKeyConstraint(
            ["order_line_id"], ["order_line.id"], name=op.f("fk_reservation_order_line_id")
        ),
        sa.ForeignKeyConstraint(["sku_id"], ["sku.id"], name=op.f("fk_reservation_sku_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reservation")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_reservation_idempotency_key")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_reservation_active",
        "reservation",
        ["sku_id", "location_id"],
        unique=False,
        sqlite_where=sa.text("state = 'active'"),
        postgresql_where=sa.text("state = 'active'"),
    )
    op.create_index(
        op.f("ix_reservation_order_line_id"), "reservation", ["order_line_id"], unique=False
    )


def _fulfilment_order_line() -> None:
    op.create_table(
        "fulfilment_order_line",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("ffo_id", sa.BigInteger(), nullable=False),
        sa.Column("order_line_id", sa.BigInteger(), nullable=False),
        sa.Column("sku_id", sa.BigInteger(), nullable=False),
        sa.Column("reservation_id", sa.BigInteger(), nullable=False),
        sa.Column("qty", types.Quantity(), server_default="0", nullable=False),
        sa.Column("qty_cancelled", types.Quantity(), server_default="0", nullable=False),
        sa.Column("qty_shipped", types.Quantity(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["ffo_id"], ["fulfilment_order.id"], name=op.f("fk_fulfilment_order_line_ffo_id")
        ),
        sa.ForeignKeyConstraint(
            ["order_line_id"],
            ["order_line.id"],
            name=op.f("fk_fulfilment_order_line_order_line_id"),
        ),
        sa.ForeignKeyConstraint(
            ["reservation_id"],
            ["reservation.id"],
            name=op.f("fk_fulfilment_order_line_reservation_id"),
        ),
        sa.ForeignKeyConstraint(
            ["sku_id"], ["sku.id"], name=op.f("fk_fulfilment_order_line_sku_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fulfilment_order_line")),
        sqlite_strict=True,
    )
    op.create_index(
        op.f("ix_fulfilment_order_line_ffo_id"), "fulfilment_order_line", ["ffo_id"], unique=False
    )
    op.create_index(
        op.f("ix_fulfilment_order_line_order_line_id"),
        "fulfilment_order_line",
        ["order_line_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_fulfilment_order_line_reservation_id"),
        "fulfilment_order_line",
        ["reservation_id"],
        unique=False,
    )


def _shipment() -> None:
    op.create_table(
        "shipment",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("ffo_id", sa.BigInteger(), nullable=False),
        sa.Column("carrier", sa.Text(), server_default="", nullable=False),
        sa.Column("service_code", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("shipped_at", types.Utc(), nullable=True),
        sa.Column("delivered_at", types.Utc(), nullable=True),
        sa.Column("label_cost", sa.BigInteger(), nullable=True),
        sa.Column("label_currency", sa.Text(), server_default="", nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('label_bought', 'shipped', 'in_transit', 'delivered', 'exception', 'voided', 'returned', 'lost')",
            name=op.f("ck_shipment_state"),
        ),
        sa.ForeignKeyConstraint(
            ["ffo_id"], ["fulfilment_order.id"], name=op.f("fk_shipment_ffo_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shipment")),
        sa.UniqueConstraint("ffo_id", "external_id", name=op.f("uq_shipment_ffo_id_external_id")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_shipment_ffo_id"), "shipment", ["ffo_id"], unique=False)


def _package() -> None:
    op.create_table(
        "package",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("shipment_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("package_reference", sa.Text(), nullable=False),
        sa.Column("carrier", sa.Text(), server_default="", nullable=False),
        sa.Column("tracking_number", sa.Text(), nullable=False),
        sa.Column("tracking_url", sa.Text(), server_default="", nullable=False),
        sa.Column("label_url", sa.Text(), server_default="", nullable=False),
        sa.Column("weight_g", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["shipment_id"], ["shipment.id"], name=op.f("fk_package_shipment_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_package")),
        sa.UniqueConstraint("package_reference", name=op.f("uq_package_package_reference")),
        sa.UniqueConstraint(
            "shipment_id",
            "carrier",
            "tracking_number",
            name=op.f("uq_package_shipment_id_carrier_tracking_number"),
        ),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_package_shipment_id"), "package", ["shipment_id"], unique=False)
    op.create_index("ix_package_tracking_number", "package", ["tracking_number"], unique=False)


def _package_line() -> None:
    op.create_table(
        "package_line",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("package_id", sa.BigInteger(), nullable=False),
        sa.Column("ffo_line_id", sa.BigInteger(), nullable=False),
        sa.Column("qty", types.Quantity(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["ffo_line_id"], ["fulfilment_order_line.id"], name=op.f("fk_package_line_ffo_line_id")
        ),
        sa.ForeignKeyConstraint(
            ["package_id"], ["package.id"], name=op.f("fk_package_line_package_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_package_line")),
        sa.UniqueConstraint(
            "package_id", "ffo_line_id", name=op.f("uq_package_line_package_id_ffo_line_id")
        ),
        sqlite_strict=True,
    )
    op.create_index(
        op.f("ix_package_line_package_id"), "package_line", ["package_id"], unique=False
    )


def _tracking_event() -> None:
    op.create_table(
        "tracking_event",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("package_id", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.Text(), server_default="", nullable=False),
        sa.Column("carrier_code", sa.Text(), server_default="", nullable=False),
        sa.Column("occurred_at", types.Utc(), nullable=False),
        sa.Column("place", sa.Text(), server_default="", nullable=False),
        sa.Column("raw_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["package_id"], ["package.id"], name=op.f("fk_tracking_event_package_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tracking_event")),
        sa.UniqueConstraint(
            "package_id",
            "carrier_code",
            "occurred_at",
            name=op.f("uq_tracking_event_package_id_carrier_code_occurred_at"),
        ),
        sqlite_strict=True,
    )
