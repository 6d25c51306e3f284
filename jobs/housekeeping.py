"""What is put in order now and then, with nobody asking for it."""

from __future__ import annotations

from datetime import timedelta

from state import holds, hook_events, rate_quotes, runs, stock
from sync.context import Hub, Run

KEEP_RUNS = timedelta(days=30)


def prune(hub: Hub, run: Run) -> None:
    """Job: delete the history of runs that is too old to explain anything, carriers' prices
    that lapsed long ago, and webhooks that nobody sends again.
    """
    with run.commit() as conn:
        now = hub.clock.now()
        run.count("runs", runs.prune(conn, now - KEEP_RUNS))
        held = holds.prune(conn, now - KEEP_RUNS)
        if held:
            run.count("held_runs", held)
        quotes = rate_quotes.prune(conn, now)
        if quotes:
            run.count("quotes", quotes)
        hooks = hook_events.prune(conn, now)
        if hooks:
            run.count("hooks", hooks)


HOLDS_AT_ONCE = 500


def expire_holds(hub: Hub, run: Run) -> None:
    """Job: give back goods that were held for a while, and the while is over."""
    ended = HOLDS_AT_ONCE
    while ended == HOLDS_AT_ONCE and not run.stopping:
        with run.commit() as conn:
            ended = stock.expire(conn, hub.clock.now(), HOLDS_AT_ONCE)
            if ended:
                run.request(conn, "allocate")
                run.request(conn, "promise")
        run.count("expired", ended)
        if run.dry_run:
            return
