"""G14: every order gets to the 3PL once. How fast is no question for a machine that others use."""

from __future__ import annotations

import pytest

from proof.flow.goal import prove


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_goal_g14_every_order_gets_to_the_3pl_once() -> None:
    found = prove("pull-request", orders=12)
    assert found.holds, (found.violations, found.planted)
    assert found.runs == 12
