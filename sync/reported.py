"""What a channel reported of an order: as the store holds it, and as a mapping tells it now.

Both are brought to the same flat shape, path -> value, so that a replay touches an order only where
its report really differs. Left out is what belongs to the hub: counters in hand, holds, states.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, Table, select

from mappings import canonical as c
from state import orders
from state import tables as t
from state.batches import among
from state.order_reports import LineRows, OrderRows, RefundRows, TaxedAdjustment
from state.vault import fields
from sync.judgement import cancelled_quantity, has_count

Report = dict[str, Any]
Change = tuple[Any, Any]
"""(before, after); null where there was, or is, nothing."""

_ORDER = (
    "channel_order_name",
    "sub_channel",
    "channel_status",
    "placed_at",
    "channel_updated_at",
    "cancelled_at",
    "currency",
    "prices_include_tax",
    "discount_total",
    "shipping_total",
    "tax_total",
    "grand_total",
    "calc_grand_total",
    "service_name",
    "note",
    "deliver_by_at",
    "source_version",
)
_LINE = (
    "channel_sku",
    "channel_product_id",
    "title",
    "variant_title",
    "gtin",
    "asin",
    "unit_price",
    "line_discount_total",
    "line_tax_total",
    "line_total",
    "requires_shipping",
    "qty_ordered",
)
_ADDRESS = c.Address.__struct_fields__
_ADJUSTMENT = ("kind", "code", "title", "amount", "external_id")
_TAX = ("title", "tax_type", "rate", "amount", "included", "collected_by")
_PAYMENT = c.Payment.__struct_fields__
_REFUND = ("external_id", "amount", "reason", "refunded_at")
_REFUND_LINE = ("qty", "amount", "tax_amount")


def stored(conn: Connection, found: Sequence[Row[Any]]) -> dict[int, OrderRows]:
    """What the store holds of these orders, with a handful of queries for all of them."""
    ids = [row.id for row in found]
    lines = orders.lines(conn, ids)
    parts = {
        table: _grouped(conn, table, table.c.order_id, ids)
        for table in (t.order_adjustment, t.tax_line, t.payment, t.refund)
    }
    found = fields.clear(conn, t.sales_order, found)
    refunds = [row.id for rows in parts[t.refund].values() for row in rows]
    refund_lines = _grouped(conn, t.refund_line, t.refund_line.c.refund_id, refunds)
    address_ids = [i for row in found for i in (row.bill_to_id, row.ship_to_id) if i is not None]
    addresses = _grouped(conn, t.address, t.address.c.id, address_ids)
    return {
        row.id: _assembled(
            row,
            lines.get(row.id, []),
            {table: rows.get(row.id, []) for table, rows in parts.items()},
            refund_lines,
            addresses,
        )
        for row in found
    }


def _grouped(
    conn: Connection, table: Table, column: Any, ids: Sequence[int]
) -> dict[int, list[Row[Any]]]:
    """Rows by ``column``, in the order they were written."""
    found: dict[int, list[Row[Any]]] = {}
    rows = conn.execute(select(table).where(among(column, ids)).order_by(table.c.id))
    for row in fields.clear(conn, table, rows) if table in fields.COLUMNS else rows:
        found.setdefault(getattr(row, column.name), []).append(row)
    return found


def _assembled(
    row: Any,
    lines: Sequence[Any],
    parts: Mapping[Table, Sequence[Any]],
    refund_lines: Mapping[int, Sequence[Any]],
    addresses: Mapping[int, Sequence[Any]],
) -> OrderRows:
    """The store's own rows in the places of those to be written: they have the same columns."""
    taxes = parts[t.tax_line]
    names = {line.id: line.channel_line_id for line in lines}
    return OrderRows(
        order=row,
        lines=[LineRows(line, [x for x in taxes if x.order_line_id == line.id]) for line in lines],
        bill_to=_first(addresses.get(row.bill_to_id)),
        ship_to=_first(addresses.get(row.ship_to_id)),
        adjustments=[
            TaxedAdjustment(one, [x for x in taxes if x.adjustment_id == one.id])
            for one in parts[t.order_adjustment]
        ],
        taxes=[x for x in taxes if x.order_line_id is None and x.adjustment_id is None],
        payments=parts[t.payment],
        refunds=[
            RefundRows(
                refund,
                [(names.get(x.order_line_id), x) for x in refund_lines.get(refund.id, [])],
            )
            for refund in parts[t.refund]
        ],
    )


def _first(rows: Sequence[Any] | None) -> Any:
    return rows[0] if rows else None


def differences(
    held: OrderRows, told: OrderRows, record: c.Order, *, settled: bool
) -> dict[str, Change]:
    """Where the report told now differs from the one held, by path.

    ``settled``: the order was changed once after its hand-over, and a person settled how many are
    shipped and cancelled; quantities are then not compared.
    """
    told_lines = _known_lines(told)
    kept = [line for line in held.lines if not _is_gone(line, told_lines, settled=settled)]
    before = _flat(replace(held, lines=kept), _known_lines(held))
    after = _flat(told, _known_lines(held, told))
    paths = [path for path in {**before, **after} if not _is_kept(path, told, settled=settled)]
    found = {
        path: (before.get(path), after.get(path))
        for path in paths
        if before.get(path) != after.get(path)
    }
    if not settled and record.status in ("pending", "ready"):
        found |= _cancelled(held, record)
    return found


def _known_lines(*reports: OrderRows) -> set[str]:
    return {line.values.channel_line_id for report in reports for line in report.lines}


def _is_kept(path: str, told: OrderRows, *, settled: bool) -> bool:
    """Does an amendment leave this as it is, because the report is silent or the hub decides?"""
    if path.startswith("ship_to."):
        return told.ship_to is None
    if path.startswith("bill_to."):
        return told.bill_to is None
    if path == "cancelled_at":
        return told.order.cancelled_at is None
    return settled and path.endswith(".qty_ordered")


def _is_gone(line: LineRows, told_lines: set[str], *, settled: bool) -> bool:
    """Did the channel take this line back before? It stays in the store, with nothing left."""
    values: Any = line.values
    if values.channel_line_id in told_lines or values.park_reason == "mapping":
        return False
    in_hand = values.qty_allocated + values.qty_released + values.qty_shipped
    open_qty = values.qty_ordered - values.qty_cancelled - in_hand
    worthless = not (line.taxes or values.line_total or values.line_discount_total)
    return bool(worthless and (settled or open_qty <= 0))


def _cancelled(held: OrderRows, record: c.Order) -> dict[str, Change]:
    """Lines of which the report takes back more, or less, than was taken back so far."""
    told = {line.channel_line_id: line for line in record.lines}
    found: dict[str, Change] = {}
    for line in held.lines:
        values: Any = line.values
        reported = told.get(values.channel_line_id)
        if reported is None or not has_count(values.park_reason):
            continue
        wanted = cancelled_quantity(reported, record.refunds, Decimal(values.qty_shipped))
        if wanted != values.qty_cancelled:
            path = f"lines[{values.channel_line_id}].qty_cancelled"
            found[path] = (values.qty_cancelled, wanted)
    return found


def _flat(rows: OrderRows, line_ids: set[str]) -> Report:
    report: Report = {}
    _put(report, "", rows.order, _ORDER)
    for name, address in (("bill_to", rows.bill_to), ("ship_to", rows.ship_to)):
        if address is not None:
            _put(report, f"{name}.", address, _ADDRESS)
    for line in rows.lines:
        path = f"lines[{line.values.channel_line_id}]"
        _put(report, f"{path}.", line.values, _LINE)
        _put_each(report, f"{path}.taxes", line.taxes, _TAX)
    for number, adjustment in enumerate(rows.adjustments):
        path = f"adjustments[{number}]"
        _put(report, f"{path}.", adjustment.values, _ADJUSTMENT)
        _put_each(report, f"{path}.taxes", adjustment.taxes, _TAX)
    _put_each(report, "taxes", rows.taxes, _TAX)
    _put_each(report, "payments", rows.payments, _PAYMENT)
    for refund in rows.refunds:
        path = f"refunds[{refund.values.external_id}]"
        _put(report, f"{path}.", refund.values, _REFUND)
        _put_each(report, f"{path}.lines", [line for _, line in refund.lines], _REFUND_LINE)
        for number, (line_id, _) in enumerate(refund.lines):
            # A refund may name a line that the order does not have; the store keeps no name then.
            report[f"{path}.lines[{number}].line"] = line_id if line_id in line_ids else None
    return report


def _put(report: Report, prefix: str, values: Any, names: Iterable[str]) -> None:
    report.update((f"{prefix}{name}", getattr(values, name)) for name in names)


def _put_each(report: Report, path: str, items: Sequence[Any], names: Iterable[str]) -> None:
    for number, item in enumerate(items):
        _put(report, f"{path}[{number}].", item, tuple(names))
