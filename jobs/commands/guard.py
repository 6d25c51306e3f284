"""``crossdock guard``: runs that would have changed too much, and what they would have changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from jobs.commands.options import (
    HOW_MANY,
    as_json,
    first,
    limited,
    opened_store,
    row_number,
    settings_option,
)
from jobs.listing import show, show_json
from jobs.problems import UsageProblem
from state import holds
from sync import parked

_HOLDS = {
    "run": "run",
    "stream": "stream",
    "state": "state",
    "held_at": "held since",
    "reason": "reason",
    "changes": "changes",
    "pass": "to let it pass",
}

_CHANGES = {"what": "what", "before": "is", "after": "would be", "change": "change"}


@click.group()
def guard() -> None:
    """Look at runs that the guard holds: they would have changed too much at once."""


@guard.command("list")
@click.option("--all", "every", is_flag=True, help="Those settled long ago, too.")
@limited
@as_json
@settings_option
def list_(config: Path | None, every: bool, limit: int, as_json: bool) -> None:
    """List the runs that are held, and the command that lets each one pass.

    A held run has written and sent nothing of its difference. It is tried again by itself, and goes
    on when the difference is gone (the feed is back) or approved. An approval is for that
    difference only.

    \b
    Examples:
      crossdock guard list
      crossdock guard list --all --json
    """
    with opened_store(config) as (_, store, _clock), store.read() as conn:
        listed = holds.listing(conn, every=every, limit=limit + 1)
        rows: list[dict[str, Any]] = [
            {
                "run": row.id,
                "stream": row.stream_key,
                "state": row.state,
                "held_at": row.held_at,
                "reason": row.reason,
                "measured": row.measured,
                "changes": row.changes,
                "approved_by": row.approved_by or None,
                "approved_at": row.approved_at,
                "settled_at": row.settled_at,
                "pass": parked.how_to_pass(row) if row.state == "held" else None,
            }
            for row in first(listed, limit)
        ]
    show(rows, _HOLDS, as_json=as_json, empty="The guard holds nothing.")


@guard.command("show")
@click.argument("run", type=int, callback=row_number)
@click.option("--top", default=20, show_default=True, type=HOW_MANY, help="How many.")
@as_json
@settings_option
def show_(config: Path | None, run: int, top: int, as_json: bool) -> None:
    """Show what RUN would have changed, the largest changes first.

    \b
    Examples:
      crossdock guard show 12
      crossdock guard show 12 --top 1000 --json
    """
    with opened_store(config) as (_, store, _clock), store.read() as conn:
        hold = holds.get(conn, run)
        if hold is None:
            raise UsageProblem(f"The guard never held a run {run}.", "See `crossdock guard list`.")
        rows = [
            {
                "what": row.label or row.subject,
                "before": row.before,
                "after": row.after,
                "change": row.after - row.before,
            }
            for row in holds.changes(conn, run, top)
        ]
    if as_json:
        about = {"run": run, "stream": hold.stream_key, "state": hold.state}
        show_json({**about, "reason": hold.reason, "measured": hold.measured, "changes": rows})
        return
    click.echo(f"{hold.stream_key} is {hold.state}: {hold.reason}.")
    show(rows, _CHANGES, as_json=False)
    if hold.state == "held":
        click.echo(f"To let just this pass: {parked.how_to_pass(hold)}")
