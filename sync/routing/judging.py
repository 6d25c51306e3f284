"""What one location can do for an order: why it cannot serve it, or what its parcel costs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from sync.routing.decision import Verdict
from sync.routing.facts import UNIT, Goods, LineFacts, OrderFacts, SiteFacts
from sync.routing.policy import Policy, any_alike, late_cost
from sync.routing.problem import Site
from sync.routing.quotes import Fare, fare_of
from sync.routing.rules import Rate, Rules

_DAY = timedelta(days=1)


def judged(
    order: OrderFacts, site: SiteFacts, rules: Rules, policy: Policy
) -> tuple[Verdict, Site | None]:
    """A location's verdict and, unless it is dropped, what its parcels cost."""
    collects = policy.settled.pickup is not None
    fare = Fare(Rate(parcel=0)) if collects else fare_of(rules, order, site, policy)
    rate = fare.rate
    stock = {goods.sku_id: _offered(goods, site) for line in order.lines for goods in line.goods}
    verdict = Verdict(site.location_id, site.code, site.km, site.precision, site.ready_at)
    why = _dropped(order, site, policy, stock)
    if not why and rate is None:
        why = f"there is no rate from here to {order.country or 'an unknown country'}"
        why += f", and {fare.unquoted}" if fare.unquoted else ""
    if why or rate is None:
        return msgspec.structs.replace(verdict, dropped=why), None
    arrives = site.ready_at + _DAY * rate.days
    terms = {
        "parcel": rate.parcel,
        "distance": 0 if collects else site.km * rules.objective.per_100_km // 100,
        "lateness": late_cost(rules, policy, arrives),
        "imbalance": rules.objective.imbalance * _used_percent(site) // 100,
        "surcharge": _surcharge(policy, site.code),
    }
    terms = {name: amount for name, amount in terms.items() if amount}
    weights = tuple(_weight_cost(rate, line) for line in order.lines)
    lacks = _lacks(order, site, stock)
    verdict = msgspec.structs.replace(
        verdict,
        terms=terms,
        lacks=lacks,
        alone=None if lacks else sum(terms.values()) + sum(weights),
        arrives_at=arrives,
        quoted=fare.quoted,
        unquoted=fare.unquoted,
    )
    costs = (sum(terms.values()), weights)
    return verdict, Site(site.location_id, site.code, *costs, stock)


def barred(site: SiteFacts, policy: Policy) -> str:
    """Why a location may not have the order whatever is in stock there; empty when it may."""
    settled, by = policy.settled, policy.by
    if site.given_up:
        return site.given_up
    if settled.pickup is not None and site.code != settled.pickup:
        return f"the buyer collects at {settled.pickup}"
    if settled.pickup is not None and not site.picks_up:
        return "buyers cannot collect here"
    if settled.pickup is None and not site.ships:
        return "does not ship"
    if settled.locations is not None and not any_alike((site.code,), settled.locations):
        return f"not among the locations of rule {by['locations']}"
    if settled.avoid is not None and any_alike((site.code,), settled.avoid):
        return f"avoided by rule {by['avoid']}"
    if settled.kinds is not None and site.kind not in settled.kinds:
        return f"is a {site.kind}, which rule {by['kinds']} does not allow"
    return ""


def _dropped(order: OrderFacts, site: SiteFacts, policy: Policy, stock: dict[int, int]) -> str:
    """Why a location cannot serve the order at all; empty when it can."""
    why = barred(site, policy) or _full(order, site)
    return why or ("" if any(stock.values()) else _has_none(order, site))


def _full(order: OrderFacts, site: SiteFacts) -> str:
    if site.daily_orders is not None and site.orders_today >= site.daily_orders:
        return f"full today: {site.orders_today} of {site.daily_orders} orders"
    if site.daily_units is None:
        return ""
    units = sum(quantity for line in order.lines for _, quantity in line.takes())
    # An order larger than a whole day is taken by a day that is still empty, or it never would be.
    if site.units_today and site.units_today + units > site.daily_units * UNIT:
        return (
            f"full today: {counted(site.units_today)} of {site.daily_units} units, "
            f"and the order has {counted(units)}"
        )
    return ""


def _has_none(order: OrderFacts, site: SiteFacts) -> str:
    there = any(site.stock.get(goods.sku_id, 0) > 0 for line in order.lines for goods in line.goods)
    if there and not site.hazmat and any(line.hazmat for line in order.lines):
        return "does not handle hazardous goods"
    if there:
        return "what it has is kept for orders that come first"
    return "has none of the goods"


def _offered(goods: Goods, site: SiteFacts) -> int:
    if goods.hazmat and not site.hazmat:
        return 0
    there = max(0, site.stock.get(goods.sku_id, 0))
    return min(there, site.allotted.get(goods.sku_id, there))


def _lacks(order: OrderFacts, site: SiteFacts, stock: dict[int, int]) -> tuple[str, ...]:
    """In words, every SKU of which it cannot send all; two lines of one SKU share what is there."""
    told = []
    for goods in {goods.sku_id: goods for line in order.lines for goods in line.goods}.values():
        wanted, there = demand(order.lines, goods.sku_id), stock[goods.sku_id]
        if there >= wanted:
            continue
        kept, needed = _kept(site, goods.sku_id), needs(order.lines, goods)
        if goods.hazmat and not site.hazmat:
            told.append(f"may not handle {goods.sku}, which is hazardous")
        elif needed:
            told.append(f"{needed}, {site.code} has {counted(there) if there else 'none'}{kept}")
        elif there == 0:
            told.append(f"has no {goods.sku}{kept}")
        else:
            told.append(f"has {counted(there)} of {counted(wanted)} {goods.sku}{kept}")
    return tuple(told)


def demand(lines: Sequence[LineFacts], sku_id: int) -> int:
    """Millionths of a SKU that the lines take altogether, by themselves and inside bundles."""
    return sum(
        line.quantity * goods.each // UNIT
        for line in lines
        for goods in line.goods
        if goods.sku_id == sku_id
    )


def needs(lines: Sequence[LineFacts], goods: Goods) -> str:
    """What bundles need of a SKU, in words; empty where no bundle of the order holds it."""
    holding = [line for line in lines if any(part.sku_id == goods.sku_id for part in line.parts)]
    told = [
        f"{counted(line.quantity)} {line.sku} need{'s' * (line.quantity == UNIT)} "
        f"{counted(dict(line.takes())[goods.sku_id])} {goods.sku}"
        for line in holding
    ]
    alone = demand([line for line in lines if line not in holding], goods.sku_id)
    if told and alone:
        told.append(f"other lines {counted(alone)}")
    return " and ".join(told)


def _kept(site: SiteFacts, sku_id: int) -> str:
    kept = site.allotted.get(sku_id, site.stock.get(sku_id, 0)) < site.stock.get(sku_id, 0)
    return " for this order (it is scarce)" if kept else ""


def _used_percent(site: SiteFacts) -> int:
    used = 0
    if site.daily_orders:
        used = site.orders_today * 100 // site.daily_orders
    if site.daily_units:
        used = max(used, site.units_today * 100 // (site.daily_units * UNIT))
    return min(100, used)


def _surcharge(policy: Policy, code: str) -> int:
    given = policy.settled.surcharge or {}
    return next((cost for name, cost in given.items() if any_alike((code,), (name,))), 0)


def _weight_cost(rate: Rate, line: LineFacts) -> int:
    """By the kilogram, rounded half up to a minor unit."""
    gram_units = line.quantity * line.weight_g * rate.per_kg
    return (gram_units + UNIT * 500) // (UNIT * 1000)


def counted(quantity: int) -> str:
    """Millionths as people write them: ``2``, ``1.5``."""
    whole, rest = divmod(quantity, UNIT)
    return f"{whole}.{rest:06d}".rstrip("0") if rest else str(whole)
