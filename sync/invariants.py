"""The invariants of the store as queries: each selects the rows that break it.

``crossdock audit`` runs them all; the tests and the demo run them after every storm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select, text

from state import tables as t
from state.stock import AVAILABLE, BUCKETS


@dataclass(frozen=True, slots=True)
class Violation:
    """One row that breaks an invariant."""

    invariant: str
    subject: str
    detail: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Rule:
    """What must never be. ``broken`` selects the offenders, ``subject`` names one of them."""

    name: str
    detail: str
    subject: str
    broken: Select[Any]

    def violations(self, conn: Connection) -> list[Violation]:
        return [
            Violation(self.name, self.subject.format(**row._mapping), self.detail)
            for row in conn.execute(self.broken)
        ]


def check(conn: Connection) -> list[Violation]:
    """Every violation of every invariant; an empty list is the only good answer."""
    found = [violation for rule in RULES for violation in rule.violations(conn)]
    return found + _dangling(conn)


def _dangling(conn: Connection) -> list[Violation]:
    """Foreign keys, asked of the database itself; PostgreSQL never lets one dangle."""
    if conn.dialect.name != "sqlite":
        return []
    return [
        Violation("references_hold", f"{row[0]} row {row[1]}", f"points nowhere in {row[2]}")
        for row in conn.execute(text("PRAGMA foreign_key_check"))
    ]


def summary(conn: Connection) -> dict[str, int]:
    """How much was looked at, so that a clean answer can be told from an empty store."""
    tables = {
        "orders": t.sales_order,
        "order_lines": t.order_line,
        "ledger_rows": t.inventory_ledger,
        "reservations": t.reservation,
        "shipments": t.shipment,
        "intents": t.intent,
    }
    return {
        name: conn.scalar(select(func.count()).select_from(table)) or 0
        for name, table in tables.items()
    }


_line, _level, _ledger = t.order_line, t.inventory_level, t.inventory_ledger
_work, _ffo, _held, _order = (
    t.fulfilment_order_line,
    t.fulfilment_order,
    t.reservation,
    t.sales_order,
)


def _sum(amount: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.coalesce(func.sum(amount), 0)


def _same_place(table: Any) -> ColumnElement[bool]:
    """``table``'s row is about the level's SKU at the level's location."""
    return and_(table.c.sku_id == _level.c.sku_id, table.c.location_id == _level.c.location_id)


_LEVEL_NAME = "SKU {sku_id} at location {location_id}"
_LEVEL_KEY = (_level.c.sku_id, _level.c.location_id)
_LINE_NAME = "order {order_id} line {id}"
_LEFT_TO_SHIP = _work.c.qty - _work.c.qty_cancelled - _work.c.qty_shipped
_STILL_HELD = _held.c.qty - _held.c.qty_consumed - _held.c.qty_released


def _more_in_hand_than_ordered() -> Select[Any]:
    line = _line.c
    in_hand = line.qty_allocated + line.qty_released + line.qty_shipped
    return select(line.id, line.order_id).where(
        line.park_reason.is_(None), in_hand > line.qty_ordered - line.qty_cancelled
    )


def _counters_unlike_work() -> Select[Any]:
    planned = func.sum(_LEFT_TO_SHIP).filter(_ffo.c.work_state == "planned")
    released = func.sum(_LEFT_TO_SHIP).filter(_ffo.c.work_state != "planned")
    return (
        select(_line.c.id, _line.c.order_id)
        .outerjoin(_work, _work.c.order_line_id == _line.c.id)
        .outerjoin(_ffo, _ffo.c.id == _work.c.ffo_id)
        .group_by(_line.c.id)
        .having(
            or_(
                func.coalesce(planned, 0) != _line.c.qty_allocated,
                func.coalesce(released, 0) != _line.c.qty_released,
                _sum(_work.c.qty_shipped) != _line.c.qty_shipped,
            )
        )
    )


def _level_unlike_ledger(bucket: str) -> Select[Any]:
    return (
        select(*_LEVEL_KEY)
        .outerjoin(_ledger, and_(_same_place(_ledger), _ledger.c.bucket == bucket))
        .group_by(*_LEVEL_KEY)
        .having(_sum(_ledger.c.delta) != _level.c[bucket])
    )


def _reserved_unlike_reservations() -> Select[Any]:
    return (
        select(*_LEVEL_KEY)
        .outerjoin(_held, and_(_same_place(_held), _held.c.state == "active"))
        .group_by(*_LEVEL_KEY)
        .having(_sum(_STILL_HELD) != _level.c.reserved)
    )


def _reservation_unlike_work() -> Select[Any]:
    """Of those that are for an order; a soft one is for nobody's work yet."""
    return (
        select(_held.c.id)
        .outerjoin(_work, _work.c.reservation_id == _held.c.id)
        .where(_held.c.kind == "hard")
        .group_by(_held.c.id)
        .having(_sum(_LEFT_TO_SHIP) != _STILL_HELD)
    )


def _ledger_without_level() -> Select[Any]:
    """Where there is no level, there must be nothing: its ledger sums up to zero."""
    return (
        select(_ledger.c.sku_id, _ledger.c.location_id)
        .outerjoin(_level, _same_place(_ledger))
        .where(_level.c.sku_id.is_(None))
        .group_by(_ledger.c.sku_id, _ledger.c.location_id, _ledger.c.bucket)
        .having(_sum(_ledger.c.delta) != 0)
    )


def _incoming_unlike_consignments() -> Select[Any]:
    goods = t.consignment.c
    here = and_(goods.sku_id == _level.c.sku_id, goods.to_location_id == _level.c.location_id)
    return (
        select(*_LEVEL_KEY)
        .outerjoin(t.consignment, here)
        .group_by(*_LEVEL_KEY)
        .having(_sum(goods.qty - goods.qty_received - goods.qty_lost) != _level.c.incoming)
    )


def _lots_unlike_level(bucket: str) -> Select[Any]:
    """Where a SKU's goods are told apart by lot, and the stock is ours."""
    of_lot, lot = t.lot_level, t.lot
    mine = and_(lot.c.sku_id == _level.c.sku_id, of_lot.c.location_id == _level.c.location_id)
    whole = _level.c[bucket]
    return (
        select(*_LEVEL_KEY)
        .join(t.sku, t.sku.c.id == _level.c.sku_id)
        .outerjoin(lot, lot.c.sku_id == _level.c.sku_id)
        .outerjoin(of_lot, and_(of_lot.c.lot_id == lot.c.id, mine))
        .where(t.sku.c.lot_tracked, _level.c.authority == "hub")
        .group_by(*_LEVEL_KEY)
        .having(_sum(of_lot.c[bucket]) != whole)
    )


def _lot_unlike_reservations() -> Select[Any]:
    of_lot, share = t.lot_level, t.reservation_lot
    total = (
        select(share.c.lot_id, _held.c.location_id, func.sum(share.c.qty).label("held"))
        .join(_held, _held.c.id == share.c.reservation_id)
        .group_by(share.c.lot_id, _held.c.location_id)
        .subquery()
    )
    same = and_(total.c.lot_id == of_lot.c.lot_id, total.c.location_id == of_lot.c.location_id)
    return (
        select(of_lot.c.lot_id, of_lot.c.location_id)
        .outerjoin(total, same)
        .where(func.coalesce(total.c.held, 0) != of_lot.c.reserved)
    )


def _oversold() -> Select[Any]:
    available = AVAILABLE + _level.c.safety
    return select(*_LEVEL_KEY).where(_level.c.authority == "hub", available < 0)


def _flows_with_variance() -> Select[Any]:
    """Unless a person has released it, or a line is unreadable and so missing from our sum."""
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


def _labelled_twice() -> Select[Any]:
    shipment = t.shipment.c
    return (
        select(shipment.ffo_id)
        .where(shipment.label_cost.is_not(None), shipment.state != "voided")
        .group_by(shipment.ffo_id)
        .having(func.count() > 1)
    )


def _packages_unlike_shipped() -> Select[Any]:
    inside = t.package_line
    return (
        select(_work.c.id)
        .outerjoin(inside, inside.c.ffo_line_id == _work.c.id)
        .group_by(_work.c.id)
        .having(_sum(inside.c.qty - inside.c.qty_over) != _work.c.qty_shipped)
    )


def _released_to_nobody() -> Select[Any]:
    intent = select(t.intent.c.id).where(
        t.intent.c.subject_id == _ffo.c.id,
        t.intent.c.kind.in_(("fulfilment_order", "label")),
        t.intent.c.state.not_in(("superseded", "rejected")),
    )
    return select(_ffo.c.id, _ffo.c.order_id).where(_ffo.c.work_state == "open", ~intent.exists())


RULES: Sequence[Rule] = (
    Rule(
        "order_counters", "more in hand than was ordered", _LINE_NAME, _more_in_hand_than_ordered()
    ),
    Rule(
        "counters_match_work",
        "counters differ from its fulfilment orders",
        _LINE_NAME,
        _counters_unlike_work(),
    ),
    *(
        Rule(
            "level_is_sum_of_ledger",
            f"{bucket} differs from its ledger",
            _LEVEL_NAME,
            _level_unlike_ledger(bucket),
        )
        for bucket in BUCKETS
    ),
    Rule("ledger_has_its_level", "moved without a level", _LEVEL_NAME, _ledger_without_level()),
    Rule(
        "incoming_is_consignments",
        "incoming differs from what is on its way",
        _LEVEL_NAME,
        _incoming_unlike_consignments(),
    ),
    *(
        Rule(
            "lots_make_the_level",
            f"{bucket} differs from its lots",
            _LEVEL_NAME,
            _lots_unlike_level(bucket),
        )
        for bucket in ("on_hand", "reserved", "damaged", "quality_hold")
    ),
    Rule(
        "lot_reserved_is_reservations",
        "reserved differs from the reservations",
        "lot {lot_id} at location {location_id}",
        _lot_unlike_reservations(),
    ),
    Rule(
        "reserved_is_reservations",
        "reserved differs from the reservations",
        _LEVEL_NAME,
        _reserved_unlike_reservations(),
    ),
    Rule(
        "reservations_match_work",
        "holds something else than its work still has to ship",
        "reservation {id}",
        _reservation_unlike_work(),
    ),
    Rule("nothing_oversold", "available is negative", _LEVEL_NAME, _oversold()),
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
    Rule("one_label_per_work", "has two labels", "fulfilment order {ffo_id}", _labelled_twice()),
    Rule(
        "packages_hold_what_shipped",
        "packages hold something else than was shipped",
        "fulfilment line {id}",
        _packages_unlike_shipped(),
    ),
    Rule(
        "nothing_stranded",
        "released to nobody",
        "order {order_id} fulfilment order {id}",
        _released_to_nobody(),
    ),
)
