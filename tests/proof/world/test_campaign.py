"""Many worlds at once: what they add up to, and what becomes of one that has no end."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from proof.world import campaign
from proof.world.campaign import Campaign, Life
from proof.world.course import Course
from proof.world.mutants import MUTANTS
from proof.world.result import Result

FRANCS = "an amount is taken for francs"


def dies(life: Life) -> Result:
    os._exit(9)


def test_a_process_that_dies_is_a_violation_that_names_its_course(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(campaign, "live", dies)
    course, found = Course(4), Campaign()
    found.run([course])
    assert found.violations == [f"its process ended with 9 [{course.command()}]"]
    assert found.seeds == [4]


def test_a_bug_is_planted_in_its_own_world_alone() -> None:
    course = replace(MUTANTS[FRANCS].course, days=0.05, orders_per_day=200)
    found = Campaign()
    found.run([course], planted={FRANCS: course})
    assert found.planted == {FRANCS: "I5"}
    assert found.violations == []
    assert found.orders
    assert found.figures["simulated days"] == round(found.days, 1) > 0
