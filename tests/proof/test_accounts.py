"""Two accounts that share ids, and nothing else."""

from __future__ import annotations

from collections import Counter

import pytest

from proof import accounts


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_fault_row_15_accounts_with_the_same_ids_share_nothing() -> None:
    met: Counter[str] = Counter()
    assert accounts.trade((1, 1), met) == []
    assert min(met.values()) > 0


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_invariant_i13_at_the_size_of_a_pull_request() -> None:
    found = accounts.prove("pull-request")
    assert found.holds, (found.violations, found.planted)
