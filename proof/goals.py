"""Which claim is proved by what: the names of ``python -m proof``."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from proof.evidence import Evidence, Size

GOALS: dict[str, str] = {}
"""Claim -> the function that proves it, as ``module:function``.

Each takes a size and a seed. A module is imported when its claim is asked for: they need what only
the extras bring."""


def proof_of(claim: str) -> Callable[[Size, int], Evidence]:
    """The function that proves a claim. Raises ``KeyError`` with the claims there are."""
    if claim not in GOALS:
        raise KeyError(f"no proof is called {claim!r}; there are {', '.join(GOALS)}")
    module, function = GOALS[claim].split(":")
    found: Callable[[Size, int], Evidence] = getattr(import_module(module), function)
    return found
