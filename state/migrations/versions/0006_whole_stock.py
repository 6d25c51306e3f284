"""The whole of stock: incoming, lots, serials, soft holds, consignments, bundles"""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

from state import types

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_BUCKETS = "bucket IN ('on_hand', 'reserved', 'damaged', 'quality_hold', 'safety', 'incoming')"
_REASONS = "reason IN ('opening', 'advise', 'receipt', 'sale', 'cancel', 'ship', 'return_restock', 'return_scrap', 'transfer_out', 'transfer_in', 'adjust_count', 'adjust_damage', 'adjust_found', 'reclassify', 'external_set', 'reserve', 'release', 'expire', 'bundle_explode', 'correction')"
_LEVEL_BUCKETS = "damaged >= 0 AND quality_hold >= 0 AND safety >= 0 AND incoming >= 0"
_STATES = "state IN ('active', 'consumed', 'released', 'expired')"
_KINDS = "kind IN ('soft', 'hard')"
_PURPOSE = (
    "CASE kind WHEN 'hard' THEN order_line_id IS NOT NULL AND expires_at IS NULL"
    " AND state <> 'expired' ELSE expires_at IS NOT NULL END"
)
_ACTIVE = sa.text("state = 'active'")
_EXPIRING = sa.text("state = 'active' AND kind = 'soft'")
_OF_A_LOT = sa.text("lot_id IS NOT NULL")
_WITHOUT_LOT = sa.text("lot_id IS NULL")


def upgrade() -> None:
    for name in ("lot_tracked", "serial_tracked"):
        op.add_column(
            "sku", sa.Column(name, sa.Boolean(), server_default=sa.text("false"), nullable=False)
        )
    _lot()
    _lot_level()
    _serial_unit()
    if op.get_bind().dialect.name == "sqlite":
        _remake("inventory_level", _inventory_level)
        _remake("inventory_ledger", _inventory_ledger)
        _remake("reservation", _reservation)
    else:
        _alter_level()
        _alter_ledger()
        _alter_reservation()
    _ledger_indexes()
    _reservation_indexes()
    _reservation_lot()
    _consignment()
    _bundle_component()


def _remake(name: str, create: Callable[[], None]) -> None:
    """SQLite cannot change a constraint: put the rows aside, and back into a table made anew.

    Deferred, a reference to a row that is away for a moment is counted, and counted off again
    when the row comes back; the commit then finds none missing.
    """
    columns = ", ".join(
        row[1] for row in op.get_bind().exec_driver_sql(f"PRAGMA table_info({name})")
    )
    op.execute("PRAGMA defer_foreign_keys = ON")
    op.execute(f"CREATE TEMP TABLE aside AS SELECT {columns} FROM {name}")  # noqa: S608 - ours
    op.drop_table(name)
    create()
    op.execute(f"INSERT INTO {name} ({columns}) SELECT {columns} FROM aside")  # noqa: S608 - ours
    op.execute("DROP TABLE aside")


def _lot() -> None:
    op.create_table(
        "lot",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("sku_id", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("state", sa.Text(), server_default="active", nullable=False),
        sa.CheckConstraint("state IN ('active', 'recalled')", name=op.f("ck_lot_state")),
        sa.ForeignKeyConstraint(["sku_id"], ["sku.id"], name=op.f("fk_lot_sku_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lot")),
        sa.UniqueConstraint("sku_id", "code", name=op.f("uq_lot_sku_id_code")),
        sqlite_strict=True,
    )


def _lot_level() -> None:
    op.create_table(
        "lot_level",
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("location_id", sa.BigInteger(), nullable=False),
        sa.Column("on_hand", types.Quantity(), server_default="0", nullable=False),
        sa.Column("reserved", types.Quantity(), server_default="0", nullable=False),
        sa.Column("damaged", types.Quantity(), server_default="0", nullable=False),
        sa.Column("quality_hold", types.Quantity(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "on_hand >= 0 AND reserved >= 0 AND damaged >= 0 AND quality_hold >= 0",
            name=op.f("ck_lot_level_buckets"),
        ),
        sa.CheckConstraint(
            "on_hand - reserved - damaged - quality_hold >= 0",
            name=op.f("ck_lot_level_available"),
        ),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_lot_level_lot_id")),
        sa.ForeignKeyConstraint(
            ["location_id"], ["location.id"], name=op.f("fk_lot_level_location_id")
        ),
        sa.PrimaryKeyConstraint("lot_id", "location_id", name=op.f("pk_lot_level")),
        sqlite_strict=True,
    )
    op.create_index("ix_lot_level_location", "lot_level", ["location_id"], unique=False)


def _serial_unit() -> None:
    op.create_table(
        "serial_unit",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("sku_id", sa.BigInteger(), nullable=False),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("location_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("changed_at", types.Utc(), nullable=False),
        sa.CheckConstraint(
            "state IN ('in_stock', 'in_transit', 'shipped', 'lost')",
            name=op.f("ck_serial_unit_state"),
        ),
        sa.CheckConstraint(
            "(state = 'in_stock') = (location_id IS NOT NULL)", name=op.f("ck_serial_unit_place")
        ),
        sa.ForeignKeyConstraint(["sku_id"], ["sku.id"], name=op.f("fk_serial_unit_sku_id")),
        sa.ForeignKeyConstraint(
            ["location_id"], ["location.id"], name=op.f("fk_serial_unit_location_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_serial_unit")),
        sa.UniqueConstraint("sku_id", "serial", name=op.f("uq_serial_unit_sku_id_serial")),
        sqlite_strict=True,
    )
    op.create_index(
        op.f("ix_serial_unit_location_id"), "serial_unit", ["location_id"], unique=False
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
        sa.Column("incoming", types.Quantity(), server_default="0", nullable=False),
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
        sa.CheckConstraint(_LEVEL_BUCKETS, name=op.f("ck_inventory_level_buckets")),
        sa.ForeignKeyConstraint(
            ["location_id"], ["location.id"], name=op.f("fk_inventory_level_location_id")
        ),
        sa.ForeignKeyConstraint(["sku_id"], ["sku.id"], name=op.f("fk_inventory_level_sku_id")),
        sa.PrimaryKeyConstraint("sku_id", "location_id", name=op.f("pk_inventory_level")),
        sqlite_strict=True,
    )
    op.create_index("ix_inventory_level_location", "inventory_level", ["location_id"], unique=False)


def _alter_level() -> None:
    op.add_column(
        "inventory_level",
        sa.Column("incoming", types.Quantity(), server_default="0", nullable=False),
    )
    op.create_check_constraint(
        op.f("ck_inventory_level_buckets"), "inventory_level", _LEVEL_BUCKETS
    )


def _inventory_ledger() -> None:
    op.create_table(
        "inventory_ledger",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("sku_id", sa.BigInteger(), nullable=False),
        sa.Column("location_id", sa.BigInteger(), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=True),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("delta", types.Quantity(), server_default="0", nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("ref_type", sa.Text(), server_default="", nullable=False),
        sa.Column("ref_id", sa.BigInteger(), nullable=True),
        sa.Column("occurred_at", types.Utc(), nullable=False),
        sa.Column("recorded_at", types.Utc(), nullable=False),
        sa.Column("actor", sa.Text(), server_default="", nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.CheckConstraint(_BUCKETS, name=op.f("ck_inventory_ledger_bucket")),
        sa.CheckConstraint(_REASONS, name=op.f("ck_inventory_ledger_reason")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_inventory_ledger_lot_id")),
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


def _alter_ledger() -> None:
    op.add_column("inventory_ledger", sa.Column("lot_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_inventory_ledger_lot_id"), "inventory_ledger", "lot", ["lot_id"], ["id"]
    )
    for name, condition in (("bucket", _BUCKETS), ("reason", _REASONS)):
        op.drop_constraint(op.f(f"ck_inventory_ledger_{name}"), "inventory_ledger")
        op.create_check_constraint(
            op.f(f"ck_inventory_ledger_{name}"), "inventory_ledger", condition
        )


def _ledger_indexes() -> None:
    op.create_index(
        "ix_inventory_ledger_lot",
        "inventory_ledger",
        ["lot_id"],
        unique=False,
        sqlite_where=_OF_A_LOT,
        postgresql_where=_OF_A_LOT,
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
        sa.Column("kind", sa.Text(), server_default="hard", nullable=False),
        sa.Column("order_line_id", sa.BigInteger(), nullable=True),
        sa.Column("holder", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), server_default="active", nullable=False),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.Column("expires_at", types.Utc(), nullable=True),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.CheckConstraint(_STATES, name=op.f("ck_reservation_state")),
        sa.CheckConstraint(_KINDS, name=op.f("ck_reservation_kind")),
        sa.CheckConstraint(_PURPOSE, name=op.f("ck_reservation_purpose")),
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
        sqlite_where=_ACTIVE,
        postgresql_where=_ACTIVE,
    )
    op.create_index(
        op.f("ix_reservation_order_line_id"), "reservation", ["order_line_id"], unique=False
    )


def _alter_reservation() -> None:
    for column in (
        sa.Column("kind", sa.Text(), server_default="hard", nullable=False),
        sa.Column("holder", sa.Text(), server_default="", nullable=False),
        sa.Column("expires_at", types.Utc(), nullable=True),
    ):
        op.add_column("reservation", column)
    op.alter_column("reservation", "order_line_id", nullable=True)
    op.drop_constraint(op.f("ck_reservation_state"), "reservation")
    for name, condition in (("state", _STATES), ("kind", _KINDS), ("purpose", _PURPOSE)):
        op.create_check_constraint(op.f(f"ck_reservation_{name}"), "reservation", condition)


def _reservation_indexes() -> None:
    op.create_index(
        "ix_reservation_expiring",
        "reservation",
        ["expires_at"],
        unique=False,
        sqlite_where=_EXPIRING,
        postgresql_where=_EXPIRING,
    )


def _reservation_lot() -> None:
    op.create_table(
        "reservation_lot",
        sa.Column("reservation_id", sa.BigInteger(), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("qty", types.Quantity(), server_default="0", nullable=False),
        sa.CheckConstraint("qty >= 0", name=op.f("ck_reservation_lot_qty")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_reservation_lot_lot_id")),
        sa.ForeignKeyConstraint(
            ["reservation_id"],
            ["reservation.id"],
            name=op.f("fk_reservation_lot_reservation_id"),
        ),
        sa.PrimaryKeyConstraint("reservation_id", "lot_id", name=op.f("pk_reservation_lot")),
        sqlite_strict=True,
    )
    op.create_index("ix_reservation_lot_lot", "reservation_lot", ["lot_id"], unique=False)


def _consignment() -> None:
    op.create_table(
        "consignment",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("sku_id", sa.BigInteger(), nullable=False),
        sa.Column("from_location_id", sa.BigInteger(), nullable=True),
        sa.Column("to_location_id", sa.BigInteger(), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=True),
        sa.Column("qty", types.Quantity(), server_default="0", nullable=False),
        sa.Column("qty_received", types.Quantity(), server_default="0", nullable=False),
        sa.Column("qty_lost", types.Quantity(), server_default="0", nullable=False),
        sa.Column("sent_at", types.Utc(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.CheckConstraint(
            "qty > 0 AND qty_received >= 0 AND qty_lost >= 0",
            name=op.f("ck_consignment_counters"),
        ),
        sa.CheckConstraint("qty_received + qty_lost <= qty", name=op.f("ck_consignment_bounds")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_consignment_lot_id")),
        sa.ForeignKeyConstraint(
            ["from_location_id"], ["location.id"], name=op.f("fk_consignment_from_location_id")
        ),
        sa.ForeignKeyConstraint(
            ["to_location_id"], ["location.id"], name=op.f("fk_consignment_to_location_id")
        ),
        sa.ForeignKeyConstraint(["sku_id"], ["sku.id"], name=op.f("fk_consignment_sku_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consignment")),
        sa.UniqueConstraint(
            "reference", "sku_id", "lot_id", name=op.f("uq_consignment_reference_sku_id_lot_id")
        ),
        sqlite_strict=True,
    )
    op.create_index(
        "uq_consignment_without_lot",
        "consignment",
        ["reference", "sku_id"],
        unique=True,
        sqlite_where=_WITHOUT_LOT,
        postgresql_where=_WITHOUT_LOT,
    )
    op.create_index("ix_consignment_to", "consignment", ["to_location_id", "sku_id"], unique=False)


def _bundle_component() -> None:
    op.create_table(
        "bundle_component",
        sa.Column("bundle_sku_id", sa.BigInteger(), nullable=False),
        sa.Column("component_sku_id", sa.BigInteger(), nullable=False),
        sa.Column("qty", types.Quantity(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "qty > 0 AND bundle_sku_id <> component_sku_id", name=op.f("ck_bundle_component_qty")
        ),
        sa.ForeignKeyConstraint(
            ["bundle_sku_id"], ["sku.id"], name=op.f("fk_bundle_component_bundle_sku_id")
        ),
        sa.ForeignKeyConstraint(
            ["component_sku_id"], ["sku.id"], name=op.f("fk_bundle_component_component_sku_id")
        ),
        sa.PrimaryKeyConstraint(
            "bundle_sku_id", "component_sku_id", name=op.f("pk_bundle_component")
        ),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_bundle_component_component", "bundle_component", ["component_sku_id"], unique=False
    )
