"""One payload and one version of a definition: one outcome, in whatever process."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from functools import partial
from random import Random

import msgspec
import pytest

from benchmarks import woo_orders
from mappings import Definition, Definitions
from tests.conftest import REPOSITORY
from tests.mappings.test_compiler import expressions_of, invented, keys_of, outcome


def digest_of(definition: Definition) -> str:
    """A hash of what a definition makes of many payloads, decoded and as JSON."""
    keys = set[str]().union(*(keys_of(found.tree) for found in expressions_of(definition.plan)))
    payloads = [invented(sorted(keys), Random(seed)) for seed in range(40)]
    if definition.name == "woocommerce.orders":
        payloads += [woo_orders.order(number, seed=7) for number in range(1, 41)]
    whole = hashlib.sha256()
    for payload in payloads:
        if definition.source is None:
            found = outcome(partial(definition.apply, msgspec.json.encode(payload)))
            whole.update(msgspec.json.encode(found))
            found = outcome(partial(definition.apply, payload))
        else:
            found = outcome(partial(definition._run, payload))
        whole.update(msgspec.json.encode(found))
    return whole.hexdigest()


def digests() -> str:
    """Of all shipped definitions, a line each."""
    definitions = Definitions.load()
    return "\n".join(f"{name} {digest_of(definitions[name])}" for name in sorted(definitions))


@pytest.mark.parametrize("seed", ["0", "4711"])
def test_another_process_gives_the_same_records_and_hashes(seed: str) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from tests.mappings import test_determinism as t; print(t.digests())",
        ],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == digests()
    assert done.stdout.count("\n") == len(Definitions.load())
