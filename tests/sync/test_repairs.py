"""Planted damage of every kind: mended from facts kept elsewhere, or refused with what to do."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, func, select, update

from state import tables as t
from state.store import Store
from sync import invariants, repairs
from tests.sync.conftest import T0, Bench
from tests.sync.test_invariants import FAULTS, ONE, _trade, found

MENDED = {
    "level_is_sum_of_ledger",
    "ledger_tells_what_left",
    "ledger_has_its_level",
    "incoming_is_consignments",
    "lot_is_sum_of_ledger",
    "lot_reserved_is_reservations",
    "nothing_oversold",
    "counters_match_work",
    "order_counters",
    "reserved_is_reservations",
}
"""Of the faults in ``test_invariants``; the others damage facts, which are not made up."""


def repaired(store: Store) -> list[repairs.Change]:
    """Write every repair that is called for, as ``crossdock audit --repair --yes`` does."""
    with store.read() as conn:
        broken = repairs.all_violations(conn, invariants.SAMPLE)
    changes = []
    for one in repairs.needed(broken):
        try:
            with store.write() as conn:
                changes += repairs.apply(conn, one, T0, "ops", "a test")
        except repairs.CannotRepair:
            continue
    return changes


def audited(conn: Connection) -> int:
    repairs_ = t.audit_event.c.action.startswith("repair_")
    return conn.scalar(select(func.count()).select_from(t.audit_event).where(repairs_)) or 0


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_planted_damage_is_mended_or_refused_with_a_remedy(bench: Bench, name: str) -> None:
    _trade(bench)
    with bench.store.write() as conn:
        FAULTS[name](conn)
    before = found(bench.store)
    changes = repaired(bench.store)
    left = found(bench.store)
    with bench.store.read() as conn:
        assert audited(conn) == len(changes)
        advised = [repairs.advice(one) for one in invariants.check(conn)]
    if name in MENDED:
        assert changes
        assert left == set()
    else:
        assert name in left
        assert left <= before
        assert all(advised)


def test_a_mended_store_trades_on(bench: Bench) -> None:
    _trade(bench)
    with bench.store.write() as conn:
        conn.execute(update(t.order_line).values(qty_allocated=0, qty_released=0, qty_shipped=0))
        conn.execute(update(t.inventory_level).values(on_hand=t.inventory_level.c.on_hand + ONE))
    repaired(bench.store)
    assert found(bench.store) == set()
    assert repaired(bench.store) == []


def test_repairing_reservations_keeps_goods_for_their_orders(bench: Bench) -> None:
    _trade(bench)
    with bench.store.read() as conn:
        before = conn.execute(
            select(t.inventory_level.c.sku_id, t.inventory_level.c.reserved)
        ).all()
    with bench.store.write() as conn:
        FAULTS["reserved_is_reservations"](conn)
    repaired(bench.store)
    with bench.store.read() as conn:
        after = conn.execute(select(t.inventory_level.c.sku_id, t.inventory_level.c.reserved)).all()
    assert after == before
    assert any(row.reserved for row in after)


def test_a_ledger_that_lost_a_departure_makes_no_goods_up(bench: Bench) -> None:
    _trade(bench)
    levels = select(t.inventory_level.c.sku_id, t.inventory_level.c.on_hand)
    with bench.store.write() as conn:
        before = conn.execute(levels).all()
        FAULTS["ledger_tells_what_left"](conn)
    repaired(bench.store)
    with bench.store.read() as conn:
        assert conn.execute(levels).all() == before
    assert found(bench.store) == set()


def test_where_the_lot_is_not_known_the_level_is_not_made_what_the_ledger_says(
    bench: Bench,
) -> None:
    _trade(bench)
    levels = select(t.inventory_level.c.sku_id, t.inventory_level.c.on_hand)
    with bench.store.write() as conn:
        before = conn.execute(levels).all()
        FAULTS["ledger_tells_what_left"](conn)
        conn.execute(update(t.sku).values(lot_tracked=True))
    repaired(bench.store)
    with bench.store.read() as conn:
        assert conn.execute(levels).all() == before
    assert "ledger_tells_what_left" in found(bench.store)


def test_work_that_was_never_sent_is_handed_over_anew(bench: Bench) -> None:
    _trade(bench)
    with bench.store.write() as conn:
        work = t.fulfilment_order.c
        open_ = conn.execute(select(work.id).where(work.work_state == "planned")).scalar_one()
        counts = {"qty_allocated": 0, "qty_released": 2}
        mine = select(t.fulfilment_order_line.c.order_line_id).where(
            t.fulfilment_order_line.c.ffo_id == open_
        )
        conn.execute(update(t.order_line).where(t.order_line.c.id.in_(mine)).values(**counts))
        conn.execute(update(t.fulfilment_order).where(work.id == open_).values(work_state="open"))
    assert found(bench.store) == {"nothing_stranded"}
    changes = repaired(bench.store)
    assert [(one.before, one.after) for one in changes] == [("open", "planned")]
    assert found(bench.store) == set()


def test_every_rule_says_what_a_person_must_do() -> None:
    told = {
        rule.name: repairs.advice(invariants.Violation(rule.name, "x", "y"))
        for rule in invariants.RULES
    }
    assert len(told) == len({rule.name for rule in invariants.RULES})
    assert all(told.values())


def test_every_repair_is_explained() -> None:
    names = {rule.name for rule in invariants.RULES}
    for one in repairs.REPAIRS:
        assert one.rules <= names
        assert all(len(text) > 15 for text in (one.wrong, one.written, one.safe))
