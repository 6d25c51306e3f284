"""A bug planted into the product for as long as a block lasts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

from proof.world.course import Course

Patch = tuple[Any, str, Any]
"""Module or class, the name of what is replaced there, and what takes its place."""

QUIET = Course(seed=3, days=0.3, faults="none", orders_per_day=80)
LOSSY = replace(QUIET, faults="lossy")


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


def no_streams(*_: Any, **__: Any) -> set[str]:
    return set()
