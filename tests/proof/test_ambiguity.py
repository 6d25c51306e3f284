"""G8 at the size of a pull request, with its planted bugs."""

from __future__ import annotations

from typing import get_args

import pytest

from connectors.base import Idempotency
from proof.ambiguity import prove
from proof.ambiguity.targets import NOT_THERE, TARGETS


def test_every_way_of_pushing_has_a_class_in_the_matrix() -> None:
    classes = {"key": "K", "reference": "R", "lookup": "L", "absolute": "A", "natural": "N"}
    assert set(get_args(Idempotency)) == {*classes, "none"}
    played = {target.vendor_class for target in TARGETS}
    assert {*classes.values(), "B"} <= played
    assert not played & set(NOT_THERE)


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
        "no error",
        "one body",
        "the sweep",
    }
