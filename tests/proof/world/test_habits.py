"""What a seed draws beside faults: quirks, webhooks, and what people book."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from proof.world import habits, post
from proof.world.course import QUIRKS, WEBHOOKS, Course
from proof.world.database import SQLITE, empty_store
from proof.world.history import History
from proof.world.mutants import MUTANTS
from proof.world.simulation import Simulation, silence
from sandbox.quirks import Quirks
from state import tables as t

STORM = Course(days=0.1, orders_per_day=20)


def test_vendors_have_a_few_quirks_each_and_every_one_is_drawn_sometimes() -> None:
    plain = Quirks().settings()
    seen: set[str] = set()
    for seed in range(60):
        drawn = habits.draw(replace(STORM, seed=seed)).settings()
        had = {name for name, value in drawn.items() if value != plain[name]}
        seen |= had
        assert len(had) <= 12
        for course in (
            replace(STORM, seed=seed, faults="lossy"),
            replace(STORM, seed=seed, without=frozenset({QUIRKS})),
        ):
            assert habits.draw(course).settings() == plain
    assert {"late_share", "coarse_s", "unsorted", "index_lag_s", "repeats_shipments"} <= seen
    assert seen.isdisjoint({"twins_share", "unique_references", "endless"})


def test_webhooks_are_sent_in_some_worlds_and_can_be_switched_off() -> None:
    ways = [post.draw(replace(STORM, seed=seed)) for seed in range(40)]
    assert None in ways
    assert any(way is not None and way.lost and way.forged for way in ways)
    assert post.draw(replace(STORM, seed=3, without=frozenset({WEBHOOKS}))) is None
    assert post.draw(replace(STORM, seed=3, faults="none")) is None


def test_a_course_of_many_days_has_whole_days_and_the_orders_of_each() -> None:
    assert (Course(days=30.0).whole_days, Course(days=30.0).hours) == (30, 24)
    assert Course(days=30.0, orders_per_day=20).orders_per_channel == 10
    short = Course(days=0.3, orders_per_day=80)
    assert (short.whole_days, round(short.hours, 1), short.orders_per_channel) == (1, 7.2, 12)


@pytest.fixture
def simulation(tmp_path: Path) -> Iterator[Simulation]:
    course = replace(STORM, faults="none")
    with silence(), empty_store(SQLITE, tmp_path) as url:
        made = Simulation(course, tmp_path, url, History())
        yield made
        made.close()


def test_people_receive_and_count_and_know_what_stands_there(simulation: Simulation) -> None:
    level = t.inventory_level.c
    query = (
        select(t.sku.c.code, level.on_hand)
        .join(t.sku, t.sku.c.id == level.sku_id)
        .join(t.location, t.location.c.id == level.location_id)
        .where(t.location.c.code == "berlin")
    )

    def stock() -> dict[str, int]:
        with simulation.store.read() as conn:
            return {row.code: int(row.on_hand) for row in conn.execute(query)}

    before, said = stock(), []
    for _ in range(60):
        simulation.stage.now = simulation.people.comes_at
        said.append(simulation.people.look_in())
    assert {"receive", "count"} <= {one.split()[0] for one in said}
    moved = {code: number - before[code] for code, number in stock().items()}
    assert {code: n for code, n in moved.items() if n} == {
        code: n for code, n in simulation.people.shelf.items() if n
    }


def test_every_planted_bug_names_what_it_replaces() -> None:
    assert len(MUTANTS) >= 40
    for name, mutant in MUTANTS.items():
        for holder, attribute, _ in mutant.patches:
            assert hasattr(holder, attribute), name
