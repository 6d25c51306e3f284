"""What a decision comes to: the figures that two decisions about one order are compared by."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sync.routing.calendars import days_late
from sync.routing.decision import Decision, Share, Verdict


class Outcome(msgspec.Struct, frozen=True):
    """One decision in figures.

    ``locations``: codes, one parcel each. ``cost``: as its own rules count it, in minor units of
    ``currency``; ``shipping``: of this, what is paid to carriers (parcels and weight). ``km``: of
    all parcels. ``days_late``: of the latest parcel. ``units``, ``left_out``: millionths shipped
    and not. ``waits``: why nothing is planned. ``quoted``: parcels that a carrier's quote prices.
    """

    locations: tuple[str, ...]
    currency: str
    cost: int
    shipping: int
    km: int
    days_late: int
    units: int
    left_out: int
    waits: str = ""
    quoted: int = 0

    @property
    def parcels(self) -> int:
        return len(self.locations)


def outcome(decision: Decision) -> Outcome:
    verdicts = {verdict.location_id: verdict for verdict in decision.verdicts}
    used = [verdicts[n] for n in sorted({share.location_id for share in decision.shares})]
    return Outcome(
        locations=tuple(sorted(verdict.code for verdict in used)),
        currency=decision.currency,
        cost=decision.cost,
        shipping=shipping(used, decision.shares),
        km=sum(verdict.km for verdict in used),
        days_late=max((_late(decision, verdict) for verdict in used), default=0),
        units=sum(share.quantity for share in decision.shares),
        left_out=sum(one.quantity for one in decision.unfilled),
        waits=decision.waits[1] if decision.waits else "",
        quoted=sum(verdict.quoted is not None for verdict in used),
    )


def shipping(used: Sequence[Verdict], shares: Sequence[Share]) -> int:
    parcels = sum(verdict.terms.get("parcel", 0) for verdict in used)
    return parcels + sum(share.weight_cost for share in shares)


def _late(decision: Decision, verdict: Verdict) -> int:
    if verdict.arrives_at is None:
        return 0
    return days_late(decision.policy.due_at, verdict.arrives_at)
