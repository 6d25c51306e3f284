"""How far an expression and a mapping may go, so that neither can hang whoever runs them.

What ops write is bounded at load: ``LENGTH`` and ``NODES`` of one expression, ``DEPTH`` of its tree
and ``SCOPES`` of nested records. What a payload does to it is bounded while it runs: every element
a loop passes and every 16 characters a function writes are one step, of ``STEPS`` per record.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

LENGTH: Final = 5_000
"""Characters of one expression."""

NODES: Final = 1_000
"""Nodes of one expression's tree."""

DEPTH: Final = 110
"""Levels of one expression's tree, far from where generating its code would exhaust Python's
stack. The deepest case of the official suite has 105."""

SCOPES: Final = 6
"""Levels of ``one`` and ``each``. Python itself refuses the twentieth loop within a loop."""

STEPS: Final = 2_000_000
"""Steps of one record, half a second or so. An order of 1,000 lines takes some 5,000."""

_CHARACTERS_A_STEP = 16

Spend = Callable[[int], None]
"""Counts steps; raises ``TooManySteps``."""


class TooManySteps(Exception):
    """The mapping of one record takes more than ``STEPS``."""

    def __init__(self) -> None:
        super().__init__(f"mapping this payload takes more than {STEPS:,} steps")


class Steps:
    """What is left of one record's steps."""

    __slots__ = ("_left",)

    def __init__(self, limit: int = STEPS) -> None:
        self._left = limit

    def spend(self, count: int) -> None:
        """Raises ``TooManySteps``."""
        self._left -= count
        if self._left < 0:
            raise TooManySteps


def spend_size(value: Any, spend: Spend) -> None:
    """Count what reading a value from end to end costs, its parts not looked into."""
    if isinstance(value, str):
        spend(len(value) // _CHARACTERS_A_STEP)
    elif isinstance(value, list | dict):
        spend(len(value))


def spend_whole(value: Any, spend: Spend) -> None:
    """Count a value with all its parts. A part that appears twice counts twice: a few ``[@, @]``
    in a row make a value of a handful of lists that takes for ever to write or to compare."""
    pending = [value]
    while pending:
        part = pending.pop()
        spend_size(part, spend)
        if isinstance(part, dict):
            pending.extend(part.values())
        elif isinstance(part, list):
            pending.extend(part)
