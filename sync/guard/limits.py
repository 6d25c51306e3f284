"""How much one run may change: pure measures over a list of changes.

A dead feed, a wrong file or a mistaken rule shows in the size of what it changes. The shares count
only from ``at_least`` changes on: of a small catalogue any change is a large part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Limits:
    """What ops set in ``[guard]``.

    ``zeroed_percent``: of a channel's listings on offer, or of a location's SKUs in stock.
    ``moved_units``: pieces up or down. ``cancelled_orders``: by one pull of a channel.
    """

    zeroed_percent: float = 40.0
    at_least: int = 10
    moved_units: int = 1_000_000
    cancelled_orders: int = 200


@dataclass(frozen=True, slots=True)
class Change:
    """One number before and after. ``subject`` names it within its stream, ``label`` for people.

    ``scope``: the channel or location whose whole it is a part of.
    """

    subject: str
    label: str
    before: int
    after: int
    scope: str = ""

    @property
    def zeroes(self) -> bool:
        return self.before > 0 >= self.after

    def within(self, other: Change) -> bool:
        """Does it go in the same direction, and no farther?"""
        if other.after < other.before:
            return other.after <= self.after < self.before
        return self.before < self.after <= other.after


@dataclass(frozen=True, slots=True)
class Excess:
    """Why it is too much, in a sentence, and the figures."""

    reason: str
    measured: Mapping[str, Any]


Measure = Callable[[Sequence[Change]], Excess | None]


def too_much_stock(
    changes: Iterable[Change], limits: Limits, things: str, whole: Callable[[str], int]
) -> Excess | None:
    """Judge changed quantities, scope by scope. ``whole``: how many of ``things`` a scope has.

    It is asked only where enough would be zeroed, as it may have to count them all.
    """
    by_scope: dict[str, list[Change]] = {}
    for change in changes:
        by_scope.setdefault(change.scope, []).append(change)
    for scope, mine in sorted(by_scope.items()):
        excess = _zeroed(scope, mine, limits, things, whole) or _moved(scope, mine, limits)
        if excess is not None:
            return excess
    return None


def _zeroed(
    scope: str, changes: Sequence[Change], limits: Limits, things: str, whole: Callable[[str], int]
) -> Excess | None:
    zeroed = sum(change.zeroes for change in changes)
    if zeroed < limits.at_least:
        return None
    of = max(whole(scope), zeroed)
    if 100 * zeroed <= limits.zeroed_percent * of:
        return None
    measured = {"scope": scope, "zeroed": zeroed, "of": of, "zeroed_percent": limits.zeroed_percent}
    return Excess(f"{scope}: {zeroed} of {of} {things} would go to zero", measured)


def _moved(scope: str, changes: Sequence[Change], limits: Limits) -> Excess | None:
    moved = sum(abs(change.after - change.before) for change in changes)
    if moved <= limits.moved_units:
        return None
    measured = {"scope": scope, "moved": moved, "moved_units": limits.moved_units}
    return Excess(f"{scope}: {moved} units would move", measured)


def too_many_cancelled(
    changes: Sequence[Change], limits: Limits, committed: int = 0
) -> Excess | None:
    """Judge orders about to be cancelled, and those ``committed`` already with which they count."""
    total = committed + len(changes)
    if total <= limits.cancelled_orders:
        return None
    measured = {
        "cancelled": total,
        "committed": committed,
        "cancelled_orders": limits.cancelled_orders,
    }
    already = f", {committed} of them are already" if committed else ""
    return Excess(f"{total} orders would be cancelled{already}", measured)
