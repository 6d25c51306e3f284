"""Work handed over: once, to somebody, with one label, and packed as it was shipped."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Select, func, or_, select, type_coerce

from state import tables as t
from sync.invariants.rule import Rule, total

_ffo, _work = t.fulfilment_order, t.fulfilment_order_line


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
        .having(total(inside.c.qty - inside.c.qty_over) != _work.c.qty_shipped)
    )


def _released_to_nobody() -> Select[Any]:
    intent = select(t.intent.c.id).where(
        t.intent.c.subject_id == _ffo.c.id,
        t.intent.c.kind.in_(("fulfilment_order", "label")),
        t.intent.c.state.not_in(("superseded", "rejected")),
    )
    return select(_ffo.c.id, _ffo.c.order_id).where(_ffo.c.work_state == "open", ~intent.exists())


def _handed_over_twice() -> Select[Any]:
    """The other side gave two numbers of its own to one piece of work: it will ship it twice."""
    intent = t.intent.c
    return (
        select(intent.subject_id)
        .where(intent.kind == "fulfilment_order", intent.state == "done", intent.remote_id != "")
        .group_by(intent.subject_id)
        .having(func.count(intent.remote_id.distinct()) > 1)
    )


def _bundles_unlike_their_parts() -> Select[Any]:
    """Planned are as many whole bundles of one component as of every other."""
    amount, each = (type_coerce(column, BigInteger) for column in (_work.c.qty, _work.c.per_bundle))
    return (
        select(_work.c.ffo_id, _work.c.order_line_id)
        .group_by(_work.c.ffo_id, _work.c.order_line_id)
        .having(
            or_(
                func.min(amount // each) != func.max(amount // each),
                func.max(amount % each) != 0,
            )
        )
    )


def _strays() -> Select[Any]:
    stray = t.stray_effect.c
    return select(stray.id, stray.reference, stray.external_id).where(stray.gone_at.is_(None))


RULES = (
    Rule(
        "bundles_planned_whole",
        "holds another number of bundles of each component",
        "fulfilment order {ffo_id} for order line {order_line_id}",
        _bundles_unlike_their_parts(),
    ),
    Rule("one_label_per_work", "has two labels", "fulfilment order {ffo_id}", _labelled_twice()),
    Rule(
        "handed_over_once",
        "is at its location under two numbers",
        "fulfilment order {subject_id}",
        _handed_over_twice(),
    ),
    Rule(
        "packages_hold_what_shipped",
        "packages hold something else than was shipped",
        "fulfilment line {id}",
        _packages_unlike_shipped(),
    ),
    Rule(
        "vendors_hold_what_was_sent",
        "does not fit to what was sent; `crossdock strays list` tells its price and the remedy",
        "stray {id}: {external_id} for {reference}",
        _strays(),
    ),
    Rule(
        "nothing_stranded",
        "released to nobody",
        "order {order_id} fulfilment order {id}",
        _released_to_nobody(),
    ),
)
