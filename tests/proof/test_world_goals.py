"""The claims that rest on simulated worlds, at the size of a pull request."""

from __future__ import annotations

import pytest

from proof import days, detection, determinism, interleaving, outage


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_goal_g1_days_of_trade_hold() -> None:
    found = days.prove("pull-request")
    assert found.holds, (found.violations, found.planted)
    assert found.injections["crash"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_goal_g2_workers_hold_together() -> None:
    found = interleaving.prove("pull-request")
    assert found.holds, (found.violations, found.planted)
    assert found.injections["crash"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_goal_g3_a_history_repeats_itself_in_another_process() -> None:
    found = determinism.prove("pull-request")
    assert found.holds, (found.violations, found.planted)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_goal_g4_planted_bugs_are_noticed() -> None:
    found = detection.prove("pull-request")
    assert found.holds, (found.violations, found.planted)
    assert len(found.planted) >= 10
    assert len(set(found.planted.values())) >= 5


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_goal_g12_an_outage_costs_few_calls_and_is_soon_caught_up_with() -> None:
    found = outage.prove("pull-request")
    assert found.holds, (found.violations, found.planted)
    assert found.injections["503"] > 0
    # Each checker is needed: no other one notices what it does.
    assert {"calls", "drained", "429", "invariants"} <= set(found.planted.values())
