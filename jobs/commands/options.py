"""Options that mean the same wherever they appear."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import click

from jobs import app, collector, logs, vaults
from jobs.clock import Clock
from jobs.problems import OperatorError, UsageProblem
from jobs.settings_loader import Configuration
from jobs.settings_problems import did_you_mean
from state.store import Store

Row = TypeVar("Row")

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")

HOW_MANY = click.IntRange(1, 1_000_000)
"""Of what a listing shows at most."""

limited = click.option(
    "--limit", type=HOW_MANY, default=1000, show_default=True, help="At most so many."
)


def row_number(_ctx: click.Context, _param: click.Parameter, value: int | None) -> int | None:
    """Callback: refuse what no database can be asked for as the number of a row."""
    if value is not None and not 1 <= value < 2**63:
        raise click.BadParameter(f"there is no number {value}")
    return value


def first(found: Sequence[Row], limit: int) -> Sequence[Row]:
    """At most ``limit`` of them; where there are more, that is told beside the listing."""
    if len(found) > limit:
        click.echo(f"There are more: these are {limit}. See them with --limit.", err=True)
    return found[:limit]


_AGE = re.compile(r"(\d{1,5})([dh])")
_ASK = "Write 30d, 12h, 2026-11-01 or 2026-11-01T08:30:00+01:00."


def moment(text: str, zone: ZoneInfo, now: datetime) -> datetime:
    """``30d`` and ``12h`` before ``now``, a date (its midnight in ``zone``) or a time, in UTC.

    Raises ``UsageProblem``.
    """
    if age := _AGE.fullmatch(text):
        number = int(age[1])
        span = timedelta(days=number) if age[2] == "d" else timedelta(hours=number)
        return now - span
    try:
        if "T" not in text and " " not in text:
            return datetime.combine(date.fromisoformat(text), time(), zone).astimezone(UTC)
        given = datetime.fromisoformat(text)
    except ValueError:
        raise UsageProblem(f"--since {text!r} is no time.", _ASK) from None
    return (given if given.tzinfo else given.replace(tzinfo=zone)).astimezone(UTC)


def settings_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Hands the command the path given by ``--config``, or null."""
    return click.pass_obj(function)


@contextmanager
def opened(config: Path | None, *, existing: bool = False) -> Iterator[app.App]:
    """The installation as the settings describe it, for a command beside the daemon.

    ``existing``: as for ``opened_store``.
    """
    with (
        opened_store(config, existing=existing) as (configuration, store, clock),
        app.open_app(configuration, store, clock=clock) as installation,
    ):
        collector.settle()
        yield installation


@contextmanager
def opened_store(
    config: Path | None, *, existing: bool = False
) -> Iterator[tuple[Configuration, Store, Clock]]:
    """Settings, store and clock, without the connections.

    ``existing``: refuse where there is no store yet. That is for commands whose good answer about
    an empty one would be taken for a good answer about the one that is missing. Only warnings are
    logged, so that the command's own words stand out.
    """
    configuration = app.load(config)
    clock = app.clock_of(configuration.settings)
    level = configuration.settings.log.model_copy(update={"level": "warning"})
    logs.configure(level, clock, logs.secrets_of(configuration))
    store = app.open_store(configuration.settings, existing=existing)
    try:
        vaults.open_vault(store, configuration)
        yield configuration, store, clock
    finally:
        store.close()


def write_new(path: Path, content: bytes) -> None:
    """Write a file that only this user may read, and that was not there.

    Raises ``UsageProblem`` where it is, ``OperatorError`` where it cannot be written.
    """
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise UsageProblem(f"{path} is there already.", "Give another name with --out.") from None
    except OSError as error:
        raise OperatorError(
            f"{path} cannot be written: {error.strerror}.", "Is the folder there, and writable?"
        ) from None
    with os.fdopen(file, "wb") as out:
        out.write(content)


def require_connection(configuration: Configuration, name: str) -> None:
    """Raise ``UsageProblem`` unless there is a connection of that name."""
    known = configuration.settings.connections
    if name not in known:
        near = did_you_mean(name, known)
        raise UsageProblem(f"There is no connection {name!r} in {configuration.path.name}{near}")
