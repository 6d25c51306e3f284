"""Money: totals add up, and no more goes back than came."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, func, select

from state import tables as t
from sync.invariants.rule import Rule

_order, _line = t.sales_order, t.order_line


def _flows_with_variance() -> Select[Any]:
    """Unless a person has released it, or a line is unreadable and so missing from our sum. What
    the channel has cancelled does not flow, though a location may not have answered yet."""
    released = select(t.hold.c.id).where(
        t.hold.c.order_id == _order.c.id,
        t.hold.c.kind == "total_variance",
        t.hold.c.released_at.is_not(None),
    )
    unreadable = select(_line.c.id).where(
        _line.c.order_id == _order.c.id, _line.c.park_reason == "mapping"
    )
    return select(_order.c.id).where(
        _order.c.intake_state == "accepted",
        _order.c.channel_status != "cancelled",
        _order.c.total_variance != 0,
        ~released.exists(),
        ~unreadable.exists(),
    )


def _refunded_more_than_captured() -> Select[Any]:
    """Where the channel tells of captures at all."""
    paid = (
        select(t.payment.c.order_id, func.sum(t.payment.c.amount_captured).label("captured"))
        .group_by(t.payment.c.order_id)
        .subquery()
    )
    return (
        select(t.refund.c.order_id)
        .join(paid, paid.c.order_id == t.refund.c.order_id)
        .where(t.refund.c.state == "confirmed", paid.c.captured > 0)
        .group_by(t.refund.c.order_id, paid.c.captured)
        .having(func.sum(t.refund.c.amount) > paid.c.captured)
    )


RULES = (
    Rule(
        "totals_add_up",
        "flows although its parts differ from the channel's total",
        "order {id}",
        _flows_with_variance(),
    ),
    Rule(
        "refunds_within_payments",
        "refunded more than was captured",
        "order {order_id}",
        _refunded_more_than_captured(),
    ),
)
