"""Bugs in what is sent to vendors, and in what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

import msgspec

from connectors import amazon, shipbob, shipengine, woocommerce
from connectors.base import Outcome
from proof.world.course import CRASH
from proof.world.mutants.mutant import LOSSY, Mutant, Patch, never, nothing, only
from state import intents
from sync import asking, drain, notices, settling

_tries = count()
_buy_labels = shipengine.ShipEngine.buy_labels
_bought = shipengine.ShipEngine._bought
_notice = notices._notice


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


def _free_of_charge(self: Any, reply: Any, reference: str) -> Any:
    return msgspec.structs.replace(_bought(self, reply, reference), cost=0)


def _one_number(*given: Any, **more: Any) -> Any:
    return msgspec.structs.replace(_notice(*given, **more), tracking_number="1Z999")


def _whosever(self: Any, body: Any) -> Any:
    """Any order that the 3PL answers with is the one that was asked for."""
    return self._api.post("/order", op="createOrder", json=body).object("id")


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
    "nobody asks what the dead had sent": Mutant(((drain, "_recover", nothing),), only(CRASH)),
    "a label is taken for free": Mutant(((shipengine.ShipEngine, "_bought", _free_of_charge),)),
    "every parcel has the same number": Mutant(((notices, "_notice", _one_number),)),
    "no order is ever told to be complete": Mutant(((notices, "_complete", never),)),
    "a reply is for whoever asks": Mutant(
        ((shipbob.ShipBob, "_made", _whosever),), only("stale-page", seed=335)
    ),
    "a look-up is left out": Mutant(((asking, "resolve", _resolved_unseen),), LOSSY),
    "nobody looks up what is unknown": Mutant(((asking, "resolve", nothing),), LOSSY),
}
