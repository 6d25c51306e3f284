"""Bugs in what is sent to vendors, and in what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

import msgspec

from connectors import amazon, shipengine, woocommerce
from connectors.base import Outcome
from proof.world.mutants.mutant import LOSSY, Mutant, Patch, nothing
from state import intents
from sync import asking, drain, settling

_tries = count()
_buy_labels = shipengine.ShipEngine.buy_labels


def _applied_unsent(_self: Any, updates: Mapping[str, Any]) -> list[Outcome]:
    return [Outcome(key, "applied") for key in updates]


def _again_unseen(conn: Any, hub: Any, _link: Any, row: Any, why: str) -> None:
    intents.move(conn, row.id, "planned", message=why, not_before=hub.clock.now())


def _done_for_all_we_know(conn: Any, _hub: Any, _link: Any, row: Any, _why: str) -> None:
    intents.move(conn, row.id, "done")


def _rejected_for_all_we_know(conn: Any, _hub: Any, _link: Any, row: Any, _why: str) -> None:
    intents.move(conn, row.id, "rejected")


def _resolved_unseen(hub: Any, run: Any, link: Any) -> None:
    with hub.store.read() as conn:
        rows = intents.in_state(conn, link.id, "unknown")
    with run.commit() as conn:
        for row in rows:
            intents.move(conn, row.id, "planned", message="taken for absent")


def _rekeyed(self: Any, requests: Mapping[str, Any]) -> Any:
    """The key names the attempt, and no longer the intent."""
    again = {
        key: msgspec.structs.replace(request, reference=f"{request.reference[:30]}-{next(_tries)}")
        for key, request in requests.items()
    }
    return _buy_labels(self, again)


def _unknown_everywhere(taken: Callable[..., Any]) -> tuple[Patch, ...]:
    return tuple((module, "unknown", taken) for module in (drain, asking, settling))


MUTANTS: Mapping[str, Mutant] = {
    "a stock write is taken for sent": Mutant(
        (
            (woocommerce.WooCommerce, "push_stock", _applied_unsent),
            (amazon.Amazon, "push_stock", _applied_unsent),
        )
    ),
    "a notice is taken for sent": Mutant(
        (
            (woocommerce.WooCommerce, "push_tracking", _applied_unsent),
            (amazon.Amazon, "push_tracking", _applied_unsent),
        )
    ),
    "a label is asked for under another key": Mutant(
        (
            *_unknown_everywhere(_again_unseen),
            (shipengine.ShipEngine, "buy_labels", _rekeyed),
            (shipengine.ShipEngine, "find_label", nothing),
        ),
        LOSSY,
    ),
    "what is unknown is done": Mutant(_unknown_everywhere(_done_for_all_we_know), LOSSY),
    "what is unknown was refused": Mutant(_unknown_everywhere(_rejected_for_all_we_know), LOSSY),
    "a look-up is left out": Mutant(((asking, "resolve", _resolved_unseen),), LOSSY),
    "nobody looks up what is unknown": Mutant(((asking, "resolve", nothing),), LOSSY),
}
