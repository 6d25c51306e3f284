"""``crossdock sku``: our own catalogue, and what others call its goods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Connection

from jobs import accountable
from jobs.app import App
from jobs.commands.options import (
    as_json,
    first,
    limited,
    opened,
    opened_store,
    require_connection,
    settings_option,
)
from jobs.listing import show, show_json
from jobs.problems import OperatorError, UsageProblem
from state import catalogue, history, streams
from sync import candidates as sync_candidates
from sync import imports, parked

_CANDIDATES = {
    "name": "name",
    "connection": "connection",
    "lines": "lines",
    "line_title": "title there",
    "code": "candidate",
    "title": "its title",
    "score": "score",
    "reason": "because",
}


@click.group()
def sku() -> None:
    """Import SKUs, give them further names, and find what a channel's names mean."""


@sku.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@as_json
@settings_option
def import_(config: Path | None, file: Path, as_json: bool) -> None:
    """Add or amend SKUs from FILE: CSV in UTF-8 with code, title and, if known, gtin, weight_g,
    tags (parted by blanks; promise rules may name them) and hazmat (yes or no).

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

        def write(conn: Connection) -> tuple[int, int]:
            new, amended = imports.import_skus(conn, rows)
            told = {"file": file.name, "new": new, "amended": amended}
            _note(conn, "import_skus", 0, told, clock.now())
            streams.request_all(conn, "pull-listings", clock.now())
            streams.request(conn, "promise", clock.now())
            return new, amended

        new, amended = store.transact(write)
    if as_json:
        show_json({"new": new, "amended": amended})
    else:
        click.echo(f"{new} new SKUs, {amended} amended.")


def _note(
    conn: Connection, action: str, sku_id: int, after: Mapping[str, Any], now: datetime
) -> None:
    history.audit(
        conn,
        actor=accountable.actor(),
        action=action,
        subject=("sku", sku_id),
        after=after,
        reason=accountable.reason(),
        now=now,
    )


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
        now = installation.clock.now()
        _written(
            installation, connection, lambda conn: _remember(conn, name, code, connection, now)
        )
    click.echo(f"{name} means {code} from now on. `crossdock retry` frees what waits for it.")


@sku.command("candidates")
@click.argument("name", required=False)
@limited
@as_json
@settings_option
def candidates(config: Path | None, name: str | None, limit: int, as_json: bool) -> None:
    """Propose SKUs for the names that parked lines wait for, or just for NAME; with the reason.
    No line has to wait for NAME: it may be any word for goods that you have met.

    Compares codes, GTINs and titles, and what was decided on other connections.

    \b
    Examples:
      crossdock sku candidates
      crossdock sku candidates LEGACY-MUG-2019 --json
    """
    with opened_store(config) as (_, store, _clock), store.read() as conn:
        found = first(sync_candidates.unmapped(conn, name, limit + 1), limit)
    if as_json:
        show_json(found)
        return
    rows = list(sync_candidates.as_rows(found))
    show(rows, _CANDIDATES, as_json=False, empty="No line waits for a SKU.")


@sku.command("link")
@click.argument("name")
@click.argument("code")
@click.option("--connection", help="The name holds on this connection only.")
@as_json
@settings_option
def link(config: Path | None, name: str, code: str, connection: str | None, as_json: bool) -> None:
    """Say that NAME means our SKU CODE, and free every line that this settles.

    \b
    Examples:
      crossdock sku link LEGACY-MUG-2019 MUG-WHITE
      crossdock sku link 4711 MUG-RED --connection shop-eu --json
    """
    with opened(config) as installation:
        hub, now = installation.hub, installation.clock.now()

        def write(conn: Connection) -> int:
            known = _remember(conn, name, code, connection, now)
            links = [one for one in hub.links.values() if connection in (None, one.name)]
            freed = parked.unpark_lines(conn, links, now)
            if freed:
                _note(conn, "free_lines", known, {"name": name, "lines": freed}, now)
                streams.request(conn, "allocate", now)
                streams.request(conn, "promise", now)
            return freed

        freed = _written(installation, connection, write)
    if as_json:
        show_json({"name": name, "code": code, "connection": connection, "lines_unparked": freed})
    else:
        click.echo(f"{name} means {code} from now on. Lines freed: {freed}.")


def _written(installation: App, connection: str | None, write: Callable[[Connection], int]) -> int:
    """What ``write`` answers in a transaction; begun again where the daemon's work and this one
    waited for one another."""
    if connection is not None:
        require_connection(installation.configuration, connection)
    return installation.hub.store.transact(write)


def _remember(conn: Connection, name: str, code: str, connection: str | None, now: datetime) -> int:
    """Give our SKU ``code`` the further name, on one connection or (null) everywhere; its id."""
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
    _note(conn, "add_alias", row.id, {"alias": name, "connection": connection}, now)
    streams.request_all(conn, "pull-listings", now)
    return int(row.id)
