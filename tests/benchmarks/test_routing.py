"""The routing benchmark: a short run that tells all and misses no bar."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks import routing_scenario

REPOSITORY = Path(__file__).parent.parent.parent


def test_the_scenario_is_as_told() -> None:
    scenario = routing_scenario.scarce(200, 50, seed=1)
    asked = sum(line.quantity for task in scenario.tasks for line in task.lines)
    assert 0.9 < sum(scenario.stock.values()) / asked < 1.4
    assert scenario.stock == routing_scenario.scarce(200, 50, seed=1).stock
    for task in scenario.tasks:
        assert len(task.sites) == 50
        for site in task.sites:
            for sku, quantity in site.stock.items():
                assert scenario.stock[site.location_id, sku] == quantity


def test_a_short_run_ends_with_one_line_of_json() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.routing", "--orders", "100", "--sites", "10"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["missed"] == []
    assert told["equal_to_brute_force"] == 60
    together = told["together"]["10"]
    assert together["default"]["gap_percent"] <= 5.0
    assert together["batch"]["gap_percent"] <= 1.0
    assert together["nearest"]["cost"] > together["one_by_one"]["cost"] > together["batch"]["cost"]
    assert told["one_order"]["10"]["mix"]["median_ms"] > 0
