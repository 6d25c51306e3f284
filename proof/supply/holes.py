"""``python -m proof.supply.holes``: what is known against what we stand on; needs the network.

pip-audit is green where it could ask about nothing (no network, a mirror of its own): here that is
told, and is no good end.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import click
import msgspec

from jobs.listing import show
from proof.supply.lock import REPOSITORY

_COLUMNS = {"name": "name", "version": "version", "id": "known as", "fixed": "mended in"}
_NETWORK = "Is there a network? It asks the package index."


class _Hole(msgspec.Struct):
    id: str
    fix_versions: list[str] = []


class _Part(msgspec.Struct):
    name: str
    version: str = ""
    skip_reason: str = ""
    vulns: list[_Hole] = []


class _Told(msgspec.Struct):
    dependencies: list[_Part]


@dataclass(frozen=True, slots=True)
class Asked:
    """``holes``: a row for each one that is known. ``unknown``: parts nobody answered about."""

    parts: int
    holes: Sequence[dict[str, str]]
    unknown: Sequence[str]


def read(told: bytes) -> Asked:
    """What pip-audit said. Raises ``ValueError`` where it said nothing that can be read."""
    try:
        parts = msgspec.json.decode(told, type=_Told).dependencies
    except msgspec.MsgspecError:
        raise ValueError("pip-audit gave no answer") from None
    holes = [
        {
            "name": part.name,
            "version": part.version,
            "id": hole.id,
            "fixed": ", ".join(hole.fix_versions) or "no version yet",
        }
        for part in parts
        for hole in part.vulns
    ]
    return Asked(len(parts), holes, [part.name for part in parts if part.skip_reason])


@click.command()
@click.option(
    "--lock",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    default=REPOSITORY / "requirements" / "dev.lock",
    help="Which lock is asked about; default: the one with every extra.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def main(lock: Path, as_json: bool) -> None:
    """Ask whether anything is known against what the lock installs.

    Needs pip-audit and the network. Ends with 1 when a hole is known, with 2 when it cannot be
    told, of all parts or of some.

    \b
    Examples:
      python -m proof.supply.holes
      python -m proof.supply.holes --lock requirements/demo.lock --json
    """
    if find_spec("pip_audit") is None:
        raise click.UsageError("This needs pip-audit: python -m pip install pip-audit")
    options = ["--require-hashes", "--disable-pip", "--progress-spinner", "off", "-f", "json"]
    done = subprocess.run(
        [sys.executable, "-m", "pip_audit", *options, "-r", str(lock)],
        capture_output=True,
        check=False,
    )
    judge(done.stdout, done.stderr.decode(errors="replace"), as_json=as_json)


def judge(told: bytes, complaint: str, *, as_json: bool) -> None:
    """Show what it found. Raises what click ends with 1 and with 2, as said above."""
    try:
        asked = read(told)
    except ValueError as problem:
        said = complaint.strip().splitlines()
        raise click.UsageError(
            f"{problem}, so nothing is known: {said[-1] if said else 'no word'}. {_NETWORK}"
        ) from None
    show(asked.holes, _COLUMNS, as_json=as_json, empty="Nothing is known against the rest.")
    if asked.unknown:
        raise click.UsageError(
            f"Nobody answered about {len(asked.unknown)} of {asked.parts} parts, "
            f"so nothing is known of them: {', '.join(asked.unknown[:5])}. {_NETWORK}"
        )
    if asked.holes:
        raise click.ClickException(f"{len(asked.holes)} holes are known: make lock, then make test")


if __name__ == "__main__":
    main()
