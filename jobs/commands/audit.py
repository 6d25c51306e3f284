"""``crossdock audit``: do the invariants hold?"""

from __future__ import annotations

from pathlib import Path

import click

from jobs.commands.options import as_json, opened_store, settings_option
from jobs.listing import show, show_json
from jobs.problems import OperatorError
from sync import invariants

_COLUMNS = {"invariant": "invariant", "subject": "subject", "detail": "detail"}


@click.command()
@click.option(
    "--all",
    "every",
    is_flag=True,
    help=f"Make every routing decision again, not the newest {invariants.SAMPLE}.",
)
@as_json
@settings_option
def audit(config: Path | None, every: bool, as_json: bool) -> None:
    """Check every invariant of the store: stock, counters, totals, labels, references.

    Routing decisions are made again from what is stored with them, and must come out the same; the
    newest, or with --all every one that was made the way this version decides.

    Ends with 1 when one is violated. Reads only; safe while the daemon runs.

    \b
    Examples:
      crossdock audit
      crossdock audit --all
      crossdock audit --json
    """
    with opened_store(config) as (_, store, _clock), store.read() as conn:
        remade = invariants.remake(conn, None if every else invariants.SAMPLE)
        broken = [*invariants.check(conn), *remade.violations]
        looked_at = invariants.summary(conn)
    found = [violation.as_json() for violation in broken]
    looked_at |= {"decisions_remade": remade.made, "decisions_skipped": remade.skipped}
    if as_json:
        show_json({"checked": looked_at, "rules": len(invariants.RULES), "violations": found})
    else:
        counts = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in looked_at.items())
        click.echo(f"{len(invariants.RULES)} rules over {counts}.")
        show(found, _COLUMNS, as_json=False, empty="Every invariant holds.")
    if found:
        raise OperatorError(f"{len(found)} violations.", "`crossdock explain ORDER` tells more.")
