"""What each waiting order waits for, in short: while it is the same, a look would end the same.

Reading and deciding an order costs milliseconds, and thousands may wait for the same delivery. So
after a look that planned nothing the order keeps a mark of all that the look depended on, and is
left alone until the mark would be another. Once an hour it is looked at all the same.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row

from state import catalogue, fulfilment, orders, rate_quotes
from sync.context import Hub
from sync.routing import survey
from sync.routing.facts import UNIT, SiteFacts
from sync.routing.quotes import destination

_NO_GOODS, _UNPAID = "-", "payment"
"""In place of the SKUs that a mark is about."""

Needs = Mapping[int, Mapping[int, int]]
"""What every waiting order needs: millionths by SKU id, by order id."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel's locations, and what of them changes what an order can get.

    ``full``: those that take no more orders today. ``units``: how many millionths others still
    take, and whether they were given any.
    """

    places: frozenset[int]
    settings: str
    full: frozenset[int]
    units: Mapping[int, tuple[int, bool]]


@dataclass(frozen=True, slots=True)
class Waiting:
    """The waiting orders and the stock they compete for, as one look at the store found them.

    ``traits``: what rules and locations ask of the goods of each order. ``quoted``: the newest
    price of a parcel to where it goes.
    """

    needs: Needs
    rows: Mapping[int, Row[Any]]
    parked_lines: Mapping[int, int]
    given_up: Mapping[int, tuple[int, ...]]
    held: Mapping[int, Mapping[int, int]]
    channels: Mapping[int, Channel]
    scarce: Mapping[int, tuple[int, int]]
    traits: Mapping[int, str]
    quoted: Mapping[int, int]
    rules: str
    now: datetime

    def is_unchanged(self, order_id: int) -> bool:
        """Would a look end as the last one did, which planned nothing?"""
        known = self.rows[order_id].waits_for
        watched = known.partition(":")[0]
        return watched not in ("", _UNPAID) and known == self._mark(order_id, watched)

    def mark(self, order_id: int, sites: Iterable[SiteFacts], *, whole: bool) -> str:
        """The mark of an order that waits for goods; empty when they have moved meanwhile.

        ``sites``: what was decided from. ``whole``: it ships whole or not at all, so that it waits
        only for what there is too little of, whatever becomes of the rest.
        """
        needs = self.needs.get(order_id, {})
        there = dict.fromkeys(needs, 0)
        for site in sites:
            here = self.held.get(site.location_id, {})
            for sku_id in needs:
                there[sku_id] += site.stock.get(sku_id, 0)
                if site.stock.get(sku_id, 0) != here.get(sku_id, 0):
                    return ""
        short = [sku_id for sku_id in needs if there[sku_id] < needs[sku_id]] if whole else []
        return self._mark(order_id, ",".join(map(str, sorted(short or needs))))

    def mark_of_other_cause(self, order_id: int) -> str:
        """The mark of an order that waits for its own lines or for a day, whatever is in stock."""
        return self._mark(order_id, _NO_GOODS)

    def _mark(self, order_id: int, listed: str) -> str:
        row = self.rows[order_id]
        channel = self.channels[row.connection_id]
        needs = self.needs.get(order_id, {})
        sku_ids = [int(word) for word in listed.split(",") if word not in ("", _NO_GOODS)]
        # An order needs no more than it needs: what is there beyond that may come and go.
        there = [
            (place, sku, min(self.held.get(place, {}).get(sku, 0), needs.get(sku, 0)))
            for place in sorted(channel.places)
            for sku in sku_ids
        ]
        whole = sum(needs.values())
        full = [place for place, (room, given) in channel.units.items() if given and whole > room]
        seen = (
            *(self.rules, channel.settings, row.edit_version, self.parked_lines[order_id]),
            *(sorted(needs.items()), there, sorted(channel.full), sorted(full)),
            # Where several compete, it also counts how much there is, and how many want it.
            [(sku, self.scarce[sku]) for sku in sku_ids if sku in self.scarce],
            self.given_up.get(order_id, ()),
            *(self.traits[order_id], self.quoted.get(order_id, 0)),
            hour_of(row, self.now),
        )
        return f"{listed}:{_digest(seen)}"


def read(
    conn: Connection, hub: Hub, needs: Needs, lines: Mapping[int, Sequence[Row[Any]]]
) -> Waiting:
    """Look at everything that waiting orders depend on, with a handful of queries for all."""
    now = hub.clock.now()
    rows = {row.id: row for row in orders.marks(conn, lines)}
    channels = {
        connection_id: _channel(conn, connection_id, now)
        for connection_id in {row.connection_id for row in rows.values()}
    }
    held = survey.available(conn, {sku for need in needs.values() for sku in need})
    dated = any(rule.then.not_before is not None for rule in hub.routing.rules)
    places = {place for channel in channels.values() for place in channel.places}
    return Waiting(
        needs=needs,
        rows=rows,
        parked_lines={
            order_id: sum(line.park_reason is not None for line in lines[order_id])
            for order_id in rows
        },
        given_up=fulfilment.given_up_by(conn, rows),
        held=held,
        channels=channels,
        scarce=_scarce(needs, rows, channels, held),
        traits=_traits(conn, needs, lines),
        # A price may be what an order without any carrier in the table of rates waits for.
        quoted=_quoted(conn, rows, places, now) if hub.routing.quotes else {},
        rules=f"{hub.routing.version()} {now.date() if dated else ''}",
        now=now,
    )


def _traits(
    conn: Connection, needs: Needs, lines: Mapping[int, Iterable[Row[Any]]]
) -> dict[int, str]:
    """Weight, hazard and tags of all that each order names, and of what is inside it."""
    named = {
        order_id: {line.sku_id for line in some if line.sku_id is not None}
        | needs.get(order_id, {}).keys()
        for order_id, some in lines.items()
    }
    skus = catalogue.by_ids(conn, {sku_id for some in named.values() for sku_id in some})
    tags = catalogue.tags_of(conn, skus)
    known = {
        sku.id: (sku.id, sku.weight_g, bool(sku.hazmat), tags.get(sku.id, ()))
        for sku in skus.values()
    }
    return {
        order_id: _digest([known[sku_id] for sku_id in sorted(some)])
        for order_id, some in named.items()
    }


def _quoted(
    conn: Connection, order_ids: Iterable[int], places: Iterable[int], now: datetime
) -> dict[int, int]:
    """Where each order's parcels have a price: the newest one's number, by order id."""
    to = {
        order_id: destination(*place)
        for order_id, place in orders.destinations(conn, order_ids).items()
    }
    newest = rate_quotes.newest(conn, places, set(to.values()), now)
    return {order_id: newest[place] for order_id, place in to.items() if place in newest}


def _channel(conn: Connection, connection_id: int, now: datetime) -> Channel:
    places = fulfilment.locations_of_channel(conn, connection_id)
    given = survey.given_today(conn, places, now)
    nothing = (0, Decimal(0))
    return Channel(
        places=frozenset(place.id for place in places),
        settings=_digest([tuple(place) for place in places]),
        full=frozenset(
            place.id
            for place in places
            if place.daily_orders is not None
            and given.get(place.id, nothing)[0] >= place.daily_orders
        ),
        units={
            place.id: (
                place.daily_units * UNIT - int(given.get(place.id, nothing)[1] * UNIT),
                place.id in given,
            )
            for place in places
            if place.daily_units is not None
        },
    )


def _scarce(
    needs: Needs,
    rows: Mapping[int, Row[Any]],
    channels: Mapping[int, Channel],
    held: Mapping[int, Mapping[int, int]],
) -> dict[int, tuple[int, int]]:
    """(supply, demand) of the SKUs of which a channel has some, but less than may be taken of it.

    Its locations' goods may be taken by its own orders, and by those of channels that share any
    of its locations.
    """
    demand: dict[int, dict[int, int]] = {}
    for order_id, need in needs.items():
        wanted = demand.setdefault(rows[order_id].connection_id, {})
        for sku_id, quantity in need.items():
            wanted[sku_id] = wanted.get(sku_id, 0) + quantity
    found: dict[int, tuple[int, int]] = {}
    for connection_id, wanted in demand.items():
        places = channels[connection_id].places
        rivals = [demand[one] for one in demand if channels[one].places & places]
        for sku_id in wanted:
            there = sum(held.get(place, {}).get(sku_id, 0) for place in places)
            asked = sum(rival.get(sku_id, 0) for rival in rivals)
            if 0 < there < asked:
                before = found.get(sku_id, (0, 0))
                found[sku_id] = (before[0] + there, before[1] + asked)
    return found


def hour_of(row: Row[Any], now: datetime) -> int:
    """Changes once an hour, for each order in a minute of its own.

    Its minute is drawn from the channel's id: ours would depend on what the database made of
    numbers that were taken and never used.
    """
    minute = zlib.crc32(row.channel_order_id.encode()) % 60
    return (int(now.timestamp()) // 60 + minute) // 60


def unpaid_mark(row: Row[Any], paid: tuple[Any, ...], rules: str, now: datetime) -> str:
    """The same of an order that waits for its payment."""
    return f"{_UNPAID}:{_digest((rules, row.edit_version, paid, hour_of(row, now)))}"


def _digest(seen: Any) -> str:
    return hashlib.blake2b(repr(seen).encode(), digest_size=12).hexdigest()
