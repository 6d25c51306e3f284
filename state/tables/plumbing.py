"""Connections, streams, inbox, intents, runs: what keeps the machine going."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Text, UniqueConstraint, text

from state.tables.base import at, one_of, pk, ref, table
from state.tables.base import text as words
from state.types import Json

connection = table(
    "connection",
    pk(),
    Column("name", Text, nullable=False, unique=True),
    words("connector"),
    *one_of("kind", "channel", "fulfilment", "carrier", "files"),
    *one_of("status", "active", "paused", "auth_failed", "retired", default="active"),
    words("timezone", default="UTC"),
    words("problem"),
    at("last_ok_at"),
)

stream = table(
    "stream",
    Column("key", Text, primary_key=True),
    words("job"),
    ref("connection_id", "connection", null=True),
    Column("every_s", Integer, nullable=False),
    at("due_at", null=False),
    Column("want", BigInteger, nullable=False, server_default="0"),
    Column("done", BigInteger, nullable=False, server_default="0"),
    Column("fence", BigInteger, nullable=False, server_default="0"),
    words("owner"),
    at("lease_until"),
    Column("failures", Integer, nullable=False, server_default="0"),
    words("last_error"),
    at("last_success_at"),
    Column("cursor", Json, nullable=True),
    Index("ix_stream_due", "due_at"),
)

rate_bucket = table(
    "rate_bucket",
    Column("key", Text, primary_key=True),
    # Theoretical arrival time of the next call (GCRA), microseconds since 1970 UTC.
    Column("tat_us", BigInteger, nullable=False),
    # Of a connection's breaker (``state.breakers``): calls in a row that met trouble, and since
    # when. Its ``tat_us`` is the moment of the next try.
    Column("troubles", Integer, nullable=False, server_default="0"),
    Column("since_us", BigInteger, nullable=True),
)

inbox = table(
    "inbox",
    pk(),
    ref("connection_id", "connection"),
    words("topic"),
    words("external_id"),
    Column("sha256", LargeBinary, nullable=False),
    # The JSON text, zstd-compressed.
    Column("body", LargeBinary, nullable=False),
    at("received_at", null=False),
    *one_of("state", "mapped", "parked", "stale", "ignored"),
    # [{"field", "message", ...}] of a parked record.
    Column("problems", Json, nullable=True),
    Column("mapping_version", Text, nullable=False, server_default=""),
    UniqueConstraint("connection_id", "topic", "external_id", "sha256"),
    Index(
        "ix_inbox_parked",
        "connection_id",
        "topic",
        sqlite_where=text("state = 'parked'"),
        postgresql_where=text("state = 'parked'"),
    ),
)

intent = table(
    "intent",
    pk(),
    ref("connection_id", "connection"),
    *one_of(
        "kind",
        "stock",
        "tracking",
        "fulfilment_order",
        "cancel_fulfilment_order",
        "label",
    ),
    words("subject_type"),
    Column("subject_id", BigInteger, nullable=False),
    # Names the intent, never its content and never the clock.
    Column("idempotency_key", Text, nullable=False, unique=True),
    Column("body", Json, nullable=False),
    # Of the body when it was written down: one that was changed since is never sent.
    words("body_sha256"),
    *one_of(
        "state",
        "planned",
        "sending",
        "accepted",
        "done",
        "rejected",
        "unknown",
        "superseded",
        "review",
        default="planned",
    ),
    Column("attempts", Integer, nullable=False, server_default="0"),
    at("not_before", null=False),
    at("sent_at"),
    # Who has claimed it last, and until when that one may begin a call.
    words("owner"),
    at("send_by"),
    # The claim of the first attempt of which nobody knows what became, until that is known.
    at("doubtful_since"),
    at("settled_at"),
    words("handle"),
    words("remote_id"),
    words("code"),
    words("message"),
    at("created_at", null=False),
    Index(
        "ix_intent_open",
        "connection_id",
        "kind",
        sqlite_where=text("state IN ('planned', 'sending', 'accepted', 'unknown')"),
        postgresql_where=text("state IN ('planned', 'sending', 'accepted', 'unknown')"),
    ),
    Index("ix_intent_subject", "kind", "subject_id"),
)

# What a sweep of a vendor's objects found that does not fit to the intents, and its price.
stray_effect = table(
    "stray_effect",
    pk(),
    # The unique constraint begins with it and serves as its index.
    ref("connection_id", "connection", index=False),
    *one_of("kind", "fulfilment_order", "label"),
    words("reference"),
    words("external_id"),
    *one_of("problem", "double", "not_done", "unknown_reference", "missing"),
    # In minor units of ``currency``; null where the vendor does not say.
    Column("cost", BigInteger, nullable=True),
    words("currency"),
    words("remedy"),
    at("placed_at", null=False),
    at("found_at", null=False),
    at("gone_at"),
    UniqueConstraint(
        "connection_id",
        "kind",
        "reference",
        "external_id",
        "problem",
        name="uq_stray_effect_object",
    ),
)

run = table(
    "run",
    pk(),
    words("stream_key"),
    words("job"),
    ref("connection_id", "connection", null=True),
    words("trigger"),
    Column("fence", BigInteger, nullable=False, server_default="0"),
    *one_of("state", "running", "ok", "failed", "lost", default="running"),
    at("started_at", null=False),
    at("finished_at"),
    # {"read": 3, "new": 2, ...}: what the job counted.
    Column("counts", Json, nullable=False),
    # {"searchOrders": 2, ...}: calls to the vendor, by operation.
    Column("calls", Json, nullable=False),
    Column("cursor_before", Json, nullable=True),
    Column("cursor_after", Json, nullable=True),
    words("error"),
    Index("ix_run_stream", "stream_key", "id"),
)

# Every time this store came out of a backup: from then on it can be told what may have happened
# outside without leaving a trace here.
restoration = table(
    "restoration",
    pk(),
    at("restored_at", null=False),
    # The moment that the backup was of.
    at("taken_at", null=False),
    words("actor"),
    # {"pull-shipments:bob": {...}}: where each stream had read to at that moment.
    Column("cursors", Json, nullable=False),
    # The newest event of an order that the backup had; null: it had none.
    Column("last_event_id", BigInteger, nullable=True),
    # Since when nothing is in doubt any more because of it.
    at("settled_at"),
)
