"""Money: totals add up, and no more goes back than came."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, Table, case, func, or_, select

from state import tables as t
from sync.invariants.rule import Rule, total

_order, _line, _tax = t.sales_order, t.order_line, t.tax_line


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


def _unlike_its_parts() -> Select[Any]:
    """What was kept of an order adds up as ``mappings.totals`` did when it was read."""
    lines = _sum_by_order(_line, _line.c.line_total)
    adjustments = _sum_by_order(t.order_adjustment, t.order_adjustment.c.amount)
    of_order = _tax.c.order_line_id.is_(None) & _tax.c.adjustment_id.is_(None)
    on_top = case((_tax.c.included, 0), else_=_tax.c.amount)
    taxes = (
        select(
            _tax.c.order_id,
            case(
                (func.max(case((of_order, 1), else_=0)) == 1, total(case((of_order, on_top)))),
                else_=total(on_top),
            ).label("amount"),
        )
        .group_by(_tax.c.order_id)
        .subquery()
    )
    parts = [func.coalesce(part.c.amount, 0) for part in (lines, adjustments, taxes)]
    query = select(_order.c.id)
    for part in (lines, adjustments, taxes):
        query = query.outerjoin(part, part.c.order_id == _order.c.id)
    return query.where(
        or_(
            _order.c.calc_grand_total != parts[0] + parts[1] + parts[2],
            _order.c.total_variance != _order.c.calc_grand_total - _order.c.grand_total,
        )
    )


def _sum_by_order(table: Table, amount: ColumnElement[Any]) -> Subquery:
    query = select(table.c.order_id, func.sum(amount).label("amount"))
    return query.group_by(table.c.order_id).subquery()


RULES = (
    Rule(
        "totals_add_up",
        "flows although its parts differ from the channel's total",
        "order {id}",
        _flows_with_variance(),
    ),
    Rule(
        "totals_are_of_their_parts",
        "its totals differ from what was kept of its lines, adjustments and taxes",
        "order {id}",
        _unlike_its_parts(),
    ),
    Rule(
        "refunds_within_payments",
        "refunded more than was captured",
        "order {order_id}",
        _refunded_more_than_captured(),
    ),
)
