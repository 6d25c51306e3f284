"""``crossdock route``: try routing rules before they are in force; see what carriers quoted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
from sqlalchemy import Row

from jobs.app import rules_of
from jobs.commands.options import HOW_MANY, as_json, moment, opened_store, settings_option
from jobs.listing import show, show_json
from jobs.problems import OperatorError
from mappings.numbers import major_units
from state import rate_quotes
from sync.simulation import past, picture, report
from sync.simulation.past import Simulated

_MOVED_SHOWN = 20

_file = click.Path(path_type=Path, dir_okay=False)


@click.group()
def route() -> None:
    """Try routing rules on the orders of the past, and see what carriers quoted."""


@route.command("simulate")
@click.option(
    "--rules",
    "file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    metavar="FILE",
    help="The proposed rule file.",
)
@click.option(
    "--since",
    default="30d",
    show_default=True,
    metavar="TIME",
    help="Orders decided about since then: 30d, 12h, or a time.",
)
@click.option("--csv", "csv_file", type=_file, metavar="FILE", help="Write every order as CSV.")
@click.option(
    "--html", "html_file", type=_file, metavar="FILE", help="Write a page with a picture."
)
@as_json
@settings_option
def simulate(
    config: Path | None,
    file: Path,
    since: str,
    csv_file: Path | None,
    html_file: Path | None,
    as_json: bool,
) -> None:
    """Decide the orders of the past again by the rules in FILE, and tell what would be different.

    Every order is decided from what was known then: stock, distances, a day's work so far. What the
    proposed rules take elsewhere is carried along from order to order. Changes nothing.

    \b
    Examples:
      crossdock route simulate --rules new.toml
      crossdock route simulate --rules new.toml --since 7d --html new.html --csv new.csv
      crossdock route simulate --rules new.toml --since 2026-11-01 --json
    """
    with opened_store(config) as (configuration, store, clock):
        rules = rules_of(configuration, file)
        start = moment(since, ZoneInfo("UTC"), clock.now())
        with store.read() as conn:
            found = past.simulate(conn, rules, start)
    if csv_file is not None:
        _write(csv_file, lambda path: report.write_csv(found, path))
    if html_file is not None:
        page = picture.page(found)
        _write(html_file, lambda path: path.write_text(page, encoding="utf-8"))
    if as_json:
        show_json(_document(found))
    else:
        _show(found)


@route.command("quotes")
@click.option("--limit", type=HOW_MANY, default=50, show_default=True, help="At most so many.")
@as_json
@settings_option
def quotes(config: Path | None, limit: int, as_json: bool) -> None:
    """List what carriers said that parcels cost, as far as it is still good, the newest first.

    They are asked by `crossdock once pull-rates` and, of itself, before orders are planned, when
    the rule file has [[quotes]]. Prices are as they were quoted, without your percentage.

    \b
    Examples:
      crossdock route quotes
      crossdock route quotes --limit 500 --json
    """
    with opened_store(config) as (_, store, clock), store.read() as conn:
        rows = [_quote(row) for row in rate_quotes.listing(conn, clock.now(), limit)]
    if not rows and not as_json:
        click.echo("No quote is good now.")
        return
    show(rows, _QUOTE_COLUMNS, as_json=as_json)


_QUOTE_COLUMNS = {
    "quote": "no",
    "connection": "asked",
    "location": "from",
    "to": "to",
    "up_to_g": "up to g",
    "good_until": "good until",
    "told": "offers",
}


def _quote(row: Row[Any]) -> dict[str, Any]:
    offers = [
        {**offer, "amount": str(major_units(offer["amount"], offer["currency"]))}
        for offer in row.offers
    ]
    told = ", ".join(f"{one['service']} {one['amount']} {one['currency']}" for one in offers)
    return {
        "quote": row.id,
        "connection": row.connection,
        "location": row.location,
        "to": f"{row.to_country} {row.to_postcode}",
        "up_to_g": row.weight_g,
        "quoted_at": row.quoted_at,
        "good_until": row.valid_until,
        "offers": offers,
        "problem": row.problem,
        "told": told or row.problem or "nobody goes there",
    }


def _write(path: Path, write: Callable[[Path], object]) -> None:
    try:
        write(path)
    except OSError as error:
        raise OperatorError(
            f"Could not write {path}: {error.strerror or error}.",
            "Is the folder there, and writable?",
        ) from None


def _document(found: Simulated) -> dict[str, Any]:
    return {
        "rules": found.rules,
        "version": found.version,
        "since": found.since,
        "orders": report.order_rows(found),
        "moved": sum(one.moved for one in found.orders),
        "totals": report.totals(found),
        "locations": [
            {"location": code, "parcels_before": before, "parcels_after": after}
            for code, before, after in report.parcels_by_location(found)
        ],
        "days_over_capacity": [
            {"location": day.location, "day": day.day, "before": before, "after": after}
            for day in found.days
            for before, after in [day.breaches()]
            if before or after
        ],
        "decided_before_rule_files": found.older,
        "further_decisions": found.repeated,
    }


def _show(found: Simulated) -> None:
    if not found.orders:
        click.echo(
            f"No order was decided about by rule files since {found.since:%Y-%m-%d %H:%M} UTC."
        )
        return
    moved = [one for one in found.orders if one.moved]
    click.echo(
        f"{found.rules} ({found.version}) on {len(found.orders)} orders since "
        f"{found.since:%Y-%m-%d %H:%M} UTC: {len(moved)} would ship from other locations.\n"
    )
    columns = {"figure": "", "before": "before", "after": "after"}
    show(report.totals(found), columns, as_json=False)
    if moved:
        click.echo()
        rows = [
            {
                "order": one.order,
                "before": one.before.waits or list(one.before.locations) or "nothing ships",
                "after": one.after.waits or list(one.after.locations) or "nothing ships",
            }
            for one in moved[:_MOVED_SHOWN]
        ]
        show(rows, {"order": "order", "before": "before", "after": "after"}, as_json=False)
    if len(moved) > _MOVED_SHOWN:
        click.echo(f"... and {len(moved) - _MOVED_SHOWN} more; --csv FILE lists them all.")
    if found.older or found.repeated:
        click.echo(
            f"\nNot compared: {found.older} orders decided before there were rule files, "
            f"{found.repeated} further decisions about orders that are compared."
        )
