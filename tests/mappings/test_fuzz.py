"""A short run of the fuzzer with every test run, and the long one among the slow tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from proof.fuzz.mappings.run import Tally, fuzz

_PAIRS = int(os.environ.get("CROSSDOCK_FUZZ_PAIRS", "100000"))
_SEED = int(os.environ.get("CROSSDOCK_FUZZ_SEED", "1"))
_BOUND_S = 20
"""CPU seconds of one pair, which is mapped in four ways; an expression that explodes uses up all
its steps in each of them."""


def _assert_sound(tally: Tally, pairs: int) -> None:
    assert not tally.failures, "\n".join(tally.failures[:5])
    assert tally.pairs >= pairs
    assert tally.slowest_s < _BOUND_S, tally.slowest
    # That all is refused, or all is mapped, would prove nothing.
    for outcome in ("refused", "mapped", "parked"):
        assert tally.outcomes[outcome] > tally.pairs / 20, tally.outcomes


def test_random_definitions_and_payloads_come_to_a_record_or_to_a_reason(tmp_path: Path) -> None:
    _assert_sound(fuzz(400, _SEED, tmp_path), 400)


@pytest.mark.slow
@pytest.mark.timeout(7_200)
def test_many_random_definitions_and_payloads(tmp_path: Path) -> None:
    _assert_sound(fuzz(_PAIRS, _SEED + 1, tmp_path), _PAIRS)
