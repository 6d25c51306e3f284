"""``crossdock route simulate``: tables, files and errors an operator can act on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from jobs.cli import cli
from tests.conftest import REPOSITORY
from tests.sync.conftest import Bench
from tests.sync.routing.scenes import order, site
from tests.sync.routing.test_simulation import happened

STEPS = REPOSITORY / "state" / "migrations" / "versions"

PROPOSED = """
currency = "EUR"
[[rates]]
parcel = 450
[[rules]]
name = "not from the near one"
set = { avoid = ["L1"] }
"""


@pytest.fixture
def folder(bench: Bench, tmp_path: Path) -> Path:
    """Settings of a store with one decision, from L1, and proposed rules."""
    happened(bench, (order([("A", 1)]), [site(1, 10, {"A": 5}), site(2, 99, {"A": 5})]))
    with bench.store.write() as conn:
        # The tables were made at one go, not step by step.
        conn.execute(text("CREATE TABLE alembic_version (version_num TEXT)"))
        newest = max(path.name[:4] for path in STEPS.glob("0*.py"))
        conn.execute(text(f"INSERT INTO alembic_version VALUES ('{newest}')"))
    url = bench.store.url.render_as_string(hide_password=False)
    (tmp_path / "secret").write_text(url)
    settings = '[store]\nurl = "file:secret"\n'
    for code in ("L1", "L2"):
        settings += f'[locations.{code.lower()}]\nkind = "warehouse"\n'
    (tmp_path / "settings.toml").write_text(settings)
    (tmp_path / "new.toml").write_text(PROPOSED)
    return tmp_path


def simulate(folder: Path, *options: str) -> Result:
    given = ["--config", str(folder / "settings.toml"), "route", "simulate"]
    since = ["--since", "2026-11-01"]
    return CliRunner().invoke(cli, [*given, "--rules", str(folder / "new.toml"), *since, *options])


def test_it_tells_the_figures_and_who_moves(folder: Path) -> None:
    told = simulate(folder)
    assert told.exit_code == 0, told.output
    assert "1 orders since 2026-11-01 00:00 UTC: 1 would ship from other locations." in told.stdout
    assert "split rate, % of planned" in told.stdout
    assert told.stdout.split("after")[-1].split() == ["1", "L1", "L2"]


def test_it_writes_a_page_and_a_table(folder: Path) -> None:
    done = simulate(folder, "--html", str(folder / "x.html"), "--csv", str(folder / "x.csv"))
    assert done.exit_code == 0, done.output
    assert (folder / "x.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert len((folder / "x.csv").read_text(encoding="utf-8").splitlines()) == 2


def test_machines_get_one_document(folder: Path) -> None:
    document = json.loads(simulate(folder, "--json").stdout)
    assert document["moved"] == 1
    assert document["orders"][0]["locations_after"] == "L2"
    assert document["locations"] == [
        {"location": "L1", "parcels_before": 1, "parcels_after": 0},
        {"location": "L2", "parcels_before": 0, "parcels_after": 1},
    ]


def test_bad_rules_are_told_with_their_lines(folder: Path) -> None:
    (folder / "new.toml").write_text(PROPOSED.replace("avoid", "avoyd"))
    told = simulate(folder)
    assert told.exit_code == 2
    assert "avoyd" in told.stderr
    assert "Mend" in told.stderr


def test_a_file_that_cannot_be_written_is_said(folder: Path) -> None:
    told = simulate(folder, "--html", str(folder / "missing" / "x.html"))
    assert told.exit_code == 1
    assert "Could not write" in told.stderr


def test_nothing_decided_since_then_is_said(folder: Path) -> None:
    given = ["--config", str(folder / "settings.toml"), "route", "simulate"]
    done = CliRunner().invoke(
        cli, [*given, "--rules", str(folder / "new.toml"), "--since", "2026-11-03"]
    )
    assert done.exit_code == 0
    assert "No order was decided about" in done.stdout
