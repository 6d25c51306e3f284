"""The store's own audit, by the invariants that its rules stand for."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from proof.world.checks.violation import Violation
from sync import invariants

BY_RULE: Mapping[str, str] = {
    "order_counters": "I3",
    "nothing_oversold": "I3",
    "bundles_planned_whole": "I3",
    "one_label_per_work": "I4",
    "handed_over_once": "I4",
    "vendors_hold_what_was_sent": "I4",
    "totals_add_up": "I5",
    "refunds_within_payments": "I5",
    "nothing_stranded": "I7",
    "audit_trail": "I11",
    "decisions_can_be_remade": "I11",
}
"""Every other rule compares a sum with its parts: I8."""


def audit(conn: Connection) -> list[Violation]:
    return [_named(one) for one in invariants.check(conn)]


def hourly(conn: Connection) -> list[Violation]:
    """As ``audit``, but for what a vendor that lies for an hour makes us suspect: it ends with
    the next look that it answers truly."""
    return [one for one in audit(conn) if _SUSPECTED not in one.detail]


_SUSPECTED = "vendors_hold_what_was_sent"


def decisions(conn: Connection) -> list[Violation]:
    """Every decision can be made again from what was written down about it."""
    return [_named(one) for one in invariants.remake(conn).violations]


def _named(one: invariants.Violation) -> Violation:
    detail = f"{one.detail} ({one.invariant})"
    return Violation(BY_RULE.get(one.invariant, "I8"), one.subject, detail)
