"""What the engine does for itself."""

from __future__ import annotations

from datetime import timedelta

from state import runs
from sync.context import Hub, Run

KEEP_RUNS = timedelta(days=30)


def prune(hub: Hub, run: Run) -> None:
    """Job: delete the history of runs that is too old to explain anything."""
    with run.commit() as conn:
        run.count("runs", runs.prune(conn, hub.clock.now() - KEEP_RUNS))
