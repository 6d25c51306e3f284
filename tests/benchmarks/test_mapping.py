"""The mapping benchmark: every way to one record, and a short run that tells all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec

from benchmarks import peer_glom, peer_jsonata, woo_by_hand, woo_orders
from benchmarks.mapping import DEFINITION
from benchmarks.mapping_reference import through_reference
from mappings import Definitions

REPOSITORY = Path(__file__).parent.parent.parent


def test_all_ways_give_one_record() -> None:
    definition = Definitions.load()[DEFINITION]
    reference = through_reference(definition)
    glom, jsonata = peer_glom.mapper(), peer_jsonata.mapper()
    for number in range(1, 101):
        body = woo_orders.order(number, seed=7)
        body |= {"refunds": woo_orders.refunds(body)}
        record = woo_by_hand.mapped(body)
        assert definition.apply(body).record == record
        assert definition.apply(msgspec.json.encode(body)).record == record
        assert glom(body) == record
        assert jsonata(body) == record
        assert reference.collected(body).record == record


def test_the_reference_variant_runs_no_generated_code() -> None:
    reference = through_reference(Definitions.load()[DEFINITION])
    readers = {field.expression.read.__qualname__ for field in reference.plan.fields}
    assert readers == {"_expression.<locals>.<lambda>"}


def test_the_compiled_variant_decodes_only_what_it_reads() -> None:
    definition = Definitions.load()[DEFINITION]
    assert definition.typed is not None
    read = definition.typed.decode(msgspec.json.encode(woo_orders.order(1, seed=7)))
    assert len(read.__struct_fields__) < 30 < len(woo_orders.order(1, seed=7))


def test_a_peer_leaves_the_process_as_it_was() -> None:
    limit = sys.getrecursionlimit()
    peer_jsonata.mapper()
    assert sys.getrecursionlimit() == limit


def test_a_short_run_ends_with_one_line_of_json() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.mapping", "--orders", "20", "--rounds", "3"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "compiled, hand-written, jmespath, glom, jsonata give the same records" in done.stdout
    result = json.loads(done.stdout.splitlines()[-1])
    assert list(result["us_per_order"]) == [
        "compiled",
        "hand-written",
        "jmespath",
        "glom",
        "jsonata",
    ]
    assert list(result["from_json"]["us_per_order"]) == ["compiled", "hand-written", "jmespath"]
    # Far from the bars, which a busy machine may miss in so short a run.
    for told in (result, result["from_json"]):
        assert 0 < told["of_hand_written"]["compiled"]["median"] < 2.5
        assert told["over_compiled"]["jmespath"]["median"] > 2
