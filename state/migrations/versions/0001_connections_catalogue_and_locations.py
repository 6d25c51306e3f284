"""connections, catalogue and locations"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from state import types

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _audit_event()
    _channel_availability()
    _connection()
    _product()
    _rate_bucket()
    _inbox()
    _intent()
    _location()
    _run()
    _sku()
    _stream()
    _channel_listing()
    _channel_location()
    _dirty_sku()
    _inventory_ledger()
    _inventory_level()
    _sku_alias()


def _audit_event() -> None:
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


def _channel_availability() -> None:
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


def _connection() -> None:
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


def _product() -> None:
    op.create_table(
        "product",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("brand", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_product")),
        sqlite_strict=True,
    )


def _rate_bucket() -> None:
    op.create_table(
        "rate_bucket",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("tat_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_rate_bucket")),
        sqlite_strict=True,
    )


def _inbox() -> None:
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


def _intent() -> None:
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


def _location() -> None:
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


def _run() -> None:
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


def _sku() -> None:
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


def _stream() -> None:
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


def _channel_listing() -> None:
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


def _channel_location() -> None:
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


def _dirty_sku() -> None:
    op.create_table(
        "dirty_sku",
        sa.Column("sku_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["sku_id"], ["sku.id"], name=op.f("fk_dirty_sku_sku_id")),
        sa.PrimaryKeyConstraint("sku_id", name=op.f("pk_dirty_sku")),
        sqlite_strict=True,
    )


def _inventory_ledger() -> None:
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


def _inventory_level() -> None:
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


def _sku_alias() -> None:
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
