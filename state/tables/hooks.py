"""Webhooks: which events have come, and what else knocked."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, Text, UniqueConstraint

from state.tables.base import at, one_of, pk, ref, table
from state.tables.base import text as words
from state.types import Json

# One row per event, whatever number of times it came. Not the body: it holds a customer, and
# all it does is to have the stream read.
hook_event = table(
    "hook_event",
    pk(),
    ref("connection_id", "connection", index=False),
    Column("event_id", Text, nullable=False),
    words("topic"),
    words("external_id"),
    words("version"),
    # {"x-wc-webhook-delivery-id": "..."}: those of the connector's list.
    Column("headers", Json, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    *one_of("state", "nudged", "unused"),
    at("received_at", null=False),
    UniqueConstraint("connection_id", "event_id"),
    Index("ix_hook_event_received_at", "received_at"),
)

# How often something came that left no event: repeated ones, and those refused.
hook_tally = table(
    "hook_tally",
    Column("connection_id", BigInteger, ForeignKey("connection.id"), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("times", BigInteger, nullable=False),
    at("last_at", null=False),
)
