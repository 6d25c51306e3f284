"""``crossdock export``: files for people who do not use Crossdock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from jobs.commands.options import as_json, opened_store, settings_option
from jobs.listing import console, show_json, shown
from jobs.problems import OperatorError, UsageProblem
from sync.reconciliation import files, period

_STATEMENT = {
    "orders": "orders",
    "parked": "  of these parked",
    "cancelled": "  of these cancelled",
    "with_variance": "  with a variance",
    "gross": "gross",
    "discounts": "- discounts",
    "shipping": "+ shipping",
    "fees_and_other": "+ fees and other",
    "tax_not_included": "+ tax not included",
    "calculated_total": "= calculated total",
    "channel_total": "- channel's total",
    "variance": "= variance",
    "payments": "payments",
    "refunds": "refunds",
    "goods_shipped": "goods shipped",
    "tax_included": "tax inside prices",
}
_SIDE_BY_SIDE = 4
"""Connections and currencies in one table: as many as fit on 80 columns."""


@click.group()
def export() -> None:
    """Write files for finance."""


@export.command("reconciliation")
@click.option("--from", "first", required=True, metavar="DATE", help="First business date.")
@click.option("--to", "last", required=True, metavar="DATE", help="Last business date, included.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("exports"),
    show_default=True,
    metavar="DIR",
    help="Where to write; made when it is missing.",
)
@as_json
@settings_option
def export_reconciliation(
    config: Path | None, first: str, last: str, out: Path, as_json: bool
) -> None:
    """Write every order of a period with its amounts: CSV, XLSX and Parquet, and a manifest.

    Dates are business dates: days in the time zone of the channel. Amounts are exact, each in
    its order's currency. The manifest is written last and names every file with its SHA-256;
    a set without it is not complete. Ends with 1 when an order's parts do not add up.

    \b
    Examples:
      crossdock export reconciliation --from 2026-11-01 --to 2026-11-30
      crossdock export reconciliation --from 2026-11-01 --to 2026-11-01 --out /srv/finance
      crossdock export reconciliation --from 2026-11-01 --to 2026-11-30 --json
    """
    days = _day("--from", first), _day("--to", last)
    if days[0] > days[1]:
        raise UsageProblem(f"--from {first} is after --to {last}.", "Swap them.")
    with (
        opened_store(config) as (_, store, clock),
        period.reconcile(store, *days) as found,
    ):
        manifest = _write(found, out, clock.now())
    if as_json:
        show_json({"folder": str(out.resolve()), **manifest})
    else:
        _show(manifest, out)
    _complain(manifest)


def _write(found: period.Reconciliation, folder: Path, now: datetime) -> dict[str, Any]:
    try:
        return files.write(found, folder, now)
    except files.FinanceExtraMissing as missing:
        raise OperatorError(str(missing), missing.remedy) from None
    except OSError as error:
        reason = f"Could not write to {folder}: {error.strerror or error}."
        raise OperatorError(reason, "Is it writable and not full?") from None


def _day(option: str, value: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise UsageProblem(f"{option} {value!r} is no date.", "Write 2026-11-30.") from None


def _show(manifest: dict[str, Any], folder: Path) -> None:
    totals = manifest["totals"]
    period = f"{manifest['from']} to {manifest['to']}"
    if totals:
        click.echo(f"{manifest['orders']} orders from {period}\n")
    else:
        click.echo(f"No orders from {period}: the files hold nothing but their headings.\n")
    for start in range(0, len(totals), _SIDE_BY_SIDE):
        _show_statement(totals[start : start + _SIDE_BY_SIDE])
    for name in (*manifest["files"], files.manifest_name(manifest)):
        click.echo(str(folder / name))
    if manifest["ignored_orders_not_included"]:
        number = manifest["ignored_orders_not_included"]
        click.echo(
            f"\nNot included: {number} orders of the period that are not ours "
            "(test, draft, fulfilled by the marketplace)."
        )
    if manifest["parked_records_not_included"]:
        number = manifest["parked_records_not_included"]
        click.echo(
            f"\nNot included: {number} orders of any date that could not be read. "
            "`crossdock parked` says why."
        )


def _show_statement(totals: Sequence[dict[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for total in totals:
        table.add_column(f"{total['connection']} {total['currency']}", justify="right")
    for name, label in _STATEMENT.items():
        cells = (shown(format(Decimal(total[name]), ",f")) for total in totals)
        table.add_row(label, *(Text(cell) for cell in cells))
    console().print(table)
    click.echo()


def _complain(manifest: dict[str, Any]) -> None:
    open_orders = manifest["unexplained"]
    if open_orders:
        first = open_orders[0]
        raise OperatorError(
            f"Orders whose parts do not add up: {len(open_orders)}, such as {first['order']} of "
            f"{first['connection']} by {first['amount']} {first['currency']}.",
            "The files hold them too; the manifest lists them as `unexplained`. Please report it.",
        )
