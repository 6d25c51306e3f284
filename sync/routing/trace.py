"""Decisions as the store keeps them: with everything they were made from, to be made again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row

from state import fulfilment
from state.vault import destinations
from sync.routing.decide import ENGINE, decide
from sync.routing.decision import Decision
from sync.routing.facts import OrderFacts, SiteFacts
from sync.routing.rules import Rules


class Inputs(msgspec.Struct, frozen=True):
    """What a decision was made from, beside its rules."""

    order: OrderFacts
    sites: tuple[SiteFacts, ...]


def keep(
    conn: Connection,
    order: OrderFacts,
    sites: Sequence[SiteFacts],
    rules: Rules,
    decision: Decision,
    now: datetime,
) -> int:
    """Store a decision with its inputs and its rules; returns its id."""
    inputs = destinations.seal(conn, order.order_id, _plain(Inputs(order, tuple(sites))))
    version = rules.version()
    fulfilment.keep_rules(conn, version, rules.name, _plain(rules), now)
    thought = _plain(decision)
    return fulfilment.add_decision(
        conn,
        order_id=order.order_id,
        decided_at=now,
        policy_version=ENGINE,
        rules_version=version,
        stock_version=fulfilment.stock_version(conn),
        inputs_hash=hash_of(ENGINE, version, inputs),
        inputs=inputs,
        candidates=thought.pop("verdicts"),
        chosen=thought.pop("shares"),
        trace=thought,
    )


def hash_of(engine: str, rules_version: str, inputs: Any) -> str:
    """SHA-256, in hexadecimal, of all that decides: ``inputs`` in the shape they are stored in."""
    encoded = msgspec.json.encode([engine, rules_version, inputs], order="deterministic")
    return hashlib.sha256(encoded).hexdigest()


def is_remakeable(row: Row[Any]) -> bool:
    """Was it made the way decisions are made now?"""
    return bool(row.policy_version == ENGINE and is_told(row))


def is_told(row: Row[Any]) -> bool:
    """Was it made by a rule file, so that ``stored`` can read it? Older ones hold less."""
    return row.trace is not None


def stored(row: Row[Any]) -> Decision:
    """A decision as it was made."""
    whole = {**row.trace, "verdicts": row.candidates, "shares": row.chosen}
    return msgspec.convert(whole, Decision, strict=False)


def inputs_of(row: Row[Any]) -> Inputs:
    return msgspec.convert(row.inputs, Inputs, strict=False)


def rules_of(conn: Connection, row: Row[Any]) -> Rules:
    """The rules that a decision was made with."""
    return msgspec.convert(fulfilment.rules_body(conn, row.rules_version), Rules, strict=False)


def recompute(conn: Connection, row: Row[Any]) -> Decision:
    """Make a stored decision again; its bytes are those of ``stored`` unless something is wrong.

    Raises ``ValueError`` for one that was not made the way decisions are made now.
    """
    if row.policy_version != ENGINE:
        raise ValueError(f"decision {row.id} was made by {row.policy_version}, this is {ENGINE}")
    inputs = inputs_of(row)
    return decide(inputs.order, inputs.sites, rules_of(conn, row))


def says_the_same(row: Row[Any] | None, decision: Decision) -> bool:
    """Would storing ``decision``, which plans nothing, only repeat the order's last one?"""
    if row is None or not is_told(row):
        return False
    return bool(_thought(stored(row)) == _thought(decision))


_COUNTS = re.compile(r"\d+(?:\.\d+)?")


def _thought(decision: Decision) -> Any:
    """What people are told, without the numbers: of goods that come and go they never stand still.

    Which goods are meant is told by the lines, so it does no harm that a code loses its digits.
    """
    return (
        decision.shares,
        decision.waits,
        [(one.line_id, _kind(one.why), one.expected_on) for one in decision.unfilled],
        [
            (verdict.code, _kind(verdict.dropped), [_kind(lack) for lack in verdict.lacks])
            for verdict in decision.verdicts
        ],
    )


def _kind(told: str) -> str:
    return _COUNTS.sub("#", told)


def _plain(value: Any) -> Any:
    return msgspec.to_builtins(value, str_keys=True)
