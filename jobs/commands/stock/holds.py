"""``crossdock stock hold``: goods kept for a while for somebody who may order."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import click
from sqlalchemy import Connection, select

from jobs.commands.options import as_json, opened, opened_store, row_number, settings_option
from jobs.commands.stock.booking import note, written
from jobs.listing import show, show_json
from jobs.problems import OperatorError, UsageProblem
from state import catalogue, fulfilment, stock
from state import tables as t
from state.errors import OutOfStock
from sync.imports import quantity

_COLUMNS = {
    "id": "hold",
    "sku": "sku",
    "location": "location",
    "qty": "held",
    "holder": "for",
    "expires_at": "until",
}


@click.command("hold")
@click.argument("sku")
@click.argument("location")
@click.argument("qty")
@click.option("--for", "holder", required=True, help="A cart, a quote, a caller; a name for it.")
@click.option("--minutes", type=click.IntRange(1, 525_600), default=30, show_default=True)
@as_json
@settings_option
def hold(
    config: Path | None,
    sku: str,
    location: str,
    qty: str,
    holder: str,
    minutes: int,
    as_json: bool,
) -> None:
    """Keep QTY of SKU at LOCATION for somebody who may order, for a while.

    Nobody else is promised them until then; `crossdock stock unhold` gives them back earlier.

    \b
    Examples:
      crossdock stock hold MUG-WHITE berlin 3 --for QUOTE-12 --minutes 120
    """
    try:
        units = quantity(qty)
    except ValueError as error:
        raise UsageProblem(str(error).capitalize(), "Give a number above zero.") from None
    with opened(config) as installation:
        store, now = installation.hub.store, installation.clock.now()
        until = now + timedelta(minutes=minutes)
        try:
            made = written(
                store, lambda conn: _hold(conn, sku, location, units, holder, now, until), now
            )
        except OutOfStock:
            raise OperatorError(
                f"There are not {units} of {sku} available at {location}.",
                f"`crossdock stock list {sku}` shows where there are.",
            ) from None
    if as_json:
        show_json({"hold": made, "expires_at": until})
    else:
        kept = f"{units} of {sku} at {location} for {holder}"
        click.echo(f"Hold {made}: {kept}, until {until:%Y-%m-%d %H:%M} UTC.")


def _hold(
    conn: Connection,
    code: str,
    location: str,
    qty: Decimal,
    holder: str,
    now: datetime,
    until: datetime,
) -> int:
    row, place = catalogue.by_code(conn, code), fulfilment.location_by_code(conn, location)
    if row is None or place is None:
        raise UsageProblem(f"There is no SKU {code!r} or no location {location!r}.", "Check both.")
    if qty == 0:
        raise UsageProblem("A hold of nothing.", "Give a number above zero.")
    made = stock.reserve(
        conn,
        sku_id=row.id,
        location_id=place.id,
        qty=qty,
        key=f"hold:{holder}:{row.id}:{place.id}:{now.isoformat()}",
        now=now,
        expires_at=until,
        holder=holder,
    )
    told = {"sku": code, "location": location, "qty": str(qty), "until": until.isoformat()}
    note(conn, "stock_hold", ("reservation", made), told, now)
    return made


@click.command("unhold")
@click.argument("number", type=int, callback=row_number)
@settings_option
def unhold(config: Path | None, number: int) -> None:
    """Give back what hold NUMBER keeps.

    \b
    Examples:
      crossdock stock unhold 17
    """
    with opened_store(config) as (_, store, clock):
        now = clock.now()
        given = written(store, lambda conn: _unhold(conn, number, now), now)
    click.echo(f"Hold {number}: {given} given back.")


def _unhold(conn: Connection, number: int, now: datetime) -> Decimal:
    held = t.reservation
    soft = select(held.c.id).where(held.c.id == number, held.c.kind == "soft")
    if conn.execute(soft).first() is None:
        raise UsageProblem(f"There is no hold {number}.", "`crossdock stock holds` lists them.")
    given = stock.release(conn, number, None, f"unhold:{number}", now)
    note(conn, "stock_unhold", ("reservation", number), {"qty": str(given)}, now)
    return given


@click.command("holds")
@as_json
@settings_option
def holds(config: Path | None, as_json: bool) -> None:
    """Show what is held for somebody who may order.

    \b
    Examples:
      crossdock stock holds
    """
    held = t.reservation
    query = (
        select(
            held.c.id,
            t.sku.c.code.label("sku"),
            t.location.c.code.label("location"),
            held.c.qty,
            held.c.holder,
            held.c.expires_at,
        )
        .join(t.sku, t.sku.c.id == held.c.sku_id)
        .join(t.location, t.location.c.id == held.c.location_id)
        .where(held.c.kind == "soft", held.c.state == "active")
        .order_by(held.c.expires_at)
    )
    with opened_store(config) as (_, store, _clock), store.read() as conn:
        rows = [dict(row._mapping) for row in conn.execute(query)]
    show(rows, _COLUMNS, as_json=as_json, empty="Nothing is held.")


COMMANDS = (hold, unhold, holds)
