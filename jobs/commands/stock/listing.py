"""``crossdock stock list``: levels now, or at a moment of the past."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
from sqlalchemy import Connection, Row, select

from jobs.commands.options import as_json, opened_store, settings_option
from jobs.listing import show
from jobs.problems import UsageProblem
from state import catalogue, fulfilment
from state import stock as state_stock
from state import tables as t

_COLUMNS = {
    "sku": "sku",
    "location": "location",
    "on_hand": "on hand",
    "reserved": "reserved",
    "damaged": "damaged",
    "quality_hold": "on hold",
    "safety": "safety",
    "available": "available",
    "incoming": "incoming",
}


def _choices(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of ``stock list``, which ``stock`` alone understands as well."""
    for option in (
        click.option(
            "--by",
            type=click.Choice(["recorded", "occurred"]),
            default="recorded",
            show_default=True,
            help="With --as-of: what the books said then, or what was there as we know by now.",
        ),
        click.option("--zone", help="The zone of --as-of; default: the location's."),
        click.option("--as-of", help="A moment like 2026-10-31T23:59, or a day, to its end."),
        click.option("--location", help="Only this location."),
    ):
        function = option(function)
    return function


@click.group(invoke_without_command=True)
@_choices
@as_json
@click.pass_context
def stock(ctx: click.Context, /, as_json: bool, **asked: Any) -> None:
    """Look at stock, and count, receive, send and hold it.

    Without a command it is `crossdock stock list`.

    \b
    Examples:
      crossdock stock --as-of 2026-10-31T23:59 --location berlin
      crossdock stock receive berlin delivery.csv --reference DN-4711
    """
    if ctx.invoked_subcommand is None:
        _list(ctx.obj, None, as_json=as_json, **asked)
    elif as_json or asked["as_of"] or asked["location"] or asked["zone"]:
        raise UsageProblem(
            "Options before the command are not passed on.",
            f"Write them after it: crossdock stock {ctx.invoked_subcommand} ...",
        )


@stock.command("list")
@click.argument("sku", required=False)
@_choices
@as_json
@settings_option
def list_(config: Path | None, sku: str | None, as_json: bool, **asked: Any) -> None:
    """Show what is where, and what of it is reserved; now, or at a moment of the past.

    --as-of adds up the ledger. By default it goes by when a movement was recorded: what was shown
    once for a moment is shown for ever, whatever is heard late. --by occurred goes by when it
    happened outside. A moment without an offset is in --zone, else in the location's own zone,
    else in UTC.

    \b
    Examples:
      crossdock stock list
      crossdock stock list MUG-WHITE --json
      crossdock stock list --as-of 2026-10-31T23:59 --location berlin
      crossdock stock list --as-of 2026-10-31 --zone Europe/Berlin --by occurred
    """
    _list(config, sku, as_json=as_json, **asked)


def _list(
    config: Path | None,
    sku: str | None,
    *,
    location: str | None,
    as_of: str | None,
    zone: str | None,
    by: Any,
    as_json: bool,
) -> None:
    with opened_store(config) as (_, store, clock), store.read() as conn:
        if location is not None:
            require_location(conn, location)
        if sku is not None and catalogue.by_code(conn, sku) is None:
            raise UsageProblem(f"There is no SKU {sku!r}.", _LOOK_FOR_SKU)
        if as_of is None:
            now = [dict(row._mapping) for row in state_stock.overview(conn, sku, location=location)]
            show(
                now,
                {**_COLUMNS, "observed_at": "counted"},
                as_json=as_json,
                empty="Nothing has been counted yet.",
            )
            return
        moment = parsed_moment(as_of, known_zone(zone) if zone else _zone_of(conn, location))
        if moment > clock.now():
            raise UsageProblem(f"{as_of} is still to come.", "Leave --as-of out for now.")
        rows = state_stock.levels_as_of(conn, moment, code=sku, location=location, by=by)
    rows = [{**row, "as_of": moment} for row in rows]
    show(rows, _COLUMNS, as_json=as_json, empty=f"Nothing was there at {moment.isoformat()}.")


_LOOK_FOR_SKU = "`crossdock sku candidates NAME` shows which of our SKUs a name may mean."


def require_location(conn: Connection, code: str) -> Row[Any]:
    """The location of that code. Raises ``UsageProblem`` when there is none."""
    found = fulfilment.location_by_code(conn, code)
    if found is None:
        known = conn.scalars(select(t.location.c.code).order_by(t.location.c.code))
        raise UsageProblem(f"There is no location {code!r}.", f"Known: {', '.join(known)}.")
    return found


def _zone_of(conn: Connection, location: str | None) -> tzinfo:
    """The zone of a location; UTC where none is known, or no location is asked for."""
    place = fulfilment.location_by_code(conn, location) if location else None
    return (state_stock.zone_of(conn, place.id) if place else None) or UTC


def known_zone(name: str) -> ZoneInfo:
    """Raises ``UsageProblem``."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageProblem(f"Unknown time zone {name!r}.", "Use one like Europe/Berlin.") from None


def parsed_moment(text: str, zone: tzinfo | None) -> datetime:
    """A moment in ISO 8601, in UTC; without an offset it is in ``zone``, and a day means its end.

    Raises ``UsageProblem``, also for a moment without an offset where the zone is not known.
    """
    try:
        if is_day(text):
            next_day = datetime.combine(date.fromisoformat(text) + timedelta(days=1), time(), zone)
            return next_day.astimezone(UTC) - timedelta(microseconds=1)
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None and zone is None:
            raise UsageProblem(
                f"{text} has no offset, and the location no time zone.",
                f"Write it like {text}+01:00, or give the location a timezone in the settings.",
            )
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageProblem(f"{text!r} is no moment.", "Write it like 2026-10-31T23:59.") from None


def is_day(text: str) -> bool:
    return len(text) == len("2026-10-31")
