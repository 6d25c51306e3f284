"""What waits for a person is done by one: the simulation's people give ops' commands."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from proof.world import simulation
from proof.world.mutants.mutant import QUIET
from proof.world.weather import Weather
from sync import resolving


class _Refused(Weather):
    """Replies to purchases are lost, and nobody answers what became of them until the end."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._add("shipengine:createLabel", "timeout-after", 0.5, {})
        self._add("shipengine:getLabelByExternalId", "410", 1.0, {})


@pytest.mark.timeout(300)
def test_fault_row_56_what_nobody_can_look_up_is_settled_by_a_person(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Found by ``crossdock simulate --seed 7 --days 30``: nobody gave the command."""
    resolved: list[str] = []
    resolve = resolving.resolve

    def told(conn: Any, hub: Any, link: Any, row: Any, *said: Any) -> list[str]:
        resolved.append(row.kind)
        return resolve(conn, hub, link, row, *said)

    monkeypatch.setattr(resolving, "resolve", told)
    monkeypatch.setattr(simulation, "Weather", _Refused)
    found = simulation.simulate(replace(QUIET, days=0.8))
    assert found.holds, found.violations
    assert len(resolved) >= 3
