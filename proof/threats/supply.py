"""T28: whose code is installed beside ours, and that nobody else's can be."""

from __future__ import annotations

import re
from collections.abc import Sequence

from proof.supply.bill import bill_of
from proof.supply.lock import REPOSITORY, Pinned, differences, installed, pinned, project
from proof.threats.check import Checked, verdict

DIRECT_MAX = 25
"""What is installed without any extra, and somebody has to know."""
_INSTALLS = re.compile(r"(?m)^.*\binstall\b.*-r \S+\.lock.*$")
_FROM_SOURCE = "requirements/tap.lock"
"""Of strangers, in an environment of their own, for the tests: some have no wheel."""


def t28() -> Checked:
    """The lock with every extra against what is installed here, and how it is installed.

    Raises ``PackageNotFoundError`` for what is not installed.
    """
    text = (REPOSITORY / "requirements" / "dev.lock").read_text(encoding="utf-8")
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    lock, direct = pinned(text), project()["dependencies"]
    found = installed()
    named = {one["name"]: one["version"] for one in bill_of(found, lock)["components"]}
    stranger = Pinned("left-pad", "1.0", ("0" * 64,))
    planted = {
        "a part that no lock names": verdict(_wrong(lock, {**found, "left-pad": "1.0"}, makefile)),
        "a part that is not installed": verdict(_wrong([*lock, stranger], found, makefile)),
        "a part without a hash": verdict(
            _wrong([*lock[1:], Pinned(lock[0].name, lock[0].version, ())], found, makefile)
        ),
        "an install without hashes": verdict(
            _wrong(lock, found, makefile.replace("--require-hashes ", "", 1))
        ),
        "an install from sources": verdict(
            _wrong(lock, found, makefile.replace("--only-binary :all: ", "", 1))
        ),
        "a dependency too many": verdict(_too_many([*direct, *(["x"] * DIRECT_MAX)])),
    }
    return Checked(
        threat="T28",
        tried=len(lock),
        figure=f"{len(lock)} parts pinned and installed, each by hash; {len(direct)} asked for",
        violations=[
            *_wrong(lock, found, makefile),
            *_too_many(direct),
            *(["the bill is not what is installed"] if named != found else []),
        ],
        planted=planted,
        unit="parts",
    )


def _wrong(lock: Sequence[Pinned], found: dict[str, str], makefile: str) -> list[str]:
    wrong = differences(lock, found)
    wrong += [f"{one.name} is pinned without a hash" for one in lock if not one.hashes]
    for line in _INSTALLS.findall(makefile):
        if "--require-hashes" not in line:
            wrong.append(f"installed without hashes: {line.strip()}")
        if "--only-binary :all:" not in line and _FROM_SOURCE not in line:
            wrong.append(f"installed from sources: {line.strip()}")
    return wrong


def _too_many(direct: Sequence[str]) -> list[str]:
    if len(direct) <= DIRECT_MAX:
        return []
    return [f"{len(direct)} direct dependencies are more than {DIRECT_MAX}"]
