"""``crossdock explain`` tells what was decided, to people and to machines."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner
from sqlalchemy import text

from jobs.cli import cli
from sync import allocation
from tests.conftest import REPOSITORY
from tests.sync.conftest import Bench, woo_order
from tests.sync.routing.test_planning import take

STEPS = REPOSITORY / "state" / "migrations" / "versions"


def test_a_decision_is_told_to_people_and_to_machines(bench: Bench, tmp_path: Path) -> None:
    bench.put("A", "berlin", 5)
    take(bench, woo_order(1, {"A": 1}))
    bench.run(allocation.allocate)
    with bench.store.write() as conn:
        # The tables were made at one go, not step by step.
        conn.execute(text("CREATE TABLE alembic_version (version_num TEXT)"))
        newest = max(path.name[:4] for path in STEPS.glob("0*.py"))
        conn.execute(text(f"INSERT INTO alembic_version VALUES ('{newest}')"))
    url = bench.store.url.render_as_string(hide_password=False)
    (tmp_path / "secret").write_text(url)
    (tmp_path / "settings.toml").write_text('[store]\nurl = "file:secret"\n')
    settings = ["--config", str(tmp_path / "settings.toml")]
    told = CliRunner().invoke(cli, [*settings, "explain", "1"])
    version = bench.hub.routing.version()
    assert told.exit_code == 0, told.output
    assert f"Decided 2026-11-02T08:00:00 by default.toml ({version}):" in told.stdout
    assert "  berlin ships the line, the only one with everything in stock (" in told.stdout
    assert "  jersey was not used: has none of the goods" in told.stdout
    story = json.loads(CliRunner().invoke(cli, [*settings, "explain", "1", "--json"]).stdout)
    [decision] = story["decisions"]
    assert (decision["rules"], decision["rules_version"]) == ("default.toml", version)
    assert [one["code"] for one in decision["candidates"]] == ["berlin", "jersey"]
    assert decision["decision"]["cost"] == sum(decision["candidates"][0]["terms"].values())
