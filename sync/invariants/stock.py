"""Stock: levels, their lots, the ledger, and the reservations and consignments they stand for."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, select

from state import tables as t
from state.stock import AVAILABLE, BUCKETS
from sync.invariants.rule import Rule, total

_level, _ledger, _held, _work = (
    t.inventory_level,
    t.inventory_ledger,
    t.reservation,
    t.fulfilment_order_line,
)
_LEVEL_NAME = "SKU {sku_id} at location {location_id}"
_LOT_NAME = "lot {lot_id} at location {location_id}"
_LEVEL_KEY = (_level.c.sku_id, _level.c.location_id)
_LOT_BUCKETS = ("on_hand", "reserved", "damaged", "quality_hold")
_LEFT_TO_SHIP = _work.c.qty - _work.c.qty_cancelled - _work.c.qty_shipped
_STILL_HELD = _held.c.qty - _held.c.qty_consumed - _held.c.qty_released


def _same_place(table: Any) -> ColumnElement[bool]:
    """``table``'s row is about the level's SKU at the level's location."""
    return and_(table.c.sku_id == _level.c.sku_id, table.c.location_id == _level.c.location_id)


def _level_unlike_ledger(bucket: str) -> Select[Any]:
    return (
        select(*_LEVEL_KEY)
        .outerjoin(_ledger, and_(_same_place(_ledger), _ledger.c.bucket == bucket))
        .group_by(*_LEVEL_KEY)
        .having(total(_ledger.c.delta) != _level.c[bucket])
    )


def _lot_unlike_ledger(bucket: str) -> Select[Any]:
    of_lot = t.lot_level
    mine = and_(
        _ledger.c.lot_id == of_lot.c.lot_id,
        _ledger.c.location_id == of_lot.c.location_id,
        _ledger.c.bucket == bucket,
    )
    return (
        select(of_lot.c.lot_id, of_lot.c.location_id)
        .outerjoin(_ledger, mine)
        .group_by(of_lot.c.lot_id, of_lot.c.location_id)
        .having(total(_ledger.c.delta) != of_lot.c[bucket])
    )


def _reserved_unlike_reservations() -> Select[Any]:
    return (
        select(*_LEVEL_KEY)
        .outerjoin(_held, and_(_same_place(_held), _held.c.state == "active"))
        .group_by(*_LEVEL_KEY)
        .having(total(_STILL_HELD) != _level.c.reserved)
    )


def _reservation_unlike_work() -> Select[Any]:
    """Of those that are for an order; a soft one is for nobody's work yet."""
    return (
        select(_held.c.id)
        .outerjoin(_work, _work.c.reservation_id == _held.c.id)
        .where(_held.c.kind == "hard")
        .group_by(_held.c.id)
        .having(total(_LEFT_TO_SHIP) != _STILL_HELD)
    )


def given_away() -> Select[Any]:
    """Reservations, by id, of which more was given away than the ledger tells to have ``left``."""
    departures = (
        select(_ledger.c.ref_id, func.sum(-_ledger.c.delta, type_=_ledger.c.delta.type).label("n"))
        .where(
            _ledger.c.ref_type == "reservation",
            _ledger.c.reason == "ship",
            _ledger.c.bucket == "on_hand",
        )
        .group_by(_ledger.c.ref_id)
        .subquery()
    )
    left = func.coalesce(departures.c.n, 0, type_=_held.c.qty.type)
    return (
        select(_held.c.id, left.label("left"))
        .outerjoin(departures, departures.c.ref_id == _held.c.id)
        .where(left < _held.c.qty_consumed)
    )


def _ledger_without_level() -> Select[Any]:
    """Where there is no level, there must be nothing: its ledger sums up to zero."""
    return (
        select(_ledger.c.sku_id, _ledger.c.location_id)
        .outerjoin(_level, _same_place(_ledger))
        .where(_level.c.sku_id.is_(None))
        .group_by(_ledger.c.sku_id, _ledger.c.location_id, _ledger.c.bucket)
        .having(total(_ledger.c.delta) != 0)
    )


def _incoming_unlike_consignments() -> Select[Any]:
    goods = t.consignment.c
    here = and_(goods.sku_id == _level.c.sku_id, goods.to_location_id == _level.c.location_id)
    return (
        select(*_LEVEL_KEY)
        .outerjoin(t.consignment, here)
        .group_by(*_LEVEL_KEY)
        .having(total(goods.qty - goods.qty_received - goods.qty_lost) != _level.c.incoming)
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
        .having(total(of_lot.c[bucket]) != whole)
    )


def _lot_unlike_reservations() -> Select[Any]:
    of_lot, share = t.lot_level, t.reservation_lot
    shares = (
        select(share.c.lot_id, _held.c.location_id, func.sum(share.c.qty).label("held"))
        .join(_held, _held.c.id == share.c.reservation_id)
        .group_by(share.c.lot_id, _held.c.location_id)
        .subquery()
    )
    same = and_(shares.c.lot_id == of_lot.c.lot_id, shares.c.location_id == of_lot.c.location_id)
    return (
        select(of_lot.c.lot_id, of_lot.c.location_id)
        .outerjoin(shares, same)
        .where(func.coalesce(shares.c.held, 0) != of_lot.c.reserved)
    )


def _oversold() -> Select[Any]:
    available = AVAILABLE + _level.c.safety
    return select(*_LEVEL_KEY).where(_level.c.authority == "hub", available < 0)


RULES = (
    *(
        Rule(
            "level_is_sum_of_ledger",
            f"{bucket} differs from its ledger",
            _LEVEL_NAME,
            _level_unlike_ledger(bucket),
        )
        for bucket in BUCKETS
    ),
    Rule(
        "ledger_tells_what_left",
        "gave away more than the ledger says has left",
        "reservation {id}",
        given_away(),
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
        for bucket in _LOT_BUCKETS
    ),
    *(
        Rule(
            "lot_is_sum_of_ledger",
            f"{bucket} differs from its ledger",
            _LOT_NAME,
            _lot_unlike_ledger(bucket),
        )
        for bucket in _LOT_BUCKETS
    ),
    Rule(
        "lot_reserved_is_reservations",
        "reserved differs from the reservations",
        _LOT_NAME,
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
)
