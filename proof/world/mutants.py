"""Bugs planted into the product, to see whether anybody notices.

Each names the history in which it shows; the same history without the bug holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import count
from typing import Any
from unittest import mock

import msgspec

from connectors import amazon, shipengine, woocommerce
from connectors.base import Outcome
from proof.world.course import Course
from state import intents
from state.stock import counting, reservations
from sync import (
    asking,
    drain,
    intake,
    notices,
    settling,
)
from sync.promise import formula
from sync.routing import trace

Patch = tuple[Any, str, Callable[..., Any]]
"""Module or class, the name of what is replaced there, and what takes its place."""


QUIET = Course(seed=3, days=0.3, faults="none", orders_per_day=80)
LOSSY = replace(QUIET, faults="lossy")


@dataclass(frozen=True)
class Mutant:
    """``course``: where it shows."""

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


def _nothing(*_: Any, **__: Any) -> None:
    return None


def _always(*_: Any, **__: Any) -> bool:
    return True


def _no_streams(*_: Any, **__: Any) -> set[str]:
    return set()


_read_page = intake.read_page
_keep = trace.keep
_tries = count()
_buy_labels = shipengine.ShipEngine.buy_labels
_offered = formula._offered


def _without_the_last(hub: Any, link: Any, records: Any) -> Any:
    """A page's last record is taken for read."""
    return _read_page(hub, link, list(records)[:-1])


def _changed(change: Callable[[Any], Any]) -> Callable[..., Any]:
    """Orders as ``change`` makes them."""

    def read(hub: Any, link: Any, records: Any) -> Any:
        readings = _read_page(hub, link, records)
        for reading in readings:
            if reading.record is not None:
                reading.record = change(reading.record)
        return readings

    return read


def _in_francs(record: Any) -> Any:
    return msgspec.structs.replace(record, currency="CHF")


def _never_cancelled(record: Any) -> Any:
    return msgspec.structs.replace(
        record, status="ready" if record.status == "cancelled" else record.status
    )


def _renumbered(record: Any) -> Any:
    if record.status != "cancelled":
        return record
    return msgspec.structs.replace(record, channel_order_id=f"{record.channel_order_id}-2")


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


def _forgetful_keep(conn: Any, order: Any, sites: Any, rules: Any, decision: Any, now: Any) -> Any:
    bare = [msgspec.structs.replace(site, stock={}) for site in sites]
    return _keep(conn, order, bare, rules, decision, now)


def _twice(terms: Any) -> Decimal:
    return 2 * _offered(terms)


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
    "the last record of a page is skipped": Mutant(((intake, "read_page", _without_the_last),)),
    "a cancelled order gets another number": Mutant(
        ((intake, "read_page", _changed(_renumbered)),)
    ),
    "an amount is taken for francs": Mutant(((intake, "read_page", _changed(_in_francs)),)),
    "a cancellation is overlooked": Mutant(((intake, "read_page", _changed(_never_cancelled)),)),
    "a stock write is taken for sent": Mutant(
        (
            (woocommerce.WooCommerce, "push_stock", _applied_unsent),
            (amazon.Amazon, "push_stock", _applied_unsent),
        )
    ),
    "the channel is not told": Mutant(((notices, "plan", _no_streams),)),
    "a decision forgets what it knew": Mutant(((trace, "keep", _forgetful_keep),)),
    "no count is new enough": Mutant(((counting, "_is_older", _always),)),
    "a shipped reservation stays open": Mutant(((reservations, "_lower", _nothing),)),
    "twice as much is offered": Mutant(((formula, "_offered", _twice),)),
    "a label is asked for under another key": Mutant(
        (
            *_unknown_everywhere(_again_unseen),
            (shipengine.ShipEngine, "buy_labels", _rekeyed),
            (shipengine.ShipEngine, "find_label", _nothing),
        ),
        LOSSY,
    ),
    "what is unknown is done": Mutant(_unknown_everywhere(_done_for_all_we_know), LOSSY),
    "what is unknown was refused": Mutant(_unknown_everywhere(_rejected_for_all_we_know), LOSSY),
    "a look-up is left out": Mutant(((asking, "resolve", _resolved_unseen),), LOSSY),
    "nobody looks up what is unknown": Mutant(((asking, "resolve", _nothing),), LOSSY),
}


INTERLEAVED: Mapping[str, Mutant] = {
    name: replace(MUTANTS[name], course=replace(MUTANTS[name].course, workers=3))
    for name in ("a shipped reservation stays open", "a label is asked for under another key")
}
"""Where workers come between one another."""
