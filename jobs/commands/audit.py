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
@as_json
@settings_option
def audit(config: Path | None, as_json: bool) -> None:
    """Check every invariant of the store: stock, counters, totals, labels, references.

    Ends with 1 when one is violated. Reads only; safe while the daemon runs.

    \b
    Examples:
      crossdock audit
      crossdock audit --json
    """
    with opened_store(config) as (_, store, _clock), store.read() as conn:
        found = [violation.as_json() for violation in invariants.check(conn)]
        looked_at = invariants.summary(conn)
    if as_json:
        show_json({"checked": looked_at, "rules": len(invariants.RULES), "violations": found})
    else:
        counts = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in looked_at.items())
        click.echo(f"{len(invariants.RULES)} rules over {counts}.")
        show(found, _COLUMNS, as_json=False, empty="Every invariant holds.")
    if found:
        raise OperatorError(f"{len(found)} violations.", "`crossdock explain ORDER` tells more.")
