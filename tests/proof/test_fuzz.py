"""Hostile input at a size that every run can wait for; a mended bug stays as a case of its own."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import CrossdockError
from connectors.singer.messages import Collected
from connectors.singer.settings import TapStream
from proof.fuzz import goal, replies
from proof.fuzz.evil import spoiled, spoiled_value
from proof.fuzz.judge import throw
from sync import imports


def test_hostile_input_ends_in_a_result_or_in_a_refusal(tmp_path: Path) -> None:
    for make, share in goal._SHARES.items():
        tally = throw(make(tmp_path), int(1_000 * share) + 10, 11)
        assert tally.violations == []


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_goal_g10_holds_and_notices_its_planted_bugs() -> None:
    found = goal.prove("pull-request")
    assert found.violations == []
    assert found.holds, found.planted
    assert found.runs >= 50_000


@given(st.binary(max_size=300), st.integers())
def test_any_bytes_can_be_spoilt(body: bytes, seed: int) -> None:
    assert isinstance(spoiled(Random(seed), body), bytes)


@given(
    st.recursive(st.none() | st.text(), lambda inner: st.lists(inner, max_size=4)), st.integers()
)
def test_spoiling_a_value_leaves_the_original_alone(value: object, seed: int) -> None:
    before = json.dumps(value)
    spoiled_value(Random(seed), value)
    assert json.dumps(value) == before


SHAPES: tuple[Any, ...] = (
    None,
    1,
    "x",
    [],
    [1],
    ["x"],
    [None],
    {},
    {"items": [1]},
    {"items": {"a": 1}},
    [[]],
)


@pytest.mark.parametrize("scenario", replies.SCENARIOS, ids=lambda one: one.name)
def test_fault_row_33_a_reply_of_another_shape_is_no_bug_of_ours(
    scenario: replies.Scenario,
) -> None:
    more: tuple[Any, ...] = ({"update": [1]}, {"carriers": [1]}, {"orders": [{"orderId": []}]})
    for shape in (*SHAPES, *more):

        def answer(_: httpx.Request, shape: Any = shape) -> httpx.Response:
            return httpx.Response(200, json=shape, headers={"x-wp-total": "9" * 5_000})

        told = ""
        try:
            told = repr(scenario.run(httpx.MockTransport(answer)))
        except CrossdockError as refusal:
            told = str(refusal)
        assert told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sku,on_hand\nA,1e30\n", "is not a quantity"),
        ("sku,on_hand\nA," + "9" * 400 + "\n", "is not a quantity"),
        ("sku,on_hand\nA," + "x" * 200_000 + "\n", "it is not CSV"),
        (",".join(f"c{n}" for n in range(1_000)) + ",sku,on_hand\n1\n", "more than 500 columns"),
        ("sku,on_hand\n" + "," * 50_000, "more than 500 columns"),
    ],
)
def test_fault_row_98_a_file_of_counts_that_broke_its_reader(
    tmp_path: Path, text: str, told: str
) -> None:
    path = tmp_path / "counts.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(imports.ImportProblem, match=told):
        imports.read_counts(path)


@pytest.mark.parametrize("weight", ["9" * 5_000, "²", "٣", "-1", "1.5"])
def test_fault_row_96_a_weight_that_is_no_number_is_told(tmp_path: Path, weight: str) -> None:
    path = tmp_path / "skus.csv"
    path.write_text(f"code,title,weight_g\nA,x,{weight}\n", encoding="utf-8")
    with pytest.raises(imports.ImportProblem, match="is not a whole number of grams"):
        imports.read_skus(path)


@pytest.mark.parametrize(
    "line",
    [
        b'{"type": "STATE", "value": "\xff"}',
        b'{"type": "RECORD", "stream": "orders", "record": {"id": ' + b"9" * 5_000 + b"}}",
        b'{"type": "RECORD", "stream": "orders", "record": ' + b"[" * 50_000,
        b'{"type": "RECORD", "stream": "orders", "record": {"id": "\xff"}}',
    ],
)
def test_fault_row_28_a_line_of_a_tap_that_broke_its_reader(line: bytes) -> None:
    wanted = TapStream(stream="orders", definition="woocommerce.orders", id="id")
    collected = Collected(wanted, {"orders"}, None, "", repr)
    with pytest.raises(CrossdockError):
        collected.take(line)
