"""From the store to the terms of each listing's promise, and the promise itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row

from connectors.base import PushesStock
from state import catalogue, grounds, promises, stock
from sync.context import Hub, Link
from sync.promise.formula import Place, Promise, Scarcest, Terms, promised
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
        self._made = stock.made_of(conn, sku_ids)
        scarcest = {made.limited_by for places in self._made.values() for made in places.values()}
        self._codes = {sku.id: sku.code for sku in catalogue.by_ids(conn, scarcest).values()}
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
        places = tuple(self._stocked(listing.sku_id, serving, effective))
        if not places and listing.computed_qty is None:
            return Weighed(link, listing, effective, None)
        return Weighed(link, listing, effective, promised(self._terms(listing, effective, places)))

    def _stocked(
        self, sku_id: int, serving: Mapping[int, Row[Any]], effective: Effective
    ) -> Iterator[Place]:
        """Where it stands; a bundle stands where all its components do, whatever was counted."""
        if sku_id in self._made:
            for place, made in self._made[sku_id].items():
                if place in serving:
                    code = self._codes[made.limited_by]
                    yield _place(
                        serving[place],
                        effective,
                        on_hand=made.bundles,
                        limited_by=Scarcest(code, made.available, made.each),
                    )
            return
        for place, level in self._levels.get(sku_id, {}).items():
            if place in serving:
                buckets = ("on_hand", "reserved", "damaged", "quality_hold", "safety")
                own = {name: Decimal(getattr(level, name)) for name in buckets}
                yield _place(serving[place], effective, **own)

    def _terms(self, listing: Row[Any], effective: Effective, places: tuple[Place, ...]) -> Terms:
        chosen = {name: choice.value for name, choice in effective.listing.items()}
        at_risk = self._risk is not None and chosen["in_flight_risk"]
        return Terms(
            places=places,
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


def _place(place: Row[Any], effective: Effective, **stocked: Any) -> Place:
    own: Mapping[str, Any] = effective.at(place.group)
    return Place(
        code=place.code,
        **stocked,
        share_percent=own["share_percent"].value,
        keep_units=own["buffer_units"].value,
        keep_percent=own["buffer_percent"].value,
    )
