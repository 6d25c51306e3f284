"""initial"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from state import types

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
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
    op.create_table(
        "audit_event",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("at", types.Utc(), nullable=False),
        sa.Column("actor", sa.Text(), server_default="", nullable=False),
        sa.Column("action", sa.Text(), server_default="", nullable=False),
        sa.Column("subject_type", sa.Text(), server_default="", nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("before", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("after", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_event")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_audit_event_subject", "audit_event", ["subject_type", "subject_id"], unique=False
    )
    op.create_table(
        "channel_availability",
        sa.Column("listing_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("computed_qty", sa.Integer(), nullable=False),
        sa.Column("observation_version", sa.BigInteger(), nullable=False),
        sa.Column("computed_at", types.Utc(), nullable=False),
        sa.Column("submitted_qty", sa.Integer(), nullable=True),
        sa.Column("submitted_at", types.Utc(), nullable=True),
        sa.Column("confirmed_qty", sa.Integer(), nullable=True),
        sa.Column("confirmed_at", types.Utc(), nullable=True),
        sa.Column("read_back_qty", sa.Integer(), nullable=True),
        sa.Column("read_back_at", types.Utc(), nullable=True),
        sa.Column("block_reason", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("listing_id", name=op.f("pk_channel_availability")),
        sqlite_strict=True,
    )
    op.create_table(
        "connection",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("connector", sa.Text(), server_default="", nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="active", nullable=False),
        sa.Column("timezone", sa.Text(), server_default="UTC", nullable=False),
        sa.Column("problem", sa.Text(), server_default="", nullable=False),
        sa.Column("last_ok_at", types.Utc(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('channel', 'fulfilment', 'carrier', 'files')", name=op.f("ck_connection_kind")
        ),
        sa.CheckConstraint(
            "status IN ('active', 'paused', 'auth_failed', 'retired')",
            name=op.f("ck_connection_status"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connection")),
        sa.UniqueConstraint("name", name=op.f("uq_connection_name")),
        sqlite_strict=True,
    )
    op.create_table(
        "product",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("brand", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_product")),
        sqlite_strict=True,
    )
    op.create_table(
        "rate_bucket",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("tat_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_rate_bucket")),
        sqlite_strict=True,
    )
    op.create_table(
        "inbox",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("connection_id", sa.BigInteger(), nullable=False),
        sa.Column("topic", sa.Text(), server_default="", nullable=False),
        sa.Column("external_id", sa.Text(), server_default="", nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", types.Utc(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("problems", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("mapping_version", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "state IN ('mapped', 'parked', 'stale', 'ignored')", name=op.f("ck_inbox_state")
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_inbox_connection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox")),
        sa.UniqueConstraint(
            "connection_id",
            "topic",
            "external_id",
            "sha256",
            name=op.f("uq_inbox_connection_id_topic_external_id_sha256"),
        ),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_inbox_connection_id"), "inbox", ["connection_id"], unique=False)
    op.create_index(
        "ix_inbox_parked",
        "inbox",
        ["connection_id", "topic"],
        unique=False,
        sqlite_where=sa.text("state = 'parked'"),
        postgresql_where=sa.text("state = 'parked'"),
    )
    op.create_table(
        "intent",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("connection_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_type", sa.Text(), server_default="", nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("body", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("state", sa.Text(), server_default="planned", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("not_before", types.Utc(), nullable=False),
        sa.Column("sent_at", types.Utc(), nullable=True),
        sa.Column("settled_at", types.Utc(), nullable=True),
        sa.Column("handle", sa.Text(), server_default="", nullable=False),
        sa.Column("remote_id", sa.Text(), server_default="", nullable=False),
        sa.Column("code", sa.Text(), server_default="", nullable=False),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('stock', 'tracking', 'fulfilment_order', 'cancel_fulfilment_order', 'label')",
            name=op.f("ck_intent_kind"),
        ),
        sa.CheckConstraint(
            "state IN ('planned', 'sending', 'accepted', 'done', 'rejected', 'unknown', 'superseded', 'review')",
            name=op.f("ck_intent_state"),
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_intent_connection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intent")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_intent_idempotency_key")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_intent_connection_id"), "intent", ["connection_id"], unique=False)
    op.create_index(
        "ix_intent_open",
        "intent",
        ["connection_id", "kind"],
        unique=False,
        sqlite_where=sa.text("state IN ('planned', 'sending', 'accepted', 'unknown')"),
        postgresql_where=sa.text("state IN ('planned', 'sending', 'accepted', 'unknown')"),
    )
    op.create_index("ix_intent_subject", "intent", ["kind", "subject_id"], unique=False)
    op.create_table(
        "location",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.BigInteger(), nullable=True),
        sa.Column("authority", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), server_default="0", nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("street", sa.Text(), server_default="", nullable=False),
        sa.Column("city", sa.Text(), server_default="", nullable=False),
        sa.Column("region", sa.Text(), server_default="", nullable=False),
        sa.Column("postcode", sa.Text(), server_default="", nullable=False),
        sa.Column("country", sa.Text(), server_default="", nullable=False),
        sa.Column("phone", sa.Text(), server_default="", nullable=False),
        sa.Column("lat", sa.Float(), nullable=True),
        sa.Column("lon", sa.Float(), nullable=True),
        sa.CheckConstraint("authority IN ('hub', 'external')", name=op.f("ck_location_authority")),
        sa.CheckConstraint(
            "kind IN ('warehouse', 'store', 'three_pl', 'vendor')", name=op.f("ck_location_kind")
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_location_connection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_location")),
        sa.UniqueConstraint("code", name=op.f("uq_location_code")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_location_connection_id"), "location", ["connection_id"], unique=False)
    op.create_table(
        "run",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("stream_key", sa.Text(), server_default="", nullable=False),
        sa.Column("job", sa.Text(), server_default="", nullable=False),
        sa.Column("connection_id", sa.BigInteger(), nullable=True),
        sa.Column("trigger", sa.Text(), server_default="", nullable=False),
        sa.Column("fence", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("state", sa.Text(), server_default="running", nullable=False),
        sa.Column("started_at", types.Utc(), nullable=False),
        sa.Column("finished_at", types.Utc(), nullable=True),
        sa.Column("counts", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("calls", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("cursor_before", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("cursor_after", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "state IN ('running', 'ok', 'failed', 'lost')", name=op.f("ck_run_state")
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_run_connection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_run_connection_id"), "run", ["connection_id"], unique=False)
    op.create_index("ix_run_stream", "run", ["stream_key", "id"], unique=False)
    op.create_table(
        "sku",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("gtin", sa.Text(), server_default="", nullable=False),
        sa.Column("weight_g", sa.Integer(), server_default="0", nullable=False),
        sa.Column("uom", sa.Text(), server_default="EA", nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name=op.f("fk_sku_product_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sku")),
        sa.UniqueConstraint("code", name=op.f("uq_sku_code")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_sku_product_id"), "sku", ["product_id"], unique=False)
    op.create_table(
        "stream",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("job", sa.Text(), server_default="", nullable=False),
        sa.Column("connection_id", sa.BigInteger(), nullable=True),
        sa.Column("every_s", sa.Integer(), nullable=False),
        sa.Column("due_at", types.Utc(), nullable=False),
        sa.Column("want", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("done", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("fence", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("owner", sa.Text(), server_default="", nullable=False),
        sa.Column("lease_until", types.Utc(), nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.Column("last_success_at", types.Utc(), nullable=True),
        sa.Column("cursor", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_stream_connection_id")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_stream")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_stream_connection_id"), "stream", ["connection_id"], unique=False)
    op.create_index("ix_stream_due", "stream", ["due_at"], unique=False)
    op.create_table(
        "channel_listing",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("connection_id", sa.BigInteger(), nullable=False),
        sa.Column("external_product_id", sa.Text(), server_default="", nullable=False),
        sa.Column("external_variant_id", sa.Text(), nullable=False),
        sa.Column("external_sku", sa.Text(), server_default="", nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("product_type", sa.Text(), server_default="", nullable=False),
        sa.Column("sku_id", sa.BigInteger(), nullable=True),
        sa.Column("match_state", sa.Text(), nullable=False),
        sa.Column("fulfilment_flag", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("qty_managed_by", sa.Text(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=True),
        sa.Column("last_seen_at", types.Utc(), nullable=False),
        sa.CheckConstraint(
            "fulfilment_flag IN ('merchant', 'marketplace')",
            name=op.f("ck_channel_listing_fulfilment_flag"),
        ),
        sa.CheckConstraint(
            "match_state IN ('matched', 'unmatched', 'ignored')",
            name=op.f("ck_channel_listing_match_state"),
        ),
        sa.CheckConstraint(
            "qty_managed_by IN ('hub', 'channel')", name=op.f("ck_channel_listing_qty_managed_by")
        ),
        sa.CheckConstraint(
            "status IN ('live', 'draft', 'ended', 'blocked')",
            name=op.f("ck_channel_listing_status"),
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_channel_listing_connection_id")
        ),
        sa.ForeignKeyConstraint(["sku_id"], ["sku.id"], name=op.f("fk_channel_listing_sku_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel_listing")),
        sa.UniqueConstraint(
            "connection_id",
            "external_variant_id",
            name=op.f("uq_channel_listing_connection_id_external_variant_id"),
        ),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_channel_listing_sku_id"), "channel_listing", ["sku_id"], unique=False)
    op.create_table(
        "channel_location",
        sa.Column("connection_id", sa.BigInteger(), nullable=False),
        sa.Column("location_id", sa.BigInteger(), nullable=False),
        sa.Column("rank", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_channel_location_connection_id")
        ),
        sa.ForeignKeyConstraint(
            ["location_id"], ["location.id"], name=op.f("fk_channel_location_location_id")
        ),
        sa.PrimaryKeyConstraint("connection_id", "location_id", name=op.f("pk_channel_location")),
        sqlite_strict=True,
    )
    op.create_table(
        "dirty_sku",
        sa.Column("sku_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["sku_id"], ["sku.id"], name=op.f("fk_dirty_sku_sku_id")),
        sa.PrimaryKeyConstraint("sku_id", name=op.f("pk_dirty_sku")),
        sqlite_strict=True,
    )
    op.create_table(
        "inventory_ledger",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("sku_id", sa.BigInteger(), nullable=False),
        sa.Column("location_id", sa.BigInteger(), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("delta", types.Quantity(), server_default="0", nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("ref_type", sa.Text(), server_default="", nullable=False),
        sa.Column("ref_id", sa.BigInteger(), nullable=True),
        sa.Column("occurred_at", types.Utc(), nullable=False),
        sa.Column("recorded_at", types.Utc(), nullable=False),
        sa.Column("actor", sa.Text(), server_default="", nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "bucket IN ('on_hand', 'reserved', 'damaged', 'quality_hold', 'safety')",
            name=op.f("ck_inventory_ledger_bucket"),
        ),
        sa.CheckConstraint(
            "reason IN ('opening', 'receipt', 'ship', 'cancel', 'return_restock', 'adjust_count', 'external_set', 'reserve', 'release', 'correction')",
            name=op.f("ck_inventory_ledger_reason"),
        ),
        sa.ForeignKeyConstraint(
            ["location_id"], ["location.id"], name=op.f("fk_inventory_ledger_location_id")
        ),
        sa.ForeignKeyConstraint(["sku_id"], ["sku.id"], name=op.f("fk_inventory_ledger_sku_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inventory_ledger")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_inventory_ledger_idempotency_key")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_inventory_ledger_sku_location",
        "inventory_ledger",
        ["sku_id", "location_id"],
        unique=False,
    )
    op.create_table(
        "inventory_level",
        sa.Column("sku_id", sa.BigInteger(), nullable=False),
        sa.Column("location_id", sa.BigInteger(), nullable=False),
        sa.Column("on_hand", types.Quantity(), server_default="0", nullable=False),
        sa.Column("reserved", types.Quantity(), server_default="0", nullable=False),
        sa.Column("damaged", types.Quantity(), server_default="0", nullable=False),
        sa.Column("quality_hold", types.Quantity(), server_default="0", nullable=False),
        sa.Column("safety", types.Quantity(), server_default="0", nullable=False),
        sa.Column("authority", sa.Text(), nullable=False),
        sa.Column("observed_at", types.Utc(), nullable=True),
        sa.CheckConstraint(
            "authority = 'external' OR on_hand - reserved - damaged - quality_hold >= 0",
            name=op.f("ck_inventory_level_available"),
        ),
        sa.CheckConstraint(
            "authority IN ('hub', 'external')", name=op.f("ck_inventory_level_authority")
        ),
        sa.CheckConstraint("reserved >= 0", name=op.f("ck_inventory_level_reserved")),
        sa.ForeignKeyConstraint(
            ["location_id"], ["location.id"], name=op.f("fk_inventory_level_location_id")
        ),
        sa.ForeignKeyConstraint(["sku_id"], ["sku.id"], name=op.f("fk_inventory_level_sku_id")),
        sa.PrimaryKeyConstraint("sku_id", "location_id", name=op.f("pk_inventory_level")),
        sqlite_strict=True,
    )
    op.create_index("ix_inventory_level_location", "inventory_level", ["location_id"], unique=False)
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
    op.create_table(
        "sku_alias",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("sku_id", sa.BigInteger(), nullable=False),
        sa.Column("scheme", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.BigInteger(), nullable=True),
        sa.Column("qty_per", types.Quantity(), server_default="0", nullable=False),
        sa.Column("source", sa.Text(), server_default="agent", nullable=False),
        sa.CheckConstraint(
            "scheme IN ('channel_sku', 'gtin', 'asin', 'mpn', 'old_code', 'three_pl')",
            name=op.f("ck_sku_alias_scheme"),
        ),
        sa.CheckConstraint(
            "source IN ('import', 'agent', 'learned')", name=op.f("ck_sku_alias_source")
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_sku_alias_connection_id")
        ),
        sa.ForeignKeyConstraint(["sku_id"], ["sku.id"], name=op.f("fk_sku_alias_sku_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sku_alias")),
        sa.UniqueConstraint(
            "connection_id", "scheme", "value", name=op.f("uq_sku_alias_connection_id_scheme_value")
        ),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_sku_alias_sku_id"), "sku_alias", ["sku_id"], unique=False)
    op.create_index(
        "uq_sku_alias_global",
        "sku_alias",
        ["scheme", "value"],
        unique=True,
        sqlite_where=sa.text("connection_id IS NULL"),
        postgresql_where=sa.text("connection_id IS NULL"),
    )
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
