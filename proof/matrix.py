"""What covers each row of the fault matrix and each threat: read from ``proof/rows/``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

ROWS = Path(__file__).parent / "rows"
WORLDS = ("G1", "G2", "G3")
"""The claims in which whole worlds meet every kind of fault."""


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One fault or threat. ``number``: 48 or T17. ``covered``: tests and claims that show it.

    ``how``: one sentence. ``strikes``: what it is called where it strikes the worlds of G1 to G3;
    ``injected``: and in other claims, by claim. ``figure``: what was counted besides. ``open``: why
    it is not covered, or not wholly; a row has tests, or says this.
    """

    number: str
    title: str
    how: str = ""
    covered: tuple[str, ...] = ()
    strikes: tuple[str, ...] = ()
    injected: Mapping[str, tuple[str, ...]] = {}
    figure: str = ""
    open: str = ""

    @property
    def place(self) -> tuple[bool, int]:
        """Faults by number, then threats."""
        return self.number.startswith("T"), int(self.number.lstrip("T"))

    @property
    def injections(self) -> Mapping[str, tuple[str, ...]]:
        """Claim -> what its evidence calls this fault."""
        return {**(dict.fromkeys(WORLDS, self.strikes) if self.strikes else {}), **self.injected}


class _File(msgspec.Struct, forbid_unknown_fields=True):
    row: list[Row]


def rows() -> list[Row]:
    """Every row, in order. Raises ``ValueError`` for one that is told twice or tells nothing."""
    found = sorted(_told(), key=lambda row: row.place)
    numbers = [row.number for row in found]
    twice = {number for number in numbers if numbers.count(number) > 1}
    silent = {row.number for row in found if not (row.covered or row.open)}
    if twice or silent:
        raise ValueError(f"rows told twice: {sorted(twice)}; without tests or why: {silent}")
    return found


def _told() -> Iterator[Row]:
    for path in sorted(ROWS.glob("*.toml")):
        yield from msgspec.toml.decode(path.read_bytes(), type=_File).row
