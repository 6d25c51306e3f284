"""Every invariant has a planted fault that it, and the audit command, notices."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from decimal import Decimal

import pytest
from sqlalchemy import Connection, delete, insert, text, update

from state import tables as t
from state.store import Store
from sync import allocation, drain, intake, invariants
from tests.sync.conftest import Bench, woo_order

ONE = Decimal(1)


def _trade(bench: Bench) -> None:
    """Three orders: one shipped, one released, one planned."""
    bench.put("A", "berlin", 9)
    bench.put("B", "jersey", 9)
    bench.put("C", "jersey", 9)
    bench.shop.pages = [[woo_order(1, {"A": 2}), woo_order(2, {"B": 2})]]
    bench.run(intake.pull_orders, "shop")
    bench.run(allocation.allocate)
    bench.run(drain.push, "labels")
    bench.run(drain.push, "bob")
    object.__setattr__(bench.hub.policy, "release_after_s", 3600)
    bench.shop.pages.append([woo_order(3, {"C": 2})])
    bench.run(intake.pull_orders, "shop")
    bench.run(allocation.allocate)


def found(store: Store) -> set[str]:
    with store.read() as conn:
        return {violation.invariant for violation in invariants.check(conn)}


def _more_shipped_than_ordered(conn: Connection) -> None:
    _without_checks(conn, "order_line")
    conn.execute(update(t.order_line).values(qty_shipped=Decimal(99)))


def _without_checks(conn: Connection, table: str) -> None:
    """The database itself refuses this fault: take its guard away to see the audit's."""
    if conn.dialect.name == "sqlite":
        conn.execute(text("PRAGMA ignore_check_constraints = ON"))
        return
    names = conn.scalars(
        text(
            "SELECT conname FROM pg_constraint"
            " WHERE contype = 'c' AND conrelid = CAST(:t AS regclass)"
        ),
        {"t": table},
    )
    for name in list(names):
        conn.execute(text(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"'))


def _oversell(conn: Connection) -> None:
    _without_checks(conn, "inventory_level")
    conn.execute(update(t.inventory_level).values(on_hand=Decimal(-1)))


FAULTS: dict[str, Callable[[Connection], object]] = {
    "order_counters": _more_shipped_than_ordered,
    "counters_match_work": lambda conn: conn.execute(
        update(t.fulfilment_order_line).values(qty_shipped=ONE)
    ),
    "level_is_sum_of_ledger": lambda conn: conn.execute(
        update(t.inventory_level).values(on_hand=t.inventory_level.c.on_hand + ONE)
    ),
    "reserved_is_reservations": lambda conn: conn.execute(
        update(t.reservation).values(state="released")
    ),
    "ledger_has_its_level": lambda conn: conn.execute(delete(t.inventory_level)),
    "incoming_is_consignments": lambda conn: conn.execute(
        update(t.inventory_level).values(incoming=ONE)
    ),
    "lots_make_the_level": lambda conn: conn.execute(update(t.sku).values(lot_tracked=True)),
    "lot_reserved_is_reservations": lambda conn: (
        conn.execute(insert(t.lot).values(id=1, sku_id=1, code="L1")),
        conn.execute(
            insert(t.lot_level).values(lot_id=1, location_id=1, on_hand=ONE, reserved=ONE)
        ),
    ),
    "reservations_match_work": lambda conn: conn.execute(
        update(t.fulfilment_order_line).values(qty_cancelled=ONE)
    ),
    "nothing_oversold": _oversell,
    "totals_add_up": lambda conn: conn.execute(
        update(t.sales_order).values(intake_state="accepted", total_variance=1)
    ),
    "refunds_within_payments": lambda conn: conn.execute(
        insert(t.refund).values(order_id=1, external_id="x", amount=10**9)
    ),
    "one_label_per_work": lambda conn: conn.execute(
        insert(t.shipment).values(ffo_id=1, external_id="second", state="shipped", label_cost=1)
    ),
    "packages_hold_what_shipped": lambda conn: conn.execute(update(t.package_line).values(qty=ONE)),
    "nothing_stranded": lambda conn: (
        conn.execute(update(t.fulfilment_order).values(work_state="open")),
        conn.execute(update(t.intent).values(state="superseded")),
    ),
}


def test_a_day_of_work_breaks_nothing(bench: Bench) -> None:
    _trade(bench)
    assert found(bench.store) == set()


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_planted_fault_is_found(bench: Bench, name: str) -> None:
    _trade(bench)
    with bench.store.write() as conn:
        FAULTS[name](conn)
    assert name in found(bench.store)


def test_every_rule_has_its_planted_fault() -> None:
    assert {rule.name for rule in invariants.RULES} == set(FAULTS)


def test_a_dangling_reference_is_found(bench: Bench) -> None:
    if not bench.store.is_sqlite:
        pytest.skip("PostgreSQL never lets one dangle")
    # A stranger's connection does not check foreign keys unless it asks for it.
    with contextlib.closing(sqlite3.connect(str(bench.store.url.database))) as stranger:
        stranger.execute("INSERT INTO dirty_sku (sku_id) VALUES (999)")
        stranger.commit()
    assert found(bench.store) == {"references_hold"}
