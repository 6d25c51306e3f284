"""The write-back benchmark: a short run that tells all, and a small catalogue's calls by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.writeback import external_ids, least

REPOSITORY = Path(__file__).parent.parent.parent
SHORT = ("--listings", "300", "--changed", "60")


def test_the_least_possible_is_a_call_per_parent_and_per_hundred_simple_products() -> None:
    parents = [number for number in range(25) if len(set(external_ids("woocommerce", number))) == 2]
    assert parents == [0, 1, 2, 3, 4]
    assert least("woocommerce", range(25)) == 2
    assert least("woocommerce", range(5)) == 1
    assert least("woocommerce", range(5, 25)) == 1
    assert least("amazon", range(25_000)) == 6
    assert least("amazon", range(25_001)) == 12


def test_a_short_run_ends_with_one_line_of_json() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.writeback", *SHORT],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert [one["vendor"] for one in result["runs"]] == ["woocommerce", "amazon"]
    for one in result["runs"]:
        assert one["efficiency"] >= 0.95
    assert result["growth"]["amazon"] == {"listings": 1.0, "cpu": 1.0, "memory": 1.0}
