"""How the vendors of one world are: drawn for every seed, many of their quirks switched off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from proof.world.course import QUIRKS, Course
from sandbox.quirks import Quirks

_SHARE = 0.3
"""Of the quirks that a vendor has: many at once hide one another."""

_HABITS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "shown late": [
        {"late_share": share, "late_s": seconds} for share in (0.1, 0.5) for seconds in (120, 2700)
    ],
    "times rounded": [{"coarse_s": seconds} for seconds in (10, 60)],
    "no order": [{"unsorted": True}],
    "empty pages": [{"empty_pages": number} for number in (1, 3)],
    "tokens of pages die": [{"page_token_s": seconds} for seconds in (60.0, 900.0)],
    "edits meanwhile": [{"edits_while_paging": 1}],
    "tokens die": [{"access_token_s": seconds} for seconds in (120.0, 900.0)],
    "index lags": [{"index_lag_s": seconds} for seconds in (30.0, 300.0)],
    "ships what was cancelled": [{"ships_cancelled_share": 0.5}],
    "lists twice": [{"repeats_shipments": True}],
    "tells late": [{"shipments_late_s": seconds} for seconds in (600.0, 7200.0)],
}
"""What is never drawn: a vendor that makes two out of one, or takes a reference twice where its
contract says that it does not; an index that lags for longer than its connector says; an order that
is deleted for good. Nobody could come to the vendors' truth then."""


def draw(course: Course) -> Quirks:
    """Everything is drawn whether it counts or not: what one quirk does moves no other."""
    dice, found = course.dice("quirks"), Quirks()
    for ways in _HABITS.values():
        has, way = dice.random() < _SHARE, dice.choice(ways)
        if has and course.faults in ("calm", "storm") and QUIRKS not in course.without:
            found.change(**way)
    return found
