"""Simulated worlds: they hold, they repeat themselves, and they notice what is wrong."""

from __future__ import annotations

import gc
import json
from collections.abc import Mapping
from dataclasses import replace
from io import StringIO

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, inspect

from jobs.cli import cli
from proof.world.course import CRASH, OUTAGE, Course
from proof.world.mutants import MUTANTS, planted
from proof.world.shrink import shrink
from proof.world.simulation import simulate
from proof.world.weather import Lots
from tests.postgres import Database

FRANCS = MUTANTS["an amount is taken for francs"]
FRANCS_COURSE = replace(FRANCS.course, days=0.1)

SHORT = Course(seed=7, days=0.1, orders_per_day=30, workers=2)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_same_seed_is_the_same_history_on_both_databases(postgres_database: Database) -> None:
    url = postgres_database.url.render_as_string(hide_password=False)
    here, there = StringIO(), StringIO()
    on_file = simulate(SHORT, trace=here)
    on_server = simulate(SHORT, database=url, trace=there)
    assert on_file.holds, on_file.violations
    assert here.getvalue().splitlines() == there.getvalue().splitlines()
    assert on_file.sha256 == on_server.sha256
    assert on_file.struck
    engine = create_engine(postgres_database.url)
    assert [n for n in inspect(engine).get_schema_names() if "simulation" in n] == []
    engine.dispose()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_another_seed_is_another_history() -> None:
    quiet = replace(SHORT, faults="none", workers=1, days=0.1)
    first, second = simulate(quiet), simulate(replace(quiet, seed=8))
    assert first.holds
    assert second.holds
    assert first.sha256 != second.sha256
    assert first.struck.keys() <= {"people"}


def test_a_concern_draws_for_itself() -> None:
    with_crashes = Lots.draw(SHORT)
    without = Lots.draw(replace(SHORT, without=frozenset({CRASH})))
    assert without == replace(with_crashes, crash_rate=0.0)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_planted_bug_is_noticed_and_its_history_shrunk() -> None:
    course = replace(FRANCS_COURSE, workers=2, faults="calm", without=frozenset({OUTAGE}))
    with planted(FRANCS):
        broken = simulate(course)
        smallest = shrink(broken, simulate, most=1)
    assert {one.invariant for one in broken.violations} == {"I5"}
    assert smallest.violations
    assert smallest.course.faults == "none"
    assert len(broken.last) == 50


def run(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(cli, ["simulate", *arguments])
    assert done.exit_code == code, done.output
    return done.output


def answer(*arguments: str, code: int = 0) -> Mapping[str, object]:
    found: Mapping[str, object] = json.loads(
        run(*arguments, "--json", code=code).split("\nError")[0]
    )
    return found


def test_the_command_tells_what_happened() -> None:
    told = run("--days", "0.1", "--faults", "calm", "--seed", "3")
    for word in ("orders", "calls", "checked", "violations", "sha256"):
        assert word in told


def test_a_trace_that_cannot_be_written_is_told_before_anything_is_simulated() -> None:
    told = run("--days", "0.1", "--trace", "/no/where/trace.log", code=1)
    assert "Could not write /no/where/trace.log: No such file or directory." in told


@pytest.mark.slow
def test_the_command_tells_machines_too_and_the_same_again() -> None:
    told = run("--days", "0.1", "--faults", "calm", "--seed", "3")
    again = answer("--days", "0.1", "--faults", "calm", "--seed", "3")
    assert str(again["sha256"]) in told
    assert again["violations"] == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_days_have_seasons_and_goods_that_come_back() -> None:
    found = simulate(Course(seed=3, days=5, faults="none", orders_per_day=20))
    assert found.holds, found.violations
    assert found.days > 5
    assert found.orders > 60


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_command_ends_with_1_and_the_line_that_replays_it() -> None:
    with planted(FRANCS):
        told = run(*FRANCS_COURSE.command().split()[2:], code=1)
    assert FRANCS_COURSE.command() in told
    assert "The last events" in told
    assert "I5" in told


def test_an_unknown_kind_of_fault_is_wrong_usage() -> None:
    assert "One of" in run("--without", "locusts", code=2)


def test_without_werkzeug_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proof.simulate.find_spec", lambda _: None)
    assert "pip install 'crossdock[sandbox]'" in run(code=2)


def test_lives_that_are_over_can_be_forgotten() -> None:
    course = Course(seed=5, days=0.05)
    simulate(course, to_rest=False)
    frozen = gc.get_freeze_count()
    again = simulate(course, to_rest=False)
    assert again.struck["crash"]
    # Once every life began by keeping all that was there out of the collector's sight.
    assert gc.get_freeze_count() == frozen
