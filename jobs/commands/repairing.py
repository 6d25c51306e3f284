"""``crossdock audit --repair``: each repair explained, asked for, written, and proven."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Connection

from jobs import accountable
from jobs.commands.options import opened_store
from jobs.listing import show, show_json
from jobs.problems import OperatorError, UsageProblem
from state import streams
from state.store import Store
from sync import invariants, repairs
from sync.invariants import Violation
from sync.repairs import CannotRepair, Change, Repair

_CHANGED = {"repair": "repair", "subject": "subject", "what": "what", "before": "is", "after": "to"}
_TRAIL = "audit_trail"
_LEFT = {"invariant": "invariant", "subject": "subject", "detail": "detail", "remedy": "do this"}


def repair(config: Path | None, *, dry_run: bool, yes: bool, reason: str, as_json: bool) -> None:
    """Mend what can be mended; ends with 1 when anything is left."""
    if as_json and not (yes or dry_run):
        raise UsageProblem("With --json nobody can be asked.", "Add --yes or --dry-run.")
    with opened_store(config, existing=True) as (_, store, clock):
        now = clock.now()
        if dry_run:
            done = _rehearsed(store, now)
        else:
            done = _mended(store, now, accountable.reason(reason), yes=yes, quiet=as_json)
    if dry_run and not as_json:
        for one, changes in done.changes:
            _explain(one, changes)
    _report(done, dry_run=dry_run, as_json=as_json)


@dataclass(slots=True)
class _Done:
    """``left``: what is violated after it."""

    changes: list[tuple[Repair, list[Change]]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    left: list[Violation] = field(default_factory=list)


def _rehearsed(store: Store, now: datetime) -> _Done:
    """All repairs, each on what those before it wrote, and then taken back."""
    done = _Done()
    with store.write() as conn:
        before = _found(conn)
        for one in repairs.needed(before):
            changes = _tried(conn, one, now, "rehearsal", done)
            done.changes += [(one, changes)] if changes else []
        # The rows of the audit trail are sealed by a commit, and here none comes.
        done.left = [one for one in _found(conn) if one.invariant != _TRAIL]
        done.left += [one for one in before if one.invariant == _TRAIL]
        conn.rollback()
    return done


def _mended(store: Store, now: datetime, reason: str, *, yes: bool, quiet: bool) -> _Done:
    """Each repair by itself: shown, asked for, written."""
    done = _Done()
    with store.read() as conn:
        wanted = repairs.needed(_found(conn))
    for one in wanted:
        with store.write() as conn:
            changes = _tried(conn, one, now, "rehearsal", done)
            conn.rollback()
        if changes and not quiet:
            _explain(one, changes)
        if changes and (yes or click.confirm("Write this?", default=False)):
            done.changes.append((one, _written(store, one, now, reason)))
    with store.read() as conn:
        done.left = _found(conn)
    return done


def _found(conn: Connection) -> list[Violation]:
    return repairs.all_violations(conn, invariants.SAMPLE)


def _tried(conn: Connection, one: Repair, now: datetime, reason: str, done: _Done) -> list[Change]:
    try:
        return repairs.apply(conn, one, now, accountable.actor(), reason)
    except CannotRepair as problem:
        done.refused.append(str(problem))
        return []


def _written(store: Store, one: Repair, now: datetime, reason: str) -> list[Change]:
    def work(conn: Connection) -> list[Change]:
        changes = repairs.apply(conn, one, now, accountable.actor(), reason)
        streams.request(conn, "allocate", now)
        streams.request(conn, "promise", now)
        return changes

    return store.transact(work)


def _rows(one: Repair, changes: Sequence[Change]) -> list[dict[str, Any]]:
    return [
        {
            "repair": one.name,
            "subject": f"{change.subject[0]} {change.subject[1]}",
            "what": change.what,
            "before": change.before,
            "after": change.after,
        }
        for change in changes
    ]


def _explain(one: Repair, changes: Sequence[Change]) -> None:
    click.echo(f"\n{one.name}: {one.wrong}")
    click.echo(f"  What is written: {one.written}")
    click.echo(f"  Why that is safe: {one.safe}")
    show(_rows(one, changes), _CHANGED, as_json=False)


def _report(done: _Done, *, dry_run: bool, as_json: bool) -> None:
    written = [row for one, changes in done.changes for row in _rows(one, changes)]
    left = [one.as_json() | {"remedy": repairs.advice(one)} for one in done.left]
    if as_json:
        show_json({"dry_run": dry_run, "changes": written, "refused": done.refused, "left": left})
    else:
        for said in done.refused:
            click.echo(f"\nNot repaired: {said}")
        click.echo("\nDry run: nothing was written." if dry_run else f"\n{len(written)} repaired.")
        show(left, _LEFT, as_json=False, empty="Every invariant holds.")
    if left and not dry_run:
        raise OperatorError(f"{len(left)} violations are left.", "Do what stands beside each.")
    if dry_run and (left or written):
        raise click.exceptions.Exit(1)
