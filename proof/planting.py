"""Planted bugs: one part of the product made worse for as long as a block lasts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Planted:
    """A bug. ``changes``: (what holds it, the name in there, what stands there instead)."""

    name: str
    changes: Sequence[tuple[Any, str, Any]]

    @contextmanager
    def in_place(self) -> Iterator[None]:
        before = [(holder, name, holder.__dict__[name]) for holder, name, _ in self.changes]
        for holder, name, value in self.changes:
            setattr(holder, name, value)
        try:
            yield
        finally:
            for holder, name, value in before:
                setattr(holder, name, value)
