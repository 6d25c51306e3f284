"""``crossdock sku``: our own catalogue, and what others call its goods."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from jobs.commands.options import as_json, opened, opened_store, require_connection, settings_option
from jobs.listing import show_json
from jobs.problems import OperatorError, UsageProblem
from state import catalogue, history, streams
from sync import imports


@click.group()
def sku() -> None:
    """Import SKUs and give them further names."""


@sku.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@as_json
@settings_option
def import_(config: Path | None, file: Path, as_json: bool) -> None:
    """Add or amend SKUs from FILE: CSV in UTF-8 with code, title and, if known, gtin, weight_g.

    All of the file is taken, or nothing: every fault is listed with its line.

    \b
    Examples:
      crossdock sku import skus.csv
    """
    with opened_store(config) as (_, store, clock):
        try:
            rows = imports.read_skus(file)
        except imports.ImportProblem as problem:
            raise OperatorError(str(problem)) from None
        with store.write() as conn:
            new, amended = imports.import_skus(conn, rows)
            streams.request_all(conn, "pull-listings", clock.now())
    if as_json:
        show_json({"new": new, "amended": amended})
    else:
        click.echo(f"{new} new SKUs, {amended} amended.")


@sku.command("alias")
@click.argument("name")
@click.argument("code")
@click.option("--connection", help="The name holds on this connection only.")
@settings_option
def alias(config: Path | None, name: str, code: str, connection: str | None) -> None:
    """Say that NAME means our SKU CODE. `crossdock retry` then frees the lines that wait for it.

    \b
    Examples:
      crossdock sku alias LEGACY-MUG-2019 MUG-WHITE
      crossdock sku alias 4711 MUG-RED --connection shop-eu
    """
    with opened(config) as installation:
        if connection is not None:
            require_connection(installation.configuration, connection)
        now = installation.clock.now()
        with installation.hub.store.write() as conn:
            row = catalogue.by_code(conn, code)
            if row is None:
                raise UsageProblem(f"There is no SKU {code!r}.", "Import it first.")
            catalogue.add_alias(
                conn,
                sku_id=row.id,
                value=name,
                connection_id=catalogue.connection_id(conn, connection) if connection else None,
                scheme="channel_sku",
            )
            history.audit(
                conn,
                actor=getpass.getuser(),
                action="add_alias",
                subject=("sku", row.id),
                after={"alias": name, "connection": connection},
                now=now,
            )
            streams.request_all(conn, "pull-listings", now)
    click.echo(f"{name} means {code} from now on. `crossdock retry` frees what waits for it.")
