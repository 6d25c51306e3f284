"""T22: the store without its key; small by default, whole when there is time."""

from __future__ import annotations

from collections import Counter

import pytest

from proof.buyers import CHANNELS, traded
from proof.threats.vault import SWAPS, check, prove, rotated
from tests.postgres import Database


def test_threat_t22_the_store_without_its_key_tells_nothing_of_a_buyer() -> None:
    did: Counter[str] = Counter()
    with traded(4, 1, None, encrypted=CHANNELS, talk=False) as trade:
        assert check(trade, did) == []
        assert rotated(trade, 1000, did) == []
    assert did["data keys encrypted anew"] > 1000
    assert did["looks while keys were exchanged"] > 0
    assert all(did[f"swapped: {name}"] for name in SWAPS)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_threat_t22_on_both_databases_with_every_planted_bug(postgres_database: Database) -> None:
    url = postgres_database.url.render_as_string(hide_password=False)
    try:
        evidence = prove("pull-request", postgres=url)
    finally:
        postgres_database.empty()
    assert evidence.violations == []
    assert {name for name, by in evidence.planted.items() if by is None} == set()
    assert evidence.holds
