"""Random definitions on random payloads: nothing but a record, a refusal or a problem comes out.

    python -m proof.fuzz.mappings.run --pairs 100000 --seed 1

tells how many pairs came to what and ends with one line of JSON. A pair that crashes, hangs or is
mapped in two ways is told with its seed, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from mappings import Definition, Definitions, DefinitionsInvalid, MappingError, storable
from mappings.canonical import Record
from mappings.limits import TooManySteps
from proof.budget import Budget
from proof.fuzz.clock import ended_after, measured, peak_rss_mb
from proof.fuzz.mappings.definitions import random_definition
from proof.fuzz.mappings.payloads import random_bytes, random_payload, random_record

PAYLOADS = 4
"""Payloads per definition. A refused definition counts as one pair."""

HANGS_AFTER_S = 30
LONGEST_MESSAGE = 4_000
"""Characters of one problem, its escapes included."""


@dataclass
class Tally:
    """What the pairs came to; ``definitions``: those that were not refused; ``slowest_s``: the CPU
    seconds of the slowest pair, ``slowest`` its seed."""

    outcomes: Counter[str] = field(default_factory=Counter)
    definitions: int = 0
    failures: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    slowest: str = ""

    @property
    def pairs(self) -> int:
        return self.outcomes.total()


def fuzz(pairs: int, seed: int, folder: Path, budget: Budget | None = None) -> Tally:
    """Run at least so many pairs, or until the budget is used up; ``folder`` takes the
    definition's file."""
    tally = Tally()
    for number in (budget or Budget()).over(count()):
        if tally.pairs >= pairs:
            break
        # A seed of its own for each definition, so that each can be looked at alone.
        one_definition(f"{seed}.{number}", folder, tally)
    return tally


def one_definition(seed: str, folder: Path, tally: Tally) -> None:
    """Load the definition of a seed, and map its payloads where it can be used."""
    rng = Random(seed)
    content, source = random_definition(rng)
    file = folder / "fuzz.it.toml"
    file.write_bytes(content)
    definition = None
    with _judged(seed, tally):
        definition = _loaded(file)
        tally.outcomes["refused"] += definition is None
    if definition is None:
        return
    tally.definitions += 1
    for place in range(PAYLOADS):
        with _judged(f"{seed}.{place}", tally):
            if source is None:
                outcome = _inbound(definition, random_payload(rng), random_bytes(rng))
            else:
                outcome = _outbound(definition, random_record(rng, source))
            tally.outcomes[outcome] += 1


@contextmanager
def _judged(seed: str, tally: Tally) -> Iterator[None]:
    """Time the block and write down whatever it raises."""
    try:
        with measured() as cost, ended_after(HANGS_AFTER_S):
            yield
    except Exception:  # noqa: BLE001 - whatever it is, it is what is looked for
        tally.outcomes["failed"] += 1
        tally.failures.append(f"{seed}: {traceback.format_exc(limit=-6)}")
    if cost.cpu_s > tally.slowest_s:
        tally.slowest_s, tally.slowest = cost.cpu_s, seed


def _loaded(file: Path) -> Definition | None:
    try:
        return Definitions.of([file])["fuzz.it"]
    except DefinitionsInvalid as refused:
        _must_be_clear([str(problem) for problem in refused.problems])
        return None


def _must_be_clear(messages: list[str]) -> None:
    """There is a message, of a readable length, that writes no control characters."""
    assert messages
    for message in messages:
        assert message.strip()
        assert len(message) < LONGEST_MESSAGE, message[:200]
        assert message.isprintable(), ascii(message)


def _inbound(definition: Definition, payload: dict[str, Any], noise: bytes) -> str:
    """Decoded and as JSON, compiled and collected: all must come to the same. ``noise`` is perhaps
    no JSON at all: nothing is known of what it must come to."""
    outcome, result = _applied(definition, payload)
    _must_agree_with_the_collector(definition, payload, outcome, result)
    text = json.dumps(payload).encode()
    told, from_text = _applied(definition, text)
    if _decodes_to(text, payload) and storable.ESCAPED not in text:
        assert (told, repr(from_text)) == (outcome, repr(result))
    if told != "parked":
        # What came as JSON can be stored and sent.
        msgspec.json.encode(from_text.record)
    _applied(definition, noise)
    return outcome


def _applied(definition: Definition, payload: dict[str, Any] | bytes) -> tuple[str, Any]:
    try:
        mapped = definition.apply(payload)
    except MappingError as error:
        _must_be_clear([str(problem) for problem in error.problems])
        return "parked", error.problems
    return ("mapped in part" if mapped.item_problems else "mapped"), mapped


def _must_agree_with_the_collector(
    definition: Definition, payload: dict[str, Any], outcome: str, result: Any
) -> None:
    try:
        collected = definition.collected(payload)
    except (MappingError, TooManySteps):
        assert outcome == "parked"
        return
    # Values are compared as they read: not-a-number is not equal to itself.
    assert repr(collected) == repr(result)


def _decodes_to(text: bytes, payload: dict[str, Any]) -> bool:
    try:
        return repr(msgspec.json.decode(text)) == repr(payload)
    except (msgspec.MsgspecError, RecursionError):
        return False


def _outbound(definition: Definition, record: Record) -> str:
    try:
        body = definition.render(record, {"code": "x"})
    except MappingError as error:
        _must_be_clear([str(problem) for problem in error.problems])
        return "parked"
    msgspec.json.encode(body)
    return "mapped"


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, measured() as cost:
        tally = fuzz(given.pairs, given.seed, Path(folder))
    for failure in tally.failures[:20]:
        sys.stdout.write(f"{failure}\n")
    figures = {
        "pairs": tally.pairs,
        "definitions": tally.definitions,
        **tally.outcomes,
        "slowest_s": round(tally.slowest_s, 3),
        "slowest_seed": tally.slowest,
        "cpu_s": round(cost.cpu_s, 1),
        "peak_mb": round(peak_rss_mb()),
    }
    sys.stdout.write(f"{json.dumps(figures)}\n")
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
