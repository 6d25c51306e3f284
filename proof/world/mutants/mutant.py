"""A bug planted into the product for as long as a block lasts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from unittest import mock

from proof.world.course import TROUBLES, Course
from sandbox.faults import KINDS

Patch = tuple[Any, str, Any]
"""Module or class, the name of what is replaced there, and what takes its place."""

QUIET = Course(seed=3, days=0.3, faults="none", orders_per_day=80)
LOSSY = replace(QUIET, faults="lossy")
SHORT = replace(QUIET, days=0.1)


def only(*troubles: str, **course: Any) -> Course:
    """A storm of nothing but these kinds of trouble."""
    without = frozenset({*KINDS, *TROUBLES} - set(troubles))
    return replace(QUIET, faults="storm", without=without, **course)


@dataclass(frozen=True)
class Mutant:
    """``course``: where it shows; the same history without the bug holds."""

    patches: tuple[Patch, ...]
    course: Course = QUIET


@contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    patches = [mock.patch.object(*patch) for patch in mutant.patches]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in reversed(patches):
            patch.stop()


def nothing(*_: Any, **__: Any) -> None:
    return None


def always(*_: Any, **__: Any) -> bool:
    return True


def never(*_: Any, **__: Any) -> bool:
    return False


def none_of_it(*_: Any, **__: Any) -> Decimal:
    return Decimal(0)


def no_streams(*_: Any, **__: Any) -> set[str]:
    return set()
