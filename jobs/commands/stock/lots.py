"""``crossdock stock track``, ``lots`` and ``recall``: goods told apart by lot or by serial."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import click
from sqlalchemy import Connection

from jobs.commands.options import as_json, opened_store, settings_option
from jobs.commands.stock.booking import note, written
from jobs.listing import show, show_json
from jobs.problems import OperatorError, UsageProblem
from state import catalogue, stock
from state.errors import Misplaced

_COLUMNS = {
    "sku": "sku",
    "lot": "lot",
    "expires_on": "expires",
    "state": "state",
    "location": "location",
    "on_hand": "on hand",
    "reserved": "reserved",
    "quality_hold": "on hold",
    "damaged": "damaged",
}


@click.command("track")
@click.argument("sku")
@click.option("--lots", "by", flag_value="lots", help="Goods have lots, with a day they expire.")
@click.option("--serials", "by", flag_value="serials", help="Pieces have a number of their own.")
@settings_option
def track(config: Path | None, sku: str, by: str | None) -> None:
    """Have the goods of SKU told apart by lot, or its pieces by serial, from now on.

    By lot, what expires first is reserved first, and what has expired or was recalled is not. A
    SKU with stock must be counted to zero first, and then by lot.

    \b
    Examples:
      crossdock stock track YOGHURT --lots
      crossdock stock track CAMERA --serials
    """
    if by is None:
        raise UsageProblem("By what?", "Give --lots or --serials.")
    with opened_store(config) as (_, store, clock):
        now = clock.now()
        try:
            written(store, lambda conn: _track(conn, sku, by, now), now)
        except Misplaced as problem:
            raise OperatorError(f"{sku}: {problem}.") from None
    click.echo(f"{sku}: {by} are told apart from now on.")


def _track(conn: Connection, code: str, by: str, now: datetime) -> None:
    sku_id = sku_of(conn, code)
    (stock.track_lots if by == "lots" else stock.track_serials)(conn, sku_id)
    note(conn, f"track_{by}", ("sku", sku_id), {"what": code}, now)


@click.command("lots")
@click.argument("sku", required=False)
@as_json
@settings_option
def lots(config: Path | None, sku: str | None, as_json: bool) -> None:
    """Show lots, the first to expire first.

    \b
    Examples:
      crossdock stock lots YOGHURT
    """
    with opened_store(config) as (_, store, _clock), store.read() as conn:
        rows = [dict(row._mapping) for row in stock.lots_of(conn, sku)]
    show(rows, _COLUMNS, as_json=as_json, empty="There are no lots.")


@click.command("recall")
@click.argument("sku")
@click.argument("lot")
@as_json
@settings_option
def recall(config: Path | None, sku: str, lot: str, as_json: bool) -> None:
    """Sell no more of a LOT of SKU: what of it is free goes on quality hold.

    What is reserved of it stays reserved, and is named: cancel those orders or stop their work.

    \b
    Examples:
      crossdock stock recall YOGHURT L-2291
    """
    with opened_store(config) as (_, store, clock):
        now = clock.now()
        withdrawn, reserved = written(store, lambda conn: _recall(conn, sku, lot, now), now)
    if as_json:
        show_json({"sku": sku, "lot": lot, "withdrawn": withdrawn, "still_reserved": reserved})
    else:
        click.echo(f"{sku} lot {lot}: {withdrawn} withdrawn, {reserved} still reserved.")


def _recall(conn: Connection, code: str, lot: str, now: datetime) -> tuple[Decimal, Decimal]:
    sku_id = sku_of(conn, code)
    found = [row for row in stock.lots_of(conn, code) if row.lot == lot]
    if not found:
        raise UsageProblem(
            f"There is no lot {lot!r} of {code}.", f"`crossdock stock lots {code}` lists them."
        )
    withdrawn = stock.recall(conn, found[0].id, now)
    note(conn, "recall_lot", ("sku", sku_id), {"what": lot}, now)
    return withdrawn, sum((Decimal(row.reserved) for row in found), Decimal(0))


def sku_of(conn: Connection, code: str) -> int:
    row = catalogue.by_code(conn, code)
    if row is None:
        raise UsageProblem(f"There is no SKU {code!r}.", "Import it first.")
    return int(row.id)


COMMANDS = (track, lots, recall)
