"""G8 at the size of a pull request, with its planted bugs."""

from __future__ import annotations

import pytest

from proof.ambiguity import prove


@pytest.mark.slow  # a claim of `make test`
@pytest.mark.timeout(600)
def test_goal_g8_no_effect_happens_twice_and_every_planted_bug_is_noticed() -> None:
    evidence = prove()
    assert evidence.holds, (evidence.violations, evidence.planted)
    assert evidence.runs >= 40
    assert {"timeout-after", "5xx-after", "after-send", "stall"} <= set(evidence.injections)
    # Each checker is needed: no other one notices what it does.
    assert set(evidence.planted.values()) == {
        "effects in the vendor's books",
        "done means done",
        "everything ends",
        "never sent blindly again",
        "one body",
        "the sweep",
    }
