"""What the engine does for itself."""

from __future__ import annotations

from datetime import timedelta

from state import holds, runs
from sync.context import Hub, Run

KEEP_RUNS = timedelta(days=30)


def prune(hub: Hub, run: Run) -> None:
    """Job: delete the history of runs that is too old to explain anything."""
    with run.commit() as conn:
        before = hub.clock.now() - KEEP_RUNS
        run.count("runs", runs.prune(conn, before))
        held = holds.prune(conn, before)
    if held:
        run.count("held_runs", held)
