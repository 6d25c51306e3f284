"""The mapping benchmark: three ways to one record, and a short run that tells all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks import woo_by_hand, woo_orders
from benchmarks.mapping import DEFINITION, through_reference
from mappings import Definitions

REPOSITORY = Path(__file__).parent.parent.parent


def test_three_ways_give_one_record() -> None:
    definition = Definitions.load()[DEFINITION]
    reference = through_reference(definition)
    for number in range(1, 101):
        body = woo_orders.order(number, seed=7)
        body |= {"refunds": woo_orders.refunds(body)}
        record = woo_by_hand.mapped(body)
        assert definition.apply(body).record == record
        assert reference.collected(body).record == record


def test_the_reference_variant_runs_no_generated_code() -> None:
    reference = through_reference(Definitions.load()[DEFINITION])
    readers = {field.expression.read.__qualname__ for field in reference.plan.fields}
    assert readers == {"_expression.<locals>.<lambda>"}


def test_a_short_run_ends_with_one_line_of_json() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.mapping", "--orders", "20", "--rounds", "3"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "compiled, hand-written, jmespath give the same records" in done.stdout
    result = json.loads(done.stdout.splitlines()[-1])
    assert set(result["us_per_order"]) == {"compiled", "hand-written", "jmespath"}
    # Far from the bars, which a busy machine may miss in so short a run.
    assert 0 < result["of_hand_written"]["compiled"]["median"] < 2.5
    assert result["jmespath_over_compiled"]["median"] > 2
