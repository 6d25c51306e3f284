"""What each listing is promised, what the promise is made of, and runs that were held."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Text,
    text,
)

from state.tables.base import at, one_of, pk, ref, table
from state.tables.base import text as words
from state.types import Json

# The promise of one listing on its way out: computed -> submitted -> confirmed -> read back.
channel_availability = table(
    "channel_availability",
    Column("listing_id", BigInteger, primary_key=True, autoincrement=False),
    Column("computed_qty", Integer, nullable=False),
    # Rises with every write that is planned; the write's key is built from it, never from the
    # quantity (a sale and a restock would give the same key twice).
    Column("observation_version", BigInteger, nullable=False),
    at("computed_at", null=False),
    Column("submitted_qty", Integer, nullable=True),
    at("submitted_at"),
    Column("confirmed_qty", Integer, nullable=True),
    at("confirmed_at"),
    # What the channel itself said that it offers, when that was not what was promised.
    Column("read_back_qty", Integer, nullable=True),
    at("read_back_at"),
    words("block_reason"),
    # What the channel offered, by all we knew, when the last write was planned: a write that was
    # lost leaves it there.
    Column("replaced_qty", Integer, nullable=True),
    # Since when the channel's own number is known to be wrong although the promise is not: the
    # next run writes it again.
    at("astray_since"),
    words("drift_class"),
    at("drift_at"),
    # How often it strayed and was written over, ever.
    Column("drift_count", Integer, nullable=False, server_default="0"),
    # How many confirmed writes in a row were not there when looked at.
    Column("writes_lost", Integer, nullable=False, server_default="0"),
    Index(
        "ix_channel_availability_refused",
        "listing_id",
        sqlite_where=text("block_reason <> '' OR drift_class <> ''"),
        postgresql_where=text("block_reason <> '' OR drift_class <> ''"),
    ),
)

# SKUs whose stock or demand changed since their promise was last computed: written in the same
# transaction as the change, emptied by the promise job.
dirty_sku = table(
    "dirty_sku",
    Column("sku_id", BigInteger, ForeignKey("sku.id"), primary_key=True, autoincrement=False),
)

# What decided the promises of a connection's listings when they were last looked through: rules,
# and the locations that serve it. Compared with what is in force now, it tells what to compute.
promise_ground = table(
    "promise_ground",
    Column("connection_id", BigInteger, ForeignKey("connection.id"), nullable=False),
    Column("digest", Text, nullable=False),
    # {"sku": ..., "tag": ..., "group": ..., "sold_since": ...}: which of the connection's listings
    # it is about.
    Column("scope", Json, nullable=False),
    PrimaryKeyConstraint("connection_id", "digest"),
)

sku_tag = table(
    "sku_tag",
    Column("sku_id", BigInteger, ForeignKey("sku.id"), nullable=False),
    Column("tag", Text, nullable=False),
    PrimaryKeyConstraint("sku_id", "tag"),
    Index("ix_sku_tag_tag", "tag"),
)

location_group = table(
    "location_group",
    Column("location_id", BigInteger, ForeignKey("location.id"), nullable=False),
    Column("name", Text, nullable=False),
    PrimaryKeyConstraint("location_id"),
)

# A run that the guard stopped before it wrote anything.
guard_hold = table(
    "guard_hold",
    pk(),
    words("stream_key"),
    *one_of("state", "held", "approved", "done", "replaced", "passed"),
    at("held_at", null=False),
    words("reason"),
    # {"zeroed": 63, "of": 100, ...}: what was found, and the settings it was found too much by.
    Column("measured", Json, nullable=False),
    words("approved_by"),
    at("approved_at"),
    at("settled_at"),
    Index(
        "ix_guard_hold_open",
        "stream_key",
        sqlite_where=text("state IN ('held', 'approved')"),
        postgresql_where=text("state IN ('held', 'approved')"),
    ),
)

guard_change = table(
    "guard_change",
    ref("hold_id", "guard_hold", index=False),
    # Names what changes within its stream: listing:12, level:7:3, order:1001.
    Column("subject", Text, nullable=False),
    words("label"),
    Column("before", BigInteger, nullable=False),
    Column("after", BigInteger, nullable=False),
    PrimaryKeyConstraint("hold_id", "subject"),
)
