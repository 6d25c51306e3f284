"""``crossdock audit``: do the invariants hold?"""

from __future__ import annotations

from pathlib import Path

import click

from jobs.app import keeps_by_id
from jobs.commands import repairing
from jobs.commands.options import as_json, opened_store, settings_option
from jobs.listing import show, show_json
from jobs.problems import OperatorError, UsageProblem
from state.audit_check import Witness, head
from sync import invariants
from sync.privacy import expiry

_COLUMNS = {"invariant": "invariant", "subject": "subject", "detail": "detail"}


@click.command()
@click.option(
    "--all",
    "every",
    is_flag=True,
    help=f"Make every routing decision again, not the newest {invariants.SAMPLE}.",
)
@click.option(
    "--witness",
    metavar="NUMBER:SEAL",
    help="The end of the audit trail as it was seen before: it must still be in there.",
)
@click.option("--repair", is_flag=True, help="Explain each repair, ask, and write it.")
@click.option("--dry-run", is_flag=True, help="With --repair: show what would be written.")
@click.option("--yes", is_flag=True, help="With --repair: do not ask.")
@click.option("--reason", default="", help="With --repair: why; kept in the audit trail.")
@as_json
@settings_option
def audit(
    config: Path | None,
    every: bool,
    witness: str | None,
    repair: bool,
    dry_run: bool,
    yes: bool,
    reason: str,
    as_json: bool,
) -> None:
    """Check every invariant of the store: stock, counters, totals, labels, references.

    Routing decisions are made again from what is stored with them, and must come out the same; the
    newest, or with --all every one that was made the way this version decides.

    Personal data must be gone when its time is over; an order that is still open keeps its own, and
    is told.

    The audit trail is a chain: a row that was changed, removed, put in or moved is named, and so
    are newest rows that were cut off. Who owns the database could make the whole chain anew: keep
    the NUMBER:SEAL that is printed somewhere else, and give it back with --witness.

    Ends with 1 when one is violated. Reads only; safe while the daemon runs. With --repair what is
    derived is derived anew from what it was derived from, and all else is left to a person, who is
    told what to do; each change is kept in the audit trail.

    \b
    Examples:
      crossdock audit
      crossdock audit --all --json
      crossdock audit --witness 57:9f2c...
      crossdock audit --repair --dry-run
      crossdock audit --repair --yes --reason "after the disk failure"
    """
    if repair:
        repairing.repair(config, dry_run=dry_run, yes=yes, reason=reason, as_json=as_json)
        return
    seen = _witness(witness)
    if dry_run or yes or reason:
        raise UsageProblem("--dry-run, --yes and --reason go with --repair.", "Add --repair.")
    with opened_store(config, existing=True) as (configuration, store, clock), store.read() as conn:
        remade = invariants.remake(conn, None if every else invariants.SAMPLE)
        keeps = keeps_by_id(conn, configuration)
        late = expiry.violations(conn, keeps, clock.now())
        broken = [*invariants.check(conn, seen), *remade.violations, *late]
        end = head(conn)
        looked_at = invariants.summary(conn)
    rules = len(invariants.RULES) + len(keeps) + 1
    found = [violation.as_json() for violation in broken]
    looked_at |= {"decisions_remade": remade.made, "decisions_skipped": remade.skipped}
    if as_json:
        show_json(
            {"checked": looked_at, "rules": rules, "audit_trail": str(end), "violations": found}
        )
    else:
        counts = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in looked_at.items())
        click.echo(f"{rules} rules over {counts}.")
        show(found, _COLUMNS, as_json=False, empty="Every invariant holds.")
        if end.number:
            click.echo(f"The audit trail ends with {end}")
    if found:
        raise OperatorError(
            f"{len(found)} violations.",
            "`crossdock audit --repair --dry-run` says what can be mended, and how.",
        )


def _witness(text: str | None) -> Witness | None:
    if text is None:
        return None
    try:
        return Witness.of(text)
    except ValueError as problem:
        raise UsageProblem(
            f"--witness: {problem}.", "Give what `crossdock audit` printed."
        ) from None
