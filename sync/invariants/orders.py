"""Order lines: what was ordered, is in hand, was shipped and came back."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, func, or_, select

from state import tables as t
from sync.invariants.rule import Rule, total

_line, _work, _ffo = t.order_line, t.fulfilment_order_line, t.fulfilment_order
_LINE_NAME = "order {order_id} line {id}"
_LEFT_TO_SHIP = _work.c.qty - _work.c.qty_cancelled - _work.c.qty_shipped


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
                total(_work.c.qty_shipped) != _line.c.qty_shipped,
            )
        )
    )


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
