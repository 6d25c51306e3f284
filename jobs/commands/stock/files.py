"""``crossdock stock count`` and ``move``: what stands at a location, and in which condition."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click
from sqlalchemy import Connection

from jobs import accountable
from jobs.commands.options import as_json, opened, settings_option
from jobs.commands.stock.booking import FILE, REFERENCE, booked, say, written
from jobs.commands.stock.listing import is_day, parsed_moment, require_location
from jobs.listing import show_json
from jobs.problems import OperatorError, UsageProblem
from state import fulfilment, stock
from state.stock import Cause
from sync import imports
from sync.goods_files import Known

_BUCKET = click.Choice(stock.CONDITIONS)


@click.command("count")
@click.argument("location")
@FILE
@click.option(
    "--reason",
    type=click.Choice(imports.COUNT_REASONS),
    default="adjust_count",
    show_default=True,
    help="Why the figures differ: a plain count, breakage, or goods that turned up.",
)
@click.option(
    "--counted-at",
    help="When it was counted, if not now: 2026-10-31T18:00+01:00, or by the location's own clock.",
)
@as_json
@settings_option
def count(
    config: Path | None,
    location: str,
    file: Path,
    reason: str,
    counted_at: str | None,
    as_json: bool,
) -> None:
    """Bring the on-hand of LOCATION to the counts in FILE: CSV in UTF-8 with sku, on_hand.

    LOCATION is one of ours: a 3PL's own counts bring what stands there.

    Each difference becomes a movement in the ledger. What FILE does not name keeps its count. All
    of the file is taken, or nothing. Where goods have lots, a column lot says of which; with
    --counted-at, what has come and left since is added to the count.

    \b
    Examples:
      crossdock stock count berlin counts.csv
      crossdock stock count berlin broken.csv --reason adjust_damage
      crossdock stock count berlin friday.csv --counted-at 2026-10-30T18:00+01:00
    """
    with opened(config) as installation:
        store, now = installation.hub.store, installation.clock.now()
        with store.read() as conn:
            require_location(conn, location)
            at = _counted_at(conn, location, counted_at) if counted_at else None
        if at is not None and at > now:
            raise UsageProblem(f"{counted_at} is still to come.", "Leave --counted-at out for now.")
        how = imports.Counted(reason, at)
        try:
            counts, unreadable = imports.readable_counts(file)
        except imports.ImportProblem as problem:
            raise OperatorError(str(problem)) from None

        def take(conn: Connection) -> int:
            return imports.import_counts(
                conn, file, location, counts, accountable.actor(), now, how, unreadable
            )

        changed = written(store, take, now)
    if as_json:
        show_json({"location": location, "skus": len(counts), "changed": changed})
    else:
        click.echo(f"{location}: {len(counts)} SKUs counted, {changed} changed.")


def _counted_at(conn: Connection, location: str, text: str) -> datetime:
    """When a count was taken. A guess would be wrong by hours, and what left meanwhile with it."""
    if is_day(text):
        raise UsageProblem(f"{text} is a whole day.", f"Say at what time: {text}T18:00.")
    place = fulfilment.location_by_code(conn, location)
    return parsed_moment(text, stock.zone_of(conn, place.id) if place else UTC)


@click.command("move")
@click.argument("location")
@FILE
@REFERENCE
@click.option("--to", "into", type=_BUCKET, help="Available goods become these.")
@click.option("--from", "out_of", type=_BUCKET, help="These become available again.")
@click.option("--scrap", is_flag=True, help="With --from: throw them away instead.")
@as_json
@settings_option
def move(
    config: Path | None,
    location: str,
    file: Path,
    reference: str,
    into: str | None,
    out_of: str | None,
    scrap: bool,
    as_json: bool,
) -> None:
    """Say that goods at LOCATION are damaged, held back or a safety stock, or no longer are.

    FILE is CSV in UTF-8 with sku, qty. They stay on hand, but are not available; with --scrap they
    leave for good.

    \b
    Examples:
      crossdock stock move berlin wet.csv --to damaged --reference REPORT-12
      crossdock stock move berlin dried.csv --from damaged --reference REPORT-13
      crossdock stock move berlin mouldy.csv --from damaged --scrap --reference REPORT-14
    """
    if (into is None) == (out_of is None) or (scrap and out_of is None):
        raise UsageProblem("Where to?", "Give --to BUCKET, or --from BUCKET and maybe --scrap.")
    bucket = into or out_of or ""

    def book(conn: Connection, place: int, line: Known, cause: Cause) -> bool:
        change = stock.scrap if scrap else stock.reclassify
        return change(
            conn,
            sku_id=line.sku_id,
            location_id=place,
            qty=line.goods.qty if into or scrap else -line.goods.qty,
            bucket=bucket,
            cause=cause,
            lot_id=line.lot_id,
        )

    reason = "adjust_damage" if bucket == "damaged" else "reclassify"
    taken = booked(config, location, file, reason, reference, book)
    say(taken, as_json, reference, f"moved at {location}")


COMMANDS = (count, move)
