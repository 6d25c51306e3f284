"""One location's work: decisions, fulfilment orders, shipments, packages, tracking."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    false,
)

from state.tables.base import at, minor, one_of, pk, qty, ref, table
from state.tables.base import text as words
from state.types import Json, Quantity

# Every rule file that a decision was made with, once; the version names the content.
routing_rules = table(
    "routing_rules",
    Column("version", Text, primary_key=True),
    words("name"),
    Column("body", Json, nullable=False),
    at("first_used_at", null=False),
)

routing_decision = table(
    "routing_decision",
    pk(),
    ref("order_id", "sales_order"),
    at("decided_at", null=False),
    words("policy_version"),
    words("inputs_hash"),
    # The complete inputs, so that with its rules the decision can be recomputed.
    Column("inputs", Json, nullable=False),
    # One object per location looked at; its shape is that of policy_version.
    Column("candidates", Json, nullable=False),
    # One object per share of the plan; its shape is that of policy_version.
    Column("chosen", Json, nullable=False),
    # The rest of the decision (rules that spoke, what is left over, cost); null before rule files.
    Column("trace", Json, nullable=True),
    # Names a row of routing_rules.
    words("rules_version"),
    # The newest row of the stock ledger that the decision could have seen.
    Column("stock_version", BigInteger, nullable=True),
)

fulfilment_order = table(
    "fulfilment_order",
    pk(),
    ref("order_id", "sales_order"),
    ref("location_id", "location", index=False),
    ref("decision_id", "routing_decision", null=True, index=False),
    *one_of(
        "work_state",
        "planned",
        "open",
        "in_progress",
        "part_shipped",
        "shipped",
        "cancelled",
        "incomplete",
        "late_shipped",
    ),
    *one_of(
        "request_state",
        "unsubmitted",
        "submitted",
        "accepted",
        "rejected",
        "cancellation_requested",
        "cancellation_accepted",
        "cancellation_rejected",
        "closed",
        default="unsubmitted",
    ),
    # Our key at the 3PL and the carrier: unique, immutable, at most 40 characters.
    Column("reference", Text, nullable=False, unique=True),
    words("external_id"),
    words("refused_reason"),
    at("created_at", null=False),
    at("sent_at"),
    at("accepted_at"),
    # The buyer collects it at the location: no label is bought.
    Column("pickup", Boolean(create_constraint=False), nullable=False, server_default=false()),
    # When the location refused, gave up or was too slow: the rest goes to another one.
    at("given_up_at"),
    Index("ix_fulfilment_order_external", "external_id"),
    Index("ix_fulfilment_order_given", "location_id", "created_at"),
    Index("ix_fulfilment_order_work", "work_state", "request_state"),
)

fulfilment_order_line = table(
    "fulfilment_order_line",
    pk(),
    ref("ffo_id", "fulfilment_order"),
    ref("order_line_id", "order_line"),
    ref("sku_id", "sku", index=False),
    ref("reservation_id", "reservation"),
    qty("qty"),
    qty("qty_cancelled"),
    qty("qty_shipped"),
    # How many are in one bundle, as it was when this was planned; null: ordered by itself.
    Column("per_bundle", Quantity, nullable=True),
)

shipment = table(
    "shipment",
    pk(),
    ref("ffo_id", "fulfilment_order"),
    words("carrier"),
    words("service_code"),
    *one_of(
        "state",
        "label_bought",
        "shipped",
        "in_transit",
        "delivered",
        "exception",
        "voided",
        "returned",
        "lost",
    ),
    at("shipped_at"),
    at("delivered_at"),
    # In minor units of label_currency.
    minor("label_cost", null=True),
    words("label_currency"),
    Column("external_id", Text, nullable=False),
    UniqueConstraint("ffo_id", "external_id"),
)

package = table(
    "package",
    pk(),
    ref("shipment_id", "shipment"),
    # Its place in the shipment. That, and no number, tells parcels apart: several may leave under
    # one master number, or under none.
    Column("seq", Integer, nullable=False),
    # Unique within the order, numeric, stable across repeats: Amazon's packageReferenceId.
    Column("package_reference", Text, nullable=False, unique=True),
    words("carrier"),
    Column("tracking_number", Text, nullable=False),
    words("tracking_url"),
    words("label_url"),
    Column("weight_g", Integer, nullable=False, server_default="0"),
    UniqueConstraint("shipment_id", "seq"),
    Index("ix_package_tracking_number", "tracking_number"),
)

package_line = table(
    "package_line",
    pk(),
    ref("package_id", "package"),
    ref("ffo_line_id", "fulfilment_order_line", index=False),
    qty("qty"),
    # Of that, what its order has no room for: it left after the work had ended, or was too much.
    qty("qty_over"),
    UniqueConstraint("package_id", "ffo_line_id"),
)

tracking_event = table(
    "tracking_event",
    pk(),
    ref("package_id", "package", index=False),
    words("code"),
    words("carrier_code"),
    at("occurred_at", null=False),
    words("place"),
    Column("raw_id", BigInteger, nullable=True),
    UniqueConstraint("package_id", "carrier_code", "occurred_at"),
)
