"""The proofs about webhooks hold, and each planted bug turns one red."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from proof.evidence import Evidence, Size
from proof.hooks import crossing, forgery, kills, promptness, replay, storm, trickle


@pytest.mark.slow  # claims of `make test`
@pytest.mark.parametrize("prove", [forgery.prove, replay.prove, crossing.prove, trickle.prove])
def test_threats_t1_t2_t3_t19_are_answered(prove: Callable[[Size], Evidence]) -> None:
    evidence = prove("pull-request")
    assert evidence.holds, (evidence.violations, evidence.planted)
    assert all(evidence.injections.values())


@pytest.mark.slow  # a claim of `make test`
@pytest.mark.timeout(400)
def test_webhooks_that_are_lost_doubled_late_and_forged_leave_the_truth() -> None:
    evidence = storm.prove("pull-request")
    assert evidence.holds, (evidence.violations, evidence.planted)
    for kind in ("lost", "doubled", "late", "forged", "store locked"):
        assert evidence.injections[kind] > 0


def test_a_change_is_known_seconds_after_its_webhook_though_the_shop_hides_the_newest() -> None:
    assert promptness.promptness(1) == []


def test_a_change_that_is_read_only_at_once_is_noticed() -> None:
    with storm.BUGS["a change that does not show yet waits for a poll"]():
        assert promptness.promptness(1) != []


def test_fault_row_41_a_webhook_survives_kill_9_after_the_commit() -> None:
    met = Counter[str]()
    assert kills.attack(1, met, points=["after the commit"]) == []
    assert met == {"killed after the commit": 1}


@pytest.mark.slow
def test_fault_row_41_a_webhook_survives_kill_9_everywhere() -> None:
    evidence = kills.prove("pull-request")
    assert evidence.holds, (evidence.violations, evidence.planted)
