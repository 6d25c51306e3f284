"""Evidence comes back from its file as it was, and its page says what was found."""

from __future__ import annotations

from pathlib import Path

import msgspec
from click.testing import CliRunner

from proof import __main__ as front
from proof import records, report
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
    assert "| G1 | skips a page | no order lost |" in page


def test_a_claim_that_nobody_proves_is_refused_with_those_there_are() -> None:
    told = CliRunner().invoke(front.main, ["G99"])
    assert told.exit_code == 2
    assert "no proof of G99" in told.output
