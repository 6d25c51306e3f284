"""Bugs planted into the daemon before it is killed; each must turn the run red.

They are planted in the forked process only, and live in every life of a trial.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.exc import OperationalError

from jobs import catalogue
from proof.crash.hooks import hook
from state import intents
from state.store import Store
from sync import drain, intake, outcomes, settling


@dataclass(frozen=True, slots=True)
class Mutant:
    """``noticed_by``: what a violation has to look like. ``where``: the points worth a kill."""

    plant: Callable[[], object]
    flow: str
    where: str
    noticed_by: str

    def notices(self, violation: str) -> bool:
        return re.search(self.noticed_by, violation) is not None


def _intent_after_the_send() -> None:
    """The claim is not written: that the call was made stands nowhere until it has an answer."""

    def claim(_conn: Any, rows: Any, _now: Any, *, send_by: Any, **_: Any) -> Any:
        return [_Instead(row, send_by=send_by) for row in rows]

    hook(drain, "intents", _Instead(intents, claim=claim))


def _cursor_before_the_rows() -> None:
    """The cursor is committed alone, and the rows of its page after it."""
    job = catalogue.JOBS["pull-orders"]

    def pull_orders(hub: Any, run: Any) -> None:
        def early(*arguments: Any) -> Iterator[Any]:
            for page in gathered(*arguments):
                with run.commit() as conn:
                    run.save_cursor(conn, _past_the_overlap(page.cursor))
                yield page

        gathered = hook(intake, "gathered", early)
        try:
            intake.pull_orders(hub, run)
        finally:
            hook(intake, "gathered", gathered)

    object.__setattr__(job, "run", pull_orders)


def _past_the_overlap(cursor: Any) -> Any:
    """Both channels are read again from some minutes before: that alone would hide the bug."""
    moved = dict(cursor)
    for name, value in cursor.items():
        try:
            later = datetime.fromisoformat(value) + timedelta(hours=1)
        except (TypeError, ValueError):
            continue
        moved[name] = later.isoformat().replace("+00:00", "Z")
    return moved


def _sent_again_without_a_look() -> None:
    """What became of a call that was cut off is not asked; it is simply made again."""

    def unknown(conn: Any, hub: Any, _link: Any, row: Any, why: str, *_: Any) -> None:
        intents.move(conn, row.id, "planned", message=why, not_before=hub.clock.now())

    hook(settling, "unknown", unknown)
    hook(drain, "unknown", unknown)


def _nobody_takes_care_of_the_dead() -> None:
    """What a dead process was sending stays as it is."""
    hook(drain, "_recover", lambda *_: None)


def _acknowledged_before_it_is_written() -> None:
    """COMMIT is said to be done, and done when the connection is given back."""
    owed: set[int] = set()

    def do_commit(_dialect: Any, connection: Any) -> None:
        owed.add(id(connection))

    def do_rollback(dialect: Any, connection: Any) -> None:
        if id(connection) in owed:
            owed.discard(id(connection))
            commit(dialect, connection)
        else:
            rollback(dialect, connection)

    commit = hook(DefaultDialect, "do_commit", do_commit)
    rollback = hook(DefaultDialect, "do_rollback", do_rollback)


def _every_statement_is_a_transaction() -> None:
    """What the disk refuses in the middle of a transaction leaves the half before it."""

    def end(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        first = statement.lstrip()[:6].upper()
        # Rows that are still to be fetched hold the transaction open.
        if first in ("INSERT", "UPDATE", "DELETE") and "RETURNING" not in statement:
            database = connection.connection.driver_connection
            database.execute("COMMIT")
            database.execute("BEGIN IMMEDIATE")

    event.listen(Engine, "after_cursor_execute", end)


def _every_write_is_hasty() -> AbstractContextManager[object]:
    write = Store.write

    def hasty(store: Store, **_: Any) -> Any:
        return write(store, durable=False)

    return patch.object(Store, "write", hasty)


def _the_commits_of_runs_are_hasty() -> AbstractContextManager[object]:
    """All that jobs write, and only that."""
    write = Store.write

    def hasty(store: Store, *, durable: bool = True) -> Any:
        by_a_run = sys._getframe(1).f_code.co_filename.endswith("running.py")
        return write(store, durable=durable and not by_a_run)

    return patch.object(Store, "write", hasty)


POWER_MUTANTS: Mapping[str, Callable[[], AbstractContextManager[object]]] = {
    "no write waits for the disk": _every_write_is_hasty,
    "what jobs write does not wait for the disk": _the_commits_of_runs_are_hasty,
}


def _ends_at_the_first_refusal() -> None:
    def impatient(work: Callable[[], None]) -> Any:
        verdict = attempt(work)
        if verdict is not None and isinstance(verdict.error, OperationalError):
            os._exit(3)
        return verdict

    attempt = hook(outcomes, "attempt", impatient)


class _Instead:
    """A module with some of its functions replaced, or a row with some of its columns."""

    def __init__(self, whole: Any, **replaced: Any) -> None:
        self._whole = whole
        self.__dict__.update(replaced)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)


@dataclass(frozen=True, slots=True)
class DiskMutant:
    """``pages``: where a refusal meets what the bug is about."""

    plant: Callable[[], object]
    flow: str
    pages: range
    noticed_by: str


DISK_MUTANTS: Mapping[str, DiskMutant] = {
    "a call whose end was not written is made again without a look-up": DiskMutant(
        _sent_again_without_a_look, "labels", range(370, 400, 5), "doubled label"
    ),
    "every statement is a transaction": DiskMutant(
        _every_statement_is_a_transaction, "labels", range(100, 560, 20), "undisturbed|audit"
    ),
    "the daemon ends when a write is refused": DiskMutant(
        _ends_at_the_first_refusal, "labels", range(40, 400, 60), "ended with 3"
    ),
}

_LABEL = "after send POST /shipengine/v1/labels"

MUTANTS: Mapping[str, Mutant] = {
    "the intent is committed after the send": Mutant(
        _intent_after_the_send, "labels", _LABEL, "doubled label"
    ),
    "the cursor is committed before the rows": Mutant(
        _cursor_before_the_rows, "labels", "commit of pull-orders:shop-eu", "order .* None"
    ),
    "a cut off call is made again without a look-up": Mutant(
        _sent_again_without_a_look, "labels", _LABEL, "doubled label"
    ),
    "nobody takes care of what a dead process was sending": Mutant(
        _nobody_takes_care_of_the_dead, "labels", _LABEL, "intent label sending"
    ),
    "a commit is acknowledged before it is written": Mutant(
        _acknowledged_before_it_is_written,
        "labels",
        "^after commit of (pull-orders|push)",
        "not what was committed",
    ),
}
