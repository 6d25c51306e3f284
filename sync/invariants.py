"""The invariants of MODEL as queries: each returns the rows that break it.

``crossdock audit`` runs them all; the tests and the demo run them after every storm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select, text

from state import tables as t
from state.stock import AVAILABLE


@dataclass(frozen=True, slots=True)
class Violation:
    """One row that breaks an invariant."""

    invariant: str
    subject: str
    detail: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def check(conn: Connection) -> list[Violation]:
    """Every violation of every invariant; an empty list is the only good answer."""
    return [violation for rule in RULES for violation in rule(conn)]


def order_counters(conn: Connection) -> Iterator[Violation]:
    """1, 2: of what was ordered and not cancelled, no more is in hand than there is."""
    line = t.order_line.c
    in_hand = line.qty_allocated + line.qty_released + line.qty_shipped
    query = select(line.id, line.order_id).where(
        line.park_reason.is_(None), in_hand > line.qty_ordered - line.qty_cancelled
    )
    for row in conn.execute(query):
        yield Violation(
            "order_counters", f"order {row.order_id} line {row.id}", "more in hand than was ordered"
        )


def line_counters_match_work(conn: Connection) -> Iterator[Violation]:
    """1: a line's counters are the sums over its fulfilment order lines."""
    line, work, ffo = t.order_line, t.fulfilment_order_line, t.fulfilment_order
    left = work.c.qty - work.c.qty_cancelled - work.c.qty_shipped
    planned = func.coalesce(func.sum(left).filter(ffo.c.work_state == "planned"), 0)
    released = func.coalesce(func.sum(left).filter(ffo.c.work_state != "planned"), 0)
    shipped = func.coalesce(func.sum(work.c.qty_shipped), 0)
    query = (
        select(line.c.id, line.c.order_id)
        .outerjoin(work, work.c.order_line_id == line.c.id)
        .outerjoin(ffo, ffo.c.id == work.c.ffo_id)
        .group_by(line.c.id)
        .having(
            or_(
                planned != line.c.qty_allocated,
                released != line.c.qty_released,
                shipped != line.c.qty_shipped,
            )
        )
    )
    for row in conn.execute(query):
        yield Violation(
            "line_counters_match_work",
            f"order {row.order_id} line {row.id}",
            "counters differ from the fulfilment orders",
        )


def level_is_sum_of_ledger(conn: Connection) -> Iterator[Violation]:
    """4: every bucket of every level is the sum of its ledger rows."""
    level, ledger = t.inventory_level, t.inventory_ledger
    for bucket in ("on_hand", "reserved", "damaged", "quality_hold", "safety"):
        total = func.coalesce(func.sum(ledger.c.delta), 0)
        query = (
            select(level.c.sku_id, level.c.location_id)
            .outerjoin(
                ledger,
                and_(
                    ledger.c.sku_id == level.c.sku_id,
                    ledger.c.location_id == level.c.location_id,
                    ledger.c.bucket == bucket,
                ),
            )
            .group_by(level.c.sku_id, level.c.location_id)
            .having(total != level.c[bucket])
        )
        for row in conn.execute(query):
            yield Violation(
                "level_is_sum_of_ledger",
                f"SKU {row.sku_id} at {row.location_id}",
                f"{bucket} differs from its ledger",
            )


def reserved_is_sum_of_reservations(conn: Connection) -> Iterator[Violation]:
    """4: reserved goods are exactly what active reservations hold."""
    level, held = t.inventory_level, t.reservation
    total = func.coalesce(func.sum(held.c.qty - held.c.qty_consumed - held.c.qty_released), 0)
    query = (
        select(level.c.sku_id, level.c.location_id)
        .outerjoin(
            held,
            and_(
                held.c.sku_id == level.c.sku_id,
                held.c.location_id == level.c.location_id,
                held.c.state == "active",
            ),
        )
        .group_by(level.c.sku_id, level.c.location_id)
        .having(total != level.c.reserved)
    )
    for row in conn.execute(query):
        yield Violation(
            "reserved_is_sum_of_reservations",
            f"SKU {row.sku_id} at {row.location_id}",
            "reserved differs from the reservations",
        )


def reservations_match_work(conn: Connection) -> Iterator[Violation]:
    """4: an active reservation holds what its fulfilment order lines still have to ship."""
    held, work = t.reservation, t.fulfilment_order_line
    left = func.coalesce(func.sum(work.c.qty - work.c.qty_cancelled - work.c.qty_shipped), 0)
    query = (
        select(held.c.id)
        .outerjoin(work, work.c.reservation_id == held.c.id)
        .group_by(held.c.id)
        .having(left != held.c.qty - held.c.qty_consumed - held.c.qty_released)
    )
    for row in conn.execute(query):
        yield Violation(
            "reservations_match_work",
            f"reservation {row.id}",
            "holds something else than its work still has to ship",
        )


def nothing_oversold(conn: Connection) -> Iterator[Violation]:
    """5: what a location of ours has available is never negative."""
    level = t.inventory_level
    query = select(level.c.sku_id, level.c.location_id).where(
        level.c.authority == "hub", AVAILABLE + level.c.safety < 0
    )
    for row in conn.execute(query):
        yield Violation(
            "nothing_oversold", f"SKU {row.sku_id} at {row.location_id}", "available is negative"
        )


def totals_add_up(conn: Connection) -> Iterator[Violation]:
    """6: an order that flows adds up to the channel's total, or a person has released it."""
    order, hold = t.sales_order, t.hold
    released = select(hold.c.id).where(
        hold.c.order_id == order.c.id,
        hold.c.kind == "total_variance",
        hold.c.released_at.is_not(None),
    )
    unreadable = select(t.order_line.c.id).where(
        t.order_line.c.order_id == order.c.id, t.order_line.c.park_reason == "mapping"
    )
    query = select(order.c.id, order.c.total_variance).where(
        order.c.intake_state == "accepted",
        order.c.total_variance != 0,
        ~released.exists(),
        ~unreadable.exists(),
    )
    for row in conn.execute(query):
        yield Violation(
            "totals_add_up", f"order {row.id}", f"variance of {row.total_variance} minor units"
        )


def refunds_within_payments(conn: Connection) -> Iterator[Violation]:
    """7: no more was refunded than was captured, where the channel tells of captures."""
    paid = (
        select(t.payment.c.order_id, func.sum(t.payment.c.amount_captured).label("captured"))
        .group_by(t.payment.c.order_id)
        .subquery()
    )
    given = (
        select(t.refund.c.order_id, func.sum(t.refund.c.amount).label("refunded"))
        .where(t.refund.c.state == "confirmed")
        .group_by(t.refund.c.order_id)
        .subquery()
    )
    query = (
        select(given.c.order_id)
        .join(paid, paid.c.order_id == given.c.order_id)
        .where(given.c.refunded > paid.c.captured, paid.c.captured > 0)
    )
    for row in conn.execute(query):
        yield Violation(
            "refunds_within_payments", f"order {row.order_id}", "refunded more than was captured"
        )


def one_label_per_work(conn: Connection) -> Iterator[Violation]:
    """10: no fulfilment order of an own warehouse has two labels that are not voided."""
    query = (
        select(t.shipment.c.ffo_id)
        .where(t.shipment.c.label_cost.is_not(None), t.shipment.c.state != "voided")
        .group_by(t.shipment.c.ffo_id)
        .having(func.count() > 1)
    )
    for row in conn.execute(query):
        yield Violation("one_label_per_work", f"fulfilment order {row.ffo_id}", "two labels")


def packages_hold_what_shipped(conn: Connection) -> Iterator[Violation]:
    """What the packages of a fulfilment line hold is what the line says has shipped."""
    work, inside = t.fulfilment_order_line, t.package_line
    query = (
        select(work.c.id)
        .outerjoin(inside, inside.c.ffo_line_id == work.c.id)
        .group_by(work.c.id)
        .having(func.coalesce(func.sum(inside.c.qty), 0) != work.c.qty_shipped)
    )
    for row in conn.execute(query):
        yield Violation(
            "packages_hold_what_shipped",
            f"fulfilment line {row.id}",
            "packages hold something else than was shipped",
        )


def nothing_stranded(conn: Connection) -> Iterator[Violation]:
    """Open work at a location has an intent that was sent, or is about to be."""
    ffo = t.fulfilment_order
    intent = select(t.intent.c.id).where(
        t.intent.c.subject_id == ffo.c.id,
        t.intent.c.kind.in_(("fulfilment_order", "label")),
        t.intent.c.state.not_in(("superseded", "rejected")),
    )
    query = select(ffo.c.id).where(ffo.c.work_state == "open", ~intent.exists())
    for row in conn.execute(query):
        yield Violation("nothing_stranded", f"fulfilment order {row.id}", "released to nobody")


def references_hold(conn: Connection) -> Iterator[Violation]:
    """Foreign keys, asked of the database itself where it can tell (SQLite)."""
    if conn.dialect.name != "sqlite":
        return
    for row in conn.execute(text("PRAGMA foreign_key_check")):
        yield Violation("references_hold", f"{row[0]} row {row[1]}", f"points nowhere in {row[2]}")


RULES: tuple[Callable[[Connection], Iterator[Violation]], ...] = (
    order_counters,
    line_counters_match_work,
    level_is_sum_of_ledger,
    reserved_is_sum_of_reservations,
    reservations_match_work,
    nothing_oversold,
    totals_add_up,
    refunds_within_payments,
    one_label_per_work,
    packages_hold_what_shipped,
    nothing_stranded,
    references_hold,
)


def summary(conn: Connection) -> dict[str, Decimal | int]:
    """How much was looked at, so that a clean answer can be told from an empty store."""
    return {
        name: conn.scalar(select(func.count()).select_from(table)) or 0
        for name, table in (
            ("orders", t.sales_order),
            ("order_lines", t.order_line),
            ("ledger_rows", t.inventory_ledger),
            ("reservations", t.reservation),
            ("shipments", t.shipment),
            ("intents", t.intent),
        )
    }
