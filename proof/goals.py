"""Which claim is proved by what: the names of ``python -m proof``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Literal

from proof.evidence import Evidence


@dataclass(frozen=True, slots=True)
class Goal:
    """``proof``: the function, as ``module:function``. ``takes_budget``: it goes on for as long as
    its ``budget_s`` (seconds) lets it. ``on_postgres``: its parameter for the URL of a PostgreSQL;
    empty: it has none."""

    proof: str
    takes_budget: bool = False
    on_postgres: Literal["", "postgres", "databases"] = ""


GOALS: dict[str, Goal] = {
    "G3": Goal("proof.determinism:prove", on_postgres="databases"),
    "G4": Goal("proof.detection:prove"),
    "G5": Goal("proof.crash.kills:prove"),
    "G6": Goal("proof.crash.refusals:prove"),
    "G7": Goal("proof.crash.outages:prove"),
    "G8": Goal("proof.ambiguity.matrix:prove"),
    "G10": Goal("proof.fuzz.goal:prove"),
    "G11": Goal("proof.hooks.storm:prove"),
    "G12": Goal("proof.outage:prove"),
    "G14": Goal("proof.flow.goal:prove"),
    "G15": Goal("proof.threats.goal:prove"),
    "G16": Goal("proof.privacy:prove", on_postgres="postgres"),
    "T22": Goal("proof.threats.vault:prove", on_postgres="postgres"),
    "G17": Goal("proof.money:prove"),
    "G18": Goal("proof.zones:prove"),
    "T1": Goal("proof.hooks.forgery:prove"),
    "T2": Goal("proof.hooks.replay:prove"),
    "T3": Goal("proof.hooks.crossing:prove"),
    "T19": Goal("proof.hooks.trickle:prove"),
    "41": Goal("proof.hooks.kills:prove"),
    "G9": Goal("proof.oversell.goal:prove", takes_budget=True, on_postgres="postgres"),
    "G1": Goal("proof.days:prove", takes_budget=True),
    "G2": Goal("proof.interleaving:prove", takes_budget=True),
}
"""Claim -> how it is proved. Those that take a budget come last: they share what is left of the
time. A module is imported when its claim is asked for: they need what only the extras bring."""


def proof_of(claim: str) -> Callable[..., Evidence]:
    """The function that proves a claim, given a size and a seed. Raises ``KeyError`` with the
    claims there are."""
    if claim not in GOALS:
        raise KeyError(f"no proof is called {claim!r}; there are {', '.join(GOALS)}")
    module, function = GOALS[claim].proof.split(":")
    found: Callable[..., Evidence] = getattr(import_module(module), function)
    return found
