"""``crossdock summary``: what came in and what went out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from jobs.commands.options import as_json, moment, opened_store, settings_option
from jobs.listing import show, show_json
from mappings.numbers import major_units
from state import summary as figures

_EVER = datetime(1970, 1, 1, tzinfo=UTC)


@click.command()
@click.option(
    "--since",
    metavar="TIME",
    help="Only what was taken in or done since then: 30d, 12h, or a time (UTC).",
)
@as_json
@settings_option
def summary(config: Path | None, since: str | None, as_json: bool) -> None:
    """Show orders, parked ones with the reason, shipments, labels, stock writes and calls.

    \b
    Examples:
      crossdock summary
      crossdock summary --since 30d
      crossdock summary --since 2026-11-02 --json
    """
    with opened_store(config) as (_, store, clock), store.read() as conn:
        start = moment(since, ZoneInfo("UTC"), clock.now()) if since else _EVER
        found = {
            "channels": figures.channels(conn, start),
            "locations": figures.locations(conn, start),
            "calls": figures.calls(conn, start),
        }
    if as_json:
        show_json(found)
        return
    _show_channels(found["channels"])
    click.echo()
    _show_locations(found["locations"])
    click.echo()
    show(
        found["calls"],
        {"connection": "connection", "calls": "calls", "runs": "in runs", "operations": "of which"},
        as_json=False,
        empty="No calls yet.",
    )


def _show_channels(rows: list[dict[str, Any]]) -> None:
    shown = [
        {
            **row,
            "parked": row["states"].get("parked", 0) + row["unreadable_records"],
            "why": row["holds"] or None,
            "lines": row["parked_lines"] or None,
        }
        for row in rows
    ]
    columns = {
        "channel": "channel",
        "orders": "orders in",
        "parked": "parked",
        "why": "held because",
        "lines": "lines parked",
        "orders_shipped": "shipped",
        "packages_told": "packages told",
        "stock_writes": "stock writes",
    }
    show(shown, columns, as_json=False, empty="No orders yet.")


def _show_locations(rows: list[dict[str, Any]]) -> None:
    shown = [
        {
            **row,
            "labels": sum(label["labels"] for label in row["labels"].values()) or None,
            "cost": ", ".join(
                f"{major_units(label['cost'], currency)} {currency}"
                for currency, label in row["labels"].items()
            )
            or None,
        }
        for row in rows
    ]
    columns = {
        "location": "location",
        "fulfilment_orders": "fulfilment orders",
        "states": "of which",
        "labels": "labels",
        "cost": "label cost",
    }
    show(shown, columns, as_json=False, empty="No locations yet.")
