"""Order lines: what was ordered, is in hand, was shipped and came back."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Subquery,
    case,
    func,
    or_,
    select,
    type_coerce,
)

from state import tables as t
from sync.invariants.rule import Rule, total

_line, _work, _ffo = t.order_line, t.fulfilment_order_line, t.fulfilment_order
_LINE_NAME = "order {order_id} line {id}"


def _more_in_hand_than_ordered() -> Select[Any]:
    line = _line.c
    in_hand = line.qty_allocated + line.qty_released + line.qty_shipped
    return select(line.id, line.order_id).where(
        line.park_reason.is_(None), in_hand > line.qty_ordered - line.qty_cancelled
    )


def _counters_unlike_work() -> Select[Any]:
    work = _work_by_order_line()
    planned = func.sum(work.c.wanted - work.c.shipped).filter(_ffo.c.work_state == "planned")
    released = func.sum(work.c.wanted - work.c.shipped).filter(_ffo.c.work_state != "planned")
    return (
        select(_line.c.id, _line.c.order_id)
        .outerjoin(work, work.c.order_line_id == _line.c.id)
        .outerjoin(_ffo, _ffo.c.id == work.c.ffo_id)
        .group_by(_line.c.id)
        .having(
            or_(
                func.coalesce(planned, 0) != _line.c.qty_allocated,
                func.coalesce(released, 0) != _line.c.qty_released,
                total(work.c.shipped) != _line.c.qty_shipped,
            )
        )
    )


def _work_by_order_line() -> Subquery:
    """One location's work for an order line in what was ordered, as ``sync.bundles`` counts it."""
    return (
        select(
            _work.c.ffo_id,
            _work.c.order_line_id,
            func.min(_ordered(_work.c.qty - _work.c.qty_cancelled)).label("wanted"),
            func.min(_ordered(_work.c.qty_shipped)).label("shipped"),
        )
        .group_by(_work.c.ffo_id, _work.c.order_line_id)
        .subquery()
    )


def _ordered(pieces: ColumnElement[Any]) -> ColumnElement[Any]:
    """Pieces of a fulfilment line as whole bundles, where it is a part of one; millionths."""
    amount, each = type_coerce(pieces, BigInteger), type_coerce(_work.c.per_bundle, BigInteger)
    return case((each.is_(None), amount), else_=amount // each * 1_000_000)


def _more_returned_than_shipped() -> Select[Any]:
    back = t.return_line
    return (
        select(_line.c.id, _line.c.order_id)
        .join(back, back.c.order_line_id == _line.c.id)
        .group_by(_line.c.id)
        .having(
            or_(
                total(back.c.qty_received) > _line.c.qty_shipped,
                total(back.c.qty_restocked) > total(back.c.qty_received),
            )
        )
    )


RULES = (
    Rule(
        "order_counters", "more in hand than was ordered", _LINE_NAME, _more_in_hand_than_ordered()
    ),
    Rule(
        "counters_match_work",
        "counters differ from its fulfilment orders",
        _LINE_NAME,
        _counters_unlike_work(),
    ),
    Rule(
        "returns_within_shipments",
        "more came back than was shipped, or went back on the shelf than came",
        _LINE_NAME,
        _more_returned_than_shipped(),
    ),
)
