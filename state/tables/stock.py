"""Locations, the append-only stock ledger, and its projections."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    false,
    text,
    true,
)

from state.tables.base import at, one_of, pk, qty, ref, table
from state.tables.base import text as words
from state.types import Json

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
    # What routing may give it: parcels to send, orders to collect, hazardous goods, how much a day.
    Column("ships", Boolean(create_constraint=False), nullable=False, server_default=true()),
    Column("picks_up", Boolean(create_constraint=False), nullable=False, server_default=false()),
    Column("hazmat", Boolean(create_constraint=False), nullable=False, server_default=false()),
    Column("daily_orders", Integer, nullable=True),
    Column("daily_units", Integer, nullable=True),
    # How long it may take to accept work, and then to ship it; null: as long as it likes.
    Column("ack_within_s", Integer, nullable=True),
    Column("ship_within_s", Integer, nullable=True),
    # Its zone, working days, cut-offs, holidays and handling days; null: always open.
    Column("calendar", Json, nullable=True),
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
    qty("incoming"),
    # Copied from the location: a CHECK cannot look into another table.
    *one_of("authority", "hub", "external"),
    # The moment the newest count is true of; an outside location's own clock where it tells.
    at("observed_at"),
    PrimaryKeyConstraint("sku_id", "location_id"),
    CheckConstraint("reserved >= 0", name="reserved"),
    CheckConstraint(
        "damaged >= 0 AND quality_hold >= 0 AND safety >= 0 AND incoming >= 0", name="buckets"
    ),
    CheckConstraint(
        "authority = 'external' OR on_hand - reserved - damaged - quality_hold >= 0",
        name="available",
    ),
    Index("ix_inventory_level_location", "location_id"),
)

lot = table(
    "lot",
    pk(),
    ref("sku_id", "sku", index=False),
    Column("code", Text, nullable=False),
    # The first day, where it stands, on which it must not be sold any more; null: it keeps.
    Column("expires_on", Date, nullable=True),
    *one_of("state", "active", "recalled", default="active"),
    UniqueConstraint("sku_id", "code"),
)

# What of a level is of which lot, at the locations we own.
lot_level = table(
    "lot_level",
    Column("lot_id", BigInteger, ForeignKey("lot.id"), nullable=False),
    Column("location_id", BigInteger, ForeignKey("location.id"), nullable=False),
    qty("on_hand"),
    qty("reserved"),
    qty("damaged"),
    qty("quality_hold"),
    # The moment the newest count of the lot is true of.
    at("observed_at"),
    PrimaryKeyConstraint("lot_id", "location_id"),
    CheckConstraint(
        "on_hand >= 0 AND reserved >= 0 AND damaged >= 0 AND quality_hold >= 0", name="buckets"
    ),
    CheckConstraint("on_hand - reserved - damaged - quality_hold >= 0", name="available"),
    Index("ix_lot_level_location", "location_id"),
)

# One piece with a number of its own: it stands at one location, or at none.
serial_unit = table(
    "serial_unit",
    pk(),
    ref("sku_id", "sku", index=False),
    Column("serial", Text, nullable=False),
    ref("location_id", "location", null=True),
    *one_of("state", "in_stock", "in_transit", "shipped", "lost"),
    at("changed_at", null=False),
    UniqueConstraint("sku_id", "serial"),
    CheckConstraint("(state = 'in_stock') = (location_id IS NOT NULL)", name="place"),
)

inventory_ledger = table(
    "inventory_ledger",
    pk(),
    ref("sku_id", "sku", index=False),
    ref("location_id", "location", index=False),
    ref("lot_id", "lot", null=True, index=False),
    *one_of("bucket", "on_hand", "reserved", "damaged", "quality_hold", "safety", "incoming"),
    qty("delta"),
    *one_of(
        "reason",
        "opening",
        "advise",
        "receipt",
        "sale",
        "cancel",
        "ship",
        "return_restock",
        "return_scrap",
        "transfer_out",
        "transfer_in",
        "adjust_count",
        "adjust_damage",
        "adjust_found",
        "reclassify",
        "external_set",
        "reserve",
        "release",
        "expire",
        "bundle_explode",
        "correction",
    ),
    words("ref_type"),
    Column("ref_id", BigInteger, nullable=True),
    at("occurred_at", null=False),
    at("recorded_at", null=False),
    words("actor"),
    Column("idempotency_key", Text, nullable=False, unique=True),
    # A count asks what has moved since its moment: of a SKU that sells well that is little of much.
    Index("ix_inventory_ledger_moved", "sku_id", "location_id", "bucket", "occurred_at"),
    Index(
        "ix_inventory_ledger_lot",
        "lot_id",
        sqlite_where=text("lot_id IS NOT NULL"),
        postgresql_where=text("lot_id IS NOT NULL"),
    ),
)

reservation = table(
    "reservation",
    pk(),
    ref("sku_id", "sku", index=False),
    ref("location_id", "location", index=False),
    qty("qty"),
    qty("qty_consumed"),
    qty("qty_released"),
    *one_of("kind", "soft", "hard", default="hard"),
    ref("order_line_id", "order_line", null=True),
    # Whom a soft one is for, in the words of whoever asked: a cart, a quote, a caller.
    words("holder"),
    *one_of("state", "active", "consumed", "released", "expired", default="active"),
    at("created_at", null=False),
    at("expires_at"),
    Column("idempotency_key", Text, nullable=False, unique=True),
    CheckConstraint("qty > 0 AND qty_consumed >= 0 AND qty_released >= 0", name="counters"),
    CheckConstraint("qty_consumed + qty_released <= qty", name="bounds"),
    # What is for an order never runs out; what is for nobody yet must.
    CheckConstraint(
        "CASE kind WHEN 'hard' THEN order_line_id IS NOT NULL AND expires_at IS NULL"
        " AND state <> 'expired' ELSE expires_at IS NOT NULL END",
        name="purpose",
    ),
    Index(
        "ix_reservation_active",
        "sku_id",
        "location_id",
        sqlite_where=text("state = 'active'"),
        postgresql_where=text("state = 'active'"),
    ),
    Index(
        "ix_reservation_expiring",
        "expires_at",
        sqlite_where=text("state = 'active' AND kind = 'soft'"),
        postgresql_where=text("state = 'active' AND kind = 'soft'"),
    ),
)

# Which lots a reservation stands on; ``qty`` is what it still holds of each.
reservation_lot = table(
    "reservation_lot",
    Column("reservation_id", BigInteger, ForeignKey("reservation.id"), nullable=False),
    Column("lot_id", BigInteger, ForeignKey("lot.id"), nullable=False),
    qty("qty"),
    PrimaryKeyConstraint("reservation_id", "lot_id"),
    CheckConstraint("qty >= 0", name="qty"),
    Index("ix_reservation_lot_lot", "lot_id"),
)

# Goods on their way to a location: advised by a supplier, or sent by another location of ours.
consignment = table(
    "consignment",
    pk(),
    Column("reference", Text, nullable=False),
    ref("sku_id", "sku", index=False),
    ref("from_location_id", "location", null=True, index=False),
    ref("to_location_id", "location", index=False),
    ref("lot_id", "lot", null=True, index=False),
    qty("qty"),
    qty("qty_received"),
    # Never arrived: written off, or not sent after all.
    qty("qty_lost"),
    at("sent_at", null=False),
    Column("due_on", Date, nullable=True),
    CheckConstraint("qty > 0 AND qty_received >= 0 AND qty_lost >= 0", name="counters"),
    CheckConstraint("qty_received + qty_lost <= qty", name="bounds"),
    # NULLs are distinct to a UNIQUE constraint, so those without a lot have an index of their own.
    UniqueConstraint("reference", "sku_id", "lot_id"),
    Index(
        "uq_consignment_without_lot",
        "reference",
        "sku_id",
        unique=True,
        sqlite_where=text("lot_id IS NULL"),
        postgresql_where=text("lot_id IS NULL"),
    ),
    Index("ix_consignment_to", "to_location_id", "sku_id"),
)

bundle_component = table(
    "bundle_component",
    Column("bundle_sku_id", BigInteger, ForeignKey("sku.id"), nullable=False),
    Column("component_sku_id", BigInteger, ForeignKey("sku.id"), nullable=False),
    # How many of the component are in one bundle.
    qty("qty"),
    PrimaryKeyConstraint("bundle_sku_id", "component_sku_id"),
    CheckConstraint("qty > 0 AND bundle_sku_id <> component_sku_id", name="qty"),
    Index("ix_bundle_component_component", "component_sku_id"),
)
