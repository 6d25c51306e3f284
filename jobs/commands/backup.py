"""``crossdock backup`` and ``restore``: the whole store in a file, and back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from jobs import accountable, app, vaults
from jobs.clock import Clock
from jobs.commands.options import as_json, opened_store, settings_option
from jobs.listing import show_json, span
from jobs.problems import OperatorError, UsageProblem
from jobs.settings import Settings, StoreSettings
from jobs.settings_loader import absolute_url
from state import backup as backups
from state import restorations
from state.backup import BadBackup, Found, Header, Summary
from state.store import Store
from sync.privacy import reapplying
from sync.privacy.reapplying import Erasures

ENDING = ".crossdock"
_NAMED = re.compile(r"crossdock-[0-9]{8}T[0-9]{6}Z\.crossdock")
"""What this command calls a file in a folder; one that a person named is never ours to delete."""


@click.command()
@click.argument("given", metavar="TARGET")
@click.option(
    "--keep", type=click.IntRange(min=1), help="Delete all but so many that are named by the time."
)
@as_json
@settings_option
def backup(config: Path | None, given: str, keep: int | None, as_json: bool) -> None:
    """Write the whole store, as it is at this moment, to a file; the daemon may run meanwhile.

    TARGET is a file that does not exist yet, or a folder: then the file is named by the time. A
    folder that is missing is made where TARGET ends with / or --keep is given.

    It is read back and checked before it gets its name, and only this user may read it: it holds
    everything, customers' addresses too. The settings and their secrets are not in it.

    \b
    Examples:
      crossdock backup /backups
      crossdock backup /backups --keep 14 --json
      crossdock backup before-the-update.crossdock
    """
    with opened_store(config, existing=True) as (_, store, clock):
        now, target = clock.now(), Path(given)
        if given.endswith("/") or keep is not None:
            _make(target)
        path = target / f"crossdock-{now:%Y%m%dT%H%M%SZ}{ENDING}" if target.is_dir() else target
        try:
            made = backups.write(store, path, now, _progress(as_json))
        except FileExistsError:
            raise UsageProblem(f"{path} is there already.", "Give another name.") from None
        except OSError as error:
            raise OperatorError(
                f"{path} cannot be written: {error.strerror}. No backup was made.",
                "Make room or mend the permissions, then try again.",
            ) from None
    dropped, stuck = _rotate(path, keep) if keep is not None else ([], [])
    _tell(path, made, dropped, as_json=as_json)
    if stuck:
        raise OperatorError(
            f"The backup is made, but older ones could not be deleted: {'; '.join(stuck)}.",
            "Mend the permissions: the next backup deletes them. Or delete them yourself.",
        )


def _make(folder: Path) -> None:
    """Have a folder where one is meant: else a file takes its name, and the next backup fails."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except FileExistsError:
        raise UsageProblem(f"{folder} is a file.", "Give TARGET as a folder of backups.") from None
    except OSError as error:
        raise OperatorError(
            f"The folder {folder} cannot be made: {error.strerror}. No backup was made.",
            "Make it yourself, or mend the path or the permissions, then try again.",
        ) from None


def _progress(as_json: bool) -> Any:
    def told(table: str, rows: int) -> None:
        if not as_json and rows:
            click.echo(f"  {table}: {rows}", err=True)

    return told


def _rotate(made: Path, keep: int) -> tuple[list[str], list[str]]:
    """Delete the oldest of our files by their names, which are their times.

    Never ``made``, the newest, whatever the clock said when the others were named. Answers what
    was deleted, and what could not be and why.
    """
    dropped: list[str] = []
    stuck: list[str] = []
    try:
        named = sorted(one for one in made.parent.iterdir() if _NAMED.fullmatch(one.name))
    except OSError as error:
        return dropped, [f"{made.parent}: {error.strerror}"]
    older = [one for one in named if one.name != made.name]
    for old in older[: max(0, len(older) + 1 - keep)]:
        try:
            old.unlink(missing_ok=True)
        except OSError as error:
            stuck.append(f"{old.name}: {error.strerror}")
        else:
            dropped.append(old.name)
    return dropped, stuck


def _tell(path: Path, made: Summary, dropped: list[str], *, as_json: bool) -> None:
    if as_json:
        show_json({"file": str(path), "dropped": dropped, **_described(made)})
        return
    click.echo(
        f"{path}: {made.rows} rows of {len(made.tables)} tables in {made.size} bytes, "
        "read back and whole."
    )
    for name in dropped:
        click.echo(f"Deleted {name}.")


def _described(summary: Summary) -> dict[str, Any]:
    header = summary.header
    return {
        "taken_at": header.taken_at,
        "revision": header.revision,
        "database": header.database,
        "rows": summary.rows,
        "bytes": summary.size,
        "tables": summary.tables,
    }


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--check", is_flag=True, help="Only prove that the file is whole; write nothing.")
@click.option("--replace", is_flag=True, help="Where there is a store already, move it aside.")
@click.option(
    "--into",
    metavar="URL",
    help="Another store than that of the settings: sqlite:////PATH or postgresql+psycopg://...",
)
@as_json
@settings_option
def restore(
    config: Path | None, file: Path, check: bool, replace: bool, into: str | None, as_json: bool
) -> None:
    """Make the store what it was when FILE was written by `crossdock backup`.

    Nothing may work on the store. One that holds anything is only replaced with --replace, and
    then kept beside the new one. Either database can be filled from a backup of the other.

    What happened between the backup and now is found again: streams read on from where they stood
    then, and before any work is handed over everybody who takes work is asked what they have of
    it already. What people did here by hand since then (counts, releases, SKU links) is lost.

    \b
    Examples:
      crossdock restore /backups/crossdock-20261102T080000Z.crossdock --check
      crossdock restore /backups/crossdock-20261102T080000Z.crossdock --replace
      crossdock restore moving.crossdock --into postgresql+psycopg://crossdock@db/crossdock
    """
    summary = _whole(file)
    if check:
        if as_json:
            show_json({"file": str(file), "whole": True, **_described(summary)})
        else:
            click.echo(f"{file}: whole, {summary.rows} rows of {summary.header.taken_at}.")
        return
    configuration = app.load(config)
    settings = configuration.settings
    clock = app.clock_of(settings)
    store = other_store(into) if into else app.store_of(settings)
    vaults.open_vault(store, configuration)
    try:
        with _alone(store):
            found = backups.look(store, clock.now())
            _refuse(store, found, replace)
            former = [store] if into is None else [store, app.store_of(settings)]
            erasures = _erasures(former)
            told = _put(store, file, summary, clock, erasures, as_json)
    except OSError as error:
        raise OperatorError(
            f"The store cannot be written: {error.strerror}: {error.filename}.",
            "Mend that, then try again: the former store is as it was, or beside its place.",
        ) from None
    finally:
        store.close()
    _report(told, settings, into, as_json=as_json)


def other_store(url: str, option: str = "--into") -> Store:
    """Another store than the installation's own, spelled as in the settings."""
    try:
        return Store(absolute_url(StoreSettings(url=url).url, Path.cwd()))
    except ValidationError as problem:
        said = problem.errors()[0]["msg"].removeprefix("Value error, ")
        raise UsageProblem(f"{option} {url!r}: {said}.", "Write it as in [store] url.") from None


def _whole(file: Path) -> Summary:
    try:
        return backups.verify(file)
    except FileNotFoundError:
        raise UsageProblem(
            f"There is no file {file}.", "Give a file of `crossdock backup`."
        ) from None
    except BadBackup as problem:
        raise OperatorError(f"{problem}. Nothing was changed.", "Use another backup.") from None


def _alone(store: Store) -> AbstractContextManager[Any]:
    """The daemon's own lock, so that none can start while the store is exchanged."""
    lock: AbstractContextManager[Any] = app.lock_of(store) if store.is_sqlite else nullcontext()
    return lock


def _refuse(store: Store, found: Found, replace: bool) -> None:
    where = store.url.render_as_string(hide_password=True)
    if found.busy:
        raise OperatorError(
            f"The store {where} is in use: {found.busy}. Nothing was changed.",
            "Stop every daemon and command that uses it (SIGTERM, and wait), then try again.",
        )
    if found.rows != 0 and not replace:
        holds = "cannot be read" if found.rows is None else f"holds {found.rows} rows"
        raise OperatorError(
            f"There is a store at {where} already; it {holds}. Nothing was changed.",
            "With --replace it is moved aside and kept.",
        )


def _erasures(former: Sequence[Store]) -> Erasures | None:
    """Who was erased in the stores there were; null: one of them cannot be read."""
    found = Erasures()
    for store in former:
        if store.is_sqlite and not Path(str(store.url.database)).exists():
            continue
        try:
            with store.read() as conn:
                found |= reapplying.remembered(conn)
        except DBAPIError:
            return None
        finally:
            store.close()
    return found


def _put(
    store: Store,
    file: Path,
    summary: Summary,
    clock: Clock,
    erasures: Erasures | None,
    as_json: bool,
) -> dict[str, Any]:
    now = clock.now()
    in_doubt = 0
    again = reapplying.Reapplied()

    def safe(conn: Any, header: Header, fence: int) -> None:
        nonlocal in_doubt, again
        who, why = accountable.actor(), accountable.reason()
        in_doubt = restorations.begin(conn, header.taken_at, now, who, fence, why)
        again = reapplying.reapply(conn, erasures or Erasures(), now, who, why)

    kept = backups.put(store, file, summary, now, safe, _progress(as_json))
    if again.erased.anything:
        store.wipe_traces()
    age_s = (now - summary.header.taken_at).total_seconds()
    return {
        "store": store.url.render_as_string(hide_password=True),
        "kept": kept,
        "age_s": age_s,
        "intents_in_doubt": in_doubt,
        "erased_again": None if erasures is None else again.erased.orders,
        "erased_and_held": again.open,
        "took_s": (clock.now() - now).total_seconds(),
        **_described(summary),
    }


def _report(told: dict[str, Any], settings: Settings, into: str | None, *, as_json: bool) -> None:
    if as_json:
        show_json(told)
        return
    taken: datetime = told["taken_at"]
    click.echo(
        f"{told['store']} is what it was at {taken:%Y-%m-%d %H:%M:%S} UTC, "
        f"{span(told['age_s'])} ago: {told['rows']} rows."
    )
    if told["kept"]:
        click.echo(f"The former store is kept as {told['kept']}.")
    click.echo(
        f"{told['intents_in_doubt']} pushes may have been sent since: they are looked up first."
    )
    _report_erasures(told)
    click.echo(
        "Do again what people did by hand since then: counts, receipts, releases, SKU links."
    )
    if into and Store(into).url != Store(settings.store.url).url:
        click.echo("To work on it, write its address to [store] url, then `crossdock run`.")
    else:
        click.echo(
            "Start with `crossdock run`; afterwards `crossdock audit` and `crossdock parked`."
        )


def _report_erasures(told: dict[str, Any]) -> None:
    again, held = told["erased_again"], told["erased_and_held"]
    if again is None:
        click.echo(
            "The former store cannot be read, so nobody knows here who was erased since the "
            "backup: give those erase commands again before `crossdock run`."
        )
        return
    if again:
        click.echo(f"{len(again)} orders that had been erased since were erased again.")
    if held:
        click.echo(f"{len(held)} of them were not finished in the backup and are held.")
