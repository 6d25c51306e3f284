"""Locations, the append-only stock ledger, and its projections."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Text,
    text,
)

from state.tables.base import at, one_of, pk, qty, ref, table
from state.tables.base import text as words

location = table(
    "location",
    pk(),
    Column("code", Text, nullable=False, unique=True),
    words("name"),
    *one_of("kind", "warehouse", "store", "three_pl", "vendor"),
    # Who takes its work: a 3PL, a drop folder, or the carrier account an own warehouse labels with.
    ref("connection_id", "connection", null=True),
    *one_of("authority", "hub", "external"),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("active", Boolean(create_constraint=False), nullable=False),
    words("street"),
    words("city"),
    words("region"),
    words("postcode"),
    words("country"),
    words("phone"),
    Column("lat", Float, nullable=True),
    Column("lon", Float, nullable=True),
)

channel_location = table(
    "channel_location",
    Column("connection_id", BigInteger, ForeignKey("connection.id"), nullable=False),
    Column("location_id", BigInteger, ForeignKey("location.id"), nullable=False),
    Column("rank", Integer, nullable=False, server_default="0"),
    PrimaryKeyConstraint("connection_id", "location_id"),
)

inventory_level = table(
    "inventory_level",
    Column("sku_id", BigInteger, ForeignKey("sku.id"), nullable=False),
    Column("location_id", BigInteger, ForeignKey("location.id"), nullable=False),
    qty("on_hand"),
    qty("reserved"),
    qty("damaged"),
    qty("quality_hold"),
    qty("safety"),
    # Copied from the location: a CHECK cannot look into another table.
    *one_of("authority", "hub", "external"),
    at("observed_at"),
    PrimaryKeyConstraint("sku_id", "location_id"),
    CheckConstraint("reserved >= 0", name="reserved"),
    CheckConstraint(
        "authority = 'external' OR on_hand - reserved - damaged - quality_hold >= 0",
        name="available",
    ),
    Index("ix_inventory_level_location", "location_id"),
)

inventory_ledger = table(
    "inventory_ledger",
    pk(),
    ref("sku_id", "sku", index=False),
    ref("location_id", "location", index=False),
    *one_of("bucket", "on_hand", "reserved", "damaged", "quality_hold", "safety"),
    qty("delta"),
    *one_of(
        "reason",
        "opening",
        "receipt",
        "ship",
        "cancel",
        "return_restock",
        "adjust_count",
        "external_set",
        "reserve",
        "release",
        "correction",
    ),
    words("ref_type"),
    Column("ref_id", BigInteger, nullable=True),
    at("occurred_at", null=False),
    at("recorded_at", null=False),
    words("actor"),
    Column("idempotency_key", Text, nullable=False, unique=True),
    Index("ix_inventory_ledger_sku_location", "sku_id", "location_id"),
)

reservation = table(
    "reservation",
    pk(),
    ref("sku_id", "sku", index=False),
    ref("location_id", "location", index=False),
    qty("qty"),
    qty("qty_consumed"),
    qty("qty_released"),
    ref("order_line_id", "order_line"),
    *one_of("state", "active", "consumed", "released", default="active"),
    at("created_at", null=False),
    Column("idempotency_key", Text, nullable=False, unique=True),
    CheckConstraint("qty > 0 AND qty_consumed >= 0 AND qty_released >= 0", name="counters"),
    CheckConstraint("qty_consumed + qty_released <= qty", name="bounds"),
    Index(
        "ix_reservation_active",
        "sku_id",
        "location_id",
        sqlite_where=text("state = 'active'"),
        postgresql_where=text("state = 'active'"),
    ),
)
