"""Orders and their lines: reading, bulk insert, and replacing what the channel reports anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec
from msgspec.structs import asdict
from sqlalchemy import (
    Connection,
    Row,
    bindparam,
    delete,
    func,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)

from state import tables as t
from state.batches import Rows, among
from state.ids import FreshIds, insert_one


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


_EXISTING = select(t.sales_order).where(
    t.sales_order.c.connection_id == bindparam("connection"),
    among(t.sales_order.c.channel_order_id, "channel_order_ids"),
)


def existing(
    conn: Connection, connection_id: int, channel_order_ids: Sequence[str]
) -> dict[str, Row[Any]]:
    """Orders we already have, by the channel's id."""
    given = {"connection": connection_id, "channel_order_ids": channel_order_ids}
    return {row.channel_order_id: row for row in conn.execute(_EXISTING, given)}


class Insertion:
    """New orders with all that hangs on them: added one by one, written together."""

    def __init__(self, conn: Connection) -> None:
        self._rows = Rows(conn)
        self._ids = FreshIds(conn)

    def add(self, rows: OrderRows, intake_state: str) -> int:
        """Take an order; returns its id."""
        order_id = self._ids.next(t.sales_order)
        self._rows.add(
            t.sales_order,
            rows.order,
            id=order_id,
            bill_to_id=self._address(rows.bill_to),
            ship_to_id=self._address(rows.ship_to),
            intake_state=intake_state,
        )
        line_ids = {}
        for line in rows.lines:
            line_id = line_ids[line.values.channel_line_id] = self._ids.next(t.order_line)
            self._rows.add(t.order_line, line.values, id=line_id, order_id=order_id)
            _add_taxes(self._rows, line.taxes, order_id, line_id, None)
        _add_money(self._rows, self._ids, order_id, rows, line_ids)
        return order_id

    def write(self) -> None:
        self._rows.write()

    def _address(self, address: msgspec.Struct | None) -> int | None:
        if address is None:
            return None
        address_id = self._ids.next(t.address)
        self._rows.add(t.address, address, id=address_id)
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
    into: Rows, ids: FreshIds, order_id: int, rows: OrderRows, line_ids: Mapping[str, int]
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
        into.add(t.refund, refund.values, id=refund_id, order_id=order_id)
        for name, line in refund.lines:
            line_id = None if name is None else line_ids.get(name)
            into.add(t.refund_line, line, refund_id=refund_id, order_line_id=line_id)


def lines(conn: Connection, order_ids: Iterable[int]) -> dict[int, list[Row[Any]]]:
    """Lines by order, in line order."""
    found: dict[int, list[Row[Any]]] = {}
    query = select(t.order_line).where(among(t.order_line.c.order_id, order_ids))
    for row in conn.execute(query.order_by(t.order_line.c.order_id, t.order_line.c.line_no)):
        found.setdefault(row.order_id, []).append(row)
    return found


def replace(conn: Connection, old: Row[Any], rows: OrderRows) -> None:
    """Put the channel's newer report in place of the older one, except for the lines.

    Lines carry our counters and are amended one by one by ``sync``; everything else belongs to
    the channel alone.
    """
    values = asdict(rows.order) | {"edit_version": old.edit_version + 1}
    del values["recorded_at"]  # when the first report came
    for column, address in (("bill_to_id", rows.bill_to), ("ship_to_id", rows.ship_to)):
        if address is None:
            continue
        current = getattr(old, column)
        if current is None:
            values[column] = insert_one(conn, t.address, **asdict(address))
        else:
            conn.execute(update(t.address).where(t.address.c.id == current).values(asdict(address)))
    conn.execute(update(t.sales_order).where(t.sales_order.c.id == old.id).values(values))
    _delete_money(conn, old.id)
    line_ids = {row.channel_line_id: row.id for row in lines(conn, [old.id]).get(old.id, [])}
    into = Rows(conn)
    _add_money(into, FreshIds(conn), old.id, rows, line_ids)
    for line in rows.lines:
        _add_taxes(into, line.taxes, old.id, line_ids[line.values.channel_line_id], None)
    into.write()


def _delete_money(conn: Connection, order_id: int) -> None:
    refunds = select(t.refund.c.id).where(t.refund.c.order_id == order_id)
    conn.execute(delete(t.refund_line).where(t.refund_line.c.refund_id.in_(refunds)))
    for table in (t.refund, t.payment, t.tax_line, t.order_adjustment):
        conn.execute(delete(table).where(table.c.order_id == order_id))


def waited_for_before(
    conn: Connection, order: Row[Any], sku_ids: Iterable[int]
) -> dict[int, Decimal]:
    """What orders placed before this one still wait for, by SKU."""
    line, other = t.order_line, t.sales_order
    query = (
        select(line.c.sku_id, func.sum(open_quantity(), type_=line.c.qty_ordered.type))
        .join(other, other.c.id == line.c.order_id)
        .where(
            among(line.c.sku_id, sku_ids),
            line.c.park_reason.is_(None),
            other.c.intake_state == "accepted",
            other.c.channel_status == "ready",
            tuple_(other.c.placed_at, other.c.id) < (order.placed_at, order.id),
        )
        .group_by(line.c.sku_id)
    )
    return {row[0]: Decimal(row[1]) for row in conn.execute(query)}


def set_order(conn: Connection, order_id: int, **values: Any) -> None:
    conn.execute(update(t.sales_order).where(t.sales_order.c.id == order_id).values(values))


def set_line(conn: Connection, line_id: int, **values: Any) -> None:
    conn.execute(update(t.order_line).where(t.order_line.c.id == line_id).values(values))


def refunded_quantity(conn: Connection, line_id: int) -> Decimal:
    """How many units of a line the channel has refunded."""
    qty = t.refund_line.c.qty
    where = t.refund_line.c.order_line_id == line_id
    return Decimal(conn.scalar(select(func.sum(qty, type_=qty.type)).where(where)) or 0)


def move_line(conn: Connection, line_id: int, **deltas: Decimal) -> None:
    """Add to a line's counters: ``move_line(conn, 7, qty_allocated=-2, qty_released=2)``."""
    columns = t.order_line.c
    changes = {name: columns[name] + delta for name, delta in deltas.items()}
    conn.execute(update(t.order_line).where(columns.id == line_id).values(changes))


def cancel_unwanted(conn: Connection, line_id: int, freed: Decimal) -> None:
    """Of ``freed``, what came back unshipped, the channel may have wanted less already."""
    line = t.order_line.c
    query = select(line.qty_unwanted).where(line.id == line_id)
    qty = min(freed, Decimal(conn.execute(query).scalar_one()))
    if qty > 0:
        move_line(conn, line_id, qty_cancelled=qty, qty_unwanted=-qty)


def open_quantity() -> Any:
    """SQL: what of a line is neither cancelled nor in anybody's hands yet."""
    line = t.order_line.c
    return (
        line.qty_ordered
        - line.qty_cancelled
        - line.qty_allocated
        - line.qty_released
        - line.qty_shipped
    )


def awaiting_allocation(conn: Connection) -> list[int]:
    """Accepted orders that may ship and have open lines: by promised date, then oldest first."""
    order, line, hold = t.sales_order, t.order_line, t.hold
    held = select(hold.c.id).where(hold.c.order_id == order.c.id, hold.c.released_at.is_(None))
    query = (
        select(order.c.id)
        .where(
            order.c.intake_state == "accepted",
            order.c.channel_status == "ready",
            ~held.exists(),
            select(line.c.id)
            .where(
                line.c.order_id == order.c.id,
                line.c.park_reason.is_(None),
                line.c.sku_id.is_not(None),
                line.c.requires_shipping,
                open_quantity() > 0,
            )
            .exists(),
        )
        .order_by(
            order.c.deliver_by_at.is_(None), order.c.deliver_by_at, order.c.placed_at, order.c.id
        )
    )
    return [row[0] for row in conn.execute(query)]


def marks(conn: Connection, order_ids: Iterable[int]) -> list[Row[Any]]:
    """id, connection_id, edit_version and waits_for of orders."""
    order = t.sales_order.c
    query = select(order.id, order.connection_id, order.edit_version, order.waits_for)
    return list(conn.execute(query.where(among(order.id, order_ids))))


def payments_of(conn: Connection, order_ids: Iterable[int]) -> dict[int, tuple[Any, ...]]:
    """The state of every payment and what it captured, by order."""
    payment = t.payment.c
    query = (
        select(payment.order_id, payment.state, payment.amount_captured)
        .where(among(payment.order_id, order_ids))
        .order_by(payment.id)
    )
    found: dict[int, tuple[Any, ...]] = {}
    for order_id, *paid in conn.execute(query):
        found[order_id] = (*found.get(order_id, ()), *paid)
    return found


def held_for(conn: Connection, kind: str) -> list[int]:
    """Accepted orders that an open hold of this kind keeps from being planned, oldest first."""
    order, hold = t.sales_order, t.hold
    query = (
        select(order.c.id)
        .join(hold, hold.c.order_id == order.c.id)
        .where(
            hold.c.kind == kind,
            hold.c.released_at.is_(None),
            order.c.intake_state == "accepted",
            order.c.channel_status == "ready",
        )
        .order_by(order.c.placed_at, order.c.id)
    )
    return list(conn.scalars(query))


def get(conn: Connection, order_id: int, *, lock: bool = False) -> Row[Any]:
    query = select(t.sales_order).where(t.sales_order.c.id == order_id)
    return conn.execute(query.with_for_update() if lock else query).one()


def lock(conn: Connection, order_ids: Iterable[int]) -> None:
    """Keep others from changing these orders until the transaction ends."""
    key = t.sales_order.c.id
    conn.execute(select(key).where(among(key, set(order_ids))).order_by(key).with_for_update())


def find(conn: Connection, word: str) -> list[Row[Any]]:
    """Orders that a person may mean: by the channel's id or name, or by our number."""
    order = t.sales_order
    named = [order.c.channel_order_id == word, order.c.channel_order_name == word]
    if word.isdigit() and len(word) < 18:
        named.append(order.c.id == int(word))
    query = select(order, t.connection.c.name.label("connection")).join(
        t.connection, t.connection.c.id == order.c.connection_id
    )
    return list(conn.execute(query.where(or_(*named)).order_by(order.c.id)))


def address(conn: Connection, address_id: int | None) -> Row[Any] | None:
    if address_id is None:
        return None
    return conn.execute(select(t.address).where(t.address.c.id == address_id)).first()


def payments(conn: Connection, order_id: int) -> list[Row[Any]]:
    query = select(t.payment).where(t.payment.c.order_id == order_id)
    return list(conn.execute(query.order_by(t.payment.c.id)))


_BUYER = func.coalesce(t.sales_order.c.bill_to_id, t.sales_order.c.ship_to_id)


def earlier_of(conn: Connection, email: str, before: datetime) -> int:
    """How many orders with this e-mail address were placed before and not cancelled or ignored."""
    order, buyer = t.sales_order, t.address
    query = (
        select(func.count())
        .select_from(order)
        # Only between two expressions does SQLite compare by the index of the second one.
        .join(buyer, buyer.c.id + literal_column("0") == _BUYER)
        .where(
            # It follows, but must be said, and as a literal, for the partial index to be used.
            buyer.c.email != literal_column("''"),
            func.lower(buyer.c.email) == func.lower(email),
            order.c.placed_at < before,
            order.c.intake_state.not_in(("cancelled", "ignored")),
        )
    )
    return conn.scalar(query) or 0


def parked_lines(conn: Connection, connection_id: int | None = None) -> list[Row[Any]]:
    """Parked lines with their order and connection."""
    query = (
        select(
            t.order_line,
            t.sales_order.c.channel_order_id,
            t.sales_order.c.channel_order_name,
            t.sales_order.c.connection_id,
            t.connection.c.name.label("connection"),
        )
        .join(t.sales_order, t.sales_order.c.id == t.order_line.c.order_id)
        .join(t.connection, t.connection.c.id == t.sales_order.c.connection_id)
        .where(
            t.order_line.c.park_reason.is_not(None),
            t.sales_order.c.intake_state.in_(("accepted", "parked")),
        )
        .order_by(t.order_line.c.id)
    )
    if connection_id is not None:
        query = query.where(t.sales_order.c.connection_id == connection_id)
    return list(conn.execute(query))


def held_orders(conn: Connection) -> list[Row[Any]]:
    """Open holds with their order and connection."""
    query = (
        select(
            t.hold,
            t.sales_order.c.channel_order_id,
            t.sales_order.c.channel_order_name,
            t.connection.c.name.label("connection"),
        )
        .join(t.sales_order, t.sales_order.c.id == t.hold.c.order_id)
        .join(t.connection, t.connection.c.id == t.sales_order.c.connection_id)
        .where(t.hold.c.released_at.is_(None))
        .order_by(t.hold.c.id)
    )
    return list(conn.execute(query))
