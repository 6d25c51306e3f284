"""Checks that are about what no final state shows, and the bugs that only they notice."""

from __future__ import annotations

import pytest

from proof.world.mutants import MUTANTS, planted
from proof.world.simulation import simulate


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("bug", "check"),
    [
        ("an empty page sets the cursor back", "I9 cursor"),
        ("what was shipped is as old as its order", "I9 version"),
        ("what left is cancelled when it is paid back", "I3b"),
    ],
)
def test_what_goes_back_is_noticed_and_by_nobody_else(bug: str, check: str) -> None:
    mutant = MUTANTS[bug]
    with planted(mutant):
        assert {one.invariant for one in simulate(mutant.course).violations} == {check}
        assert simulate(mutant.course, deaf=frozenset({check})).holds
