"""What a person found out about a push of which nobody here knew what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from connectors.base import Outcome
from connectors.errors import CrossdockError
from mappings import canonical as c
from state import history, intents
from sync.context import Hub, Link
from sync.pushes import BY_NAME
from sync.settling import write_down

MAY_BE_RESOLVED = ("review",)


class CannotResolve(Exception):
    """What the person says cannot be taken as it is; ``remedy`` says what is missing."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Found:
    """``remote_id``: the vendor's number of what it did; null: it did nothing.

    Of a label the vendor does not tell us about by itself, ``tracking_number`` and ``carrier``.
    """

    remote_id: str | None
    reason: str
    actor: str
    tracking_number: str = ""
    carrier: str = ""


def outcome_of(link: Link, row: Row[Any], found: Found) -> Outcome:
    """What the vendor would have answered. Asks it for a label's details, where it can tell.

    No transaction may be open. Raises ``CannotResolve``.
    """
    key = row.idempotency_key
    if found.remote_id is None:
        return Outcome(key, "retry", message=f"not done, says {found.actor}", retry_after=0.0)
    told = f"done, says {found.actor}"
    if row.kind != "label":
        return Outcome(key, "applied", remote_id=found.remote_id, message=told)
    return _label(link, row, found, told)


def _label(link: Link, row: Row[Any], found: Found, told: str) -> Outcome:
    find = BY_NAME[row.kind].find
    try:
        answer = find(link.connector, row.body) if find else None
    except CrossdockError:
        answer = None
    if answer is not None and answer.remote_id == found.remote_id:
        return Outcome(
            row.idempotency_key, "applied", answer.remote_id, "", "", told, None, answer.result
        )
    if not (found.tracking_number and found.carrier):
        raise CannotResolve(
            f"{link.name} does not tell what label {found.remote_id} is.",
            "Give what stands on it: --tracking NUMBER --carrier NAME.",
        )
    label = c.Label(
        external_id=str(found.remote_id),
        tracking_number=found.tracking_number,
        carrier=found.carrier,
        service_code="",
        cost=0,
        currency=row.body["currency"],
    )
    return Outcome(row.idempotency_key, "applied", label.external_id, message=told, result=label)


def resolve(
    conn: Connection, hub: Hub, link: Link, row: Row[Any], outcome: Outcome, found: Found
) -> list[str]:
    """Settle an intent on a person's word, as the vendor's own answer would have; returns the
    streams that have work now.

    Raises ``CannotResolve`` when it does not wait for anybody's word any more.
    """
    now = hub.clock.now()
    fresh = intents.by_key(conn, row.idempotency_key, lock=True)
    if fresh is None or fresh.state not in MAY_BE_RESOLVED:
        state = fresh.state if fresh is not None else "gone"
        raise CannotResolve(
            f"{row.idempotency_key} waits for nobody's word: it is {state}.",
            "`crossdock intents` lists those that do.",
        )
    woken = write_down(conn, hub, link, fresh, outcome)
    history.audit(
        conn,
        actor=found.actor,
        action="resolve_intent",
        subject=(fresh.subject_type, fresh.subject_id),
        before={"intent": fresh.idempotency_key, "state": fresh.state, "message": fresh.message},
        after={"done": found.remote_id is not None, "remote_id": found.remote_id or ""},
        reason=found.reason,
        now=now,
    )
    return sorted({*woken, f"push:{link.name}"})
