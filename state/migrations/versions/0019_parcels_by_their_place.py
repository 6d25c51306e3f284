"""Parcels by their place in the shipment, whatever number they bear"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_BY_PLACE = ("shipment_id", "seq")


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _remake()
        return
    op.drop_constraint(op.f("uq_package_shipment_id_carrier_tracking_number"), "package")
    op.create_unique_constraint(op.f("uq_package_shipment_id_seq"), "package", [*_BY_PLACE])


def _remake() -> None:
    """SQLite cannot change a constraint: put the rows aside, and back into a table made anew.

    Deferred, a reference to a row that is away for a moment is counted, and counted off again
    when the row comes back; the commit then finds none missing.
    """
    columns = ", ".join(
        row[1] for row in op.get_bind().exec_driver_sql("PRAGMA table_info(package)")
    )
    op.execute("PRAGMA defer_foreign_keys = ON")
    op.execute(f"CREATE TEMP TABLE aside AS SELECT {columns} FROM package")  # noqa: S608 - ours
    op.drop_table("package")
    _package()
    op.execute(f"INSERT INTO package ({columns}) SELECT {columns} FROM aside")  # noqa: S608 - ours
    op.execute("DROP TABLE aside")


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
        sa.UniqueConstraint(*_BY_PLACE, name=op.f("uq_package_shipment_id_seq")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_package_shipment_id"), "package", ["shipment_id"], unique=False)
    op.create_index("ix_package_tracking_number", "package", ["tracking_number"], unique=False)
