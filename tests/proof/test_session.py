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
    made = {"A": Goal("here:b", 0), "B": Goal("here:s"), "C": Goal("here:s", 3.0)}
    monkeypatch.setattr(goals, "GOALS", made)
    monkeypatch.setattr(session, "GOALS", made)
    monkeypatch.setattr(front, "GOALS", made)


@pytest.mark.usefixtures("three")
def test_a_claim_that_fails_keeps_no_other_from_being_looked_at(tmp_path: Path) -> None:
    out = tmp_path / "evidence.json"
    told = CliRunner().invoke(front.main, ["--out", str(out), "--minutes", "10"])
    assert told.exit_code == 1
    kept = [record.evidence for record in records.read(out)]
    assert "B begins: 2 of 3, 10 min left, 150 s for it" in told.stderr
    assert [one.holds for one in kept] == [False, True, True]
    assert list(kept[0].violations) == ["ZeroDivisionError: no world"]


@pytest.mark.usefixtures("three")
def test_the_time_is_shared_by_weight_and_what_is_left_over_goes_to_those_to_come() -> None:
    one = Session("nightly", 1)
    told = [
        one.proved("B", ["B", "A", "C"], 600.0),
        one.proved("C", ["C"], 500.0),
        one.proved("C", ["C"], -5.0),
        one.proved("C", ["C"], None),
    ]
    assert [record.minutes for record in told] == [2.5, 8.3, 0.3, None]
    assert told[0].command == f"{SOUND.command} --minutes 2.5"
    assert GIVEN == [{"budget_s": 150.0}, {"budget_s": 500.0}, {"budget_s": 20.0}, {}]


def test_every_goal_can_be_imported_and_takes_what_is_said_of_it() -> None:
    for claim, goal in GOALS.items():
        names = goals.proof_of(claim).__code__.co_varnames
        assert ("budget_s" in names) == (goal.weight > 0), claim
        assert not goal.on_postgres or goal.on_postgres in names, claim
    assert len(GOALS) > 20


def test_a_pull_request_waits_for_no_soak(monkeypatch: pytest.MonkeyPatch) -> None:
    made = {"A": Goal("here:s"), "N": Goal("here:s", at_night=True)}
    monkeypatch.setattr(goals, "import_module", lambda _: type("module", (), {"s": sound}))
    for module in (goals, session, front):
        monkeypatch.setattr(module, "GOALS", made)
    begun = {
        size: CliRunner().invoke(front.main, ["--size", size]).stderr.count("begins")
        for size in ("pull-request", "nightly")
    }
    assert begun == {"pull-request": 1, "nightly": 2}
