"""Whole orders through everything that can happen: at random, in stories, and with planted bugs.

See ``tests.sync.machine.machine``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import URL
from sqlalchemy.exc import IntegrityError

from state.store import Store
from tests.postgres import Database
from tests.sync.machine import checks, rest
from tests.sync.machine.installation import furnish, on_sqlite
from tests.sync.machine.machine import Orders
from tests.sync.machine.mutants import MUTANTS, Mutant
from tests.sync.machine.stories import STORIES, Story, Telling
from tests.sync.machine.world import World

Fresh = Callable[[], AbstractContextManager[Store]]


@pytest.fixture(scope="session")
def on_postgres(postgres_server: URL) -> Fresh:
    """Opens empty furnished stores on PostgreSQL; those that are done with are used again."""
    idle: list[Database] = []
    numbers = count(1)

    @contextmanager
    def fresh() -> Iterator[Store]:
        database = idle.pop() if idle else Database(postgres_server, f"machine_{next(numbers)}")
        store = Store(database.url.render_as_string(hide_password=False))
        try:
            furnish(store)
            yield store
        finally:
            store.close()
            database.empty()
            idle.append(database)

    return fresh


def run(fresh: Fresh, examples: int, steps: int) -> int:
    """Let the machine live on stores that ``fresh`` opens; returns how many steps were checked."""

    class Machine(Orders):
        pass

    Machine.fresh = staticmethod(fresh)
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    return Machine.steps


def test_whatever_happens_to_orders_the_invariants_hold() -> None:
    assert run(on_sqlite, examples=3, steps=16) > 3 * 10


def test_on_postgresql_too(on_postgres: Fresh) -> None:
    assert run(on_postgres, examples=1, steps=12) > 10


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("database", ["on_sqlite", "on_postgres"])
def test_whatever_happens_for_long(request: pytest.FixtureRequest, database: str) -> None:
    fresh = on_sqlite if database == "on_sqlite" else request.getfixturevalue("on_postgres")
    assert run(fresh, examples=300, steps=40) > 300 * 10


def tell(story: Story, fresh: Fresh = on_sqlite) -> None:
    """Live through a story, and come to rest. Raises ``Broken``."""
    with fresh() as store:
        telling = Telling(World(store, fresh))
        story(telling)
        telling.end()


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_a_story_ends_well(story: Story) -> None:
    tell(story)
    assert story.__doc__ or story.__name__


AT_ONCE = [story for story in STORIES if "while" in story.__name__ or "at_once" in story.__name__]


@pytest.mark.parametrize("story", AT_ONCE, ids=lambda story: story.__name__)
@pytest.mark.slow
def test_a_story_of_two_workers_ends_well_on_postgresql(story: Story, on_postgres: Fresh) -> None:
    tell(story, on_postgres)
    assert story in STORIES


def noticed(mutant: Mutant) -> frozenset[str]:
    """What turns red when its story is told: checks, or the database's own constraints."""
    try:
        tell(mutant.story)
    except checks.Broken as broken:
        return broken.names
    except IntegrityError as error:
        return frozenset([type(error).__name__])
    return frozenset()


def plant(monkeypatch: pytest.MonkeyPatch, planted: str) -> Mutant:
    for module, name, wrong in MUTANTS[planted].patches:
        monkeypatch.setattr(module, name, wrong)
    return MUTANTS[planted]


@pytest.mark.parametrize("planted", sorted(MUTANTS))
def test_a_planted_bug_is_noticed(monkeypatch: pytest.MonkeyPatch, planted: str) -> None:
    mutant = plant(monkeypatch, planted)
    by = noticed(mutant)
    assert mutant.noticed_by in by
    assert not mutant.alone or by == {mutant.noticed_by}


def test_every_check_notices_a_planted_bug() -> None:
    named = {mutant.noticed_by for mutant in MUTANTS.values()}
    assert {check.__name__ for check in (*checks.ALWAYS, *rest.AT_REST)} <= named


def test_the_machine_finds_a_planted_bug_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, "the channel is not told")
    with pytest.raises(checks.Broken):
        run(on_sqlite, examples=3, steps=8)


RARE = ("a movement forgets its mark", "any version overwrites", "cancelling keeps the goods")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("planted", RARE)
def test_the_machine_finds_what_is_rarer_in_time(
    monkeypatch: pytest.MonkeyPatch, planted: str
) -> None:
    plant(monkeypatch, planted)
    with pytest.raises(checks.Broken):
        run(on_sqlite, examples=100, steps=25)
