"""The rows of a reconciliation, from the store, some hundred orders at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from mappings.numbers import major_units
from state import tables as t
from sync.reconciliation.columns import UNKNOWN_RATE, rate_column, rate_size

Row = dict[str, Any]

ORDERS_AT_ONCE = 500
"""Held in memory together with all their parts."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of the ``orders`` table, and of the ``tax`` table for the same orders."""

    orders: list[Row]
    tax: list[Row]


def rates(conn: Connection, wanted: ColumnElement[bool]) -> tuple[str, ...]:
    """The tax rates of the orders that fulfil ``wanted``, smallest first."""
    query = (
        select(t.tax_line.c.rate)
        .join(t.sales_order, t.sales_order.c.id == t.tax_line.c.order_id)
        .where(wanted, _counted())
        .distinct()
    )
    return tuple(sorted((rate or UNKNOWN_RATE for rate in conn.scalars(query)), key=rate_size))


def batches(conn: Connection, wanted: ColumnElement[bool], rates: Sequence[str]) -> Iterator[Batch]:
    """Orders that fulfil ``wanted``, sorted by what does not depend on when they came in."""
    order = t.sales_order.c
    query = (
        select(
            order.id,
            order.channel_order_id,
            order.channel_order_name,
            order.business_date,
            order.placed_at,
            order.intake_state,
            order.channel_status,
            order.currency,
            order.calc_grand_total,
            order.grand_total,
            order.total_variance,
            t.connection.c.name.label("connection"),
        )
        .join(t.connection, t.connection.c.id == order.connection_id)
        .where(wanted)
        .order_by(order.connection_id, order.business_date, order.placed_at, order.channel_order_id)
    )
    found = conn.execute(query.execution_options(yield_per=ORDERS_AT_ONCE))
    for heads in found.partitions():
        parts = _Parts(conn, [head.id for head in heads])
        yield Batch(
            orders=[_order_row(head, parts, rates) for head in heads],
            tax=[row for head in heads for row in _tax_rows(head, parts)],
        )


def _counted() -> ColumnElement[bool]:
    """The tax lines that make up an order's tax, each amount once.

    Where the order itself has taxes they are the whole, and those of its lines and adjustments
    the same money broken down (see ``mappings.totals``).
    """
    tax, whole = t.tax_line, t.tax_line.alias("whole")
    has_whole = select(whole.c.id).where(
        whole.c.order_id == tax.c.order_id,
        whole.c.order_line_id.is_(None),
        whole.c.adjustment_id.is_(None),
    )
    of_order = and_(tax.c.order_line_id.is_(None), tax.c.adjustment_id.is_(None))
    return or_(of_order, ~has_whole.exists())


class _Parts:
    """What a slice of orders is made of: a few grouped queries instead of many small ones."""

    def __init__(self, conn: Connection, ids: Sequence[int]) -> None:
        line, adjustment, tax = t.order_line.c, t.order_adjustment.c, t.tax_line.c
        self.lines: dict[int, list[Any]] = {}
        for row in conn.execute(select(t.order_line).where(line.order_id.in_(ids))):
            self.lines.setdefault(row.order_id, []).append(row)

        self.adjustments: dict[int, dict[str, int]] = {}
        kind = (adjustment.order_id, adjustment.kind)
        given = select(*kind, func.sum(adjustment.amount)).where(adjustment.order_id.in_(ids))
        for order_id, name, amount in conn.execute(given.group_by(*kind)):
            self.adjustments.setdefault(order_id, {})[name] = int(amount)

        self.taxes: dict[int, list[Any]] = {}
        sort = (tax.order_id, tax.title, tax.tax_type, tax.rate, tax.included, tax.collected_by)
        levied = select(*sort, func.sum(tax.amount).label("amount"))
        levied = levied.where(tax.order_id.in_(ids), _counted()).group_by(*sort)
        for row in conn.execute(levied):
            self.taxes.setdefault(row.order_id, []).append(row)

        self.payments = _sums(conn, t.payment.c.order_id, t.payment.c.amount_captured, ids)
        confirmed = t.refund.c.state == "confirmed"
        self.refunds = _sums(conn, t.refund.c.order_id, t.refund.c.amount, ids, confirmed)


def _sums(
    conn: Connection, order_id: Any, amount: Any, ids: Sequence[int], *only: ColumnElement[bool]
) -> dict[int, int]:
    query = select(order_id, func.sum(amount)).where(order_id.in_(ids), *only).group_by(order_id)
    return {row[0]: int(row[1]) for row in conn.execute(query)}


def _order_row(head: Any, parts: _Parts, rates: Sequence[str]) -> Row:
    lines = parts.lines.get(head.id, [])
    taxes = parts.taxes.get(head.id, [])
    minor = _amounts(head, parts) | dict.fromkeys(map(rate_column, rates), 0)
    for tax in taxes:
        minor[rate_column(tax.rate or UNKNOWN_RATE)] += int(tax.amount)
    return {
        "connection": head.connection,
        "business_date": head.business_date,
        "order": head.channel_order_name,
        "channel_order_id": head.channel_order_id,
        "placed_at": head.placed_at,
        "state": head.intake_state,
        "channel_status": head.channel_status,
        "currency": head.currency,
        **{name: major_units(amount, head.currency) for name, amount in minor.items()},
        "units_ordered": sum((line.qty_ordered for line in lines), Decimal(0)),
        "units_cancelled": sum((line.qty_cancelled for line in lines), Decimal(0)),
        "units_shipped": sum((line.qty_shipped for line in lines), Decimal(0)),
    }


def _amounts(head: Any, parts: _Parts) -> dict[str, int]:
    """``AMOUNTS`` of one order in minor units. Discounts are positive here, as finance has them."""
    lines, taxes = parts.lines.get(head.id, []), parts.taxes.get(head.id, [])
    kinds = dict(parts.adjustments.get(head.id, {}))
    off_lines = sum(line.line_discount_total for line in lines)
    off_order = -kinds.pop("discount", 0) - kinds.pop("shipping_discount", 0)
    included = sum(int(tax.amount) for tax in taxes if tax.included)
    on_top = sum(int(tax.amount) for tax in taxes if not tax.included)
    return {
        "gross": sum(line.line_total for line in lines) + off_lines,
        "discounts": off_lines + off_order,
        "shipping": kinds.pop("shipping", 0),
        "fees_and_other": sum(kinds.values()),
        "tax_included": included,
        "tax_not_included": on_top,
        "tax_total": included + on_top,
        "calculated_total": head.calc_grand_total,
        "channel_total": head.grand_total,
        "variance": head.total_variance,
        "payments": parts.payments.get(head.id, 0),
        "refunds": parts.refunds.get(head.id, 0),
        "goods_shipped": sum(_shipped_value(line) for line in lines),
    }


def _shipped_value(line: Any) -> int:
    """A line's total in proportion to what has left, without the fraction of a minor unit."""
    if line.qty_ordered <= 0:
        return 0
    return int(line.line_total * line.qty_shipped / line.qty_ordered)


def _tax_rows(head: Any, parts: _Parts) -> list[Row]:
    taxes = parts.taxes.get(head.id, [])
    rows = [
        {
            "connection": head.connection,
            "business_date": head.business_date,
            "order": head.channel_order_name,
            "channel_order_id": head.channel_order_id,
            "currency": head.currency,
            "tax": tax.title,
            "tax_type": tax.tax_type,
            "rate_percent": tax.rate or UNKNOWN_RATE,
            "included_in_price": bool(tax.included),
            "collected_by": tax.collected_by,
            "amount": major_units(int(tax.amount), head.currency),
        }
        for tax in taxes
    ]
    return sorted(rows, key=_tax_order)


def _tax_order(row: Row) -> tuple[Any, ...]:
    """The databases sort text and nulls in ways of their own."""
    names = ("tax", "tax_type", "included_in_price", "collected_by")
    return rate_size(row["rate_percent"]), *(row[name] for name in names)
