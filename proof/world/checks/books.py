"""The store's own audit, by the invariants that its rules stand for."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from proof.world.checks.violation import Check, Violation
from sync import invariants

BY_RULE: Mapping[str, Check] = {
    "order_counters": "I3b",
    "nothing_oversold": "I3",
    "bundles_planned_whole": "I3",
    "one_label_per_work": "I4",
    "handed_over_once": "I4",
    "vendors_hold_what_was_sent": "I4",
    "totals_add_up": "I5",
    "totals_are_of_their_parts": "I5",
    "refunds_within_payments": "I5",
    "nothing_stranded": "I7",
    "counters_match_work": "I8",
    "incoming_is_consignments": "I8",
    "ledger_has_its_level": "I8",
    "ledger_tells_what_left": "I8",
    "level_is_sum_of_ledger": "I8",
    "lot_is_sum_of_ledger": "I8",
    "lot_reserved_is_reservations": "I8",
    "lots_make_the_level": "I8",
    "packages_hold_what_shipped": "I8",
    "references_hold": "I8",
    "reservations_match_work": "I8",
    "reserved_is_reservations": "I8",
    "returns_within_shipments": "I8",
    "audit_trail": "I11",
    "decisions_can_be_remade": "I11",
}
"""All there are: a new one is to say what it stands for."""


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
    return Violation(BY_RULE[one.invariant], one.subject, detail)
