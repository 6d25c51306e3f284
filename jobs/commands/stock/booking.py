"""What the commands share that take stock from a file."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click
from sqlalchemy import Connection

from jobs import accountable
from jobs.commands.options import opened
from jobs.commands.stock.listing import require_location
from jobs.listing import show_json
from jobs.problems import OperatorError
from state import history, streams
from state.stock import Cause
from state.store import Store
from sync import goods_files, imports
from sync.goods_files import Known, Taken

Book = Callable[[Connection, int, Known, Cause], bool]
"""Books one line at a location (its id); false when the movement is known already."""

_Answer = TypeVar("_Answer")

FILE = click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
REFERENCE = click.option(
    "--reference",
    required=True,
    help="The number on the paper. The same one again changes nothing.",
)


def booked(
    config: Path | None,
    location: str,
    file: Path,
    reason: str,
    reference: str,
    book: Book,
    *,
    by_lot: bool = True,
) -> Taken:
    """Book all that FILE says of each SKU (and lot) at a location, in one transaction."""
    with opened(config) as installation:
        store, now = installation.hub.store, installation.clock.now()

        def take(conn: Connection) -> Taken:
            place = require_location(conn, location).id
            lines = goods_files.resolve(conn, file, goods, by_lot=by_lot)

            def one(line: Known) -> bool:
                key = goods_files.key_of(reason, place, reference, line)
                return book(conn, place, line, by_hand(reason, key, now))

            taken = goods_files.move(conn, file, lines, one)
            if taken.moved:
                told = {"file": file.name, "reference": reference, "lines": taken.moved}
                note(conn, f"stock_{reason}", ("location", place), told, now)
            return taken

        try:
            goods = goods_files.read_goods(file)
        except imports.ImportProblem as problem:
            raise OperatorError(str(problem)) from None
        return written(store, take, now)


def written(store: Store, work: Callable[[Connection], _Answer], now: datetime) -> _Answer:
    """Run ``work`` in a transaction, and have orders planned and promises computed anew."""

    def all_of_it(conn: Connection) -> _Answer:
        answer = work(conn)
        streams.request(conn, "allocate", now)
        streams.request(conn, "promise", now)
        return answer

    try:
        return store.transact(all_of_it)
    except imports.ImportProblem as problem:
        raise OperatorError(str(problem)) from None


def note(
    conn: Connection, action: str, subject: tuple[str, int], after: Any, now: datetime
) -> None:
    """Say in the audit trail who changes stock, in the transaction that changes it."""
    history.audit(
        conn,
        actor=accountable.actor(),
        action=action,
        subject=subject,
        after=after,
        reason=accountable.reason(),
        now=now,
    )


def by_hand(reason: str, key: str, now: datetime) -> Cause:
    """A movement that a person books."""
    return Cause(reason, ("", None), key, now, actor=accountable.actor())


def say(taken: Taken, as_json: bool, reference: str, what: str) -> None:
    if as_json:
        show_json({"reference": reference, "moved": taken.moved, "known": taken.known})
    elif taken.known and not taken.moved:
        click.echo(f"{reference} is booked already: nothing has changed.")
    else:
        before = f"; {taken.known} were booked before" if taken.known else ""
        click.echo(f"{reference}: {taken.moved} lines {what}{before}.")
