"""``crossdock stock rebuild``: levels proven from the ledger, and repaired."""

from __future__ import annotations

from pathlib import Path

import click
from sqlalchemy.exc import IntegrityError

from jobs import accountable
from jobs.commands.options import as_json, opened_store, settings_option
from jobs.commands.stock.booking import written
from jobs.listing import show_json
from jobs.problems import OperatorError
from state import stock
from state.stock import Difference


@click.command("rebuild")
@click.option("--check", is_flag=True, help="Change nothing; end with 1 where they do not agree.")
@as_json
@settings_option
def rebuild(config: Path | None, check: bool, as_json: bool) -> None:
    """Make levels what the ledger says, in one transaction; each repair is in `crossdock audit`.

    With --check it only proves that levels agree with the ledger, reserved with the reservations
    and incoming with what is on its way, and names the first that does not.

    \b
    Examples:
      crossdock stock rebuild --check
      crossdock stock rebuild --json
    """
    with opened_store(config, existing=True) as (_, store, clock):
        if check:
            with store.read() as conn:
                found = stock.differences(conn)
        else:
            now, who = clock.now(), accountable.actor()
            try:
                found = written(store, lambda conn: stock.rebuild(conn, now, who), now)
            except IntegrityError:
                raise OperatorError(
                    "The ledger says less on hand than is reserved somewhere: nothing was changed.",
                    "Count the goods (`crossdock stock count`), or cancel orders, and try again.",
                ) from None
    if as_json:
        show_json({"repaired": not check, "differences": [one.as_json() for one in found]})
    elif not found:
        click.echo("Levels, ledger, reservations and consignments agree.")
    else:
        click.echo(_sentence(found[0]))
        more = len(found) - 1
        click.echo(f"{more} more differ." if check else f"Repaired, and {more} more.")
    if check and found:
        raise click.exceptions.Exit(1)


def _sentence(one: Difference) -> str:
    lot = f" lot {one.lot}" if one.lot else ""
    last = "none" if one.last_row is None else str(one.last_row)
    return (
        f"{one.sku} at {one.location}{lot}: {one.bucket} is {one.level_says} in the level, "
        f"{one.other_says} in the {one.against}; its last ledger row is {last}."
    )


COMMANDS = (rebuild,)
