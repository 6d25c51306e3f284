"""A disk that refuses writes, at a size that a test can wait for."""

from __future__ import annotations

import pytest

from proof.crash import refusals


@pytest.mark.timeout(300)
def test_fault_row_82_a_full_disk_loses_nothing_and_the_daemon_goes_on_by_itself() -> None:
    planted = ["a call whose end was not written is made again without a look-up"]
    found = refusals.prove(
        "pull-request", seed=5, trials=9, flows=["labels"], mutants=planted, processes=1
    )
    assert found.violations == []
    assert found.runs >= 3
    assert int(found.figures["stayed up"]) >= 2
    assert found.holds


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_g6_at_pull_request_size() -> None:
    found = refusals.prove("pull-request")
    assert found.violations == []
    assert int(found.figures["lives on a disk that refused"]) >= 50
    assert found.holds
