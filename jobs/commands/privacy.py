"""``crossdock privacy``: what is held on a person, erasing it, and what goes by itself."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import msgspec
from sqlalchemy import Connection

from jobs import accountable, roster
from jobs.app import App, keeps_by_id
from jobs.commands.backup import other_store
from jobs.commands.options import as_json, opened, opened_store, settings_option, write_new
from jobs.listing import show, show_json
from jobs.problems import OperatorError, UsageProblem
from state.personal import people, retention
from sync.privacy import dossier as sync_dossier
from sync.privacy import erasure, reapplying
from sync.privacy.erasure import Asked, Erased, Open

_FOUND = {"connection": "connection", "place": "where", "rows": "rows"}
_PLANNED = {"place": "where", "rows": "rows"}
_OPEN = {
    "order": "order",
    "connection": "connection",
    "reason": "still needed because",
    "remedy": "remedy",
}
_STATUS = {
    "connection": "connection",
    "keep_days_after_delivery": "days after delivery",
    "keep_days_after_change": "days after the last change",
    "held": "orders held",
    "erased": "erased",
    "overdue": "overdue",
    "still_open": "of these still open",
    "next_until": "next goes by",
}

email_argument = click.argument("email", callback=lambda _ctx, _param, given: _email(given))


def _email(given: str) -> str:
    found = given.strip()
    if "@" not in found[1:-1] or any(character.isspace() for character in found):
        raise click.BadParameter("give an e-mail address: people are known by it")
    return found


@click.group()
def privacy() -> None:
    """Export or erase what is held on a person; see how long personal data stays."""


@privacy.command()
@email_argument
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the document into this new file, readable by you alone.",
)
@as_json
@settings_option
def export(config: Path | None, email: str, out: Path | None, as_json: bool) -> None:
    """Everything held on the person with the address EMAIL, as one JSON document.

    Orders with this address as buyer or receiver, however it is capitalised, and every payload that
    holds it. Without --json or --out only a table of what was found where. Reads only.

    Ends with 1 when nothing is held, and writes no file then.

    \b
    Examples:
      crossdock privacy export ada@example.com
      crossdock privacy export ada@example.com --out ada.json
    """
    with opened_store(config, existing=True) as (_, store, _clock), store.read() as conn:
        document = sync_dossier.dossier(conn, email)
    if not document["found"]:
        if as_json:
            show_json(document)
        raise OperatorError(f"Nothing is held on {email}.")
    if out is not None:
        encoded = msgspec.json.format(msgspec.json.encode(document), indent=2)
        write_new(out, encoded + b"\n")
    if as_json:
        show_json(document)
    else:
        show(document["found"], _FOUND, as_json=False)
        if out is not None:
            click.echo(f"Written to {out}: hand it over safely, then delete it.")


@privacy.command()
@email_argument
@click.option("--reason", required=True, help="Why; kept in the audit trail, without the address.")
@click.option("--dry-run", is_flag=True, help="Say what would be erased, and erase nothing.")
@click.option("--except-open", is_flag=True, help="Leave out the orders that are not finished yet.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@settings_option
def erase(
    config: Path | None,
    email: str,
    reason: str,
    dry_run: bool,
    except_open: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Erase the personal data of the person with the address EMAIL, everywhere.

    Orders, quantities, totals, taxes with their country, and the audit trail stay. What the channel
    reports of these orders later is kept without personal data; a new order is a new order.

    An order whose address is still needed refuses; --except-open erases the others.

    \b
    Examples:
      crossdock privacy erase ada@example.com --reason "asked by mail on 3 May" --dry-run
      crossdock privacy erase ada@example.com --reason "asked by mail on 3 May"
      crossdock privacy erase ada@example.com --reason "ticket 481" --except-open --yes
    """
    with opened(config, existing=True) as installation:
        asked = Asked(email, accountable.actor(), accountable.reason(reason))
        with installation.hub.store.read() as conn:
            person = people.find(conn, email)
            needed = erasure.still_open(conn, person)
        if dry_run:
            plan = _rehearsed(installation, person, asked)
            _tell_plan(_told(plan, person, needed), as_json)
        _refuse_open(needed, as_json or dry_run, except_open=except_open)
        if dry_run:
            return
        if not yes and (person.orders or person.records):
            question = f"Erase what {len(person.orders) + len(person.records)} orders and records"
            click.confirm(f"{question} hold on {email}? It cannot be undone", abort=True, err=True)
        done, clean = _erase(installation, person, asked)
    _tell(done, _told(done, person, needed), clean, as_json)


def _refuse_open(needed: list[Open], told: bool, *, except_open: bool) -> None:
    """``told``: they stand on the screen already, or are not to."""
    if not needed or except_open:
        return
    if not told:
        show([asdict(one) for one in needed], _OPEN, as_json=False)
    named = ", ".join(one.order for one in needed[:5])
    raise OperatorError(
        f"Nothing was erased: the address is still needed for {named}.",
        "Finish them, or erase the others now with --except-open.",
    )


def _rehearsed(installation: App, person: people.Person, asked: Asked) -> Erased:
    """What would be erased, open orders left out: it is done, and taken back."""
    hub = installation.hub
    with hub.store.write() as conn:
        done = erasure.erase(conn, person, asked, hub.clock.now())
        conn.rollback()
    return done


def _told(done: Erased, person: people.Person, needed: list[Open]) -> dict[str, Any]:
    names = {row.id: row.channel_order_name for row in person.orders}
    return {
        "orders": [names[number] for number in done.orders],
        "rows": dict(done.places),
        "open": [asdict(one) for one in needed],
    }


def _tell_plan(told: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show_json({"dry_run": True, **told})
        return
    rows = [{"place": place, "rows": n} for place, n in sorted(told["rows"].items())]
    show(rows, _PLANNED, as_json=False, empty="Nothing is held that could be erased.")
    if told["open"]:
        click.echo("Left out, because it is still needed:")
        show(told["open"], _OPEN, as_json=False)
    click.echo("Dry run: nothing was erased. What files hold is not counted.")


def _erase(installation: App, person: people.Person, asked: Asked) -> tuple[Erased, bool]:
    """Files first: should this be interrupted, the store still knows what to look for."""
    hub = installation.hub
    with hub.store.read() as conn:
        needed = people.open_orders(conn, [row.id for row in person.orders])
        settled = [row for row in person.orders if row.id not in needed]
        words = erasure.words_of(conn, settled, asked)
    everywhere = [link.id for link in hub.links.values()]
    known = [(everywhere, words)] if settled or person.records else []
    files = erasure.erase_files(hub, known)
    with hub.store.write() as conn:
        done = erasure.erase(conn, people.find(conn, asked.email), asked, hub.clock.now())
    done.files = files
    return done, hub.store.wipe_traces()


def _tell(done: Erased, told: dict[str, Any], clean: bool, as_json: bool) -> None:
    if as_json:
        show_json({**told, "files": done.files, "traces_wiped": clean})
    elif done.anything:
        rows = sum(done.places.values())
        click.echo(f"Erased: {len(done.orders)} orders, {rows} rows, {done.files} files.")
        if told["open"]:
            click.echo("Still held, because it is still needed:")
            show(told["open"], _OPEN, as_json=False)
    else:
        click.echo("Nothing was held that could be erased.")
    if not clean:
        raise OperatorError(
            "Erased, and a copy may be left in the store's files: somebody reads them.",
            "End long readers, such as a backup, and give the same command again.",
        )


@privacy.command()
@as_json
@settings_option
def status(config: Path | None, as_json: bool) -> None:
    """What is held of each connection, until when, and what should be gone already.

    Ends with 1 when anything is overdue.

    \b
    Examples:
      crossdock privacy status
      crossdock privacy status --json
    """
    with opened_store(config, existing=True) as (configuration, store, clock), store.read() as conn:
        counts = retention.count(conn)
        keeps = keeps_by_id(conn, configuration)
        rows = []
        for known in roster.known(conn):
            held, erased = counts.get(known.id, (0, 0))
            row: dict[str, Any] = {"connection": known.name, "held": held, "erased": erased}
            keep = keeps.get(known.id)
            if keep is not None:
                row |= _bounds(conn, known.id, keep, clock.now())
            rows.append(row)
    show(rows, _STATUS, as_json=as_json, empty="There are no connections yet.")
    late = sum(row.get("overdue", 0) for row in rows)
    if late:
        raise OperatorError(
            f"The personal data of {late} orders should be gone.",
            "`crossdock once expire-personal` erases what is not needed; finish the open orders.",
        )


def _bounds(
    conn: Connection, connection_id: int, keep: retention.Keep, now: datetime
) -> dict[str, Any]:
    late, needed = retention.overdue(conn, connection_id, keep, now)
    return {
        "keep_days_after_delivery": keep.after_delivery.days,
        "keep_days_after_change": keep.after_change.days,
        "overdue": len(late),
        "still_open": len(needed),
        "next_until": retention.next_until(conn, connection_id, keep, now),
    }


@privacy.command()
@click.option("--from", "source", required=True, metavar="URL", help="The store that knows.")
@as_json
@settings_option
def reapply(config: Path | None, source: str, as_json: bool) -> None:
    """Erase here whatever another store remembers as erased: after a restore from a backup.

    `crossdock restore` does so by itself from the store that it replaces. This is for another one,
    such as a copy that could be mended later. Give it before `crossdock run`. Orders that are not
    finished here are erased and held. The other store is only read.

    \b
    Examples:
      crossdock privacy reapply --from sqlite:////srv/crossdock.db.before-20261102T080000Z
    """
    other = other_store(source, "--from")
    if other.is_sqlite and not Path(str(other.url.database)).is_file():
        raise UsageProblem(f"There is no store at {other.url.database}.", "Name one that exists.")
    try:
        with other.read() as conn:
            erasures = reapplying.remembered(conn)
    finally:
        other.close()
    with opened(config, existing=True) as installation:
        hub = installation.hub
        who, why = accountable.actor(), accountable.reason()
        with hub.store.write() as conn:
            done = reapplying.reapply(conn, erasures, hub.clock.now(), who, why)
        clean = not done.erased.anything or hub.store.wipe_traces()
    if as_json:
        rows = dict(done.erased.places)
        document = {"orders": done.erased.orders, "held": done.open, "rows": rows}
        show_json({**document, "traces_wiped": clean})
    else:
        click.echo(
            f"Erased again: {len(done.erased.orders)} orders, {len(done.open)} of them held."
        )
    if not clean:
        raise OperatorError(
            "Erased, and a copy may be left in the store's files: somebody reads them.",
            "End long readers, such as a backup, then `crossdock once expire-personal`.",
        )
