"""TOML files that people write, within bounds: none can hang its reader or use up its memory.

The parser takes the square of a dotted key's parts, in seconds and in bytes, refuses a number of
5,000 digits with a bare ``ValueError``, and ends in a ``RecursionError`` where tables are nested.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mappings.file_bounds import Refused, content_of

DEPTH: Final = 50
"""Levels of tables and lists of one file."""

DOTS: Final = 200
"""Dots on one line; the longest expression of a shipped file has 20."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How much one file may hold: bytes, and keys in all its tables."""

    size: int
    keys: int


DEFINITION: Final = Extent(250_000, 5_000)
"""The longest shipped mapping definition has 15,000 bytes and 600 keys."""

SETTINGS: Final = Extent(1_000_000, 50_000)
"""Settings, a file of connections, or one of rules: thousands of rules."""


def tree_of(text: str, extent: Extent) -> dict[str, Any]:
    """What a text says. Raises ``Refused``."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.count(".") > DOTS:
            raise Refused(f"line {number} has more than {DOTS} dots")
    try:
        tree = tomllib.loads(text)
    except ValueError as error:  # that a number has too many digits is not told as a fault of TOML
        raise Refused(f"not TOML: {error}") from None
    except RecursionError:
        raise Refused("not TOML: nested too deep") from None
    _check_extent(tree, extent.keys)
    return tree


def read(path: Path) -> tuple[str, dict[str, Any]]:
    """The text and what it says, of settings or rules. A byte order mark in front is taken off.

    Raises ``Refused`` and ``OSError``.
    """
    try:
        text = content_of(path, SETTINGS.size).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refused("not UTF-8 text: save it as UTF-8") from None
    return text, tree_of(text, SETTINGS)


def _check_extent(tree: Any, most: int) -> None:
    """Raises ``Refused`` for what would take for ever to check."""
    keys, level = 0, [tree]
    for _ in range(DEPTH):
        keys += sum(len(part) for part in level if isinstance(part, dict))
        if keys > most:
            raise Refused(f"a file of more than {most:,} keys")
        level = [
            inner
            for part in level
            for inner in (part.values() if isinstance(part, dict) else part)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise Refused(f"tables nested deeper than {DEPTH} levels")
