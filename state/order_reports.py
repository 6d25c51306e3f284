"""What a channel reports of an order, as rows: written together, or in place of older ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec
from msgspec.structs import asdict
from sqlalchemy import Connection, Row, delete, select, update

from state import orders
from state import tables as t
from state.batches import Rows
from state.ids import FreshIds, insert_one, take_ids
from state.vault.fields import sealed_values
from state.vault.keys import DataKey, Owner
from state.vault.reports import Sealer, sealed


class Values(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Columns of a row by name, without the ids that the database will give."""


class OrderValues(Values, frozen=True, kw_only=True, gc=False):
    connection_id: int
    channel_order_id: str
    channel_order_name: str
    sub_channel: str
    channel_status: str
    placed_at: datetime
    business_date: date
    channel_updated_at: datetime
    cancelled_at: datetime | None
    recorded_at: datetime
    currency: str
    prices_include_tax: bool
    discount_total: int
    shipping_total: int
    tax_total: int
    grand_total: int
    calc_grand_total: int
    total_variance: int
    service_name: str
    note: str
    deliver_by_at: datetime | None
    raw_id: int
    mapping_version: str
    source_version: str


class LineValues(Values, frozen=True, kw_only=True, gc=False):
    line_no: int
    channel_line_id: str
    sku_id: int | None
    channel_sku: str = ""
    channel_product_id: str = ""
    title: str
    variant_title: str = ""
    gtin: str = ""
    asin: str = ""
    unit_price: int = 0
    line_discount_total: int = 0
    line_tax_total: int = 0
    line_total: int = 0
    requires_shipping: bool = True
    qty_ordered: Decimal = Decimal(0)
    qty_cancelled: Decimal = Decimal(0)
    park_reason: str | None
    park_detail: str


class AdjustmentValues(Values, frozen=True, kw_only=True, gc=False):
    kind: str
    code: str
    title: str
    amount: int
    external_id: str


class TaxValues(Values, frozen=True, kw_only=True, gc=False):
    title: str
    tax_type: str
    rate: str | None
    amount: int
    included: bool
    collected_by: str


class RefundValues(Values, frozen=True, kw_only=True, gc=False):
    external_id: str
    amount: int
    reason: str
    refunded_at: datetime | None


class RefundLineValues(Values, frozen=True, kw_only=True, gc=False):
    qty: Decimal
    amount: int
    tax_amount: int


@dataclass(slots=True)
class TaxedAdjustment:
    values: AdjustmentValues
    taxes: Sequence[TaxValues] = ()


@dataclass(slots=True)
class LineRows:
    values: LineValues
    taxes: Sequence[TaxValues] = ()


@dataclass(slots=True)
class RefundRows:
    """``lines`` with the channel's id of their order line, until ours are known."""

    values: RefundValues
    lines: Sequence[tuple[str | None, RefundLineValues]] = ()


@dataclass(slots=True)
class OrderRows:
    """One order as rows; addresses and payments as the canonical record has them."""

    order: OrderValues
    lines: list[LineRows]
    bill_to: msgspec.Struct | None = None
    ship_to: msgspec.Struct | None = None
    adjustments: Sequence[TaxedAdjustment] = ()
    taxes: Sequence[TaxValues] = ()
    payments: Sequence[msgspec.Struct] = ()
    refunds: Sequence[RefundRows] = ()


class Insertion:
    """New orders with all that hangs on them: added one by one, written together."""

    def __init__(self, conn: Connection, coming: Iterable[Owner] = ()) -> None:
        """``coming``: what is going to be added, by connection, topic and the channel's id."""
        self._rows = Rows(conn)
        self._ids = FreshIds(conn)
        self._sealer = Sealer(conn, coming)

    def add(self, rows: OrderRows, intake_state: str) -> int:
        """Take an order; returns its id."""
        order_id = self._ids.next(t.sales_order)
        key = self._sealer.key_of(rows.order)
        self._rows.add(
            t.sales_order,
            rows.order if key is None else sealed(key, t.sales_order, rows.order),
            id=order_id,
            bill_to_id=self._address(rows.bill_to, key),
            ship_to_id=self._address(rows.ship_to, key),
            intake_state=intake_state,
        )
        line_ids = {}
        for line in rows.lines:
            line_id = line_ids[line.values.channel_line_id] = self._ids.next(t.order_line)
            self._rows.add(t.order_line, line.values, id=line_id, order_id=order_id)
            _add_taxes(self._rows, line.taxes, order_id, line_id, None)
        _add_money(self._rows, self._ids, order_id, rows, line_ids, key)
        return order_id

    def write(self) -> None:
        self._rows.write()

    def _address(self, address: msgspec.Struct | None, key: DataKey | None) -> int | None:
        if address is None:
            return None
        address_id = self._ids.next(t.address)
        if key is None:
            self._rows.add(t.address, address, id=address_id)
        else:
            hidden = sealed(key, t.address, address, id=address_id)
            self._rows.add(t.address, hidden, id=address_id, email_mark=self._sealer.mark(address))
        return address_id


def _add_taxes(
    into: Rows,
    taxes: Iterable[TaxValues],
    order_id: int,
    line_id: int | None,
    adjustment_id: int | None,
) -> None:
    for tax in taxes:
        into.add(
            t.tax_line, tax, order_id=order_id, order_line_id=line_id, adjustment_id=adjustment_id
        )


def _add_money(
    into: Rows,
    ids: FreshIds,
    order_id: int,
    rows: OrderRows,
    line_ids: Mapping[str, int],
    key: DataKey | None,
) -> None:
    """Adjustments, taxes, payments and refunds of an order whose lines are numbered already."""
    for adjustment in rows.adjustments:
        adjustment_id = ids.next(t.order_adjustment)
        into.add(t.order_adjustment, adjustment.values, id=adjustment_id, order_id=order_id)
        _add_taxes(into, adjustment.taxes, order_id, None, adjustment_id)
    _add_taxes(into, rows.taxes, order_id, None, None)
    for payment in rows.payments:
        into.add(t.payment, payment, order_id=order_id)
    for refund in rows.refunds:
        refund_id = ids.next(t.refund)
        told = refund.values if key is None else sealed(key, t.refund, refund.values)
        into.add(t.refund, told, id=refund_id, order_id=order_id)
        for name, line in refund.lines:
            line_id = None if name is None else line_ids.get(name)
            into.add(t.refund_line, line, refund_id=refund_id, order_line_id=line_id)


def replace(conn: Connection, old: Row[Any], rows: OrderRows) -> None:
    """Put the channel's newer report in place of the older one, except for the lines.

    Lines carry our counters and are amended one by one by ``sync``; everything else belongs to
    the channel alone.
    """
    sealer = Sealer(conn)
    key = sealer.key_of(rows.order)
    values = asdict(rows.order) | {"edit_version": old.edit_version + 1}
    if key is not None:
        values |= sealed_values(key, t.sales_order, values)
    del values["recorded_at"]  # when the first report came
    for column, address in (("bill_to_id", rows.bill_to), ("ship_to_id", rows.ship_to)):
        if address is None:
            continue
        values[column] = _replace_address(conn, getattr(old, column), address, sealer, key)
    conn.execute(update(t.sales_order).where(t.sales_order.c.id == old.id).values(values))
    _delete_money(conn, old.id)
    line_ids = {row.channel_line_id: row.id for row in orders.lines(conn, [old.id]).get(old.id, [])}
    into = Rows(conn)
    _add_money(into, FreshIds(conn), old.id, rows, line_ids, key)
    for line in rows.lines:
        _add_taxes(into, line.taxes, old.id, line_ids[line.values.channel_line_id], None)
    into.write()


def _replace_address(
    conn: Connection,
    current: int | None,
    address: msgspec.Struct,
    sealer: Sealer,
    key: DataKey | None,
) -> int:
    """Write an address in the place of the ``current`` one; returns its id."""
    address_id = take_ids(conn, t.address, 1)[0] if current is None else current
    values = {**asdict(address), "email_mark": ""}
    if key is not None:
        values["email_mark"] = sealer.mark(address)
        values |= sealed_values(key, t.address, {**values, "id": address_id})
    if current is None:
        return insert_one(conn, t.address, id=address_id, **values)
    conn.execute(update(t.address).where(t.address.c.id == current).values(values))
    return current


def _delete_money(conn: Connection, order_id: int) -> None:
    refunds = select(t.refund.c.id).where(t.refund.c.order_id == order_id)
    conn.execute(delete(t.refund_line).where(t.refund_line.c.refund_id.in_(refunds)))
    for table in (t.refund, t.payment, t.tax_line, t.order_adjustment):
        conn.execute(delete(table).where(table.c.order_id == order_id))
