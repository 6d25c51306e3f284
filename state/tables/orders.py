"""Orders as the channel reports them, and what happened to them here."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    func,
    text,
)

from state.tables.base import at, minor, one_of, pk, qty, ref, table
from state.tables.base import text as words
from state.types import Json

# Personal data lives in its own rows, so that it can be erased without touching totals.
address = table(
    "address",
    pk(),
    words("name"),
    words("company"),
    words("street"),
    words("street2"),
    words("street3"),
    words("city"),
    words("region"),
    words("postcode"),
    words("country"),
    words("phone"),
    words("email"),
    at("retention_until"),
    # By what the address is found while ``email`` is encrypted (``state.vault``).
    words("email_mark"),
)
Index(
    "ix_address_email",
    func.lower(address.c.email),
    sqlite_where=text("email <> ''"),
    postgresql_where=text("email <> ''"),
)
Index(
    "ix_address_email_mark",
    address.c.email_mark,
    sqlite_where=text("email_mark <> ''"),
    postgresql_where=text("email_mark <> ''"),
)

sales_order = table(
    "sales_order",
    pk(),
    ref("connection_id", "connection", index=False),
    Column("channel_order_id", Text, nullable=False),
    words("channel_order_name"),
    words("sub_channel"),
    *one_of("channel_status", "pending", "ready", "cancelled", "fulfilled", "ignored"),
    *one_of("intake_state", "parked", "accepted", "ignored", "cancelled", "closed"),
    at("placed_at", null=False),
    Column("business_date", Date, nullable=False),
    at("channel_updated_at", null=False),
    at("cancelled_at"),
    at("closed_at"),
    at("recorded_at", null=False),
    words("currency"),
    Column("prices_include_tax", Boolean(create_constraint=False), nullable=False),
    minor("discount_total"),
    minor("shipping_total"),
    minor("tax_total"),
    minor("grand_total"),
    minor("calc_grand_total"),
    minor("total_variance"),
    ref("bill_to_id", "address", null=True, index=False),
    ref("ship_to_id", "address", null=True, index=False),
    words("service_name"),
    words("note"),
    at("deliver_by_at"),
    Column("edit_version", Integer, nullable=False, server_default="1"),
    ref("raw_id", "inbox", index=False),
    words("mapping_version"),
    words("source_version"),
    # What the last look that planned nothing saw; while it is so, another would see the same.
    words("waits_for"),
    # When its personal data was erased; what the channel reports later is kept without any.
    at("erased_at"),
    UniqueConstraint("connection_id", "channel_order_id"),
    Index("ix_sales_order_work", "intake_state", "channel_status"),
    Index("ix_sales_order_business_date", "business_date"),
    Index("ix_sales_order_name", "channel_order_name"),
)
Index("ix_sales_order_buyer", func.coalesce(sales_order.c.bill_to_id, sales_order.c.ship_to_id))

order_line = table(
    "order_line",
    pk(),
    ref("order_id", "sales_order", index=False),
    Column("line_no", Integer, nullable=False),
    Column("channel_line_id", Text, nullable=False),
    ref("sku_id", "sku", null=True),
    words("channel_sku"),
    words("channel_product_id"),
    words("title"),
    words("variant_title"),
    words("gtin"),
    words("asin"),
    minor("unit_price"),
    minor("line_discount_total"),
    minor("line_tax_total"),
    minor("line_total"),
    Column("requires_shipping", Boolean(create_constraint=False), nullable=False),
    qty("qty_ordered"),
    qty("qty_cancelled"),
    qty("qty_allocated"),
    qty("qty_released"),
    qty("qty_shipped"),
    # Of what is in hand, what the channel took back too late: cancelled if it comes back unshipped.
    qty("qty_unwanted"),
    # unmapped, bad_qty, mapping; null when the line is fit to be allocated.
    words("park_reason", null=True),
    words("park_detail"),
    UniqueConstraint("order_id", "channel_line_id"),
    CheckConstraint(
        "qty_cancelled >= 0 AND qty_allocated >= 0 AND qty_released >= 0 AND qty_shipped >= 0",
        name="counters",
    ),
    # A line that is not parked never has more in hand than was ordered (MODEL invariant 1).
    CheckConstraint(
        "park_reason IS NOT NULL OR "
        "qty_allocated + qty_released + qty_shipped <= qty_ordered - qty_cancelled",
        name="open",
    ),
    Index(
        "ix_order_line_parked",
        "park_reason",
        sqlite_where=text("park_reason IS NOT NULL"),
        postgresql_where=text("park_reason IS NOT NULL"),
    ),
)

order_adjustment = table(
    "order_adjustment",
    pk(),
    ref("order_id", "sales_order"),
    words("kind"),
    words("code"),
    words("title"),
    minor("amount"),
    words("external_id"),
)


def _where_there_is_one(column: str) -> Index:
    """To a parent that is deleted the database must find the children without reading them all."""
    there = text(f"{column} IS NOT NULL")
    return Index(f"ix_tax_line_{column}", column, sqlite_where=there, postgresql_where=there)


tax_line = table(
    "tax_line",
    pk(),
    ref("order_id", "sales_order"),
    ref("order_line_id", "order_line", null=True, index=False),
    ref("adjustment_id", "order_adjustment", null=True, index=False),
    words("title"),
    words("tax_type"),
    # Percentage as decimal text ("19", "7.7"): exact on both databases; null when not told.
    words("rate", null=True),
    minor("amount"),
    Column("included", Boolean(create_constraint=False), nullable=False),
    words("collected_by"),
    _where_there_is_one("order_line_id"),
    _where_there_is_one("adjustment_id"),
)

payment = table(
    "payment",
    pk(),
    ref("order_id", "sales_order"),
    words("external_id"),
    words("gateway"),
    words("method"),
    *one_of("state", "none", "pending", "authorised", "captured", "refunded", "failed"),
    minor("amount_captured"),
    at("paid_at"),
)

refund = table(
    "refund",
    pk(),
    ref("order_id", "sales_order", index=False),
    Column("external_id", Text, nullable=False),
    words("executed_by", default="channel"),
    *one_of("state", "proposed", "submitted", "confirmed", "failed", default="confirmed"),
    minor("amount"),
    words("reason"),
    at("refunded_at"),
    UniqueConstraint("order_id", "external_id"),
)

refund_line = table(
    "refund_line",
    pk(),
    ref("refund_id", "refund"),
    ref("order_line_id", "order_line", null=True),
    qty("qty"),
    minor("amount"),
    minor("tax_amount"),
)

order_return = table(
    "order_return",
    pk(),
    ref("order_id", "sales_order"),
    words("external_id"),
    *one_of("kind", "return", "rto", "exchange", "claim", "store", default="return"),
    *one_of("state", "requested", "in_transit", "part_received", "received", "closed"),
    at("requested_at", null=False),
    at("received_at"),
)

return_line = table(
    "return_line",
    pk(),
    ref("return_id", "order_return"),
    ref("order_line_id", "order_line"),
    qty("qty_requested"),
    qty("qty_received"),
    qty("qty_restocked"),
    words("reason_code"),
)

hold = table(
    "hold",
    pk(),
    ref("order_id", "sales_order"),
    *one_of(
        "kind",
        "payment",
        "address",
        "mapping",
        "total_variance",
        "no_lines",
        "manual",
        "cancel_pending",
        "edited_after_release",
    ),
    words("reason"),
    words("remedy"),
    at("placed_at", null=False),
    at("released_at"),
    words("released_by"),
    Index(
        "uq_hold_open",
        "order_id",
        "kind",
        unique=True,
        sqlite_where=text("released_at IS NULL"),
        postgresql_where=text("released_at IS NULL"),
    ),
)

order_event = table(
    "order_event",
    pk(),
    ref("order_id", "sales_order"),
    at("at", null=False),
    words("kind"),
    words("summary"),
    Column("details", Json, nullable=True),
    Column("raw_id", BigInteger, nullable=True),
)
