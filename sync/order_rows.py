"""A canonical order as rows of the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache

from mappings import ItemProblem
from mappings import canonical as c
from mappings.totals import calculated_total
from state.order_reports import (
    AdjustmentValues,
    LineRows,
    LineValues,
    OrderRows,
    OrderValues,
    RefundLineValues,
    RefundRows,
    RefundValues,
    TaxedAdjustment,
    TaxValues,
)
from sync.context import Link
from sync.judgement import cancelled_quantity, has_count, park_reason
from sync.reading import Reading

_NONE = Decimal(0)


def order_rows(arrival: Reading, skus: Mapping[str, int], link: Link, now: datetime) -> OrderRows:
    """All that the channel says of an order; ``skus`` maps channel SKUs to our ids."""
    order: c.Order = arrival.record
    calculated = calculated_total(order)
    values = OrderValues(
        connection_id=link.id,
        channel_order_id=order.channel_order_id,
        channel_order_name=order.channel_order_name or order.channel_order_id,
        sub_channel=order.sub_channel,
        channel_status=order.status,
        placed_at=order.placed_at,
        business_date=order.placed_at.astimezone(link.timezone).date(),
        channel_updated_at=order.channel_updated_at,
        cancelled_at=order.cancelled_at,
        recorded_at=now,
        currency=order.currency,
        prices_include_tax=order.prices_include_tax,
        discount_total=order.discount_total,
        shipping_total=order.shipping_total,
        tax_total=order.tax_total,
        grand_total=order.grand_total,
        calc_grand_total=calculated,
        total_variance=calculated - order.grand_total,
        service_name=order.service_name,
        note=order.note,
        deliver_by_at=order.deliver_by_at,
        raw_id=arrival.raw_id,
        mapping_version=arrival.received.mapping_version,
        source_version=order.source_version,
    )
    return OrderRows(
        values,
        line_rows(order, arrival.item_problems, skus),
        order.bill_to,
        order.ship_to,
        [TaxedAdjustment(_adjustment(one), _taxes(one.taxes)) for one in order.adjustments],
        _taxes(order.taxes),
        order.payments,
        [_refund(refund) for refund in order.refunds],
    )


def line_rows(
    order: c.Order, item_problems: Sequence[ItemProblem], skus: Mapping[str, int]
) -> list[LineRows]:
    seen: dict[str, int] = {}
    rows = [_line(no, line, order, skus, seen) for no, line in enumerate(order.lines, start=1)]
    for problem in item_problems:
        if problem.field == "lines":
            rows.append(_unreadable_line(len(rows) + 1, problem))
    return rows


def _line(
    no: int, line: c.OrderLine, order: c.Order, skus: Mapping[str, int], seen: dict[str, int]
) -> LineRows:
    # Shops have been seen to repeat a line id within one order: the second gets a suffix.
    repeat = seen[line.channel_line_id] = seen.get(line.channel_line_id, 0) + 1
    suffix = "" if repeat == 1 else f"#{repeat}"
    sku_id = skus.get(line.channel_sku)
    reason, detail = park_reason(line, sku_id)
    values = LineValues(
        line_no=no,
        channel_line_id=line.channel_line_id + suffix,
        sku_id=sku_id,
        channel_sku=line.channel_sku,
        channel_product_id=line.channel_product_id,
        title=line.title,
        variant_title=line.variant_title,
        gtin=line.gtin,
        asin=line.asin,
        unit_price=line.unit_price,
        line_discount_total=line.line_discount_total,
        line_tax_total=sum([tax.amount for tax in line.taxes]),
        line_total=line.line_total,
        requires_shipping=line.requires_shipping,
        qty_ordered=line.quantity,
        qty_cancelled=_cancelled(line, order) if has_count(reason) else _NONE,
        park_reason=reason,
        park_detail=detail,
    )
    return LineRows(values, _taxes(line.taxes))


def _cancelled(line: c.OrderLine, order: c.Order) -> Decimal:
    """What has left cannot be cancelled."""
    if order.status == "fulfilled":
        return _NONE
    if order.status == "cancelled":
        return line.quantity
    return cancelled_quantity(line, order.refunds, _NONE)


def _unreadable_line(no: int, problem: ItemProblem) -> LineRows:
    """A line that did not map: kept in sight, out of everybody's way."""
    said = "; ".join(str(p) for p in problem.problems)
    return LineRows(
        LineValues(
            line_no=no,
            channel_line_id=f"unreadable-{problem.index}",
            sku_id=None,
            title=f"(line {problem.index + 1} could not be read)",
            park_reason="mapping",
            park_detail=f"{said}; correct the mapping definition, then 'crossdock retry'",
        )
    )


def _adjustment(one: c.Adjustment) -> AdjustmentValues:
    return AdjustmentValues(
        kind=one.kind,
        code=one.code,
        title=one.title,
        amount=one.amount,
        external_id=one.external_id,
    )


def _taxes(taxes: Sequence[c.TaxLine]) -> list[TaxValues]:
    return [
        TaxValues(
            title=tax.title,
            tax_type=tax.tax_type,
            rate=None if tax.rate is None else _rate_text(tax.rate),
            amount=tax.amount,
            included=tax.included,
            collected_by=tax.collected_by,
        )
        for tax in taxes
    ]


@lru_cache(maxsize=1024)  # a shop has a handful of rates
def _rate_text(rate: Decimal) -> str:
    return format(rate.normalize(), "f")


def _refund(refund: c.Refund) -> RefundRows:
    values = RefundValues(
        external_id=refund.external_id,
        amount=refund.amount,
        reason=refund.reason,
        refunded_at=refund.refunded_at,
    )
    lines = [
        (
            line.channel_line_id,
            RefundLineValues(qty=line.quantity, amount=line.amount, tax_amount=line.tax_amount),
        )
        for line in refund.lines
    ]
    return RefundRows(values, lines)
