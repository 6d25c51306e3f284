"""The sweep: what a vendor holds under our references, against what we have had done.

Everything that keeps an effect from happening twice rests on assumptions: how long an index lags,
that a call is not delayed for an hour, that a vendor refuses what it says it refuses. The sweep
assumes nothing. It lists the vendor's objects, compares them with the intents, and writes down
what does not fit, with its price. It corrects nothing by itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from connectors.base import BuysLabels, Effect, ListsEffects, PushesFulfilmentOrders
from state import strays
from state.intents import OPEN
from sync.context import Hub, Link, Run
from sync.planning import is_reference

REACH = timedelta(days=14)
"""How far back the first sweep looks."""

SLICE = timedelta(days=1)
"""What is compared at once: all of it must have been read before anything is missing."""

AGAIN = timedelta(days=2)
"""How far back the next sweep begins: calls arrive late, and strays are cleared away."""

SETTLED = timedelta(hours=1)
"""How old things must be: the vendor lists them, and what was lost has been looked up."""

EDGE = timedelta(hours=1)
"""Read on both sides of a slice, for an intent and its object do not have one time."""

MOST_CALLS = 40
"""After so many pages the rest is left to the next run."""


def sweep(hub: Hub, run: Run) -> None:
    """Job: compare what was placed since the last sweep, slice by slice."""
    link = hub.link(run)
    connector = link.connector
    if not isinstance(connector, ListsEffects):
        raise TypeError(f"{connector.info.name} does not list what was placed")
    end = hub.clock.now() - SETTLED
    begin, calls = _begin(run, end), 0
    while begin < end and calls < MOST_CALLS and not run.stopping:
        until = min(begin + SLICE, end)
        pages = list(connector.list_effects(begin - EDGE, until + EDGE))
        calls += len(pages)
        _compare(hub, run, link, [one for page in pages for one in page], (begin, until))
        begin = until


def _begin(run: Run, end: datetime) -> datetime:
    if run.since is not None:
        return run.since
    if run.cursor is None:
        return end - REACH
    reached = datetime.fromisoformat(run.cursor["reached"])
    # One that was left in the middle goes on there.
    return reached if run.cursor["more"] else reached - AGAIN


class Known(NamedTuple):
    """What we know of one reference: the ids of its objects, and whether it is still open."""

    ids: set[str]
    open: bool


def _compare(
    hub: Hub,
    run: Run,
    link: Link,
    effects: Sequence[Effect],
    seen: tuple[datetime, datetime],
) -> None:
    begin, until = seen
    with hub.store.read() as conn:
        known = _known(conn, link, {one.reference for one in effects if one.reference})
        done = strays.done_between(conn, link.id, begin, until)
    found = list(unexpected(partial(is_reference, hub), effects, known))
    found += _missing(link, effects, done)
    within = [row for row in found if begin <= row["placed_at"] < until]
    more = until < hub.clock.now() - SETTLED
    with run.commit() as conn:
        new = strays.note(conn, link.id, within, seen, hub.clock.now())
        run.save_cursor(conn, {"v": 1, "reached": until.isoformat(), "more": more})
    run.count("listed", len(effects))
    run.count("strays", new)


def _known(conn: Connection, link: Link, references: set[str]) -> dict[tuple[str, str], Known]:
    """By kind and reference."""
    found: dict[tuple[str, str], Known] = {}
    for row in strays.pushed(conn, link.id, references):
        ids, is_open = found.get((row.kind, row.reference), Known(set(), False))
        if row.state == "done":
            ids.add(row.remote_id)
        ids.add(row.external_id)
        found[row.kind, row.reference] = Known(ids, is_open or row.state in OPEN)
    return found


def unexpected(
    is_ours: Callable[[str], bool],
    effects: Sequence[Effect],
    known: Mapping[tuple[str, str], Known],
) -> Iterator[dict[str, Any]]:
    """Objects that are there and should not be, as rows of strays.

    ``known``: what we know of references, by kind and reference; of all others ``is_ours`` tells
    whether they were made here.
    """
    groups: dict[tuple[str, str], list[Effect]] = defaultdict(list)
    for effect in effects:
        if effect.live:
            groups[effect.kind, effect.reference].append(effect)
    for name, group in groups.items():
        ours = known.get(name)
        if ours is None:
            if is_ours(name[1]):
                yield from (_stray(one, "unknown_reference") for one in group)
            continue
        expected = [one for one in group if one.external_id in ours.ids]
        others = [one for one in group if one.external_id not in ours.ids]
        if expected:
            yield from (_stray(one, "double") for one in others)
        else:
            # What is on its way may turn out to be the first of them.
            yield from (_stray(one, "not_done") for one in group[:1] if not ours.open)
            yield from (_stray(one, "double") for one in group[1:])


def _missing(
    link: Link, effects: Sequence[Effect], done: Sequence[Row[Any]]
) -> Iterator[dict[str, Any]]:
    """Work that the vendor took and does not have."""
    there = {(one.kind, one.external_id) for one in effects}
    for row in done:
        if (row.kind, row.remote_id) in there or _is_there(link, row):
            continue
        yield {
            "kind": row.kind,
            "reference": row.reference,
            "external_id": row.remote_id,
            "problem": "missing",
            "cost": None,
            "currency": "",
            "remedy": f"ask {link.name} what became of it: it said that it was done",
            "placed_at": row.sent_at,
        }


def _is_there(link: Link, row: Row[Any]) -> bool:
    """Asked one by one: it was placed at another time than it was sent at last."""
    connector = link.connector
    if row.kind == "label" and isinstance(connector, BuysLabels):
        return connector.find_label(row.reference) is not None
    if isinstance(connector, PushesFulfilmentOrders):
        return connector.find_fulfilment_order(row.reference) is not None
    return False


def _stray(one: Effect, problem: str) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "reference": one.reference,
        "external_id": one.external_id,
        "problem": problem,
        "cost": one.cost,
        "currency": one.currency,
        "remedy": one.remedy,
        "placed_at": one.placed_at,
    }
