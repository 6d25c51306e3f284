"""Bugs planted into the product, to see whether anybody notices.

Each names the history in which it shows; the same history without the bug holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from proof.world.mutants import doors, goods, pushing, races, reading, upkeep
from proof.world.mutants.mutant import SHORT, Mutant, planted

__all__ = ["INTERLEAVED", "MUTANTS", "QUICKEST", "RACES", "Mutant", "planted"]

MUTANTS: Mapping[str, Mutant] = {
    **reading.MUTANTS,
    **goods.MUTANTS,
    **pushing.MUTANTS,
    **doors.MUTANTS,
    **upkeep.MUTANTS,
    **races.MUTANTS,
}

RACES: Mapping[str, Mutant] = races.MUTANTS
"""Noticed where several workers live through the course, and not where one does it alone."""

QUICKEST: Mapping[str, Mutant] = {
    name: replace(MUTANTS[name], course=SHORT)
    for name in (
        "the last record of a page is skipped",
        "an amount is taken for francs",
        "a decision forgets what it knew",
        "a stock write is taken for sent",
        "a label is taken for free",
        "one more is asked of the 3PL",
        "no order is ever told to be complete",
        "what is read again is booked again",
        "no limit is kept",
        "the audit trail is not sealed",
    )
}
"""For a pull request: nearly every check notices one of them, in the shortest course that shows."""

INTERLEAVED: Mapping[str, Mutant] = {
    **{
        name: replace(MUTANTS[name], course=replace(MUTANTS[name].course, workers=3))
        for name in ("a shipped reservation stays open", "a label is asked for under another key")
    },
    **RACES,
}
"""Where workers come between one another."""
