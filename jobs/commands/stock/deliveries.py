"""``crossdock stock expect``, ``receive``, ``transfer``: goods on their way, and come."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Connection

from jobs.commands.options import as_json, opened_store, settings_option
from jobs.commands.stock.booking import FILE, REFERENCE, booked, by_hand, note, say, written
from jobs.commands.stock.listing import require_location
from jobs.listing import show, show_json
from jobs.problems import OperatorError, UsageProblem
from state import stock
from state.stock import Cause
from sync import goods_files
from sync.goods_files import Known

_ON_THE_WAY = {
    "reference": "reference",
    "sku": "sku",
    "lot": "lot",
    "origin": "from",
    "location": "to",
    "qty": "sent",
    "qty_received": "received",
    "open": "on its way",
    "sent_at": "since",
    "due_on": "due",
}


_SEE = "`crossdock stock transit` shows what is on its way."


@click.command("expect")
@click.argument("location")
@FILE
@REFERENCE
@click.option("--due", type=click.DateTime(["%Y-%m-%d"]), help="The day they are due.")
@as_json
@settings_option
def expect(
    config: Path | None,
    location: str,
    file: Path,
    reference: str,
    due: datetime | None,
    as_json: bool,
) -> None:
    """Announce goods for LOCATION from FILE: CSV in UTF-8 with sku, qty.

    They are shown as incoming, and are not available until `crossdock stock receive` has them.

    \b
    Examples:
      crossdock stock expect berlin advice.csv --reference ASN-7 --due 2026-11-20
    """
    due_on = due.date() if due else None

    def book(conn: Connection, place: int, line: Known, cause: Cause) -> bool:
        return stock.advise(
            conn,
            reference=reference,
            sku_id=line.sku_id,
            location_id=place,
            qty=line.goods.qty,
            cause=cause,
            due_on=due_on,
        )

    # What is announced is known by lot only when it comes.
    taken = booked(config, location, file, "advise", reference, book, by_lot=False)
    say(taken, as_json, reference, f"announced for {location}")


@click.command("receive")
@click.argument("location")
@FILE
@REFERENCE
@click.option("--closes", help="The announcement or transfer that the goods belong to.")
@as_json
@settings_option
def receive(
    config: Path | None,
    location: str,
    file: Path,
    reference: str,
    closes: str | None,
    as_json: bool,
) -> None:
    """Take the goods in FILE in at LOCATION: CSV in UTF-8 with sku, qty.

    Further columns where they are used: lot, expires_on (2027-03-31), serials (parted by spaces).
    With --closes they are no longer on their way; what came beyond that is taken in all the same.
    All of the file is taken, or nothing.

    \b
    Examples:
      crossdock stock receive berlin delivery.csv --reference DN-4711
      crossdock stock receive jersey got.csv --reference GR-1 --closes TR-1
    """

    def book(conn: Connection, place: int, line: Known, cause: Cause) -> bool:
        return goods_files.receive(conn, line, place, closes, cause)

    taken = booked(config, location, file, "receipt", reference, book)
    say(taken, as_json, reference, f"received at {location}")


@click.command("transfer")
@click.argument("origin")
@click.argument("destination")
@FILE
@REFERENCE
@as_json
@settings_option
def transfer(
    config: Path | None,
    origin: str,
    destination: str,
    file: Path,
    reference: str,
    as_json: bool,
) -> None:
    """Send the goods in FILE from ORIGIN to DESTINATION: CSV in UTF-8 with sku, qty.

    They are incoming there until they are received with --closes REFERENCE, or written off.

    \b
    Examples:
      crossdock stock transfer berlin jersey refill.csv --reference TR-1
      crossdock stock receive jersey refill.csv --reference GR-1 --closes TR-1
    """

    def book(conn: Connection, place: int, line: Known, cause: Cause) -> bool:
        return stock.send(
            conn,
            reference=reference,
            sku_id=line.sku_id,
            from_location_id=place,
            to_location_id=require_location(conn, destination).id,
            qty=line.goods.qty,
            cause=cause,
            lot_id=line.lot_id,
            pieces=line.goods.serials,
        )

    if origin == destination:
        raise UsageProblem("Goods cannot be sent to where they are.", "Name two locations.")
    taken = booked(config, origin, file, "transfer", reference, book)
    say(taken, as_json, reference, f"on the way from {origin} to {destination}")


@click.command("transit")
@click.argument("reference", required=False)
@as_json
@settings_option
def transit(config: Path | None, reference: str | None, as_json: bool) -> None:
    """Show what is on its way: announced, or sent from one location to another.

    \b
    Examples:
      crossdock stock transit
      crossdock stock transit TR-1 --json
    """
    with opened_store(config) as (_, store, _clock), store.read() as conn:
        found = [dict(row._mapping) for row in stock.in_transit(conn, reference)]
    rows = [{name: row[name] for name in _ON_THE_WAY} for row in found]
    show(rows, _ON_THE_WAY, as_json=as_json, empty="Nothing is on its way.")


@click.command("writeoff")
@click.argument("reference")
@as_json
@settings_option
def writeoff(config: Path | None, reference: str, as_json: bool) -> None:
    """Give up what is still on its way under REFERENCE: it never comes.

    \b
    Examples:
      crossdock stock writeoff TR-1
    """
    with opened_store(config) as (_, store, clock):
        now = clock.now()
        cause = by_hand("adjust_count", f"writeoff:{reference}", now)

        def give_up(conn: Connection) -> Any:
            if not stock.is_reference(conn, reference):
                raise UsageProblem(f"Nothing was announced or sent under {reference!r}.", _SEE)
            units = goods_files.write_off(conn, reference, cause)
            if units:
                told = {"reference": reference, "units": str(units)}
                note(conn, "stock_writeoff", ("consignment", 0), told, now)
            return units

        units = written(store, give_up, now)
    if not units:
        raise OperatorError(f"Nothing is on its way under {reference} any more.", _SEE)
    if as_json:
        show_json({"reference": reference, "units": units})
    else:
        click.echo(f"{reference}: {units} units written off.")


COMMANDS = (expect, receive, transfer, transit, writeoff)
