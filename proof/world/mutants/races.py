"""Bugs that show only where workers come between one another: with one worker they do no harm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Update

from proof.world.course import Course
from proof.world.mutants.mutant import Mutant, nothing
from state import streams

DROWSY = Course(seed=7, days=0.15, faults="drowsy", orders_per_day=300, workers=3)


def _written_all_the_same(
    conn: Connection, held: streams.Claim, change: Update, values: Mapping[str, Any]
) -> None:
    conn.execute(change, {**streams._named(held), **values})


MUTANTS: Mapping[str, Mutant] = {
    # The end of its run is refused all the same, and everything before that is kept.
    "who was overtaken writes on": Mutant(
        ((streams, "look", nothing), (streams, "_require_held", _written_all_the_same)), DROWSY
    ),
}
