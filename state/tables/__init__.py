"""Every table, by name: ``from state import tables as t`` and then ``t.sales_order``."""

from __future__ import annotations

from state.tables.base import metadata
from state.tables.catalogue import (
    channel_listing,
    product,
    sku,
    sku_alias,
)
from state.tables.fulfilment import (
    fulfilment_order,
    fulfilment_order_line,
    package,
    package_line,
    routing_decision,
    shipment,
    tracking_event,
)
from state.tables.orders import (
    address,
    hold,
    order_adjustment,
    order_event,
    order_line,
    order_return,
    payment,
    refund,
    refund_line,
    return_line,
    sales_order,
    tax_line,
)
from state.tables.plumbing import audit_event, connection, inbox, intent, rate_bucket, run, stream
from state.tables.promise import (
    channel_availability,
    dirty_sku,
    guard_change,
    guard_hold,
    location_group,
    promise_ground,
    sku_tag,
)
from state.tables.stock import (
    channel_location,
    inventory_ledger,
    inventory_level,
    location,
    reservation,
)

__all__ = [
    "address",
    "audit_event",
    "channel_availability",
    "channel_listing",
    "channel_location",
    "connection",
    "dirty_sku",
    "fulfilment_order",
    "fulfilment_order_line",
    "guard_change",
    "guard_hold",
    "hold",
    "inbox",
    "intent",
    "inventory_ledger",
    "inventory_level",
    "location",
    "location_group",
    "metadata",
    "order_adjustment",
    "order_event",
    "order_line",
    "order_return",
    "package",
    "package_line",
    "payment",
    "product",
    "promise_ground",
    "rate_bucket",
    "refund",
    "refund_line",
    "reservation",
    "return_line",
    "routing_decision",
    "run",
    "sales_order",
    "shipment",
    "sku",
    "sku_alias",
    "sku_tag",
    "stream",
    "tax_line",
    "tracking_event",
]
