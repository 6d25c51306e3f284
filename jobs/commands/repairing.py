"""``crossdock audit --repair``: each repair explained, asked for, written, and proven."""

from __future__ import annotations

from collections.abc import Sequence
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
from sync.repairs import CannotRepair, Change, Repair

_CHANGED = {"repair": "repair", "subject": "subject", "what": "what", "before": "is", "after": "to"}
_LEFT = {"invariant": "invariant", "subject": "subject", "detail": "detail", "remedy": "do this"}


def repair(config: Path | None, *, dry_run: bool, yes: bool, reason: str, as_json: bool) -> None:
    """Mend what can be mended; ends with 1 when anything is left."""
    if as_json and not (yes or dry_run):
        raise UsageProblem("With --json nobody can be asked.", "Add --yes or --dry-run.")
    with opened_store(config) as (_, store, clock):
        now = clock.now()
        with store.read() as conn:
            found = repairs.all_violations(conn, invariants.SAMPLE)
        written: list[dict[str, Any]] = []
        refused: list[str] = []
        for one in repairs.needed(found):
            try:
                changes = _rehearsed(store, one, now)
            except CannotRepair as problem:
                refused.append(str(problem))
                continue
            if not changes:
                continue
            if not as_json:
                _explain(one, changes)
            if not dry_run and (yes or click.confirm("Write this?", default=False)):
                changes = _written(store, one, now, accountable.reason(reason))
                written += _rows(one, changes)
            elif dry_run:
                written += _rows(one, changes)
        with store.read() as conn:
            left = repairs.all_violations(conn, invariants.SAMPLE)
    told = [violation.as_json() | {"remedy": repairs.advice(violation)} for violation in left]
    _report(written, refused, told, dry_run=dry_run, as_json=as_json)


def _rehearsed(store: Store, one: Repair, now: datetime) -> list[Change]:
    with store.write() as conn:
        changes = repairs.apply(conn, one, now, accountable.actor(), "rehearsal")
        conn.rollback()
    return changes


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


def _report(
    written: list[dict[str, Any]],
    refused: list[str],
    left: list[dict[str, Any]],
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    if as_json:
        show_json({"dry_run": dry_run, "changes": written, "refused": refused, "left": left})
    else:
        for said in refused:
            click.echo(f"\nNot repaired: {said}")
        click.echo("\nDry run: nothing was written." if dry_run else f"\n{len(written)} repaired.")
        show(left, _LEFT, as_json=False, empty="Every invariant holds.")
    if left and not dry_run:
        raise OperatorError(f"{len(left)} violations are left.", "Do what stands beside each.")
    if dry_run and left:
        raise click.exceptions.Exit(1)
