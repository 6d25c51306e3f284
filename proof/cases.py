"""The tests that cover rows of the fault matrix, run: how many cases each has, and their ends."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import msgspec

from proof import matrix, records
from proof.clock import stopwatch

_ENDS = {"failure": "failed", "error": "failed", "skipped": "skipped"}
"""What a report has inside of a case that did not pass, and what we call it."""


class Cases(msgspec.Struct, frozen=True):
    """``tests``: ``tests/a.py::test_b`` -> how many of its cases ``passed``, ``failed``, or were
    ``skipped``. ``commit``, ``machine``, ``wall_s`` as in ``proof.records``."""

    tests: dict[str, dict[str, int]]
    commit: str = ""
    machine: str = ""
    wall_s: float = 0.0

    def of(self, row: matrix.Row) -> Counter[str]:
        """The ends of all cases of a row's tests, each once."""
        counted = Counter[str]()
        for test, ends in self.tests.items():
            if any(_covers(name, test) for name in row.covered):
                counted.update(ends)
        return counted


def _covers(name: str, test: str) -> bool:
    """Is it the test, or a file or a folder that has it?"""
    return test == name or test.startswith((f"{name}::", f"{name}/"))


def run(workers: int = 2) -> Cases:
    """All tests that a row names, but the slow ones: those are claims, and counted as such."""
    names = {name for row in matrix.rows() for name in row.covered if name.startswith("tests/")}
    began = stopwatch()
    with tempfile.TemporaryDirectory(prefix="crossdock-cases-") as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-m", "not slow", f"--junitxml={report}"]
        command += ["-n", str(workers), "--dist", "loadfile", *sorted(names)]
        # Ends with 1 where a test failed: that is counted.
        subprocess.run(command, check=False)
        tests = _counted(report)
    wall_s = round(stopwatch() - began, 1)
    return Cases(tests, records.commit(), records.machine(), wall_s)


def _counted(report: Path) -> dict[str, dict[str, int]]:
    counted: dict[str, Counter[str]] = {}
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314  our own, a moment old
        file = f"{case.attrib['classname'].replace('.', '/')}.py"
        test = f"{file}::{case.attrib['name'].partition('[')[0]}"
        end = next((_ENDS[part.tag] for part in case if part.tag in _ENDS), "passed")
        counted.setdefault(test, Counter())[end] += 1
    return {test: dict(counted[test]) for test in sorted(counted)}


def write(path: Path, cases: Cases) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(cases), indent=1) + b"\n")


def read(path: Path) -> Cases:
    """None at all where there is no such file."""
    return msgspec.json.decode(path.read_bytes(), type=Cases) if path.exists() else Cases({})
