"""What an order should cost by its own parts, to be held against what the channel says it costs."""

from __future__ import annotations

from collections.abc import Iterator

from mappings.canonical import Minor, Order, TaxLine


def calculated_total(order: Order) -> Minor:
    """Lines + adjustments + taxes that are not included in them, in minor units.

    Tax is counted in one place: where the order itself has ``taxes`` they are the whole tax, and
    those of lines and adjustments are a breakdown of the same money (WooCommerce, whose breakdown
    is not rounded the way its total is). Only where the order has none are the taxes of lines and
    adjustments added up.

    The result is compared with ``grand_total`` and never replaces it.
    """
    goods = sum(line.line_total for line in order.lines)
    adjustments = sum(adjustment.amount for adjustment in order.adjustments)
    taxes = order.taxes or _taxes_of_parts(order)
    return goods + adjustments + sum(tax.amount for tax in taxes if not tax.included)


def _taxes_of_parts(order: Order) -> Iterator[TaxLine]:
    for line in order.lines:
        yield from line.taxes
    for adjustment in order.adjustments:
        yield from adjustment.taxes
