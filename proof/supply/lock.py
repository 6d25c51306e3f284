"""What a lock file pins, and what is installed for us: two lists that must be one."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from itertools import chain
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[2]
_PIN = re.compile(r"(?m)^(?P<pin>[A-Za-z0-9][^\s;\\]*)(?: ; (?P<marker>[^\\\n]+?))?(?: \\)?$")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Pinned:
    """``hashes``: SHA-256 of every file of this version that may be installed."""

    name: str
    version: str
    hashes: tuple[str, ...]


def pinned(text: str) -> list[Pinned]:
    """What a lock says for this Python on this machine, by name."""
    starts = [*_PIN.finditer(text)]
    ends = [one.start() for one in starts[1:]] + [len(text)]
    found = []
    for start, end in zip(starts, ends, strict=True):
        marker = f"; {start['marker']}" if start["marker"] else ""
        requirement = Requirement(f"{start['pin']}{marker}")
        if requirement.marker is None or requirement.marker.evaluate():
            (exact,) = requirement.specifier
            hashes = tuple(_HASH.findall(text[start.start() : end]))
            found.append(Pinned(canonicalize_name(requirement.name), exact.version, hashes))
    return sorted(found, key=lambda one: one.name)


def installed(extras: Iterable[str] | None = None) -> dict[str, str]:
    """Name -> version of all that is installed because we ask for it, and for nobody else's sake.

    ``extras``: of ours; null: all of them. What building us needs is among it. Raises
    ``PackageNotFoundError`` for what is not installed.
    """
    asked = project()
    wanted = asked["optional-dependencies"]
    lines = [*asked["dependencies"], *_lines_of(REPOSITORY / "requirements" / "build.in")]
    for extra in wanted if extras is None else extras:
        lines += wanted[extra]
    pending = _asked_by(lines, frozenset())
    found: dict[str, str] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    while pending:
        name, more = pending.pop()
        if (name, more) in seen:
            continue
        seen.add((name, more))
        part = metadata.distribution(name)
        found[canonicalize_name(name)] = part.version
        pending += _asked_by(part.requires or [], more)
    return found


def project() -> dict[str, Any]:
    """What pyproject.toml says of the project."""
    told: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    return told


def unpinned(lock: Iterable[Pinned]) -> set[str]:
    """What we ask for ourselves, and the lock does not know yet."""
    asked = project()
    lines = [*asked["dependencies"], *chain(*asked["optional-dependencies"].values())]
    names = {str(canonicalize_name(Requirement(line).name)) for line in lines}
    return names - {one.name for one in lock}


def _lines_of(file: Path) -> list[str]:
    return [line for line in file.read_text().splitlines() if line and not line.startswith("#")]


def differences(lock: Iterable[Pinned], found: Mapping[str, str]) -> list[str]:
    """In which points what is installed is not what the lock says."""
    pins = {one.name: one.version for one in lock}
    return [
        f"{name}: {pins.get(name, 'none')} in the lock, {found.get(name, 'none')} installed"
        for name in sorted(pins.keys() | found.keys())
        if pins.get(name) != found.get(name)
    ]


def _asked_by(requires: Iterable[str], extras: frozenset[str]) -> list[tuple[str, frozenset[str]]]:
    asked = []
    for line in requires:
        one = Requirement(line)
        if one.marker is None or any(
            one.marker.evaluate({"extra": extra}) for extra in (*extras, "")
        ):
            asked.append((one.name, frozenset(one.extras)))
    return asked
