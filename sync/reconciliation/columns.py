"""What a reconciliation's tables hold: their columns, in file order.

The tables are ``summary`` (one row per connection and currency), ``orders`` (one row per order) and
``tax`` (one row per order, tax and rate).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Kind = Literal["text", "date", "time", "flag", "count", "amount", "units"]
"""``amount``: exact decimal in units of the row's currency; ``units``: quantity, six decimals;
``time``: aware, UTC; ``date``: the business date in the channel's time zone."""

UNKNOWN_RATE = "unknown"
"""Stands in for the rate of a tax whose rate the channel does not tell."""


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    kind: Kind = "text"


AMOUNTS = (
    "gross",
    "discounts",
    "shipping",
    "fees_and_other",
    "tax_included",
    "tax_not_included",
    "tax_total",
    "calculated_total",
    "channel_total",
    "variance",
    "payments",
    "refunds",
    "goods_shipped",
)
"""What every order and every summary row has:

* ``gross`` is goods before discounts; it contains ``tax_included`` where prices do;
* gross - discounts + shipping + fees_and_other + tax_not_included = calculated_total;
* calculated_total - channel_total = variance;
* tax_included + tax_not_included = tax_total = the sum of the ``tax_rate_...`` columns;
* ``payments`` were captured, ``refunds`` confirmed, both as positive amounts;
* ``goods_shipped`` is the part of gross - discounts of the lines that has left through us.
"""

UNITS = ("units_ordered", "units_cancelled", "units_shipped")


def rate_column(rate: str) -> str:
    """The column of one tax rate in percent: ``tax_rate_19``."""
    return f"tax_rate_{rate}"


def rate_size(rate: str) -> tuple[bool, Decimal]:
    """Sorts rates: the smallest first, the unknown last."""
    return rate == UNKNOWN_RATE, Decimal(0) if rate == UNKNOWN_RATE else Decimal(rate)


def tables(rates: Sequence[str]) -> dict[str, tuple[Column, ...]]:
    """Every table's columns in a period in which these tax rates occur."""
    amounts = [Column(name, "amount") for name in (*AMOUNTS, *map(rate_column, rates))]
    units = [Column(name, "units") for name in UNITS]
    return {
        "summary": (
            Column("connection"),
            Column("currency"),
            Column("orders", "count"),
            Column("parked", "count"),
            Column("cancelled", "count"),
            Column("with_variance", "count"),
            *amounts,
            Column("cancelled_total", "amount"),
            *units,
        ),
        "orders": (
            Column("connection"),
            Column("business_date", "date"),
            Column("order"),
            Column("channel_order_id"),
            Column("placed_at", "time"),
            Column("state"),
            Column("channel_status"),
            Column("currency"),
            *amounts,
            *units,
        ),
        "tax": (
            Column("connection"),
            Column("business_date", "date"),
            Column("order"),
            Column("channel_order_id"),
            Column("currency"),
            Column("tax"),
            Column("tax_type"),
            Column("rate_percent"),
            Column("included_in_price", "flag"),
            Column("collected_by"),
            Column("amount", "amount"),
        ),
    }
