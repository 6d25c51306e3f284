"""Prove the claims of ``docs/reliability.md``, and write that page.

\b
  python -m proof                         every claim at the size of a pull request
  python -m proof G5 G8 --size nightly    these, at the size of a night
  python -m proof --out docs/evidence/nightly.json --size nightly
  python -m proof report                  docs/reliability.md from docs/evidence/

Ends with 1 when something does not hold, or when a planted bug was noticed by nobody.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click
from rich.console import Console

from proof import records, report
from proof.clock import stopwatch
from proof.evidence import Evidence, Size
from proof.goals import GOALS, proof_of
from proof.records import Record

EVIDENCE = Path("docs/evidence")
PAGE = Path("docs/reliability.md")


@click.command(help=__doc__)
@click.argument("claims", nargs=-1, metavar="[CLAIM ... | report]")
@click.option("--size", type=click.Choice(["pull-request", "nightly"]), default="pull-request")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Keep the evidence.")
@click.pass_context
def main(
    ctx: click.Context, claims: tuple[str, ...], size: str, seed: int, out: Path | None
) -> None:
    if claims == ("report",):
        PAGE.write_text(report.text(EVIDENCE), encoding="utf-8")
        click.echo(f"wrote {PAGE}")
        return
    unknown = [claim for claim in claims if claim not in GOALS]
    if unknown:
        raise click.UsageError(f"no proof of {', '.join(unknown)}; there are {', '.join(GOALS)}")
    told: list[Record] = []
    for claim in claims or GOALS:
        told.append(_proved(claim, cast(Size, size), seed))
        _say(told[-1])
        if out is not None:
            records.write(out, told)
    ctx.exit(0 if all(record.evidence.holds for record in told) else 1)


def _proved(claim: str, size: Size, seed: int) -> Record:
    started = stopwatch()
    evidence = proof_of(claim)(size, seed)
    took = round(stopwatch() - started, 1)
    return Record(evidence, size, seed, records.commit(), records.machine(), took)


def _say(record: Record) -> None:
    one, console = record.evidence, Console(highlight=False)
    verdict = "[green]holds[/]" if one.holds else "[red]does not hold[/]"
    killed = sum(1 for by in one.planted.values() if by)
    console.print(
        f"{one.claim} {verdict}: {one.title}; {one.runs:,} {one.unit}, "
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
