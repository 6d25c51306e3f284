"""Every invariant is watched, every check is listed, and the page says what each has noticed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from proof import detection, invariants, records
from proof.evidence import Evidence, Size
from proof.records import Record
from proof.world.checks import CHECKS, books
from sync.invariants import RULES
from tests.conftest import REPOSITORY

EVIDENCE = REPOSITORY / "docs" / "evidence"
WORLDS = Evidence(
    claim="G4",
    title="Every planted bug is noticed",
    command="python -m proof G4",
    runs=3,
    unit="planted bugs",
    planted={"a | b": "I9 cursor", "both": "I1, I9 cursor", "asleep": None},
    figures={"only I9 cursor noticed": 1},
)


def record(evidence: Evidence = WORLDS, size: Size = "nightly") -> Record:
    return Record(evidence, size, 1, "abc", "2 cores", 1.0)


def reported() -> Iterator[str]:
    """What the code of the worlds blames by name."""
    for path in sorted((REPOSITORY / "proof" / "world").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                called = getattr(node.func, "id", "") or getattr(node.func, "attr", "")
                name = getattr(node.args[0], "value", None)
                if called in ("Violation", "blame") and isinstance(name, str):
                    yield name
    yield from books.BY_RULE.values()


def test_every_check_there_is_stands_in_the_list_and_on_the_page() -> None:
    assert set(reported()) == set(CHECKS)
    told = [check.name for one in invariants.invariants() for check in one.check]
    assert sorted(told) == sorted(CHECKS)


def test_every_rule_of_the_audit_stands_for_an_invariant() -> None:
    others = {"audit_trail", "decisions_can_be_remade", "references_hold"}
    assert books.BY_RULE.keys() == {rule.name for rule in RULES} | others


def test_every_invariant_is_told_once() -> None:
    numbers = [one.number for one in invariants.invariants()]
    assert numbers == [*(f"I{n}" for n in range(1, 18)), "besides"]


def test_bugs_that_other_claims_noticed_stand_in_their_evidence() -> None:
    kept = {
        one.evidence.claim: one.evidence.planted for one in records.read(EVIDENCE / "nightly.json")
    }
    for one in invariants.invariants():
        for claim in one.claim:
            unheard = [bug for bug in claim.bugs if not kept[claim.claim].get(bug)]
            assert not unheard, (one.number, claim.claim)


def lines(*told: Record) -> dict[str, str]:
    """The table's lines, by who watches."""
    return {row.split(" | ")[3]: row for row in invariants.table(told) if row.startswith("| ")}


def test_a_check_is_told_with_what_it_noticed_and_what_only_it_did() -> None:
    found = lines(record())
    assert found["`I9 cursor` in G4"].endswith(r"| 2 | 1 | a \| b |")
    assert found["`I1` in G4"].endswith("| 1 | **none** | both |")
    assert found["`I2` in G4"].endswith("| **none** | **none** |  |")


def test_the_fullest_evidence_counts() -> None:
    short = replace(WORLDS, planted={"both": "I1"}, figures={})
    assert lines(record(), record(short, "pull-request")) == lines(record())
    assert lines()["`I1` in G4"].endswith("|  |  |  |")


def test_of_a_claim_its_bugs_are_counted() -> None:
    planted = {"orders are known by their number alone": "orders"}
    assert "| 1 of 3 |  |" in lines(record(replace(WORLDS, claim="I13", planted=planted)))["I13"]


def test_an_invariant_that_nobody_watches_is_refused_without_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "one.toml"
    path.write_text('[[invariant]]\nnumber = "I1"\ntitle = "no order is lost"\nholds = "always"\n')
    monkeypatch.setattr(invariants, "_DATA", path)
    with pytest.raises(ValueError, match="neither watched nor told why not"):
        invariants.invariants()


def test_a_check_that_notices_nothing_is_told() -> None:
    told = detection.needless(["I1, I2", None, "I2"], alone={"I2"})
    assert "I1" not in told["noticed nothing"].split(", ")
    assert "I1" in told["never alone"].split(", ")
    assert {"I9 cursor", "webhooks"} <= set(told["noticed nothing"].split(", "))
    everything = detection.needless([", ".join(CHECKS)], alone=set(CHECKS))
    assert everything == {"noticed nothing": "none", "never alone": "none"}
