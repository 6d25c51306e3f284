"""G9: the race for the last units holds, and notices what it must."""

from __future__ import annotations

import pytest

from proof.oversell.goal import prove
from tests.postgres import Database


def test_goal_g9_few_reservations_race_on_sqlite_and_every_bug_is_noticed() -> None:
    found = prove("pull-request", attempts=300)
    assert found.holds, (found.violations, found.planted)
    assert found.injections["sqlite, threads: given back"]
    assert "no PostgreSQL" in str(found.figures["databases"])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_goal_g9_nothing_is_oversold_on_either_database(postgres_database: Database) -> None:
    url = postgres_database.url.render_as_string(hide_password=False)
    found = prove("pull-request", postgres=url)
    assert found.holds, (found.violations, found.planted)
    assert found.runs >= 10_000


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_goal_g9_workers_may_be_processes() -> None:
    found = prove("nightly", attempts=1_000)
    assert found.holds, (found.violations, found.planted)
    assert found.injections["sqlite, processes: refused"] > 0
