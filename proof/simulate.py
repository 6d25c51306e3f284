"""``crossdock simulate``: months of trade in minutes, with everything going wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, get_args

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from jobs.commands.options import as_json
from jobs.listing import show_json
from jobs.problems import OperatorError, UsageProblem
from jobs.version import version
from proof.world.course import TROUBLES, Course, Faults

if TYPE_CHECKING:
    from proof.world.result import Result


@click.command()
@click.option("--days", type=click.FloatRange(0.1, 3660), default=30.0, show_default=True)
@click.option("--seed", type=int, default=7, show_default=True, help="Decides everything.")
@click.option("--faults", type=click.Choice(get_args(Faults)), default="storm", show_default=True)
@click.option(
    "--orders-per-day",
    type=click.IntRange(2, 5000),
    default=20,
    show_default=True,
    help="Over both channels.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 16),
    default=1,
    show_default=True,
    help="Processes that come between one another at every commit and every send.",
)
@click.option(
    "--database",
    default="sqlite",
    show_default=True,
    metavar="sqlite|URL",
    help="A temporary file, or a PostgreSQL in which a temporary schema is made.",
)
@click.option(
    "--without",
    multiple=True,
    metavar="KIND",
    help=f"A kind of fault that never strikes, or one of {', '.join(TROUBLES)}.",
)
@click.option("--shrink/--no-shrink", default=True, help="Look for the smallest failing history.")
@click.option(
    "--trace",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="Write every event into this file.",
)
@click.option(
    "--bundle",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Play this support bundle again, instead of a seed: no other option counts.",
)
@as_json
def simulate(
    days: float,
    seed: int,
    faults: Faults,
    orders_per_day: int,
    workers: int,
    database: str,
    without: tuple[str, ...],
    shrink: bool,
    trace: Path | None,
    bundle: Path | None,
    as_json: bool,
) -> None:
    """Trade for DAYS with pretend vendors on a simulated clock, and check every invariant.

    The hub is the real one; network, clock, buyers, operators and everything that goes wrong are
    drawn from the seed. The same seed gives the same history, on either database. Touches no
    installation. Ends with 1 when an invariant does not hold, or when a bundle does not show the
    problem that it was written for.

    \b
    Examples:
      crossdock simulate --days 30 --seed 7 --faults storm
      crossdock simulate --days 2 --workers 3 --trace events.log
      crossdock simulate --database postgresql://localhost/scratch --json
      crossdock simulate --bundle 1001.bundle.json.zst
    """
    if bundle is not None:
        _play_again(bundle, as_json)
        return
    _require_sandbox()
    if not isfinite(days):
        raise UsageProblem(f"--days {days} is no number of days.", "Give one from 0.1 to 3660.")
    course = Course(seed, days, faults, orders_per_day, workers, _kinds(without))
    result = _simulated(course, database, trace, quiet=as_json)
    smallest = result
    if result.violations and shrink:
        smallest = _shrunk(result, database, quiet=as_json)
    if as_json:
        show_json({**result.as_json(), "smallest": smallest.as_json() if shrink else None})
    else:
        _show(result, smallest)
    if result.violations:
        raise OperatorError(f"{result.violations[0]}", f"Replay it: {smallest.course.command()}")


def _play_again(bundle: Path, as_json: bool) -> None:
    from proof import bundle_replay
    from proof.world.simulation import silence

    try:
        with silence():
            found = bundle_replay.replay(bundle)
    except (ValueError, OSError) as problem:
        raise UsageProblem(f"{problem}.", "Write one with: crossdock bundle ORDER") from None
    if as_json:
        show_json({"told": list(found.told), "seen": list(found.seen), "same": found.same})
    else:
        click.echo(f"told: {', '.join(found.told) or 'no problem'}")
        click.echo(f"seen: {', '.join(found.seen) or 'no problem'}")
    if not found.same and found.written_by != version():
        raise OperatorError(
            "The bundle does not show the problem that it was written for.",
            "Have it written again by this version: crossdock bundle ORDER",
        )
    if not found.same:
        raise OperatorError(
            "The replay went another way than the order did.",
            "Send the file all the same: what was received, sent and answered is in it.",
        )


def _require_sandbox() -> None:
    if find_spec("werkzeug") is None:
        raise UsageProblem("The pretend vendors need werkzeug.", "pip install 'crossdock[sandbox]'")


def _kinds(without: tuple[str, ...]) -> frozenset[str]:
    from sandbox.faults import KINDS

    known = {*KINDS, *TROUBLES}
    for kind in without:
        if kind not in known:
            raise UsageProblem(
                f"There is no fault {kind!r}.", f"One of {', '.join(sorted(known))}."
            )
    return frozenset(without)


def _simulated(course: Course, database: str, trace: Path | None, *, quiet: bool) -> Result:
    from proof.world.simulation import simulate as live

    with ExitStack() as stack:
        file = stack.enter_context(_opened(trace)) if trace else None
        if quiet or not sys.stderr.isatty():
            return live(course, database=database, trace=file)
        bar = stack.enter_context(Progress(console=Console(stderr=True), transient=True))
        task = bar.add_task(f"{course.days:g} days", total=1.0)
        tell: Callable[[float], None] = lambda share: bar.update(task, completed=share)  # noqa: E731
        return live(course, database=database, trace=file, progress=tell)


def _opened(trace: Path) -> TextIO:
    try:
        return trace.open("w", encoding="utf-8")
    except OSError as error:
        raise OperatorError(
            f"Could not write {trace}: {error.strerror}.", "Is the folder there, and writable?"
        ) from None


def _shrunk(result: Result, database: str, *, quiet: bool) -> Result:
    from proof.world.shrink import shrink
    from proof.world.simulation import simulate as live

    tell = (lambda _: None) if quiet else partial(click.echo, err=True)
    return shrink(result, partial(live, database=database), told=tell)


def _show(result: Result, smallest: Result) -> None:
    table = Table(show_header=False, box=None)
    rows = [
        ("simulated", f"{result.days:g} days, {result.steps} events, seed {result.course.seed}"),
        ("orders", f"{result.orders}, of which {result.shipped} are shipped"),
        ("calls", f"{result.calls} in {result.runs} runs"),
        *(("struck", f"{n:>6} {kind}") for kind, n in sorted(result.struck.items())),
        *(("checked", f"{n:>6} at every {kind}") for kind, n in sorted(result.checks.items())),
        ("violations", str(len(result.violations))),
        ("sha256", result.sha256),
    ]
    for row in rows:
        table.add_row(*row)
    Console(highlight=False, width=None if sys.stdout.isatty() else 130).print(table)
    if result.violations:
        click.echo("\nThe last events of the smallest history:")
        for line in smallest.last:
            click.echo(f"  {line}")
        click.echo("\nWhat does not hold:")
        for violation in result.violations:
            click.echo(f"  {violation}")
