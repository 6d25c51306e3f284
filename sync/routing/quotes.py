"""What a parcel costs by a carrier's own quotes, or by the table of rates where there is none.

Nobody is asked here: the job ``pull-rates`` has asked, and an answer is one of a decision's stored
inputs like the stock is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from mappings.address_formats import LONGEST
from sync.routing.facts import UNIT, Offer, OrderFacts, Quote, SiteFacts
from sync.routing.policy import Policy, any_alike, goes, late_cost, rate_of
from sync.routing.rules import Quoting, Rate, Rules

_DAY = timedelta(days=1)


class Lane(NamedTuple):
    """What a carrier is asked about: parcels of up to ``weight_g`` from a location to a place."""

    connection: str
    location_id: int
    country: str
    postcode: str
    weight_g: int

    @property
    def to(self) -> tuple[str, str]:
        return self.country, self.postcode


class Quoted(msgspec.Struct, frozen=True):
    """The offer that a parcel's price is.

    ``amount``: as it was quoted, ``price``: with the rules' percentage, both in minor units of the
    rules' currency. ``days``: in transit, by the carrier or else by the table.
    """

    quote_id: int
    connection: str
    carrier: str
    service: str
    amount: int
    price: int
    days: int
    weight_g: int
    quoted_at: datetime


class Fare(NamedTuple):
    """``rate``: null where nobody goes. ``unquoted``: why it is not quoted, though it should be."""

    rate: Rate | None
    quoted: Quoted | None = None
    unquoted: str = ""


def fare_of(rules: Rules, order: OrderFacts, site: SiteFacts, policy: Policy) -> Fare:
    """What a parcel from the location costs, and how long it takes.

    Of the services allowed the one whose price and lateness together are least; among equals the
    faster, then the one whose name comes first.
    """
    table = rate_of(rules, order, site.code)
    quoting = _quoting(rules, order, site.code)
    if quoting is None:
        return Fare(table)
    why = _unaskable(order, site)
    quote = site.quote
    if why or quote is None or not _counts(quote, quoting, order, site):
        return Fare(table, unquoted=why or f"{quoting.connection} has not quoted it")
    offers = list(_usable(quote, quoting, rules, table))
    if not offers:
        return Fare(table, unquoted=_unusable(quote, rules))
    best = min(
        offers,
        key=lambda one: (
            one.price + late_cost(rules, policy, site.ready_at + _DAY * one.days),
            one.days,
            one.service,
            one.carrier,
        ),
    )
    return Fare(Rate(parcel=best.price, days=best.days), best)


def lane_of(rules: Rules, order: OrderFacts, site: SiteFacts) -> Lane | None:
    """What a carrier is to be asked about the order and the location; null for nothing."""
    quoting = _quoting(rules, order, site.code)
    if quoting is None or _unaskable(order, site):
        return None
    to = destination(order.country, order.postcode)
    return Lane(quoting.connection, site.location_id, *to, _rounded(quoting, order, site))


def missing(rules: Rules, order: OrderFacts, sites: Iterable[SiteFacts]) -> Iterator[Lane]:
    """Lanes that have to be asked about before the order is decided by quotes alone."""
    for _, lane in _unanswered(rules, order, sites):
        yield lane


def awaited(rules: Rules, order: OrderFacts, sites: Iterable[SiteFacts]) -> str:
    """The connection whose quotes an order still waits for; empty when it waits no longer."""
    if order.waiting_since is None:
        return ""
    waited = order.decided_at - order.waiting_since
    names = (
        quoting.connection
        for quoting, _ in _unanswered(rules, order, sites)
        if waited < timedelta(minutes=quoting.wait_minutes)
    )
    return min(names, default="")


def destination(country: str, postcode: str) -> tuple[str, str]:
    """Country and postcode as lanes are told apart by them; what is endless is no postcode."""
    return country, " ".join(postcode[:LONGEST].upper().split())


def _unanswered(
    rules: Rules, order: OrderFacts, sites: Iterable[SiteFacts]
) -> Iterator[tuple[Quoting, Lane]]:
    for site in sites:
        quoting, lane = _quoting(rules, order, site.code), lane_of(rules, order, site)
        if quoting is None or lane is None:
            continue
        if site.quote is None or not _counts(site.quote, quoting, order, site):
            yield quoting, lane


def _quoting(rules: Rules, order: OrderFacts, code: str) -> Quoting | None:
    return next((one for one in rules.quotes if goes(one, rules, order, code)), None)


def _unaskable(order: OrderFacts, site: SiteFacts) -> str:
    """Why no carrier can be asked; empty when one can."""
    if not order.country or not order.postcode.strip():
        return "the address has no postcode"
    offered = _offered(order, site)
    light = [
        line.unweighed or line.sku
        for line in order.lines
        if offered[line.line_id] and (line.unweighed or not line.weight_g)
    ]
    if light:
        return f"{light[0]} has no weight"
    return "" if any(offered.values()) else "it has none of the goods"


def _counts(quote: Quote, quoting: Quoting, order: OrderFacts, site: SiteFacts) -> bool:
    """Is it an answer to what these rules ask now? Others asked when it was stored, perhaps."""
    return (
        quote.connection == quoting.connection
        and quote.weight_g == _rounded(quoting, order, site)
        and order.decided_at < quote.quoted_at + timedelta(hours=quoting.good_hours)
    )


def _usable(quote: Quote, quoting: Quoting, rules: Rules, table: Rate | None) -> Iterator[Quoted]:
    for offer in quote.offers:
        if offer.currency != rules.currency:
            continue
        if quoting.services and not any_alike((offer.service,), quoting.services):
            continue
        days = offer.days
        if days is None:
            if table is None:
                continue
            days = table.days
        yield Quoted(
            quote_id=quote.quote_id,
            connection=quote.connection,
            carrier=offer.carrier,
            service=offer.service,
            amount=offer.amount,
            price=_adjusted(offer, quoting.percent),
            days=days,
            weight_g=quote.weight_g,
            quoted_at=quote.quoted_at,
        )


def _unusable(quote: Quote, rules: Rules) -> str:
    if not quote.offers:
        return quote.problem or f"{quote.connection} offers nothing"
    others = sorted({offer.currency for offer in quote.offers} - {rules.currency})
    if len(others) == len({offer.currency for offer in quote.offers}):
        return f"{quote.connection} quotes in {', '.join(others)}, not in {rules.currency}"
    services = ", ".join(sorted({offer.service for offer in quote.offers}))
    return f"{quote.connection} offers no service that may be used, only {services}"


def _adjusted(offer: Offer, percent: int) -> int:
    """With the rules' percentage, rounded half up to a minor unit."""
    return (offer.amount * (100 + percent) + 50) // 100


def _rounded(quoting: Quoting, order: OrderFacts, site: SiteFacts) -> int:
    """Grams of all that the location could send of the order, rounded up to a step.

    A parcel that turns out lighter, since another location sends a part, is priced as if it were
    not. What is kept for others makes no difference: it would be another lane every time.
    """
    offered = _offered(order, site)
    micrograms = sum(offered[line.line_id] * line.weight_g for line in order.lines)
    return -(-micrograms // (UNIT * quoting.step_g)) * quoting.step_g


def _offered(order: OrderFacts, site: SiteFacts) -> dict[int, int]:
    """Millionths that the location could send, by line; of bundles whole ones."""
    left = {sku_id: max(0, quantity) for sku_id, quantity in site.stock.items()}
    found = {}
    for line in order.lines:
        most = min(left.get(goods.sku_id, 0) * UNIT // goods.each for goods in line.goods)
        most -= most % UNIT if line.parts else 0
        found[line.line_id] = min(most, line.quantity) if site.hazmat or not line.hazmat else 0
        for sku_id, quantity in line.takes(found[line.line_id]):
            left[sku_id] = left.get(sku_id, 0) - quantity
    return found
