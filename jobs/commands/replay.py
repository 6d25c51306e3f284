"""``crossdock replay``: read the inbox again with the definitions in force."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import click

from connectors.base import PullsOrders
from jobs import accountable
from jobs.app import App
from jobs.commands.options import as_json, moment, opened, require_connection, settings_option
from jobs.listing import show_json, shown
from jobs.problems import UsageProblem
from sync.replay import Replay, Replayed

RESULTS = {
    "unparked": "flows on",
    "changed": "changed",
    "still_parked": "still parked",
    "unreadable": "does not map any more, left as it is",
    "older": "would go back to an older version, left as it is",
    "renamed": "would get another order id, left as it is",
    "overtaken": "a newer report waits or came meanwhile, left as it is",
    "erased": "with its personal data erased, left as it is",
}


@click.command()
@click.option("--connection", required=True, help="The channel whose orders are read again.")
@click.option(
    "--since", metavar="TIME", help="Only payloads received since then: 30d, 12h, or a time."
)
@click.option("--dry-run", is_flag=True, help="Do everything, then write and send nothing.")
@as_json
@settings_option
def replay(
    config: Path | None, connection: str, since: str | None, dry_run: bool, as_json: bool
) -> None:
    """Read the newest payload of every order again, with the definitions in force.

    Parked orders that map now flow on. Orders that read differently are amended as by an update
    of the channel; what was handed over is never handed over again. Nothing else is touched.

    \b
    Examples:
      crossdock replay --connection shop-eu --since 30d --dry-run
      crossdock replay --connection shop-eu --since 30d
    """
    with opened(config) as installation:
        run = _replay(installation, connection, since, dry_run)
        results: Counter[str] = Counter()
        told: list[dict[str, Any]] = []
        for done in run.run():
            results[done.result] += 1
            if as_json:
                told.append(_as_json(done))
            elif done.result != "erased":
                _tell(done)
    if as_json:
        show_json({"dry_run": dry_run, "totals": dict(results), "orders": told})
        return
    totals = ", ".join(f"{n} {RESULTS[name]}" for name, n in sorted(results.items()))
    click.echo(f"{totals}." if totals else "Every order reads as it did: nothing was changed.")
    if dry_run:
        click.echo("Dry run: nothing was written or sent.")


def _replay(installation: App, connection: str, since: str | None, dry_run: bool) -> Replay:
    require_connection(installation.configuration, connection)
    link = installation.hub.links[connection]
    if not isinstance(link.connector, PullsOrders):
        title = link.connector.info.title
        raise UsageProblem(f"{connection} has no orders: a {title} does not offer them.")
    start = moment(since, link.timezone, installation.clock.now()) if since else None
    return Replay(installation.hub, link, start, dry_run, accountable.actor(), accountable.reason())


def _as_json(done: Replayed) -> dict[str, Any]:
    return {
        "order": done.order,
        "result": done.result,
        "fields": list(done.fields),
        "consequences": list(done.consequences),
    }


def _tell(done: Replayed) -> None:
    click.echo(f"{shown(done.order)}: {RESULTS[done.result]}")
    if done.fields:
        click.echo(f"  differs in {shown(done.fields)}")
    for sentence in done.consequences:
        click.echo(f"  {shown(sentence)}")
