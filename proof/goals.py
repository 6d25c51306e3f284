"""Which claim is proved by what: the names of ``python -m proof``."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from proof.evidence import Evidence, Size

GOALS: dict[str, str] = {
    "G1": "proof.days:prove",
    "G2": "proof.interleaving:prove",
    "G3": "proof.determinism:prove",
    "G4": "proof.detection:prove",
    "G5": "proof.crash.kills:prove",
    "G6": "proof.crash.refusals:prove",
    "G7": "proof.crash.outages:prove",
    "G8": "proof.ambiguity.matrix:prove",
    "G10": "proof.fuzz.goal:prove",
    "G11": "proof.hooks.storm:prove",
    "G12": "proof.outage:prove",
    "G15": "proof.threats.goal:prove",
    "G16": "proof.privacy:prove",
    "G17": "proof.money:prove",
    "G18": "proof.zones:prove",
    "T1": "proof.hooks.forgery:prove",
    "T2": "proof.hooks.replay:prove",
    "T3": "proof.hooks.crossing:prove",
    "T19": "proof.hooks.trickle:prove",
    "41": "proof.hooks.kills:prove",
}
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
