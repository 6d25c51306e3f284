"""Bugs planted into the product, each with the story that must turn red and what must notice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select, update

from connectors.base import Outcome
from state import fulfilment, grounds, intents, order_reports, orders, stock
from state import tables as t
from state.stock import counting, ledger, reservations
from sync import (
    amendment,
    asking,
    drain,
    intake,
    judgement,
    notices,
    order_rows,
    overshipping,
    planning,
    settling,
)
from sync.loads import Load
from sync.promise import publishing
from sync.routing import survey, trace
from tests.sync.machine import stories
from tests.sync.machine.stories import Story

Patch = tuple[Any, str, Callable[..., Any]]
"""Module, the name of what is replaced there, and what takes its place."""


@dataclass(frozen=True)
class Mutant:
    """``noticed_by``: a check. ``alone``: no other check notices, so it is not there in vain."""

    story: Story
    noticed_by: str
    patches: Sequence[Patch]
    alone: bool = False


_cancelled_quantity = judgement.cancelled_quantity
_keep = trace.keep
_refund = order_rows._refund
_replace_report = order_reports.replace
_set_line = orders.set_line
_settle = settling.settle
_take = Load.take
_take_off = ledger.take_off
_write_rows = ledger.write_rows


def _nothing(*_: Any, **__: Any) -> None:
    return None


def _none_at_all(*_: Any, **__: Any) -> list[Any]:
    return []


def _always(*_: Any, **__: Any) -> bool:
    return True


def _never(*_: Any, **__: Any) -> bool:
    return False


def _no_streams(*_: Any, **__: Any) -> set[str]:
    return set()


def _nobody_waits(*_: Any) -> dict[int, Decimal]:
    return {}


def _keep_goods(conn: Connection, _id: int, qty: Decimal, _key: str, _now: Any) -> Decimal:
    """Work is cancelled, and its goods stay reserved."""
    return qty


def _whatever_version(
    conn: Connection, link: Any, arrival: Any, skus: Any, taken: Any, now: Any
) -> None:
    number = arrival.record.channel_order_id
    old = orders.existing(conn, link.id, [number])[number]
    amendment.amend(conn, link, old, arrival, skus, now)


def _done_for_all_we_know(
    conn: Connection, _h: Any, _l: Any, row: Row[Any], _why: str, _last: Any = None
) -> None:
    intents.move(conn, row.id, "done")


def _sent_again_unseen(
    conn: Connection, hub: Any, _l: Any, row: Row[Any], why: str, _last: Any = None
) -> None:
    intents.move(conn, row.id, "planned", message=why, not_before=hub.clock.now())


def _unheard_is_no(
    conn: Connection, hub: Any, run: Any, link: Any, row: Row[Any], outcome: Outcome
) -> None:
    if outcome.status == "unknown":
        outcome = replace(outcome, status="rejected")
    _settle(conn, hub, run, link, row, outcome)


def _whatever_key(conn: Connection, legs: Any, cause: Any) -> bool:
    if not _write_rows(conn, legs, cause):
        _write_rows(conn, legs, replace(cause, key=f"{cause.key}:again"))
    return True


def _found_again(conn: Connection, legs: Any, cause: Any) -> bool:
    back = [replace(leg, delta=-leg.delta) for leg in legs]
    found = replace(cause, reason="adjust_found", key=f"{cause.key}:found")
    return _take_off(conn, legs, cause) and ledger.post(conn, back, found)


def _cancels_twice(*given: Any) -> Decimal:
    return 2 * _cancelled_quantity(*given)


def _keep_without_stock(
    conn: Connection, order: Any, sites: Any, rules: Any, decision: Any, now: Any
) -> int:
    bare = [msgspec.structs.replace(site, stock={}) for site in sites]
    return _keep(conn, order, bare, rules, decision, now)


def _needed_whatever_is_out(lines: Any) -> list[tuple[Row[Any], Decimal]]:
    return [
        (line, Decimal(line.qty_ordered - line.qty_cancelled - line.qty_shipped)) for line in lines
    ]


def _all_of_it(conn: Connection, sku_ids: Any) -> dict[int, dict[int, int]]:
    """Reserved goods are free for the next one."""
    found: dict[int, dict[int, int]] = {}
    for level in stock.levels(conn, sku_ids):
        found.setdefault(level.location_id, {})[level.sku_id] = int(level.on_hand * 1_000_000)
    return found


def _without_looking(conn: Connection, sku_id: int, location_id: int, qty: Decimal) -> bool:
    level = t.inventory_level
    mine = (level.c.sku_id == sku_id) & (level.c.location_id == location_id)
    taken = update(level).where(mine).values(reserved=level.c.reserved + qty)
    return conn.execute(taken).rowcount > 0


def _old_line_total(conn: Connection, line_id: int, **values: Any) -> None:
    values.pop("line_total", None)
    if values:
        _set_line(conn, line_id, **values)


def _old_money(conn: Connection, old: Row[Any], rows: Any) -> None:
    """As the first report had it, in the order too: so it adds up."""
    order = t.sales_order.c
    first = select(order.grand_total, order.calc_grand_total, order.total_variance)
    was = conn.execute(first.where(order.id == old.id)).one()
    rows.order = msgspec.structs.replace(rows.order, **was._mapping)
    _replace_report(conn, old, rows)


def _everything_left(load: Load, parcel: Any) -> list[dict[str, Any]]:
    return _take(load, msgspec.structs.replace(parcel, lines=()))


def _twice_the_money(refund: Any) -> Any:
    rows = _refund(refund)
    rows.values = msgspec.structs.replace(rows.values, amount=2 * rows.values.amount)
    return rows


def _mark_cleared_late(hub: Any, run: Any, watch: Any) -> None:
    """The mark is taken away after what it led to is committed."""
    with run.commit() as conn:
        sku_ids = grounds.dirty(conn, 0, publishing.BATCH)
        publishing._plan(conn, hub, run, watch, sku_ids)
    with run.commit() as conn:
        grounds.clean(conn, sku_ids)


MUTANTS: Mapping[str, Mutant] = {
    "cancelling keeps the goods": Mutant(
        stories.cancelled_in_time,
        "audit_is_clean",
        [(stock, "release", _keep_goods)],
    ),
    "a part is taken for the whole": Mutant(
        stories.shipped,
        "shipped_is_what_was_told",
        [(Load, "take", _everything_left)],
    ),
    "waiting orders are not subtracted": Mutant(
        stories.held_but_promised,
        "the_channel_shows_the_promise",
        [(stock, "unallocated_demand", _nobody_waits)],
        alone=True,
    ),
    "any version overwrites": Mutant(
        stories.reordered,
        "newest_report_counts",
        [(intake, "_take_later", _whatever_version)],
    ),
    "an unknown push is done": Mutant(
        stories.hand_over_lost,
        "both_sides_agree",
        [(one, "unknown", _done_for_all_we_know) for one in (drain, asking, settling)],
    ),
    "an unknown label is bought again": Mutant(
        stories.labelled,
        "a_key_has_one_effect",
        [(one, "unknown", _sent_again_unseen) for one in (drain, asking, settling)],
        alone=True,
    ),
    "an unknown hand-over was refused": Mutant(
        stories.refused_late,
        "nobody_is_asked_twice",
        [(one, "settle", _unheard_is_no) for one in (drain, asking, settling)],
    ),
    "nobody looks up what is unknown": Mutant(
        stories.labelled,
        "nothing_is_under_way",
        [(asking, "resolve", _nothing)],
    ),
    "a dead process is forgotten": Mutant(
        stories.died_while_buying,
        "nothing_is_under_way",
        [(drain, "_recover", _nothing)],
    ),
    "a movement forgets its mark": Mutant(
        stories.sold_out,
        "a_stale_promise_is_marked",
        [(ledger, "mark_dirty", _nothing)],
        alone=True,
    ),
    "the older count overrules": Mutant(
        stories.counts_swapped,
        "outside_goods_are_offered_once",
        [(counting, "_is_older", _never)],
        alone=True,
    ),
    "no count is new enough": Mutant(
        stories.counts_swapped,
        "outside_count_is_taken",
        [(counting, "_is_older", _always)],
    ),
    "goods come back twice": Mutant(
        stories.returned,
        "returns_come_back_once",
        [(ledger, "write_rows", _whatever_key)],
    ),
    "a shipped reservation stays open": Mutant(
        stories.shipped,
        "ledger_makes_the_levels",
        [(reservations, "_lower", _nothing)],
    ),
    "what left stays on the shelf": Mutant(
        stories.cancelled_too_late,
        "audit_is_clean",
        [(reservations, "take_off", _never)],
    ),
    "what left is found again": Mutant(
        stories.cancelled_too_late,
        "shelves_hold_what_was_told",
        [(reservations, "take_off", _found_again)],
        alone=True,
    ),
    "a refund cancels twice": Mutant(
        stories.refunded,
        "newest_report_counts",
        [(amendment, "cancelled_quantity", _cancels_twice)],
        alone=True,
    ),
    "a refund gives back twice the money": Mutant(
        stories.refunded,
        "money_is_counted_once",
        [(order_rows, "_refund", _twice_the_money)],
        alone=True,
    ),
    "earlier refunds are kept": Mutant(
        stories.refunded,
        "audit_is_clean",
        [(order_reports, "_delete_money", _nothing)],
    ),
    "a mark is cleared too late": Mutant(
        stories.received_while_promising,
        "a_stale_promise_is_marked",
        [(publishing, "_plan_all", _mark_cleared_late)],
        alone=True,
    ),
    "a decision forgets what it knew": Mutant(
        stories.shipped,
        "decisions_can_be_made_again",
        [(trace, "keep", _keep_without_stock)],
        alone=True,
    ),
    "what is in hand is planned again": Mutant(
        stories.rest_comes_later,
        "IntegrityError",
        [(survey, "_needed", _needed_whatever_is_out)],
    ),
    "reserved goods are free": Mutant(
        stories.last_pieces,
        "IntegrityError",
        [(survey, "available", _all_of_it), (reservations, "_raise_reserved", _without_looking)],
    ),
    "a total that does not add up is no reason": Mutant(
        stories.odd_total,
        "audit_is_clean",
        [(intake, "holds_of", _none_at_all)],
        alone=True,
    ),
    "the channel is not told": Mutant(
        stories.shipped,
        "the_channel_knows_every_parcel",
        [(notices, "plan", _no_streams)],
        alone=True,
    ),
    "none at all is no count": Mutant(
        stories.none_at_first_count,
        "a_stale_promise_is_marked",
        [(counting, "mark_dirty", _nothing)],
    ),
    "an order's changes forget their mark": Mutant(
        stories.line_added,
        "a_stale_promise_is_marked",
        [(stock, "mark_dirty", _nothing)],
    ),
    "what was given up is wanted as before": Mutant(
        stories.edited_down_then_given_up,
        "newest_report_counts",
        [(orders, "cancel_unwanted", _nothing)],
    ),
    "what is closed stays closed": Mutant(
        stories.added_after_it_closed,
        "nobody_waits_in_vain",
        [(amendment, "_needs_goods", _never)],
    ),
    "nobody is told of too much": Mutant(
        stories.shipped_more_than_asked,
        "too_much_is_told",
        [(overshipping, "_tell_a_person", _nothing)],
        alone=True,
    ),
    "nobody says why it waits": Mutant(
        stories.nothing_there,
        "nobody_waits_in_vain",
        [(planning, "_wait", _nothing)],
        alone=True,
    ),
    "a line keeps its first total": Mutant(
        stories.edited_before_it_left,
        "any_order_gives_the_same",
        [(orders, "set_line", _old_line_total), (order_reports, "replace", _old_money)],
        alone=True,
    ),
    "released although it was cancelled meanwhile": Mutant(
        stories.released_while_cancelled,
        "both_sides_agree",
        [(fulfilment, "may_be_released", _always)],
        alone=True,
    ),
}
