"""The tests that cover rows of the fault matrix, run: how many cases each has, and their ends."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import pytest

from proof import matrix, records
from proof.clock import stopwatch


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
    began, ends = stopwatch(), _Ends()
    options = ["-q", "-m", "not slow", "-n", str(workers), "--dist", "loadfile"]
    pytest.main([*options, *sorted(names)], plugins=[ends])
    tests = {test: dict(ends.counted[test]) for test in sorted(ends.counted)}
    wall_s = round(stopwatch() - began, 1)
    return Cases(tests, records.commit(), records.machine(), wall_s)


class _Ends:
    """Listens to pytest."""

    def __init__(self) -> None:
        self.counted: dict[str, Counter[str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or not report.passed:
            test = report.nodeid.partition("[")[0]
            self.counted.setdefault(test, Counter())[report.outcome] += 1


def write(path: Path, cases: Cases) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(cases), indent=1) + b"\n")


def read(path: Path) -> Cases:
    """None at all where there is no such file."""
    return msgspec.json.decode(path.read_bytes(), type=Cases) if path.exists() else Cases({})
