"""The reconciliation of a period: one row per order, and a summary that adds up to the rows.

Amounts are decimals in units of the order's currency, exact to its minor unit; nothing is
converted, so the summary has one row per connection and currency.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, func, select

from mappings.numbers import major_units
from state import tables as t
from state.batches import chunked

AMOUNTS = (
    "gross",
    "discounts",
    "shipping",
    "fees_and_other",
    "tax_total",
    "calculated_total",
    "channel_total",
    "variance",
    "payments",
    "refunds",
    "goods_shipped",
)
"""Amount columns in file order. gross - discounts + shipping + fees_and_other + tax that is not
included in prices = calculated_total; calculated_total - channel_total = variance."""

UNITS = ("units_ordered", "units_cancelled", "units_shipped")

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What goes into the files. ``taxes``: one row per order and rate."""

    first: date
    last: date
    orders: list[Row]
    taxes: list[Row]
    summary: list[Row]
    parked_records: int


def reconcile(conn: Connection, first: date, last: date) -> Reconciliation:
    """Every order whose business date lies in [first, last], ignored ones (not ours) apart."""
    order = t.sales_order
    query = (
        select(order, t.connection.c.name.label("connection"))
        .join(t.connection, t.connection.c.id == order.c.connection_id)
        .where(order.c.business_date.between(first, last), order.c.intake_state != "ignored")
        .order_by(t.connection.c.name, order.c.business_date, order.c.id)
    )
    found = list(conn.execute(query))
    rows: list[Row] = []
    taxes: list[Row] = []
    for chunk in chunked(found):
        parts = _Parts(conn, [row.id for row in chunk])
        for head in chunk:
            rows.append(_order_row(head, parts))
            taxes.extend(_tax_rows(head, parts))
    _spread_taxes(rows, taxes)
    parked = select(func.count()).where(t.inbox.c.state == "parked", t.inbox.c.topic == "orders")
    return Reconciliation(first, last, rows, taxes, summarise(rows), conn.scalar(parked) or 0)


class _Parts:
    """The sums behind a slice of orders: a few grouped queries instead of many small ones."""

    def __init__(self, conn: Connection, ids: Sequence[int]) -> None:
        line, tax = t.order_line.c, t.tax_line.c
        self.lines: dict[int, list[Any]] = {}
        for row in conn.execute(select(t.order_line).where(line.order_id.in_(ids))):
            self.lines.setdefault(row.order_id, []).append(row)
        self.adjustments = self._grouped(
            conn, t.order_adjustment, ids, t.order_adjustment.c.kind, t.order_adjustment.c.amount
        )
        self.payments = self._sum(conn, t.payment, ids, t.payment.c.amount_captured)
        self.refunds = self._sum(conn, t.refund, ids, t.refund.c.amount)
        self.taxes: dict[int, dict[tuple[str, bool, str], int]] = {}
        query = (
            select(tax.order_id, tax.rate, tax.included, tax.collected_by, func.sum(tax.amount))
            .where(tax.order_id.in_(ids))
            .group_by(tax.order_id, tax.rate, tax.included, tax.collected_by)
            .order_by(tax.order_id, tax.rate, tax.included, tax.collected_by)
        )
        for order_id, rate, included, by, amount in conn.execute(query):
            mark = (rate or "unknown", bool(included), by)
            self.taxes.setdefault(order_id, {})[mark] = int(amount)

    @staticmethod
    def _grouped(conn: Connection, table: Any, ids: Sequence[int], kind: Any, amount: Any) -> Any:
        found: dict[int, dict[str, int]] = {}
        query = select(table.c.order_id, kind, func.sum(amount)).where(table.c.order_id.in_(ids))
        for order_id, name, total in conn.execute(query.group_by(table.c.order_id, kind)):
            found.setdefault(order_id, {})[name] = int(total)
        return found

    @staticmethod
    def _sum(conn: Connection, table: Any, ids: Sequence[int], amount: Any) -> dict[int, int]:
        query = select(table.c.order_id, func.sum(amount)).where(table.c.order_id.in_(ids))
        return {row[0]: int(row[1]) for row in conn.execute(query.group_by(table.c.order_id))}


def _order_row(head: Any, parts: _Parts) -> Row:
    lines = parts.lines.get(head.id, [])
    adjustments = parts.adjustments.get(head.id, {})
    line_discounts = sum(line.line_discount_total for line in lines)
    discounts = line_discounts - sum(
        adjustments.get(kind, 0) for kind in ("discount", "shipping_discount")
    )
    shipping = adjustments.get("shipping", 0)
    other = sum(adjustments.values()) - shipping + discounts - line_discounts
    minor = {
        "gross": sum(line.line_total for line in lines) + line_discounts,
        "discounts": discounts,
        "shipping": shipping,
        "fees_and_other": other,
        "tax_total": sum(parts.taxes.get(head.id, {}).values()),
        "calculated_total": head.calc_grand_total,
        "channel_total": head.grand_total,
        "variance": head.total_variance,
        "payments": parts.payments.get(head.id, 0),
        "refunds": parts.refunds.get(head.id, 0),
        "goods_shipped": sum(_shipped_value(line) for line in lines),
    }
    return {
        "connection": head.connection,
        "business_date": head.business_date,
        "order": head.channel_order_name,
        "channel_order_id": head.channel_order_id,
        "placed_at": head.placed_at,
        "state": head.intake_state,
        "channel_status": head.channel_status,
        "currency": head.currency,
        **{name: major_units(minor[name], head.currency) for name in AMOUNTS},
        "units_ordered": sum((line.qty_ordered for line in lines), Decimal(0)),
        "units_cancelled": sum((line.qty_cancelled for line in lines), Decimal(0)),
        "units_shipped": sum((line.qty_shipped for line in lines), Decimal(0)),
    }


def _shipped_value(line: Any) -> int:
    """A line's total in proportion to what has left; a part is rounded down to a minor unit."""
    if not line.qty_shipped or line.qty_ordered <= 0:
        return 0
    return int(line.line_total * line.qty_shipped // line.qty_ordered)


def _tax_rows(head: Any, parts: _Parts) -> list[Row]:
    return [
        {
            "connection": head.connection,
            "business_date": head.business_date,
            "order": head.channel_order_name,
            "currency": head.currency,
            "rate_percent": rate,
            "included_in_price": included,
            "collected_by": by,
            "amount": major_units(amount, head.currency),
        }
        for (rate, included, by), amount in parts.taxes.get(head.id, {}).items()
    ]


def _spread_taxes(rows: Iterable[Row], taxes: Iterable[Row]) -> None:
    """Give every order row one column per tax rate that occurs in the period."""
    by_order: dict[tuple[str, str], dict[str, Decimal]] = {}
    for tax in taxes:
        column = f"tax_{tax['rate_percent']}"
        amounts = by_order.setdefault((tax["connection"], tax["order"]), {})
        amounts[column] = amounts.get(column, Decimal(0)) + tax["amount"]
    columns = sorted({name for amounts in by_order.values() for name in amounts})
    for row in rows:
        amounts = by_order.get((row["connection"], row["order"]), {})
        for column in columns:
            row[column] = amounts.get(column, major_units(0, row["currency"]))


def summarise(rows: Iterable[Row]) -> list[Row]:
    """Totals per connection and currency: by construction the sums of the rows."""
    totals: dict[tuple[str, str], Row] = {}
    for row in rows:
        mark = (row["connection"], row["currency"])
        total = totals.setdefault(
            mark, {"connection": mark[0], "currency": mark[1], "orders": 0, "parked": 0}
        )
        total["orders"] += 1
        total["parked"] += row["state"] == "parked"
        for name, value in row.items():
            if name in AMOUNTS or name in UNITS or name.startswith("tax_"):
                total[name] = total.get(name, Decimal(0)) + value
    return [totals[mark] for mark in sorted(totals)]
