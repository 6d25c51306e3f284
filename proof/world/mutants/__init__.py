"""Bugs planted into the product, to see whether anybody notices.

Each names the history in which it shows; the same history without the bug holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from proof.world.mutants import doors, goods, pushing, reading
from proof.world.mutants.mutant import Mutant, planted

__all__ = ["INTERLEAVED", "MUTANTS", "QUICKEST", "Mutant", "planted"]

MUTANTS: Mapping[str, Mutant] = {
    **reading.MUTANTS,
    **goods.MUTANTS,
    **pushing.MUTANTS,
    **doors.MUTANTS,
}

QUICKEST: Mapping[str, Mutant] = {
    name: MUTANTS[name]
    for name in (
        "the last record of a page is skipped",
        "an amount is taken for francs",
        "a cancellation is overlooked",
        "earlier refunds are kept",
        "a refund gives back twice the money",
        "a decision forgets what it knew",
        "a shipped reservation stays open",
        "a stock write is taken for sent",
        "a label is asked for under another key",
        "a look-up is left out",
    )
}
"""For a pull request: among them several checks notice, and each as soon as any."""

INTERLEAVED: Mapping[str, Mutant] = {
    name: replace(MUTANTS[name], course=replace(MUTANTS[name].course, workers=3))
    for name in ("a shipped reservation stays open", "a label is asked for under another key")
}
"""Where workers come between one another."""
