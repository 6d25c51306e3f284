"""The invariants of the store as queries: each selects the rows that break it.

``crossdock audit`` runs them all; the tests and the demo run them after every storm. By topic;
``decisions`` is the only one that is no query, and so apart from ``check``.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, func, select, text

from state import tables as t
from state.audit_check import Witness, breaks
from sync.invariants import handover, money, orders, stock
from sync.invariants.decisions import SAMPLE, Remade, remake
from sync.invariants.rule import Rule, Violation

__all__ = ["RULES", "SAMPLE", "Remade", "Rule", "Violation", "check", "remake", "summary"]

RULES: Sequence[Rule] = (*orders.RULES, *stock.RULES, *money.RULES, *handover.RULES)


def check(conn: Connection, witness: Witness | None = None) -> list[Violation]:
    """Every violation of every invariant; an empty list is the only good answer.

    ``witness``: what the audit trail was seen to end with before.
    """
    found = [violation for rule in RULES for violation in rule.violations(conn)]
    trail = [Violation("audit_trail", one.subject, one.detail) for one in breaks(conn, witness)]
    return found + _dangling(conn) + trail


def _dangling(conn: Connection) -> list[Violation]:
    """Foreign keys, asked of the database itself; PostgreSQL never lets one dangle."""
    if conn.dialect.name != "sqlite":
        return []
    return [
        Violation("references_hold", f"{row[0]} row {row[1]}", f"points nowhere in {row[2]}")
        for row in conn.execute(text("PRAGMA foreign_key_check"))
    ]


def summary(conn: Connection) -> dict[str, int]:
    """How much was looked at, so that a clean answer can be told from an empty store."""
    tables = {
        "orders": t.sales_order,
        "order_lines": t.order_line,
        "ledger_rows": t.inventory_ledger,
        "reservations": t.reservation,
        "shipments": t.shipment,
        "intents": t.intent,
        "audit_rows": t.audit_event,
    }
    return {
        name: conn.scalar(select(func.count()).select_from(table)) or 0
        for name, table in tables.items()
    }
