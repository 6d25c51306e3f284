"""Prove the claims of ``docs/reliability.md``, and write that page.

\b
  python -m proof                         the claims that a pull request can wait for
  python -m proof G5 G8 --size nightly    these, at the size of a night
  python -m proof --size nightly --minutes 60 --out docs/evidence/nightly.json
  python -m proof --postgres postgresql://localhost/proofs G3 G9 G16
  python -m proof cases                   run the tests of the fault matrix, and count their cases
  python -m proof report                  docs/reliability.md from docs/evidence/

A claim that fails, or that cannot be looked at, does not keep the others from being looked at.
Ends with 1 when something does not hold, or when a planted bug was noticed by nobody.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import cast

import click
from rich.console import Console
from sqlalchemy import URL, make_url

from proof import cases, postgres, records, report
from proof.clock import stopwatch
from proof.evidence import Evidence, Size
from proof.goals import GOALS
from proof.records import Record
from proof.session import Session

EVIDENCE = Path("docs/evidence")
PAGE = Path("docs/reliability.md")


@click.command(help=__doc__)
@click.argument("claims", nargs=-1, metavar="[CLAIM ... | cases | report]")
@click.option("--size", type=click.Choice(["pull-request", "nightly"]), default="pull-request")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Keep the evidence.")
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="About how long all of it may take: shared out over the claims, which tell how much of a "
    "night they came to. Bugs are planted whatever is left.",
)
@click.option(
    "--postgres",
    "server",
    metavar="URL",
    help="A PostgreSQL to prove on as well, instead of one that is started here. Databases and "
    "schemas are made there, and dropped.",
)
@click.pass_context
def main(
    ctx: click.Context,
    claims: tuple[str, ...],
    size: str,
    seed: int,
    out: Path | None,
    minutes: float | None,
    server: str | None,
) -> None:
    if claims == ("report",):
        PAGE.write_text(report.text(EVIDENCE), encoding="utf-8")
        click.echo(f"wrote {PAGE}")
        return
    if claims == ("cases",):
        ended = cases.run()
        cases.write(EVIDENCE / report.CASES, ended)
        ctx.exit(0 if not any("failed" in ends for ends in ended.tests.values()) else 1)
    unknown = [claim for claim in claims if claim not in GOALS]
    if unknown:
        raise click.UsageError(f"no proof of {', '.join(unknown)}; there are {', '.join(GOALS)}")
    chosen = list(claims) or [
        claim for claim, goal in GOALS.items() if size == "nightly" or not goal.at_night
    ]
    began, told = stopwatch(), list[Record]()
    with ExitStack() as stack:
        session = Session(cast(Size, size), seed, _server(stack, server, chosen))
        for number, claim in enumerate(chosen):
            left = None if minutes is None else minutes * 60 - (stopwatch() - began)
            _announce(session, chosen[number:], len(chosen), left)
            told.append(session.proved(claim, chosen[number:], left))
            _say(told[-1])
            if out is not None:
                records.write(out, told)
    ctx.exit(0 if all(record.evidence.holds for record in told) else 1)


def _server(stack: ExitStack, given: str | None, chosen: list[str]) -> URL | None:
    """The PostgreSQL for those that take one; says when there is none."""
    if not any(GOALS[claim].on_postgres for claim in chosen):
        return None
    if given is not None:
        return make_url(given).set(drivername="postgresql+psycopg")
    found = stack.enter_context(postgres.at_hand())
    if found is None:
        click.echo(f"on SQLite alone: {postgres.HOW_TO}", err=True)
    return found


def _announce(session: Session, to_come: list[str], of: int, left_s: float | None) -> None:
    """Which claim begins, on stderr: who waits wants to know what for, and for how long yet."""
    claim = to_come[0]
    share_s = session.share_s(claim, to_come, left_s)
    about = f", {share_s:.0f} s for it" if share_s is not None else ""
    left = f", {max(0.0, left_s) / 60:.0f} min left" if left_s is not None else ""
    click.echo(f"{claim} begins: {of - len(to_come) + 1} of {of}{left}{about}", err=True)


def _say(record: Record) -> None:
    one, console = record.evidence, Console(highlight=False)
    verdict = "[green]holds[/]" if one.holds else "[red]does not hold[/]"
    killed = sum(1 for by in one.planted.values() if by)
    night = one.figures.get("of a night")
    reached = f" ({night:.2%} of a night)" if isinstance(night, float) else ""
    console.print(
        f"{one.claim} {verdict}: {one.title}; {one.runs:,} {one.unit}{reached}, "
        f"{sum(one.injections.values()):,} injected, {len(one.violations)} violations, "
        f"{killed} of {len(one.planted)} planted bugs noticed, {record.wall_s:.0f} s"
    )
    for line in _complaints(one):
        console.print(f"  {line}", markup=False)


def _complaints(one: Evidence) -> list[str]:
    missed = [f"nobody noticed: {bug}" for bug, by in one.planted.items() if by is None]
    return [*one.violations, *missed]


if __name__ == "__main__":
    main()
