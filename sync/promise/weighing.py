"""From the store to the terms of each listing's promise, and the promise itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row

from connectors.base import PushesStock
from state import grounds, promises, stock
from sync.context import Hub, Link
from sync.promise.formula import Place, Promise, Terms, promised
from sync.promise.risk import Risk
from sync.promise.rules import Effective, RuleSet


@dataclass(frozen=True, slots=True)
class Weighed:
    """A listing with what holds for it. ``promise``: null where nothing was ever counted.

    What was never counted is not known to be zero: such a listing is left alone.
    """

    link: Link
    listing: Row[Any]
    effective: Effective
    promise: Promise | None

    @property
    def was_offered(self) -> int | None:
        """What the channel offers by all we know: our last promise, or its own word."""
        known: int | None = self.listing.computed_qty
        return self.listing.offered_qty if known is None else known


def business_date(hub: Hub, link: Link) -> date:
    return hub.clock.now().astimezone(link.timezone).date()


def written_links(hub: Hub) -> dict[int, Link]:
    """The connections that take quantities."""
    return {link.id: link for link in hub.links.values() if isinstance(link.connector, PushesStock)}


class Weighing:
    """What a number of SKUs have in stock and demand, read once for all their listings."""

    def __init__(self, conn: Connection, hub: Hub, sku_ids: Sequence[int]) -> None:
        self._conn = conn
        self._rules: RuleSet = hub.policy.promise
        self._links = written_links(hub)
        self._today = {link.id: business_date(hub, link) for link in self._links.values()}
        self._places = grounds.places_of(conn, self._links)
        self._tags = grounds.tags_of(conn, sku_ids)
        self._demand = stock.unallocated_demand(conn, sku_ids)
        self._levels: dict[int, dict[int, Row[Any]]] = {}
        for row in stock.levels(conn, sku_ids):
            self._levels.setdefault(row.sku_id, {})[row.location_id] = row
        self._risk = Risk(conn, sku_ids, hub.clock.now()) if self._rules.weighs_risk else None
        self._sku_ids = sku_ids

    def listings(self) -> Iterator[Weighed]:
        """Every listing of these SKUs whose quantity we write."""
        for listing in promises.listings_of(self._conn, self._sku_ids):
            link = self._links.get(listing.connection_id)
            if link is not None:
                yield self._weighed(link, listing)

    def _weighed(self, link: Link, listing: Row[Any]) -> Weighed:
        serving = self._places.get(link.id, {})
        groups = {place.group for place in serving.values() if place.group}
        tags = self._tags.get(listing.sku_id, ())
        effective = self._rules.for_listing(
            link.name, listing.sku, tags, groups, self._today[link.id]
        )
        levels = [
            (serving[place], row)
            for place, row in self._levels.get(listing.sku_id, {}).items()
            if place in serving
        ]
        if not levels and listing.computed_qty is None:
            return Weighed(link, listing, effective, None)
        return Weighed(link, listing, effective, promised(self._terms(listing, effective, levels)))

    def _terms(
        self,
        listing: Row[Any],
        effective: Effective,
        levels: Sequence[tuple[Row[Any], Row[Any]]],
    ) -> Terms:
        chosen = {name: choice.value for name, choice in effective.listing.items()}
        at_risk = self._risk is not None and chosen["in_flight_risk"]
        return Terms(
            places=tuple(_place(place, row, effective) for place, row in levels),
            unallocated=self._demand.get(listing.sku_id, Decimal(0)),
            buffer_units=chosen["buffer_units"],
            buffer_percent=chosen["buffer_percent"],
            in_flight=self._risk.units(listing.connection_id, listing.sku_id)
            if self._risk is not None and at_risk
            else 0,
            cap=chosen["cap"],
            end_when=chosen["end_when"],
            min_publish=chosen["min_publish"],
            on_offer=bool(listing.computed_qty if listing.computed_qty is not None else 1),
        )


def _place(place: Row[Any], level: Row[Any], effective: Effective) -> Place:
    own: Mapping[str, Any] = effective.at(place.group)
    return Place(
        code=place.code,
        on_hand=Decimal(level.on_hand),
        reserved=Decimal(level.reserved),
        damaged=Decimal(level.damaged),
        quality_hold=Decimal(level.quality_hold),
        safety=Decimal(level.safety),
        share_percent=own["share_percent"].value,
        keep_units=own["buffer_units"].value,
        keep_percent=own["buffer_percent"].value,
    )
