from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mappings import Definition, Definitions


@pytest.fixture(scope="session")
def definitions() -> Definitions:
    return Definitions.load()


@pytest.fixture
def define(tmp_path: Path) -> Callable[[str], Definition]:
    """Makes a definition ``test.it`` of a TOML text that lacks only the head."""

    def make(body: str) -> Definition:
        file = tmp_path / "test.it.toml"
        file.write_text(f'schema = 1\nname = "test.it"\nversion = 1\n{body}', encoding="utf-8")
        return Definitions.of([file])["test.it"]

    return make


@pytest.fixture(scope="session")
def spoil() -> Callable[[Any, int, Any], Any]:
    """Copies a document with its n-th node (counted round and round) replaced."""

    def nodes(part: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        keys = part if isinstance(part, dict) else range(len(part))
        for key in keys:
            yield (*path, key)
            if isinstance(part[key], dict | list):
                yield from nodes(part[key], (*path, key))

    def spoiled(document: Any, place: int, value: Any) -> Any:
        copied = copy.deepcopy(document)
        paths = list(nodes(copied))
        *holders, key = paths[place % len(paths)]
        part = copied
        for holder in holders:
            part = part[holder]
        part[key] = value
        return copied

    return spoiled
