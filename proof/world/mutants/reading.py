"""Bugs in reading what the channels say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from proof.world.course import QUIRKS
from proof.world.mutants.mutant import QUIET, Mutant, no_streams, nothing, only
from state import fulfilment, inbox, order_reports
from sync import amendment, intake, lookback, notices, order_rows, shipping
from sync.reading import Reading

_read_page = intake.read_page
_take_page = intake.take_page
_walk = lookback._walk
_refund = order_rows._refund


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


def _known_by_another(hub: Any, link: Any, records: Any) -> Any:
    """A cancelled order is stored a second time, under another number."""
    readings = _read_page(hub, link, records)
    return readings + [
        Reading(inbox.received(f"{one.received.external_id}-2", one.received.body), renumbered)
        for one in readings
        if one.record is not None and (renumbered := _renumbered(one.record)) is not one.record
    ]


def _one_more(record: Any) -> Any:
    first, *rest = record.lines
    more = msgspec.structs.replace(first, quantity=first.quantity + 1)
    return msgspec.structs.replace(record, lines=(more, *rest))


def _without_its_last_line(record: Any) -> Any:
    return msgspec.structs.replace(record, lines=record.lines[:1])


def _twice_the_money(refund: Any) -> Any:
    rows = _refund(refund)
    rows.values = msgspec.structs.replace(rows.values, amount=2 * rows.values.amount)
    return rows


def _at_once_ready(record: Any) -> Any:
    return msgspec.structs.replace(
        record, status="ready" if record.status == "pending" else record.status
    )


def _unrefunded(record: Any) -> Any:
    return msgspec.structs.replace(record, refunds=())


def _without_a_look(hub: Any, run: Any, _pull: Any, take: Any) -> None:
    """The walk is written down as done, and no page of it is asked for."""
    _walk(hub, run, lambda *_: iter(()), take)


def _unread(*_: Any, **__: Any) -> set[Any]:
    return set()


def _begun_anew(hub: Any, run: Any, watch: Any, page: Any, cursor: Any) -> Any:
    """An empty page is taken for an unread one: from then on everything is read once more."""
    if not page.records and "watermark" in cursor:
        cursor = {**cursor, "watermark": hub.link(run).since.isoformat()}
    return _take_page(hub, run, watch, page, cursor)


def _as_placed(record: Any) -> Any:
    """What was shipped is told with the time at which it was ordered."""
    if record.status != "fulfilled":
        return record
    return msgspec.structs.replace(record, channel_updated_at=record.placed_at)


MUTANTS: Mapping[str, Mutant] = {
    "the last record of a page is skipped": Mutant(((intake, "read_page", _without_the_last),)),
    "a cancelled order gets another number": Mutant(
        ((intake, "read_page", _changed(_renumbered)),)
    ),
    "a cancelled order is known twice": Mutant(((intake, "read_page", _known_by_another),)),
    "an amount is taken for francs": Mutant(((intake, "read_page", _changed(_in_francs)),)),
    "a cancellation is overlooked": Mutant(((intake, "read_page", _changed(_never_cancelled)),)),
    "a line asks for one more": Mutant(((intake, "read_page", _changed(_one_more)),)),
    "lines but the first are lost": Mutant(
        ((intake, "read_page", _changed(_without_its_last_line)),)
    ),
    "a refund gives back twice the money": Mutant(((order_rows, "_refund", _twice_the_money),)),
    "earlier refunds are kept": Mutant(((order_reports, "_delete_money", nothing),)),
    "nobody asks the 3PL what it shipped": Mutant(((shipping, "record", no_streams),)),
    "an edit is overlooked": Mutant(((amendment, "amend", no_streams),)),
    "who has not paid is served": Mutant(((intake, "read_page", _changed(_at_once_ready)),)),
    "refunds are overlooked": Mutant(((intake, "read_page", _changed(_unrefunded)),)),
    "nobody looks for what shows late": Mutant(
        ((lookback, "_walk", _without_a_look),),
        only(QUIRKS, seed=81472, days=0.4),
    ),
    "what is read again is booked again": Mutant(
        ((inbox, "known", _unread), (fulfilment, "shipment", nothing)), QUIET
    ),
    "an empty page sets the cursor back": Mutant(((intake, "take_page", _begun_anew),)),
    "what was shipped is as old as its order": Mutant(
        ((intake, "read_page", _changed(_as_placed)),)
    ),
    "the channel is not told": Mutant(((notices, "plan", no_streams),)),
}
