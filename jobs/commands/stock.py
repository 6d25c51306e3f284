"""``crossdock stock``: counts of locations that we keep ourselves."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from jobs.commands.options import as_json, opened, opened_store, settings_option
from jobs.listing import show, show_json
from jobs.problems import OperatorError
from state import stock as state_stock
from state import streams
from sync import imports

_COLUMNS = {
    "sku": "sku",
    "location": "location",
    "on_hand": "on hand",
    "reserved": "reserved",
    "available": "available",
    "observed_at": "counted",
}


@click.group()
def stock() -> None:
    """Count stock and look at it."""


@stock.command("count")
@click.argument("location")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@as_json
@settings_option
def count(config: Path | None, location: str, file: Path, as_json: bool) -> None:
    """Bring the on-hand of LOCATION to the counts in FILE: CSV in UTF-8 with sku, on_hand.

    Each difference becomes a movement in the ledger. A SKU that FILE does not name keeps its
    count. All of the file is taken, or nothing.

    \b
    Examples:
      crossdock stock count berlin counts.csv
    """
    with opened(config) as installation:
        store, now = installation.hub.store, installation.clock.now()
        try:
            counts = imports.read_counts(file)
            with store.write() as conn:
                changed = imports.import_counts(
                    conn, file, location, counts, getpass.getuser(), now
                )
                streams.request(conn, "allocate", now)
                streams.request(conn, "promise", now)
        except imports.ImportProblem as problem:
            raise OperatorError(str(problem)) from None
    if as_json:
        show_json({"location": location, "skus": len(counts), "changed": changed})
    else:
        click.echo(f"{location}: {len(counts)} SKUs counted, {changed} changed.")


@stock.command("list")
@click.argument("sku", required=False)
@as_json
@settings_option
def list_(config: Path | None, sku: str | None, as_json: bool) -> None:
    """Show what is where, and what of it is reserved.

    \b
    Examples:
      crossdock stock list
      crossdock stock list MUG-WHITE --json
    """
    with opened_store(config) as (_, store, _clock), store.read() as conn:
        rows = [
            {name: getattr(row, name) for name in _COLUMNS}
            for row in state_stock.overview(conn, sku)
        ]
    show(rows, _COLUMNS, as_json=as_json, empty="Nothing has been counted yet.")
