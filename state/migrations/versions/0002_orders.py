"""orders"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from state import types

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _address()
    _sales_order()
    _hold()
    _order_adjustment()
    _order_event()
    _order_line()
    _order_return()
    _payment()
    _refund()
    _refund_line()
    _return_line()
    _tax_line()


def _address() -> None:
    op.create_table(
        "address",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("company", sa.Text(), server_default="", nullable=False),
        sa.Column("street", sa.Text(), server_default="", nullable=False),
        sa.Column("street2", sa.Text(), server_default="", nullable=False),
        sa.Column("street3", sa.Text(), server_default="", nullable=False),
        sa.Column("city", sa.Text(), server_default="", nullable=False),
        sa.Column("region", sa.Text(), server_default="", nullable=False),
        sa.Column("postcode", sa.Text(), server_default="", nullable=False),
        sa.Column("country", sa.Text(), server_default="", nullable=False),
        sa.Column("phone", sa.Text(), server_default="", nullable=False),
        sa.Column("email", sa.Text(), server_default="", nullable=False),
        sa.Column("retention_until", types.Utc(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_address")),
        sqlite_strict=True,
    )


def _sales_order() -> None:
    op.create_table(
        "sales_order",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("connection_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_order_id", sa.Text(), nullable=False),
        sa.Column("channel_order_name", sa.Text(), server_default="", nullable=False),
        sa.Column("sub_channel", sa.Text(), server_default="", nullable=False),
        sa.Column("channel_status", sa.Text(), nullable=False),
        sa.Column("intake_state", sa.Text(), nullable=False),
        sa.Column("placed_at", types.Utc(), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("channel_updated_at", types.Utc(), nullable=False),
        sa.Column("cancelled_at", types.Utc(), nullable=True),
        sa.Column("closed_at", types.Utc(), nullable=True),
        sa.Column("recorded_at", types.Utc(), nullable=False),
        sa.Column("currency", sa.Text(), server_default="", nullable=False),
        sa.Column("prices_include_tax", sa.Boolean(), nullable=False),
        sa.Column("discount_total", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("shipping_total", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("tax_total", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("grand_total", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("calc_grand_total", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("total_variance", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("bill_to_id", sa.BigInteger(), nullable=True),
        sa.Column("ship_to_id", sa.BigInteger(), nullable=True),
        sa.Column("service_name", sa.Text(), server_default="", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("deliver_by_at", types.Utc(), nullable=True),
        sa.Column("edit_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("raw_id", sa.BigInteger(), nullable=False),
        sa.Column("mapping_version", sa.Text(), server_default="", nullable=False),
        sa.Column("source_version", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "channel_status IN ('pending', 'ready', 'cancelled', 'fulfilled', 'ignored')",
            name=op.f("ck_sales_order_channel_status"),
        ),
        sa.CheckConstraint(
            "intake_state IN ('parked', 'accepted', 'ignored', 'cancelled', 'closed')",
            name=op.f("ck_sales_order_intake_state"),
        ),
        sa.ForeignKeyConstraint(
            ["bill_to_id"], ["address.id"], name=op.f("fk_sales_order_bill_to_id")
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_sales_order_connection_id")
        ),
        sa.ForeignKeyConstraint(["raw_id"], ["inbox.id"], name=op.f("fk_sales_order_raw_id")),
        sa.ForeignKeyConstraint(
            ["ship_to_id"], ["address.id"], name=op.f("fk_sales_order_ship_to_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sales_order")),
        sa.UniqueConstraint(
            "connection_id",
            "channel_order_id",
            name=op.f("uq_sales_order_connection_id_channel_order_id"),
        ),
        sqlite_strict=True,
    )
    op.create_index("ix_sales_order_business_date", "sales_order", ["business_date"], unique=False)
    op.create_index("ix_sales_order_name", "sales_order", ["channel_order_name"], unique=False)
    op.create_index(
        "ix_sales_order_work", "sales_order", ["intake_state", "channel_status"], unique=False
    )


def _hold() -> None:
    op.create_table(
        "hold",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("remedy", sa.Text(), server_default="", nullable=False),
        sa.Column("placed_at", types.Utc(), nullable=False),
        sa.Column("released_at", types.Utc(), nullable=True),
        sa.Column("released_by", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "kind IN ('payment', 'address', 'mapping', 'total_variance', 'no_lines', 'manual', 'cancel_pending', 'edited_after_release')",
            name=op.f("ck_hold_kind"),
        ),
        sa.ForeignKeyConstraint(["order_id"], ["sales_order.id"], name=op.f("fk_hold_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hold")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_hold_order_id"), "hold", ["order_id"], unique=False)
    op.create_index(
        "uq_hold_open",
        "hold",
        ["order_id", "kind"],
        unique=True,
        sqlite_where=sa.text("released_at IS NULL"),
        postgresql_where=sa.text("released_at IS NULL"),
    )


def _order_adjustment() -> None:
    op.create_table(
        "order_adjustment",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), server_default="", nullable=False),
        sa.Column("code", sa.Text(), server_default="", nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("amount", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("external_id", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["sales_order.id"], name=op.f("fk_order_adjustment_order_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_adjustment")),
        sqlite_strict=True,
    )
    op.create_index(
        op.f("ix_order_adjustment_order_id"), "order_adjustment", ["order_id"], unique=False
    )


def _order_event() -> None:
    op.create_table(
        "order_event",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("at", types.Utc(), nullable=False),
        sa.Column("kind", sa.Text(), server_default="", nullable=False),
        sa.Column("summary", sa.Text(), server_default="", nullable=False),
        sa.Column("details", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("raw_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["order_id"], ["sales_order.id"], name=op.f("fk_order_event_order_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_event")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_order_event_order_id"), "order_event", ["order_id"], unique=False)


def _order_line() -> None:
    op.create_table(
        "order_line",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("channel_line_id", sa.Text(), nullable=False),
        sa.Column("sku_id", sa.BigInteger(), nullable=True),
        sa.Column("channel_sku", sa.Text(), server_default="", nullable=False),
        sa.Column("channel_product_id", sa.Text(), server_default="", nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("variant_title", sa.Text(), server_default="", nullable=False),
        sa.Column("gtin", sa.Text(), server_default="", nullable=False),
        sa.Column("asin", sa.Text(), server_default="", nullable=False),
        sa.Column("unit_price", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("line_discount_total", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("line_tax_total", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("line_total", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("requires_shipping", sa.Boolean(), nullable=False),
        sa.Column("qty_ordered", types.Quantity(), server_default="0", nullable=False),
        sa.Column("qty_cancelled", types.Quantity(), server_default="0", nullable=False),
        sa.Column("qty_allocated", types.Quantity(), server_default="0", nullable=False),
        sa.Column("qty_released", types.Quantity(), server_default="0", nullable=False),
        sa.Column("qty_shipped", types.Quantity(), server_default="0", nullable=False),
        sa.Column("park_reason", sa.Text(), nullable=True),
        sa.Column("park_detail", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "park_reason IS NOT NULL OR qty_allocated + qty_released + qty_shipped <= qty_ordered - qty_cancelled",
            name=op.f("ck_order_line_open"),
        ),
        sa.CheckConstraint(
            "qty_cancelled >= 0 AND qty_allocated >= 0 AND qty_released >= 0 AND qty_shipped >= 0",
            name=op.f("ck_order_line_counters"),
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["sales_order.id"], name=op.f("fk_order_line_order_id")
        ),
        sa.ForeignKeyConstraint(["sku_id"], ["sku.id"], name=op.f("fk_order_line_sku_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_line")),
        sa.UniqueConstraint(
            "order_id", "channel_line_id", name=op.f("uq_order_line_order_id_channel_line_id")
        ),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_order_line_parked",
        "order_line",
        ["park_reason"],
        unique=False,
        sqlite_where=sa.text("park_reason IS NOT NULL"),
        postgresql_where=sa.text("park_reason IS NOT NULL"),
    )
    op.create_index(op.f("ix_order_line_sku_id"), "order_line", ["sku_id"], unique=False)


def _order_return() -> None:
    op.create_table(
        "order_return",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("external_id", sa.Text(), server_default="", nullable=False),
        sa.Column("kind", sa.Text(), server_default="return", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("requested_at", types.Utc(), nullable=False),
        sa.Column("received_at", types.Utc(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('return', 'rto', 'exchange', 'claim', 'store')",
            name=op.f("ck_order_return_kind"),
        ),
        sa.CheckConstraint(
            "state IN ('requested', 'in_transit', 'part_received', 'received', 'closed')",
            name=op.f("ck_order_return_state"),
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["sales_order.id"], name=op.f("fk_order_return_order_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_return")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_order_return_order_id"), "order_return", ["order_id"], unique=False)


def _payment() -> None:
    op.create_table(
        "payment",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("external_id", sa.Text(), server_default="", nullable=False),
        sa.Column("gateway", sa.Text(), server_default="", nullable=False),
        sa.Column("method", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("amount_captured", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("paid_at", types.Utc(), nullable=True),
        sa.CheckConstraint(
            "state IN ('none', 'pending', 'authorised', 'captured', 'refunded', 'failed')",
            name=op.f("ck_payment_state"),
        ),
        sa.ForeignKeyConstraint(["order_id"], ["sales_order.id"], name=op.f("fk_payment_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_payment_order_id"), "payment", ["order_id"], unique=False)


def _refund() -> None:
    op.create_table(
        "refund",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("executed_by", sa.Text(), server_default="channel", nullable=False),
        sa.Column("state", sa.Text(), server_default="confirmed", nullable=False),
        sa.Column("amount", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("refunded_at", types.Utc(), nullable=True),
        sa.CheckConstraint(
            "state IN ('proposed', 'submitted', 'confirmed', 'failed')",
            name=op.f("ck_refund_state"),
        ),
        sa.ForeignKeyConstraint(["order_id"], ["sales_order.id"], name=op.f("fk_refund_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refund")),
        sa.UniqueConstraint("order_id", "external_id", name=op.f("uq_refund_order_id_external_id")),
        sqlite_strict=True,
    )


def _refund_line() -> None:
    op.create_table(
        "refund_line",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("refund_id", sa.BigInteger(), nullable=False),
        sa.Column("order_line_id", sa.BigInteger(), nullable=True),
        sa.Column("qty", types.Quantity(), server_default="0", nullable=False),
        sa.Column("amount", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("tax_amount", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["order_line_id"], ["order_line.id"], name=op.f("fk_refund_line_order_line_id")
        ),
        sa.ForeignKeyConstraint(
            ["refund_id"], ["refund.id"], name=op.f("fk_refund_line_refund_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refund_line")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_refund_line_refund_id"), "refund_line", ["refund_id"], unique=False)


def _return_line() -> None:
    op.create_table(
        "return_line",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("return_id", sa.BigInteger(), nullable=False),
        sa.Column("order_line_id", sa.BigInteger(), nullable=False),
        sa.Column("qty_requested", types.Quantity(), server_default="0", nullable=False),
        sa.Column("qty_received", types.Quantity(), server_default="0", nullable=False),
        sa.Column("qty_restocked", types.Quantity(), server_default="0", nullable=False),
        sa.Column("reason_code", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["order_line_id"], ["order_line.id"], name=op.f("fk_return_line_order_line_id")
        ),
        sa.ForeignKeyConstraint(
            ["return_id"], ["order_return.id"], name=op.f("fk_return_line_return_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_return_line")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_return_line_return_id"), "return_line", ["return_id"], unique=False)


def _tax_line() -> None:
    op.create_table(
        "tax_line",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("order_line_id", sa.BigInteger(), nullable=True),
        sa.Column("adjustment_id", sa.BigInteger(), nullable=True),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("tax_type", sa.Text(), server_default="", nullable=False),
        sa.Column("rate", sa.Text(), nullable=True),
        sa.Column("amount", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("included", sa.Boolean(), nullable=False),
        sa.Column("collected_by", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["adjustment_id"], ["order_adjustment.id"], name=op.f("fk_tax_line_adjustment_id")
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["sales_order.id"], name=op.f("fk_tax_line_order_id")
        ),
        sa.ForeignKeyConstraint(
            ["order_line_id"], ["order_line.id"], name=op.f("fk_tax_line_order_line_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tax_line")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_tax_line_order_id"), "tax_line", ["order_id"], unique=False)
