"""Evidence comes back from its file as it was, and its page says what was found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from proof import __main__ as front
from proof import cases, matrix, records, report
from proof.matrix import Row
from proof.records import Record
from tests.proof.test_evidence import SOUND


def record() -> Record:
    return Record(SOUND, "pull-request", 7, "abc", "2 cores", 1.5)


def test_evidence_comes_back_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "evidence" / "one.json"
    records.write(path, [record()])
    assert msgspec.json.encode(records.read(path)) == msgspec.json.encode([record()])


def test_the_page_names_each_claim_its_command_and_its_planted_bugs(tmp_path: Path) -> None:
    records.write(tmp_path / "one.json", [record()])
    page = report.text(tmp_path)
    assert "| G1 | a day | pull-request | 3 days |" in page
    assert "    make test\n" in page
    assert "| G1 | pull-request | skips a page | no order lost |" in page


def test_the_page_says_what_a_night_came_to_and_in_how_many_minutes(tmp_path: Path) -> None:
    night = replace(SOUND, figures={"of a night": 0.125}, planted={"skips\na page": "I1 | I2"})
    told = Record(night, "nightly", 7, "abc", "2 cores", 90.0, minutes=2.5)
    records.write(tmp_path / "one.json", [record(), told])
    page = report.text(tmp_path)
    assert "| G1 | a day | nightly | 3 days |  | 0 | 1 of 1 noticed | 12.50% |" in page
    assert "    make test --minutes 2.5\n" in page
    assert "2 minutes at the size `nightly`, 0 minutes at the size `pull-request`" in page
    assert "| G1 | nightly | skips a page | I1 / I2 |" in page


def test_a_claim_that_nobody_proves_is_refused_with_those_there_are() -> None:
    told = CliRunner().invoke(front.main, ["G99"])
    assert told.exit_code == 2
    assert "no proof of G99" in told.output


def test_a_row_shows_what_struck_and_how_many_cases_its_tests_have(tmp_path: Path) -> None:
    struck = replace(SOUND, injections={"stale-page": 1200, "html": 7}, violations=["lost"])
    records.write(tmp_path / "one.json", [Record(struck, "nightly", 7, "abc", "2 cores", 1.5)])
    test = "tests/faults/test_pull.py::test_fault_row_13_a_stale_page_brings_no_old_version_back"
    other = "tests/faults/test_pull.py::test_of_no_row"
    ended = cases.Cases({test: {"passed": 3, "skipped": 1}, other: {"passed": 5}}, "abc", "2 cores")
    cases.write(tmp_path / report.CASES, ended)
    page = report.text(tmp_path)
    (row,) = [line for line in page.splitlines() if line.startswith("| 13 |")]
    told = "struck 1,200 times in G1, 1 violations<br>3 of 4 cases passed, 1 skipped"
    assert row.endswith(f"| {told} |")
    assert "`python -m proof cases`, commit abc, 2 cores" in page


def test_cases_are_those_of_a_test_a_file_or_a_folder() -> None:
    ended = cases.Cases({"tests/a/test_b.py::test_c": {"passed": 2, "failed": 1}})
    for name in ("tests/a/test_b.py::test_c", "tests/a/test_b.py", "tests/a"):
        assert ended.of(Row("1", "a fault", covered=(name,))) == {"passed": 2, "failed": 1}
    assert not ended.of(Row("1", "a fault", covered=("tests/a/test_b.py::test_cd",)))


def test_the_tests_that_rows_name_are_run_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "tests/proof/test_evidence.py"
    monkeypatch.setattr(matrix, "rows", lambda: [Row("1", "a fault", covered=(name,))])
    ended = cases.run(workers=1)
    assert ended.of(Row("1", "a fault", covered=(name,)))["passed"] >= 3
