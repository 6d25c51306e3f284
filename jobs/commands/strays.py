"""``crossdock strays``: what vendors hold for us that does not fit to what we had done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from connectors.base import BuysLabels
from connectors.errors import CrossdockError
from jobs import accountable
from jobs.commands.options import (
    as_json,
    first,
    limited,
    opened,
    opened_store,
    row_number,
    settings_option,
)
from jobs.listing import show, show_json
from jobs.problems import OperatorError, UsageProblem
from mappings.numbers import major_units
from state import history
from state import strays as found

_COLUMNS = {
    "number": "number",
    "connection": "connection",
    "problem": "problem",
    "reference": "reference",
    "external_id": "vendor's id",
    "price": "price",
    "placed_at": "placed",
    "remedy": "remedy",
}

_PROBLEMS = {
    "double": "a second one for the same work",
    "not_done": "there, though it was refused or given up",
    "unknown_reference": "ours, and we know nothing of it",
    "missing": "taken by the vendor, and not there",
}


@click.group()
def strays() -> None:
    """Look at objects of a vendor that do not fit to what was sent there."""


@strays.command("list")
@click.option("--all", "every", is_flag=True, help="Those that are gone by now, too.")
@limited
@as_json
@settings_option
def list_(config: Path | None, every: bool, limit: int, as_json: bool) -> None:
    """List what sweeps found, each with its price and what to do.

    A sweep runs by itself (`every.sweep` of a connection; now: `crossdock once sweep`) and lists
    the orders and labels that a vendor holds under our references. What is cleared away at the
    vendor disappears from this list with the next sweep. Ends with 1 when something is open.

    \b
    Examples:
      crossdock strays list
      crossdock strays list --all --json
    """
    with opened_store(config) as (_, store, _clock), store.read() as conn:
        listed = found.listing(conn, every=every, limit=limit + 1)
    rows = [_row(row) for row in first(listed, limit)]
    show(rows, _COLUMNS, as_json=as_json, empty="Every vendor holds what was sent there.")
    still = sum(row["gone_at"] is None for row in rows)
    if still:
        raise OperatorError(f"{still} do not fit.", "See the remedy of each.")


@strays.command("void")
@click.argument("number", type=int, callback=row_number)
@as_json
@settings_option
def void(config: Path | None, number: int, as_json: bool) -> None:
    """Void the label of stray NUMBER, so that its price comes back.

    \b
    Examples:
      crossdock strays void 3
    """
    with opened(config) as installation:
        with installation.hub.store.read() as conn:
            row = found.get(conn, number)
        if row is None or row.gone_at is not None:
            raise UsageProblem(f"There is no open stray {number}.", "See `crossdock strays list`.")
        link = installation.hub.links.get(row.connection)
        if link is None:
            raise UsageProblem(
                f"The connection {row.connection} is not in the settings any more.",
                f"Put it back there; or by hand, at the vendor: {row.remedy}.",
            )
        connector = link.connector
        if row.kind != "label" or row.problem == "missing" or not isinstance(connector, BuysLabels):
            raise UsageProblem(f"Stray {number} is no label to void.", row.remedy)
        try:
            outcome = connector.void_label(row.external_id)
        except CrossdockError as trouble:
            raise OperatorError(str(trouble), _by_hand(row)) from trouble
        if outcome.status != "applied":
            raise OperatorError(f"It was not voided: {outcome.message}", _by_hand(row))
        now = installation.clock.now()
        with installation.hub.store.write() as conn:
            found.settle(conn, number, now)
            history.audit(
                conn,
                actor=accountable.actor(),
                action="stray_voided",
                subject=("stray_effect", number),
                before={"label": row.external_id, "cost": row.cost, "currency": row.currency},
                reason=accountable.reason(),
                now=now,
            )
    if as_json:
        show_json({"number": number, "label": row.external_id, "voided": True})
    else:
        click.echo(f"Label {row.external_id} is voided.")


def _by_hand(row: Any) -> str:
    return f"Void label {row.external_id} ({_price(row)}) in {row.connection}'s own pages."


def _row(row: Any) -> dict[str, Any]:
    return {
        "number": row.id,
        "connection": row.connection,
        "kind": row.kind,
        "problem": _PROBLEMS[row.problem],
        "code": row.problem,
        "reference": row.reference,
        "external_id": row.external_id,
        "cost": row.cost,
        "currency": row.currency,
        "price": _price(row),
        "placed_at": row.placed_at,
        "found_at": row.found_at,
        "gone_at": row.gone_at,
        "remedy": row.remedy,
    }


def _price(row: Any) -> str:
    if row.cost is None:
        return "-"
    return f"{major_units(row.cost, row.currency)} {row.currency}"
