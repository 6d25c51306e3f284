"""``python -m proof.supply.bill``: the bill of materials, as CycloneDX writes it.

Of what is installed with us here, each part with its version, licence and the hashes that the lock
allows. The same parts give the same bill, to the byte: it holds no time and no random number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import msgspec

from jobs.listing import show_json
from proof.supply.lock import REPOSITORY, Pinned, differences, installed, pinned, project

_LICENCE_WORDS = 80
"""Characters: what is longer is the whole text of a licence, and not its name."""


def bill_of(found: Mapping[str, str], lock: list[Pinned]) -> dict[str, Any]:
    """CycloneDX 1.6. ``found``: name -> version."""
    ours = project()
    hashes = {(one.name, one.version): one.hashes for one in lock}
    parts = [
        _part(name, found[name], hashes.get((name, found[name]), ())) for name in sorted(found)
    ]
    seed = hashlib.sha256(msgspec.json.encode(parts)).digest()
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{UUID(bytes=seed[:16], version=4)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "name": ours["name"],
                "version": ours["version"],
                "licenses": [{"expression": ours["license"]}],
            }
        },
        "components": parts,
    }


def _part(name: str, version: str, hashes: tuple[str, ...]) -> dict[str, Any]:
    address = f"pkg:pypi/{name}@{version}"
    part: dict[str, Any] = {
        "type": "library",
        "bom-ref": address,
        "name": name,
        "version": version,
        "purl": address,
    }
    licence = _licence(name)
    if licence:
        part["licenses"] = [{"license": {"name": licence}}]
    if hashes:
        # One for every file that may be installed of it: one system's wheel, or another's.
        part["externalReferences"] = [
            {
                "type": "distribution",
                "url": address,
                "hashes": [{"alg": "SHA-256", "content": one} for one in sorted(hashes)],
            }
        ]
    return part


def _licence(name: str) -> str:
    told = metadata.metadata(name)

    def first(key: str) -> str:
        return str((told.get_all(key) or [""])[0]).strip()

    named = first("License-Expression") or ", ".join(
        one.rpartition(" :: ")[2]
        for one in told.get_all("Classifier") or []
        if one.startswith("License :: ")
    )
    plain = first("License")
    return named or (plain if len(plain) <= _LICENCE_WORDS else "")


@click.command()
@click.option(
    "--lock",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    default=REPOSITORY / "requirements" / "dev.lock",
    help="What was installed from; default: the lock with every extra.",
)
@click.option(
    "--extra",
    "extras",
    multiple=True,
    metavar="NAME",
    help="The extras that were installed; default: all of them.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the bill into this file."
)
def main(lock: Path, extras: tuple[str, ...], out: Path | None) -> None:
    """Write the bill of materials of what is installed here.

    Ends with 1 when that is not what the lock says.

    \b
    Examples:
      python -m proof.supply.bill --out crossdock.cdx.json
      python -m proof.supply.bill --lock requirements/demo.lock --extra finance --extra sandbox
    """
    try:
        found = installed(extras or None)
    except metadata.PackageNotFoundError as missing:
        raise click.UsageError(
            f"{missing.name} is not installed: name the extras that are."
        ) from None
    pins = pinned(lock.read_text(encoding="utf-8"))
    bill = bill_of(found, pins)
    if out is None:
        show_json(bill)
    else:
        out.write_bytes(msgspec.json.format(msgspec.json.encode(bill), indent=2) + b"\n")
        click.echo(f"{len(found)} parts in {out}", err=True)
    wrong = differences(pins, found)
    if wrong:
        raise click.ClickException("; ".join(wrong))


if __name__ == "__main__":
    main()
