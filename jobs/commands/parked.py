"""``crossdock parked``, ``retry`` and ``release``: what is set aside, and how it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path

import click
from sqlalchemy import Connection, Row

from jobs import accountable
from jobs.commands.options import (
    as_json,
    first,
    limited,
    opened,
    require_connection,
    settings_option,
)
from jobs.listing import show, show_json
from jobs.problems import UsageProblem
from state import history, orders, streams
from state.store import Store
from sync import parked as sync_parked
from sync import quoting
from sync.context import Hub, Link

_COLUMNS = {
    "what": "what",
    "connection": "connection",
    "order": "order",
    "reason": "reason",
    "detail": "detail",
    "remedy": "remedy",
}


@click.command()
@click.argument("connection", required=False)
@limited
@as_json
@settings_option
def parked(config: Path | None, connection: str | None, limit: int, as_json: bool) -> None:
    """List all that is set aside, with the remedy.

    Connections, unreadable files, records, orders, lines, pushes, listings whose quantity does
    not get through, and runs that the guard holds.

    \b
    Examples:
      crossdock parked
      crossdock parked shop-eu --json
      crossdock parked --limit 20000 --json
    """
    with opened(config) as installation:
        if connection is not None:
            require_connection(installation.configuration, connection)
        with installation.hub.store.read() as conn:
            found = sync_parked.listing(conn, installation.hub, connection, limit + 1)
    rows = [item.as_json() for item in first(found, limit)]
    show(rows, _COLUMNS, as_json=as_json, empty="Nothing is parked.")


@click.command()
@click.argument("connection", required=False)
@as_json
@settings_option
def retry(config: Path | None, connection: str | None, as_json: bool) -> None:
    """Read parked records again and look up parked lines' SKUs anew.

    After a mapping definition was corrected or a SKU linked. What still does not fit stays parked.
    Quantities that a channel refused are written once more.

    \b
    Examples:
      crossdock retry
      crossdock retry shop-eu --json
    """
    rows = []
    with opened(config) as installation:
        if connection is not None:
            require_connection(installation.configuration, connection)
        hub = installation.hub
        for name, link in hub.links.items():
            if connection in (None, name):
                # Begun again where the daemon's work and this one waited for one another.
                counts = hub.store.transact(partial(_retried, hub, link))
                rows.append({"connection": name, **counts})
    columns = {
        "connection": "connection",
        "records": "records tried",
        "records_mapped": "records mapped",
        "lines_unparked": "lines freed",
        "listings_retried": "listings tried",
    }
    show(rows, columns, as_json=as_json)


def _retried(hub: Hub, link: Link, conn: Connection) -> dict[str, int]:
    counts, wake = sync_parked.retry(conn, hub, link)
    _note(conn, link.id, counts, hub.clock.now())
    for key in sorted(quoting.asked_first(hub, wake)):
        streams.request(conn, key, hub.clock.now())
    return counts


def _note(conn: Connection, connection_id: int, counts: Mapping[str, int], now: datetime) -> None:
    if any(counts.values()):
        history.audit(
            conn,
            actor=accountable.actor(),
            action="retry_parked",
            subject=("connection", connection_id),
            after=dict(counts),
            reason=accountable.reason(),
            now=now,
        )


@click.command()
@click.argument("order")
@click.option("--reason", default="", help="Why; kept in the audit trail.")
@as_json
@settings_option
def release(config: Path | None, order: str, reason: str, as_json: bool) -> None:
    """Lift the holds of ORDER that a person may lift, and let it go on.

    ORDER is the channel's id or name, or our number.

    \b
    Examples:
      crossdock release 1001 --reason "buyer confirmed the total by phone"
    """
    with opened(config) as installation:
        hub = installation.hub
        row = find_order(hub.store, order)
        now = hub.clock.now()
        with hub.store.write() as conn:
            lifted = sync_parked.release(
                conn, row.id, accountable.actor(), accountable.reason(reason), now
            )
            for key in sorted(quoting.asked_first(hub, {"allocate"})):
                streams.request(conn, key, now)
    if as_json:
        show_json({"order": row.channel_order_name, "released": lifted})
    elif lifted:
        click.echo(f"{row.channel_order_name}: released {', '.join(lifted)}.")
    else:
        click.echo(f"{row.channel_order_name}: nothing that a person may release.")


def find_order(store: Store, word: str) -> Row[object]:
    """The one order that ``word`` means; raises ``UsageProblem`` when it is none or several."""
    with store.read() as conn:
        found = orders.find(conn, word)
    if not found:
        raise UsageProblem(
            f"There is no order {word!r}.", "Give the channel's id or name, or our number."
        )
    if len(found) > 1:
        listed = ", ".join(f"{row.id} ({row.connection})" for row in found)
        raise UsageProblem(
            f"{word!r} means several orders: {listed}.", "Give one of these numbers."
        )
    return found[0]
