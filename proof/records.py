"""Evidence in files: with the commit, the machine and the time it took."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import msgspec

from proof.evidence import Evidence, Size


class Record(msgspec.Struct, frozen=True):
    """One claim, proved once. ``wall_s``: real seconds; ``commit``: empty outside a checkout.
    ``minutes``: what it had of the time there was; null: it took all that its size asks for.
    """

    evidence: Evidence
    size: Size
    seed: int
    commit: str
    machine: str
    wall_s: float
    minutes: float | None = None

    @property
    def command(self) -> str:
        """Runs this again."""
        given = "" if self.minutes is None else f" --minutes {self.minutes:g}"
        return f"{self.evidence.command}{given}"


def machine() -> str:
    """What it ran on, in a few words."""
    return (
        f"{os.cpu_count()} cores {platform.machine()}, {platform.system()}, "
        f"Python {platform.python_version()}"
    )


@cache
def commit() -> str:
    """The commit of this checkout, with ``+`` where files differed from it when it was asked first
    (evidence that is written since does not count); empty outside one."""
    folder = Path(__file__).parent
    asked = ("git", "describe", "--always", "--exclude=*", "--abbrev=12", "--dirty=+")
    try:
        told = subprocess.run(asked, cwd=folder, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return told.stdout.strip()


def write(path: Path, records: Sequence[Record]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(records), indent=1) + b"\n")


def read(path: Path) -> list[Record]:
    """Raises ``msgspec.ValidationError`` for a file of another shape."""
    return msgspec.json.decode(path.read_bytes(), type=list[Record])
