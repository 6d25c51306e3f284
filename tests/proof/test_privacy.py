"""G16 at its pull-request size, on both databases."""

from __future__ import annotations

import pytest

from proof.privacy import PLANTED, PLANTED_KEYS, prove
from tests.postgres import Database


@pytest.mark.slow  # a claim of `make test`
@pytest.mark.timeout(600)
def test_goal_g16_after_an_erasure_no_byte_tells_who_the_buyer_was(
    postgres_database: Database,
) -> None:
    url = postgres_database.url.render_as_string(hide_password=False)
    try:
        evidence = prove("pull-request", postgres=url)
    finally:
        postgres_database.empty()
    assert evidence.violations == []
    assert evidence.planted.keys() == PLANTED.keys() | PLANTED_KEYS.keys()
    assert {name for name, by in evidence.planted.items() if by is None} == set()
    assert evidence.holds
    assert evidence.runs >= 100


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_goal_g16_at_its_nightly_size() -> None:
    assert prove("nightly").holds
