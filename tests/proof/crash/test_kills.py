"""kill -9 of the real daemon at its commits and sends, at a size that a test can wait for."""

from __future__ import annotations

import pytest

from proof.crash import kills


@pytest.mark.timeout(300)
def test_fault_rows_61_and_79_killed_lives_end_as_an_undisturbed_one() -> None:
    planted = ["a cut off call is made again without a look-up"]
    found = kills.prove(
        "pull-request", seed=11, kills=12, flows=["labels"], mutants=planted, processes=1
    )
    assert found.violations == []
    assert found.runs >= 12
    assert found.holds
    assert found.figures["aims that nothing met"] == 0


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_g5_at_pull_request_size() -> None:
    found = kills.prove("pull-request")
    assert found.violations == []
    assert found.runs >= kills.PULL_REQUEST_KILLS
    assert found.holds
