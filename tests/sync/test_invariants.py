"""Every invariant has a planted fault that it, and the audit command, notices."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, Row, delete, insert, select, text, update

from state import tables as t
from state.store import Store
from sync import allocation, drain, intake, invariants
from tests.sync.conftest import T0, Bench, woo_order

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
    "bundles_planned_whole": lambda conn: conn.execute(
        update(t.fulfilment_order_line).values(per_bundle=Decimal(3))
    ),
    "level_is_sum_of_ledger": lambda conn: conn.execute(
        update(t.inventory_level).values(on_hand=t.inventory_level.c.on_hand + ONE)
    ),
    "reserved_is_reservations": lambda conn: conn.execute(
        update(t.reservation).values(state="released")
    ),
    "ledger_tells_what_left": lambda conn: conn.execute(
        delete(t.inventory_ledger).where(
            t.inventory_ledger.c.reason == "ship", t.inventory_ledger.c.bucket == "on_hand"
        )
    ),
    "ledger_has_its_level": lambda conn: conn.execute(delete(t.inventory_level)),
    "incoming_is_consignments": lambda conn: conn.execute(
        update(t.inventory_level).values(incoming=ONE)
    ),
    "returns_within_shipments": lambda conn: (
        conn.execute(
            insert(t.order_return).values(id=1, order_id=1, state="received", requested_at=T0)
        ),
        conn.execute(
            insert(t.return_line).values(return_id=1, order_line_id=1, qty_received=Decimal(9))
        ),
    ),
    "lot_is_sum_of_ledger": lambda conn: (
        conn.execute(insert(t.lot).values(id=1, sku_id=1, code="L1")),
        conn.execute(insert(t.lot_level).values(lot_id=1, location_id=1, on_hand=ONE)),
    ),
    "handed_over_once": lambda conn: [
        conn.execute(
            insert(t.intent).values(
                connection_id=1,
                kind="fulfilment_order",
                subject_type="ffo",
                subject_id=1,
                idempotency_key=f"again:{n}",
                body={},
                state="done",
                remote_id=f"R{n}",
                not_before=T0,
                created_at=T0,
            )
        )
        for n in range(2)
    ],
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
    "totals_are_of_their_parts": lambda conn: conn.execute(
        update(t.sales_order).values(grand_total=t.sales_order.c.grand_total + 100)
    ),
    "refunds_within_payments": lambda conn: conn.execute(
        insert(t.refund).values(order_id=1, external_id="x", amount=10**9)
    ),
    "one_label_per_work": lambda conn: conn.execute(
        insert(t.shipment).values(ffo_id=1, external_id="second", state="shipped", label_cost=1)
    ),
    "packages_hold_what_shipped": lambda conn: conn.execute(update(t.package_line).values(qty=ONE)),
    "vendors_hold_what_was_sent": lambda conn: conn.execute(
        insert(t.stray_effect).values(
            connection_id=1,
            kind="label",
            external_id="se-1",
            problem="double",
            placed_at=T0,
            found_at=T0,
        )
    ),
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


def remade(bench: Bench, most: int | None = None) -> invariants.Remade:
    with bench.store.read() as conn:
        return invariants.remake(conn, most)


def test_lessons_model_11_every_decision_of_a_day_can_be_made_again(bench: Bench) -> None:
    _trade(bench)
    found = remade(bench)
    assert (found.made, found.skipped, found.violations) == (3, 0, [])
    assert remade(bench, 2).made == 2
    with bench.store.write() as conn:
        conn.execute(update(t.routing_decision).values(policy_version="rules/0"))
    assert (remade(bench).made, remade(bench).skipped) == (0, 3)


def _another_choice(conn: Connection, row: Row[Any]) -> None:
    chosen = [{**share, "quantity": 1} for share in row.chosen]
    _set_decision(conn, row, chosen=chosen)


def _another_reason(conn: Connection, row: Row[Any]) -> None:
    candidates = [{**one, "dropped": "no longer liked"} for one in row.candidates]
    _set_decision(conn, row, candidates=candidates)


def _other_inputs(conn: Connection, row: Row[Any]) -> None:
    order = {**row.inputs["order"], "country": "FR"}
    _set_decision(conn, row, inputs={**row.inputs, "order": order})


def _other_rules(conn: Connection, row: Row[Any]) -> None:
    body = dict(conn.scalar(select(t.routing_rules.c.body)) or {})
    conn.execute(update(t.routing_rules).values(body={**body, "currency": "USD"}))


def _no_rules(conn: Connection, row: Row[Any]) -> None:
    conn.execute(delete(t.routing_rules))


def _unreadable(conn: Connection, row: Row[Any]) -> None:
    _set_decision(conn, row, chosen=[{"location_id": "x"}])


def _set_decision(conn: Connection, row: Row[Any], **values: Any) -> None:
    mine = t.routing_decision.c.id == row.id
    conn.execute(update(t.routing_decision).where(mine).values(values))


@pytest.mark.parametrize(
    ("fault", "told", "how_many"),
    [
        (_another_choice, "chooses something else", 1),
        (_another_reason, "gives other reasons", 1),
        (_other_inputs, "not those it was made from", 1),
        (_other_rules, "its rules are kept as", 3),
        (_no_rules, "are not kept any more", 3),
        (_unreadable, "cannot be read", 1),
    ],
)
def test_a_decision_that_cannot_be_made_again_is_named(
    bench: Bench, fault: Callable[[Connection, Row[Any]], None], told: str, how_many: int
) -> None:
    _trade(bench)
    with bench.store.write() as conn:
        row = conn.execute(select(t.routing_decision).order_by(t.routing_decision.c.id)).first()
        assert row is not None
        fault(conn, row)
    violations = remade(bench).violations
    assert len(violations) == how_many
    assert violations[-1].subject == f"order {row.order_id} decision {row.id}"
    assert told in violations[-1].detail
    # The newest alone are well where it is the oldest that is not.
    assert len(remade(bench, 1).violations) == how_many // 3


def test_a_dangling_reference_is_found(bench: Bench) -> None:
    if not bench.store.is_sqlite:
        pytest.skip("PostgreSQL never lets one dangle")
    # A stranger's connection does not check foreign keys unless it asks for it.
    with contextlib.closing(sqlite3.connect(str(bench.store.url.database))) as stranger:
        stranger.execute("INSERT INTO dirty_sku (sku_id) VALUES (999)")
        stranger.commit()
    assert found(bench.store) == {"references_hold"}
