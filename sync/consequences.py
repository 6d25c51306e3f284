"""What a change of an order brings about: its situation before and after, put into sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row

from state import fulfilment, history, orders


@dataclass(frozen=True, slots=True)
class Situation:
    """Where an order stands. ``lines`` by the channel's line id, ``work`` by reference."""

    state: str
    holds: Mapping[str, Row[Any]]
    lines: Mapping[str, Row[Any]]
    work: Mapping[str, Row[Any]]

    @property
    def handed_over(self) -> bool:
        """Is anything of it in the hands of a location or a carrier, or has it left?"""
        return any(line.qty_released or line.qty_shipped for line in self.lines.values())

    @property
    def open(self) -> Decimal:
        """How many are neither cancelled nor in anybody's hands, of lines that are not parked."""
        return sum(
            (
                _wanted(line) - line.qty_allocated - line.qty_released - line.qty_shipped
                for line in self.lines.values()
                if line.park_reason is None
            ),
            Decimal(0),
        )


def situation(conn: Connection, order_id: int) -> Situation:
    return Situation(
        state=orders.get(conn, order_id).intake_state,
        holds=history.open_holds(conn, [order_id]).get(order_id, {}),
        lines={
            row.channel_line_id: row for row in orders.lines(conn, [order_id]).get(order_id, [])
        },
        work={row.reference: row for row in fulfilment.of_order(conn, order_id)},
    )


def consequences(before: Situation, after: Situation) -> Iterator[str]:
    """Sentences without personal data."""
    if before.state != after.state:
        yield f"the order is {after.state}, was {before.state}"
    for kind, hold in after.holds.items():
        if kind not in before.holds:
            yield f"hold placed: {kind}: {hold.reason}"
    for kind in before.holds:
        if kind not in after.holds:
            yield f"hold lifted: {kind}"
    yield from _lines(before, after)
    for reference, work in after.work.items():
        was = before.work.get(reference)
        if was is not None and was.work_state != work.work_state:
            yield f"{reference} is {work.work_state}, was {was.work_state}"
        elif was is not None and was.request_state != work.request_state:
            yield f"{reference}: {work.request_state.replace('_', ' ')}"


def _lines(before: Situation, after: Situation) -> Iterator[str]:
    for line_id, line in after.lines.items():
        was = before.lines.get(line_id)
        if was is None:
            yield f"line {line.line_no} is new: {_wanted(line)} of {line.channel_sku or 'no SKU'}"
            continue
        if _wanted(was) != _wanted(line):
            yield f"line {line.line_no}: {_wanted(line)} to ship, was {_wanted(was)}"
        if was.sku_id != line.sku_id:
            yield f"line {line.line_no}: another SKU, {line.channel_sku or 'none'}"
        if was.park_reason != line.park_reason:
            yield f"line {line.line_no}: " + (
                f"parked, {line.park_reason}" if line.park_reason else "not parked any more"
            )
    for line_id, line in before.lines.items():
        if line_id not in after.lines:
            yield f"line {line.line_no} is gone"


def _wanted(line: Row[Any]) -> Decimal:
    return Decimal(line.qty_ordered - line.qty_cancelled)
