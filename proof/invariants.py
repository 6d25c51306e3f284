"""Which checks watch each invariant, and which planted bugs they noticed: ``invariants.toml``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from proof.evidence import Evidence
from proof.records import Record

_DATA = Path(__file__).with_suffix(".toml")
WORLDS = "G4"
"""The claim whose planted bugs the checks of simulated worlds notice."""

_HEAD = """## Invariants

What must hold, who watches it, and what became of the bugs that were planted to see whether they
do. In simulated worlds (G4) a check is counted alone where the rest of them, asked without it,
noticed nothing. Elsewhere a claim has one verdict, and its bugs are told by name.

| | invariant | holds | watched by | looks at | bugs noticed | alone | for instance |
|---|---|---|---|---|---|---|---|"""


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A check of simulated worlds, by the name that their runs print. ``why``: what is special
    about its planted bugs."""

    name: str
    looks: str
    why: str = ""


class Claim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another claim that watches. ``bugs``: planted ones that it is to notice."""

    claim: str
    looks: str
    bugs: tuple[str, ...]


class Invariant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``number``: I1. ``holds``: always, or at rest. ``why``: nobody watches it; otherwise it has
    a check or a claim."""

    number: str
    title: str
    holds: str
    check: tuple[Check, ...] = ()
    claim: tuple[Claim, ...] = ()
    why: str = ""


class _File(msgspec.Struct, forbid_unknown_fields=True):
    invariant: list[Invariant]


def invariants() -> list[Invariant]:
    """All of them, in order. Raises ``ValueError`` for one that nobody watches without a reason."""
    found = msgspec.toml.decode(_DATA.read_bytes(), type=_File).invariant
    silent = [one.number for one in found if not (one.check or one.claim or one.why)]
    if silent:
        raise ValueError(f"neither watched nor told why not: {silent}")
    return found


def table(told: Sequence[Record]) -> Iterator[str]:
    """The lines of the section: what was noticed is read from the fullest evidence there is."""
    yield _HEAD
    kept = _fullest(told)
    for one in invariants():
        named: Sequence[str] = (one.number, one.title, one.holds)
        for cells in _watchers(one, kept):
            yield _row((*named, *cells))
            named = ("", "", "")
    yield ""


def _fullest(told: Sequence[Record]) -> dict[str, Evidence]:
    """Claim -> its evidence with the most planted bugs; of equal ones that of a night."""
    ordered = sorted(told, key=lambda one: (len(one.evidence.planted), one.size == "nightly"))
    return {record.evidence.claim: record.evidence for record in ordered}


def _watchers(one: Invariant, kept: Mapping[str, Evidence]) -> Iterator[Sequence[str]]:
    for check in one.check:
        yield _of_check(check, kept.get(WORLDS))
    for claim in one.claim:
        yield _of_claim(claim, kept.get(claim.claim))
    if one.why:
        yield ("nobody", one.why, "", "", "")


def _of_check(check: Check, worlds: Evidence | None) -> Sequence[str]:
    looks = "; ".join(filter(None, (check.looks, check.why)))
    watcher = f"`{check.name}` in {WORLDS}"
    if worlds is None:
        return (watcher, looks, "", "", "")
    noticed = {bug: (by or "").split(", ") for bug, by in worlds.planted.items()}
    mine = [bug for bug, by in noticed.items() if check.name in by]
    first = min(mine, key=lambda bug: (len(noticed[bug]), bug), default="")
    alone = worlds.figures.get(f"only {check.name} noticed", 0)
    return (watcher, looks, _counted(len(mine)), _counted(int(alone)), first)


def _of_claim(claim: Claim, evidence: Evidence | None) -> Sequence[str]:
    planted = evidence.planted if evidence is not None else {}
    noticed = [bug for bug in claim.bugs if planted.get(bug)]
    told = f"{len(noticed)} of {len(claim.bugs)}" if evidence is not None else ""
    return (claim.claim, claim.looks, told, "", "; ".join(claim.bugs))


def _counted(n: int) -> str:
    return str(n) if n else "**none**"


def _row(cells: Iterable[str]) -> str:
    told = (" ".join(cell.split()).replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(told)} |"
