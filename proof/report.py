"""``docs/reliability.md``, from the evidence kept in ``docs/evidence/`` and the rows covered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from proof import cases, invariants, matrix, records
from proof.cases import Cases
from proof.records import Record

CASES = "cases.json"
"""In the folder of the evidence: how the tests of the rows ended."""

_HEAD = """# Reliability

What Crossdock claims to survive, what shows it, and which planted bugs turned the proof red.
This page is written by `python -m proof report` from the evidence in `docs/evidence/`; each figure
comes with the command that makes it again. 0 violations in N independent runs bound their rate at
about 3/N with 95 % confidence, in this simulator; they never prove that there are none.

There are two sizes. `pull-request` is what `make test` runs each time, every claim to its end.
`nightly` is what is meant for a night of seven hours and more (G13 for a night of its own): what
stands here is what `make soak`, or the claim's own command, came to in the seconds that stand with
its details, and `of a night` is how much of it that was. A command names the minutes it was given;
where a record is too old for that, its claim was one of all those of a soak of an hour and more. A
claim of which a night has done little may so have fewer runs than at the size of a pull request.
Where the commits differ, that claim was run again after something changed that it is about.
"""


def text(folder: Path) -> str:
    """The page, from the evidence files of ``folder``."""
    kept = sorted(path for path in folder.glob("*.json") if path.name != CASES)
    told = [record for path in kept for record in records.read(path)]
    parts = [_HEAD, *_goals(told), *_mutants(told), *invariants.table(told)]
    figures = _Figures(told, cases.read(folder / CASES))
    rows = matrix.rows()
    parts += figures.about()
    parts += figures.table("Fault matrix", "fault", [row for row in rows if not row.place[0]])
    parts += figures.table("Threats", "threat", [row for row in rows if row.place[0]])
    return "\n".join(parts) + "\n"


_COLUMNS = (
    "claim", "what", "size", "runs", "really injected", "violations", "planted bugs", "of a night",
)  # fmt: skip


def _goals(told: Sequence[Record]) -> Iterator[str]:
    yield "## Claims\n"
    yield _row(_COLUMNS)
    yield _row("---" for _ in _COLUMNS)
    for record in sorted(told, key=_place):
        one = record.evidence
        fired = sum(one.injections.values())
        killed = sum(1 for by in one.planted.values() if by)
        night = one.figures.get("of a night")
        cells = (
            one.claim, one.title, record.size, f"{one.runs:,} {one.unit}",
            f"{fired:,}" if fired else "", f"{len(one.violations)}",
            f"{killed} of {len(one.planted)} noticed",
            f"{night:.2%}" if isinstance(night, float) else "",
        )  # fmt: skip
        yield _row(cells)
    yield ""
    yield from _took(told)
    for record in sorted(told, key=_place):
        yield from _details(record)


def _took(told: Sequence[Record]) -> Iterator[str]:
    minutes = defaultdict[str, float](float)
    for record in told:
        minutes[record.size] += record.wall_s / 60
    each = [f"{minutes[size]:.0f} minutes at the size `{size}`" for size in sorted(minutes)]
    yield f"All claims together took {', '.join(each)}, one after the other.\n"


def _details(record: Record) -> Iterator[str]:
    one = record.evidence
    yield f"### {one.claim}: {one.title} ({record.size})\n"
    yield f"    {record.command}\n"
    took = f"{record.wall_s:.0f} s, {one.cpu_s:.0f} s of CPU"
    yield f"Commit {record.commit or 'unknown'}, {record.machine}, {took}."
    if one.seeds:
        yield f"Seeds: {one.seeds}."
    if one.injections:
        counted = ", ".join(f"{kind} {n:,}" for kind, n in sorted(one.injections.items()))
        yield f"Really injected: {counted}."
    if one.figures:
        figures = ", ".join(f"{name} {value}" for name, value in one.figures.items())
        yield f"Figures: {figures}."
    for violation in one.violations:
        yield f"- violated: {violation}"
    yield ""


def _mutants(told: Sequence[Record]) -> Iterator[str]:
    yield "## Planted bugs\n"
    yield "| claim | size | planted bug | noticed by |"
    yield "|---|---|---|---|"
    for record in sorted(told, key=_place):
        for bug, by in record.evidence.planted.items():
            yield _row((record.evidence.claim, record.size, bug, by or "**nobody**"))
    yield ""


class _Figures:
    """What was counted for each row: faults that really struck, and cases of its tests."""

    def __init__(self, told: Sequence[Record], tests: Cases) -> None:
        self._told, self._tests = told, tests

    def about(self) -> Iterator[str]:
        if self._tests.tests:
            yield (
                "In the tables below cases are those of the tests beside them: `python -m proof "
                f"cases`, commit {self._tests.commit}, {self._tests.machine}, "
                f"{self._tests.wall_s:.0f} s. What struck did so in the claims above.\n"
            )

    def table(self, title: str, kind: str, rows: Iterable[matrix.Row]) -> Iterator[str]:
        yield f"## {title}\n"
        yield f"| | {kind} | how it is met | shown by | figure |"
        yield "|---|---|---|---|---|"
        for row in rows:
            how = ". ".join(filter(None, (row.how, row.open and f"Open: {row.open}")))
            shown = "<br>".join(f"`{name}`" for name in row.covered)
            figure = "<br>".join(filter(None, (row.figure, self._struck(row), self._cases(row))))
            yield _row((row.number, row.title, how, shown, figure))
        yield ""

    def _struck(self, row: matrix.Row) -> str:
        met, wrong, claims = 0, 0, set[str]()
        for one in (record.evidence for record in self._told):
            count = sum(one.injections.get(name, 0) for name in row.injections.get(one.claim, ()))
            if count:
                met, wrong = met + count, wrong + len(one.violations)
                claims.add(one.claim)
        if not met:
            return ""
        return f"struck {met:,} times in {' '.join(sorted(claims))}, {wrong} violations"

    def _cases(self, row: matrix.Row) -> str:
        ends = self._tests.of(row)
        others = [f"{n} {end}" for end, n in sorted(ends.items()) if end != "passed"]
        told = ", ".join([f"{ends['passed']} of {ends.total()} cases passed", *others])
        return told if ends else ""


def _row(cells: Iterable[str]) -> str:
    """What was noticed may be what a process wrote, of several lines."""
    return f"| {' | '.join(' '.join(cell.replace('|', '/').split()) for cell in cells)} |"


def _place(record: Record) -> tuple[str, int, str]:
    claim = record.evidence.claim
    return claim[:1], int("".join(filter(str.isdigit, claim)) or 0), record.size
