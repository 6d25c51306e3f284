"""Bugs in goods: what is counted, promised, taken and shipped."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from proof.world.mutants.mutant import Mutant, always, never, nothing
from state.stock import counting, reservations
from sync.promise import formula, publishing
from sync.routing import trace

_keep = trace.keep
_offered = formula._offered


def _forgetful_keep(conn: Any, order: Any, sites: Any, rules: Any, decision: Any, now: Any) -> Any:
    bare = [msgspec.structs.replace(site, stock={}) for site in sites]
    return _keep(conn, order, bare, rules, decision, now)


def _twice(terms: Any) -> Decimal:
    return 2 * _offered(terms)


MUTANTS: Mapping[str, Mutant] = {
    "a decision forgets what it knew": Mutant(((trace, "keep", _forgetful_keep),)),
    "no count is new enough": Mutant(((counting, "_is_older", always),)),
    "a shipped reservation stays open": Mutant(((reservations, "_lower", nothing),)),
    "what left stays on the shelf": Mutant(((reservations, "take_off", never),)),
    "twice as much is offered": Mutant(((formula, "_offered", _twice),)),
    "nothing is offered": Mutant(((publishing, "_plan", nothing),)),
}
