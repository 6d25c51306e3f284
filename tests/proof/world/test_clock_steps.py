"""The hub's clock steps two hours away in the midst of trade, and comes back (row 92)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from proof.world.checks import Violation
from proof.world.course import Course
from proof.world.database import SQLITE, empty_store
from proof.world.history import History
from proof.world.simulation import HOUR, MORNING, Broken, Simulation, silence

COURSE = Course(5, days=0.3, faults="none", orders_per_day=60)


@pytest.fixture
def trade(tmp_path: Path) -> Iterator[Simulation]:
    with silence(), empty_store(SQLITE, tmp_path) as url:
        simulation = Simulation(COURSE, tmp_path, url, History(None))
        yield simulation
        simulation.close()


def step_and_return(trade: Simulation, step: timedelta) -> None:
    """Two hours of trade, two by the wrong clock."""
    trade.begin()
    trade.until(MORNING + 2 * HOUR)
    trade.clock.skew = step
    trade.until(MORNING + 4 * HOUR)
    trade.clock.skew = timedelta(0)


def violations_at_rest(trade: Simulation) -> list[Violation]:
    with suppress(Broken):
        trade.until(trade.world.day_ends)
        trade._come_to_rest()
    return trade.checks.found


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("hours", [-2, 2])
def test_after_two_hours_either_way_everybody_agrees(trade: Simulation, hours: int) -> None:
    step_and_return(trade, timedelta(hours=hours))
    assert violations_at_rest(trade) == []
