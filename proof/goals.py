"""Which claim is proved by what: the names of ``python -m proof``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Literal

from proof.evidence import Evidence


@dataclass(frozen=True, slots=True)
class Goal:
    """``proof``: the function, as ``module:function``. ``weight``: its part of the time beside the
    others', given as ``budget_s`` (seconds); 0: it takes what it takes, which is moments.
    ``on_postgres``: its parameter for the URL of a PostgreSQL; empty: it has none. ``at_night``:
    too long for a pull request, but by its name."""

    proof: str
    weight: float = 1.0
    on_postgres: Literal["", "postgres", "databases"] = ""
    at_night: bool = False


GOALS: dict[str, Goal] = {
    "G15": Goal("proof.threats.goal:prove", weight=3),
    "T19": Goal("proof.hooks.trickle:prove", weight=0),
    "T1": Goal("proof.hooks.forgery:prove", weight=0.5),
    "T2": Goal("proof.hooks.replay:prove", weight=0.5),
    "T3": Goal("proof.hooks.crossing:prove", weight=0.5),
    "41": Goal("proof.hooks.kills:prove", weight=0.5),
    "G18": Goal("proof.zones:prove", weight=0.5),
    "G9": Goal("proof.oversell.goal:prove", on_postgres="postgres"),
    "G17": Goal("proof.money:prove"),
    "I13": Goal("proof.accounts:prove", weight=0),
    "G14": Goal("proof.flow.goal:prove"),
    "G10": Goal("proof.fuzz.goal:prove", weight=2),
    "G11": Goal("proof.hooks.storm:prove"),
    "G16": Goal("proof.privacy:prove", weight=2, on_postgres="postgres"),
    "T22": Goal("proof.threats.vault:prove", weight=0, on_postgres="postgres"),
    "G12": Goal("proof.outage:prove", weight=2),
    "87": Goal("proof.soak.restarts:prove", weight=2, at_night=True),
    "G19": Goal("proof.mutation.goal:prove", weight=2, at_night=True),
    "G3": Goal("proof.determinism:prove", on_postgres="databases"),
    "G7": Goal("proof.crash.outages:prove"),
    "G6": Goal("proof.crash.refusals:prove", weight=2),
    "G5": Goal("proof.crash.kills:prove", weight=3),
    "G8": Goal("proof.ambiguity.matrix:prove", weight=2),
    "G4": Goal("proof.detection:prove", weight=3),
    "G2": Goal("proof.interleaving:prove", weight=3),
    "G1": Goal("proof.days:prove", weight=4),
    "G13": Goal("proof.soak.goal:prove", weight=6, at_night=True),
}
"""Claim -> how it is proved. Those that have done all of a night soon come first: what they leave
is shared by the others. A module is imported when its claim is asked for: they need what only the
extras bring."""


def proof_of(claim: str) -> Callable[..., Evidence]:
    """The function that proves a claim, given a size and a seed. Raises ``KeyError`` with the
    claims there are."""
    if claim not in GOALS:
        raise KeyError(f"no proof is called {claim!r}; there are {', '.join(GOALS)}")
    module, function = GOALS[claim].proof.split(":")
    found: Callable[..., Evidence] = getattr(import_module(module), function)
    return found
