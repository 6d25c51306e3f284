"""A green figure counts only beside a planted bug that turns it red."""

from __future__ import annotations

from dataclasses import replace

from proof.evidence import Evidence

SOUND = Evidence("G1", "a day", "make test", 3, "days", planted={"skips a page": "no order lost"})


def test_evidence_holds_when_every_planted_bug_was_noticed() -> None:
    assert SOUND.holds


def test_evidence_without_a_planted_bug_does_not_hold() -> None:
    assert not replace(SOUND, planted={}).holds


def test_evidence_does_not_hold_when_a_planted_bug_survived() -> None:
    assert not replace(SOUND, planted={"skips a page": None}).holds


def test_evidence_does_not_hold_with_a_violation_or_without_a_run() -> None:
    assert not replace(SOUND, violations=["seed 7"]).holds
    assert not replace(SOUND, runs=0).holds
