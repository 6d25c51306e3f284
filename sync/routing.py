"""Which location ships what: a pure function from an order's lines and the stock to a plan.

Everything it needs comes in and everything it thought goes out, so that a stored decision can be
recomputed from its inputs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from decimal import Decimal
from itertools import combinations
from typing import Any

import msgspec

POLICY = "fewest-splits-then-nearest/1"
NEAREST_MAX = 10
"""Only the nearest locations that hold anything are combined: 2^10 subsets are still instant."""


class Need(msgspec.Struct, frozen=True):
    """What one order line still needs, in units of one SKU."""

    order_line_id: int
    sku_id: int
    qty: Decimal


class Candidate(msgspec.Struct, frozen=True):
    """A location that may serve the order, with what it has available by SKU id."""

    location_id: int
    code: str
    rank: int
    km: float
    available: dict[int, Decimal]


class Share(msgspec.Struct, frozen=True):
    """Part of a plan: this location ships so much of this line."""

    location_id: int
    order_line_id: int
    sku_id: int
    qty: Decimal


class Plan(msgspec.Struct, frozen=True):
    """The choice, and why every candidate was or was not part of it."""

    shares: tuple[Share, ...]
    verdicts: tuple[dict[str, Any], ...]
    inputs_hash: str


def route(needs: Sequence[Need], candidates: Sequence[Candidate]) -> Plan:
    """Ship as much as possible from as few locations as possible, the nearest first.

    Ties are broken by the channel's rank and the location's code, so the plan is unique.
    """
    useful = [c for c in candidates if any(c.available.get(n.sku_id, 0) > 0 for n in needs)]
    nearest = sorted(useful, key=lambda c: (c.km, c.rank, c.code))[:NEAREST_MAX]
    chosen = _choose(needs, nearest)
    shares = _assign(needs, chosen)
    return Plan(
        shares=tuple(shares),
        verdicts=tuple(_verdict(c, useful, nearest, chosen) for c in candidates),
        inputs_hash=inputs_hash(needs, candidates),
    )


def inputs_hash(needs: Sequence[Need], candidates: Sequence[Candidate]) -> str:
    """Names what a decision was made from, whatever the order of dictionaries."""
    plain = msgspec.to_builtins([POLICY, needs, candidates], str_keys=True)
    encoded = msgspec.json.encode(plain, order="deterministic")
    return hashlib.sha256(encoded).hexdigest()


def _choose(needs: Sequence[Need], nearest: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """The smallest set that covers the most, in order of nearness."""
    reachable = _covered(needs, nearest)
    if reachable == 0:
        return ()
    for size in range(1, len(nearest) + 1):
        full = [s for s in combinations(nearest, size) if _covered(needs, s) == reachable]
        if full:
            return min(full, key=lambda s: (sum(c.km for c in s), [(c.rank, c.code) for c in s]))
    return tuple(nearest)


def _covered(needs: Sequence[Need], locations: Sequence[Candidate]) -> Decimal:
    wanted: dict[int, Decimal] = {}
    for need in needs:
        wanted[need.sku_id] = wanted.get(need.sku_id, Decimal(0)) + need.qty
    return sum(
        (
            min(qty, sum((c.available.get(sku, Decimal(0)) for c in locations), Decimal(0)))
            for sku, qty in wanted.items()
        ),
        Decimal(0),
    )


def _assign(needs: Sequence[Need], chosen: Sequence[Candidate]) -> list[Share]:
    """Whole lines to the nearest location that has them; a line is split only if none has."""
    left = {(c.location_id, sku): qty for c in chosen for sku, qty in c.available.items()}
    shares: list[Share] = []
    for need in sorted(needs, key=lambda n: (-n.qty, n.order_line_id)):
        open_qty = need.qty
        whole = [c for c in chosen if left.get((c.location_id, need.sku_id), 0) >= open_qty]
        for candidate in whole[:1] or chosen:
            mark = (candidate.location_id, need.sku_id)
            take = min(open_qty, max(Decimal(0), left.get(mark, Decimal(0))))
            if take > 0:
                left[mark] -= take
                open_qty -= take
                shares.append(Share(candidate.location_id, need.order_line_id, need.sku_id, take))
    return sorted(shares, key=lambda s: (s.sku_id, s.location_id, s.order_line_id))


def _verdict(
    candidate: Candidate,
    useful: Sequence[Candidate],
    nearest: Sequence[Candidate],
    chosen: Sequence[Candidate],
) -> dict[str, Any]:
    if candidate in chosen:
        why = ""
    elif candidate not in useful:
        why = "has none of the goods"
    elif candidate not in nearest:
        why = f"not among the {NEAREST_MAX} nearest that have goods"
    else:
        why = "fewer or nearer locations ship as much"
    return {"location": candidate.code, "km": round(candidate.km), "dropped_because": why}
