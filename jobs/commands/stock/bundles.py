"""``crossdock stock bundle``: what is sold as one and kept as its components."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Connection

from jobs.commands.options import as_json, opened_store, settings_option
from jobs.commands.stock.booking import note, written
from jobs.commands.stock.lots import sku_of
from jobs.listing import show, show_json
from jobs.problems import OperatorError, UsageProblem
from state import fulfilment, stock
from state.errors import Misplaced
from sync.imports import quantity

_COLUMNS = {"bundle": "bundle", "component": "component", "qty": "of it in one"}


@click.command("bundle")
@click.argument("sku")
@click.argument("parts", nargs=-1)
@click.option("--none", "dissolve", is_flag=True, help="SKU is no bundle any more.")
@as_json
@settings_option
def bundle(
    config: Path | None, sku: str, parts: tuple[str, ...], dissolve: bool, as_json: bool
) -> None:
    """Say what one SKU holds: PARTS like MUG-WHITE=2; or, without PARTS, show it.

    As many can be made as its scarcest component allows. A bundle has no stock of its own.

    \b
    Examples:
      crossdock stock bundle GIFT-SET MUG-WHITE=2 TEA-50=1
      crossdock stock bundle GIFT-SET
      crossdock stock bundle GIFT-SET --none
    """
    with opened_store(config) as (_, store, clock):
        now = clock.now()
        if parts or dissolve:
            try:
                written(store, lambda conn: _define(conn, sku, parts, now), now)
            except Misplaced as problem:
                raise OperatorError(f"{sku}: {problem}.") from None
        with store.read() as conn:
            inside, made = _described(conn, sku)
    if as_json:
        show_json({"bundle": sku, "parts": inside, "makeable": made})
        return
    show(inside, _COLUMNS, as_json=False, empty=f"{sku} is no bundle.")
    if inside:
        there = ", ".join(f"{qty} at {place}" for place, qty in made.items())
        click.echo(f"Can be made: {there or 'none'}.")


def _described(conn: Connection, code: str) -> tuple[list[dict[str, Any]], dict[str, Decimal]]:
    """What is in a bundle, and how many could be made by location code."""
    sku_id = sku_of(conn, code)
    made = stock.makeable(conn, [sku_id]).get(sku_id, {})
    inside = [dict(row._mapping) for row in stock.components(conn, sku_id)]
    return inside, {
        fulfilment.location(conn, place).code: qty for place, qty in sorted(made.items())
    }


def _define(conn: Connection, code: str, parts: tuple[str, ...], now: datetime) -> None:
    inside: dict[int, Decimal] = {}
    for part in parts:
        component, _, qty = part.partition("=")
        try:
            inside[sku_of(conn, component)] = quantity(qty or "1")
        except ValueError as error:
            raise UsageProblem(f"{part}: {error}.", "Write parts like MUG-WHITE=2.") from None
    if Decimal(0) in inside.values():
        raise UsageProblem("None of a component.", "Leave it out.")
    sku_id = sku_of(conn, code)
    stock.set_components(conn, sku_id, inside)
    note(conn, "set_bundle", ("sku", sku_id), {"parts": list(parts)}, now)


COMMANDS = (bundle,)
