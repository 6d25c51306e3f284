"""Bugs at our own doors: webhooks, limits, and jobs that overtake one another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from typing import Any

from connectors import woo_hooks
from proof.world.mutants.mutant import QUIET, Mutant, nothing
from state import hook_events
from web import intake

CALM = replace(QUIET, seed=15, faults="calm", orders_per_day=40)

_add, _keep = hook_events.add, intake.Intake._keep
_numbers = count()


def _every_time_another(conn: Any, *, event_id: str, **given: Any) -> bool:
    return _add(conn, event_id=f"{event_id}-{next(_numbers)}", **given)


def _unkept(*_: Any) -> intake.Answer:
    return intake.ACCEPTED


MUTANTS: Mapping[str, Mutant] = {
    "every delivery is an event": Mutant(((hook_events, "add", _every_time_another),), CALM),
    "a webhook is answered, and not kept": Mutant(((intake.Intake, "_keep", _unkept),), CALM),
    "signatures are not looked at": Mutant(((woo_hooks, "require_proof", nothing),), CALM),
}
