"""Products, SKUs with their other names, and what each channel lists."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    false,
    text,
)

from state.tables.base import at, minor, one_of, pk, qty, ref, table
from state.tables.base import text as words

product = table("product", pk(), words("title"), words("brand"))

sku = table(
    "sku",
    pk(),
    ref("product_id", "product", null=True),
    Column("code", Text, nullable=False, unique=True),
    words("title"),
    words("gtin"),
    Column("weight_g", Integer, nullable=False, server_default="0"),
    words("uom", default="EA"),
    # Only locations that handle hazardous goods may ship it.
    Column("hazmat", Boolean(create_constraint=False), nullable=False, server_default=false()),
    Column("active", Boolean(create_constraint=False), nullable=False),
    Column(
        "lot_tracked",
        Boolean(create_constraint=False),
        nullable=False,
        server_default=text("false"),
    ),
    Column(
        "serial_tracked",
        Boolean(create_constraint=False),
        nullable=False,
        server_default=text("false"),
    ),
)

sku_alias = table(
    "sku_alias",
    pk(),
    ref("sku_id", "sku"),
    *one_of("scheme", "channel_sku", "gtin", "asin", "mpn", "old_code", "three_pl"),
    Column("value", Text, nullable=False),
    # Null: the alias holds on every connection.
    ref("connection_id", "connection", null=True, index=False),
    qty("qty_per"),
    *one_of("source", "import", "agent", "learned", default="agent"),
    UniqueConstraint("connection_id", "scheme", "value"),
    # NULLs are distinct to a UNIQUE constraint; a global alias must be unique too.
    Index(
        "uq_sku_alias_global",
        "scheme",
        "value",
        unique=True,
        sqlite_where=text("connection_id IS NULL"),
        postgresql_where=text("connection_id IS NULL"),
    ),
)

channel_listing = table(
    "channel_listing",
    pk(),
    ref("connection_id", "connection", index=False),
    words("external_product_id"),
    Column("external_variant_id", Text, nullable=False),
    words("external_sku"),
    words("title"),
    words("product_type"),
    ref("sku_id", "sku", null=True),
    *one_of("match_state", "matched", "unmatched", "ignored"),
    *one_of("fulfilment_flag", "merchant", "marketplace"),
    *one_of("status", "live", "draft", "ended", "blocked"),
    *one_of("qty_managed_by", "hub", "channel"),
    minor("price", null=True),
    # What the channel said that it offers, at last_seen_at; null where it told nothing.
    Column("offered_qty", Integer, nullable=True),
    at("last_seen_at", null=False),
    UniqueConstraint("connection_id", "external_variant_id"),
)
