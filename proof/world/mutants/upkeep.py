"""Bugs in what keeps the rest going: limits, repetitions, the seals of the audit trail."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from jobs import runner
from proof.world.course import OUTAGE
from proof.world.mutants.mutant import SHORT, Mutant, nothing, only
from state import audit_chain, rate_buckets, runs


def _at_once(*_: Any, **__: Any) -> float:
    return 0.0


def _in_a_month(_self: Any, _held: Any, _verdict: Any, now: datetime) -> datetime:
    return now + timedelta(days=30)


_prune = runs.prune
_OFFICE_OPENS = 8


def _not_before_eight(conn: Any, before: datetime) -> int:
    """A mistake that is gone when the stream is tried again for long enough."""
    if before.hour < _OFFICE_OPENS:
        raise KeyError("office")
    return _prune(conn, before)


MUTANTS: Mapping[str, Mutant] = {
    "no limit is kept": Mutant(
        (
            (rate_buckets.RateBuckets, "wait_s", _at_once),
            (rate_buckets.RateBuckets, "block", nothing),
        ),
        SHORT,
    ),
    "what failed is tried in a month": Mutant(
        ((runner.Runner, "_retry_at", _in_a_month),), only(OUTAGE, seed=56, days=0.2)
    ),
    "old runs cannot be deleted before eight": Mutant(((runs, "prune", _not_before_eight),)),
    "the audit trail is not sealed": Mutant(((audit_chain, "_seal", nothing),)),
}
