"""The front door goes on after a claim that fails, and shares out the time there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from proof import __main__ as front
from proof import goals, records, session
from proof.evidence import Evidence
from proof.goals import GOALS, Goal
from proof.session import Session
from tests.proof.test_evidence import SOUND

GIVEN: list[dict[str, Any]] = []


def sound(_size: str, _seed: int, **given: Any) -> Evidence:
    GIVEN.append(given)
    return SOUND


def broken(_size: str, _seed: int) -> Evidence:
    raise ZeroDivisionError("no world")


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    GIVEN.clear()
    monkeypatch.setattr(
        goals, "import_module", lambda _: type("module", (), {"s": sound, "b": broken})
    )
    made = {"A": Goal("here:b"), "B": Goal("here:s", takes_budget=True), "C": Goal("here:s", True)}
    monkeypatch.setattr(goals, "GOALS", made)
    monkeypatch.setattr(session, "GOALS", made)
    monkeypatch.setattr(front, "GOALS", made)


@pytest.mark.usefixtures("three")
def test_a_claim_that_fails_keeps_no_other_from_being_looked_at(tmp_path: Path) -> None:
    out = tmp_path / "evidence.json"
    told = CliRunner().invoke(front.main, ["--out", str(out), "--minutes", "10"])
    assert told.exit_code == 1
    kept = [record.evidence for record in records.read(out)]
    assert [one.holds for one in kept] == [False, True, True]
    assert list(kept[0].violations) == ["ZeroDivisionError: no world"]


@pytest.mark.usefixtures("three")
def test_the_time_is_shared_by_those_that_take_a_budget() -> None:
    one = Session("nightly", 1)
    one.proved("B", ["B", "C"], 600.0)
    one.proved("C", ["C"], 500.0)
    one.proved("C", ["C"], -5.0)
    one.proved("C", ["C"], None)
    assert GIVEN == [{"budget_s": 300.0}, {"budget_s": 500.0}, {"budget_s": 60.0}, {}]


def test_every_goal_can_be_imported_and_takes_what_is_said_of_it() -> None:
    for claim, goal in GOALS.items():
        names = goals.proof_of(claim).__code__.co_varnames
        assert ("budget_s" in names) == goal.takes_budget, claim
        assert not goal.on_postgres or goal.on_postgres in names, claim
    assert len(GOALS) > 20
