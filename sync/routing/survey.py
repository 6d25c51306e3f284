"""Reads from the store what a decision is made from: an order, and the locations as they are now.

Everything that depends on a clock, a map or a calendar is settled here, so that ``decide`` has
only values in its hands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import Connection, Row

from state import catalogue, fulfilment, history, orders, rate_quotes, routing_history, stock
from sync.routing.distance import Place, between
from sync.routing.facts import (
    UNIT,
    Incoming,
    LineFacts,
    Offer,
    OrderFacts,
    PartFacts,
    Quote,
    SiteFacts,
)
from sync.routing.hours import Hours, hours_of, midnight, opening
from sync.routing.policy import hold_reason
from sync.routing.quotes import Lane, lane_of
from sync.routing.rules import Paid, Rules

Allotment = Mapping[tuple[int, int], int]
"""What one order may take of goods that are scarce: (location id, SKU id) -> millionths."""


def order_facts(
    conn: Connection, order: Row[Any], channel: str, rules: Rules, now: datetime
) -> OrderFacts:
    """The order as a decision sees it; without ``lines`` it needs nothing any more."""
    ship_to, bill_to = (orders.address(conn, i) for i in (order.ship_to_id, order.bill_to_id))
    buyer = bill_to or ship_to
    lines = orders.lines(conn, [order.id]).get(order.id, [])
    lifted = history.lifted_reasons(conn, order.id, "manual")
    return OrderFacts(
        order_id=order.id,
        decided_at=now,
        placed_at=order.placed_at,
        channel=channel,
        currency=order.currency,
        value=order.grand_total,
        country=ship_to.country if ship_to else "",
        postcode=ship_to.postcode if ship_to else "",
        lines=_lines(conn, order, lines),
        parked_lines=sum(line.park_reason is not None for line in lines),
        sub_channel=order.sub_channel,
        service=order.service_name,
        due_at=order.deliver_by_at,
        b2b=any(address is not None and bool(address.company) for address in (bill_to, ship_to)),
        paid=_paid(conn, order),
        earlier_orders=(
            orders.earlier_of(conn, buyer.email, order.placed_at)
            if rules.asks_history and buyer is not None and buyer.email
            else None
        ),
        passed=tuple(
            rule.name
            for rule in rules.rules
            if rule.then.hold is not None and hold_reason(rule) in lifted
        ),
        waiting_since=(
            routing_history.first_wait(conn, order.id, "quotes") or now
            if any(quoting.wait_minutes for quoting in rules.quotes)
            else None
        ),
    )


def site_facts(
    conn: Connection,
    order: Row[Any],
    facts: OrderFacts,
    rules: Rules,
    allotment: Allotment | None = None,
) -> tuple[SiteFacts, ...]:
    """Every location that may serve the order's channel."""
    places = fulfilment.locations_of_channel(conn, order.connection_id)
    ship_to = orders.address(conn, order.ship_to_id)
    goal = Place(facts.country, facts.postcode, ship_to.city if ship_to else "")
    skus = [goods.sku_id for line in facts.lines for goods in line.goods]
    held = available(conn, skus)
    hours = _hours(places)
    given = given_today(conn, places, facts.decided_at)
    reasons = _given_up(conn, facts.order_id)
    coming = _coming(conn, skus)
    sites = tuple(
        _site(
            place,
            facts,
            goal,
            hours.get(place.id),
            stock=held.get(place.id, {}),
            allotted=_allotted(place.id, allotment),
            given=given.get(place.id, (0, Decimal(0))),
            incoming=coming.get(place.id, ()),
            given_up=reasons.get(place.id, ""),
        )
        for place in places
    )
    return _with_quotes(conn, facts, sites, rules)


def given_today(
    conn: Connection, places: Sequence[Row[Any]], now: datetime
) -> dict[int, tuple[int, Decimal]]:
    """(orders, units) given since midnight to each location that takes only so many a day."""
    hours = _hours(places)
    since = {
        place.id: midnight(hours.get(place.id), now)
        for place in places
        if place.daily_orders is not None or place.daily_units is not None
    }
    return fulfilment.given_since(conn, since)


def _hours(places: Sequence[Row[Any]]) -> dict[int, Hours]:
    """Without a calendar a location is always open."""
    return {place.id: hours_of(place.calendar) for place in places if place.calendar is not None}


def available(conn: Connection, sku_ids: Iterable[int]) -> dict[int, dict[int, int]]:
    """Millionths that can be reserved, where there are any: location id -> SKU id -> quantity."""
    found: dict[int, dict[int, int]] = {}
    for level in stock.levels(conn, sku_ids):
        if level.available > 0:
            found.setdefault(level.location_id, {})[level.sku_id] = int(level.available * UNIT)
    return found


def needs(
    conn: Connection, orders_lines: Mapping[int, Iterable[Row[Any]]]
) -> dict[int, dict[int, int]]:
    """Millionths that orders still need of what stands on shelves: order id -> SKU id -> quantity.

    Bundles are taken apart: it is their components that orders compete for.
    """
    needed = {order_id: _needed(lines) for order_id, lines in orders_lines.items()}
    inside = stock.contents(conn, {line.sku_id for one in needed.values() for line, _ in one})
    return {
        order_id: {
            sku_id: int(qty * UNIT)
            for sku_id, qty in stock.taken_apart(
                inside, [(line.sku_id, qty) for line, qty in lines]
            ).items()
        }
        for order_id, lines in needed.items()
    }


def _lines(conn: Connection, order: Row[Any], lines: Iterable[Row[Any]]) -> tuple[LineFacts, ...]:
    needed = _needed(lines)
    inside = stock.contents(conn, {line.sku_id for line, _ in needed})
    singles = {sku_id for parts in inside.values() for sku_id in parts}
    skus = catalogue.by_ids(conn, {line.sku_id for line, _ in needed} | singles)
    tags = catalogue.tags_of(conn, skus)
    ahead = _ahead(conn, order, skus)
    found = []
    for line, qty in needed:
        sku = skus[line.sku_id]
        parts = tuple(
            _goods(skus[sku_id], int(each * UNIT), ahead)
            for sku_id, each in sorted(inside.get(line.sku_id, {}).items())
        )
        known = {
            tag for one in (line.sku_id, *(p.sku_id for p in parts)) for tag in tags.get(one, ())
        }
        found.append(
            LineFacts(
                line_id=line.id,
                line_no=line.line_no,
                sku_id=line.sku_id,
                sku=sku.code,
                quantity=_plannable(qty, in_bundles=bool(parts)),
                weight_g=_weight_g(sku, parts, skus),
                hazmat=bool(sku.hazmat) or any(part.hazmat for part in parts),
                ahead=0 if parts else ahead.get(line.sku_id, 0),
                tags=tuple(sorted(known)) if parts else tags.get(line.sku_id, ()),
                parts=parts,
                unweighed=next((p.sku for p in parts if not skus[p.sku_id].weight_g), ""),
            )
        )
    return tuple(line for line in found if line.quantity)


def _goods(sku: Row[Any], each: int, ahead: Mapping[int, int]) -> PartFacts:
    return PartFacts(sku.id, sku.code, each, bool(sku.hazmat), ahead.get(sku.id, 0))


def _plannable(qty: Decimal, *, in_bundles: bool) -> int:
    """Millionths; of bundles only whole ones can be packed."""
    millionths = int(qty * UNIT)
    return millionths - millionths % UNIT if in_bundles else millionths


def _weight_g(sku: Row[Any], parts: Iterable[PartFacts], skus: Mapping[int, Row[Any]]) -> int:
    """Grams of one; of a bundle all that is in it, rounded up."""
    inside = sum(skus[part.sku_id].weight_g * part.each for part in parts)
    return -(-inside // UNIT) if parts else int(sku.weight_g)


def _ahead(conn: Connection, order: Row[Any], sku_ids: Iterable[int]) -> dict[int, int]:
    """Millionths that orders placed before still wait for, also inside bundles.

    Asked only of goods that are on their way: it is needed for their date.
    """
    due = {one.sku_id for one in fulfilment.due(conn, sku_ids)}
    if not due:
        return {}
    waited = orders.waited_for_before(conn, order, due | set(stock.holders(conn, due)))
    return {sku_id: int(qty * UNIT) for sku_id, qty in stock.explode(conn, waited.items()).items()}


def _needed(lines: Iterable[Row[Any]]) -> list[tuple[Row[Any], Decimal]]:
    """The lines that can be planned, with what of them is neither cancelled nor in hand."""
    found = []
    for line in lines:
        in_hand = line.qty_allocated + line.qty_released + line.qty_shipped
        qty = Decimal(line.qty_ordered - line.qty_cancelled - in_hand)
        fit = line.park_reason is None and line.sku_id is not None and line.requires_shipping
        if fit and qty > 0:
            found.append((line, qty))
    return found


def _paid(conn: Connection, order: Row[Any]) -> Paid:
    payments = orders.payments(conn, order.id)
    captured = sum(payment.amount_captured for payment in payments)
    states = {payment.state for payment in payments}
    # Some channels tell that it was captured, and not how much.
    if captured >= order.grand_total or (captured == 0 and "captured" in states):
        return "captured"
    return "authorised" if states & {"authorised", "captured"} else "none"


def _coming(conn: Connection, sku_ids: Iterable[int]) -> dict[int, tuple[Incoming, ...]]:
    """What is on its way, by the location that it goes to."""
    found: dict[int, tuple[Incoming, ...]] = {}
    for one in fulfilment.due(conn, sku_ids):
        coming = Incoming(one.sku_id, int(one.qty * UNIT), one.due_on)
        found[one.to_location_id] = (*found.get(one.to_location_id, ()), coming)
    return found


def _given_up(conn: Connection, order_id: int) -> dict[int, str]:
    """Why a location shall not have the order again, unless a person has forgiven it."""
    return {
        row.location_id: f"gave the order up: {row.refused_reason}"
        for row in fulfilment.given_up(conn, order_id)
    }


def _with_quotes(
    conn: Connection, facts: OrderFacts, sites: tuple[SiteFacts, ...], rules: Rules
) -> tuple[SiteFacts, ...]:
    """The locations with what carriers have said that their parcels would cost."""
    lanes = {site.location_id: lane_of(rules, facts, site) for site in sites if rules.quotes}
    asked = [lane for lane in lanes.values() if lane is not None]
    if not asked:
        return sites
    # The newest of a lane comes last and counts.
    known = {
        Lane(row.connection, row.location_id, *asked[0].to, row.weight_g): row
        for row in rate_quotes.valid(
            conn, [lane.location_id for lane in asked], asked[0].to, facts.decided_at
        )
    }
    return tuple(
        msgspec.structs.replace(site, quote=_quote(known.get(lane)))
        if (lane := lanes[site.location_id]) is not None
        else site
        for site in sites
    )


def _quote(row: Row[Any] | None) -> Quote | None:
    if row is None:
        return None
    offers = msgspec.convert(row.offers, tuple[Offer, ...])
    return Quote(row.id, row.connection, row.weight_g, row.quoted_at, offers, row.problem)


def _allotted(location_id: int, allotment: Allotment | None) -> dict[int, int]:
    here = (allotment or {}).items()
    return {sku_id: qty for (place, sku_id), qty in here if place == location_id}


def _site(
    place: Row[Any],
    facts: OrderFacts,
    goal: Place,
    hours: Hours | None,
    *,
    stock: dict[int, int],
    allotted: dict[int, int],
    given: tuple[int, Decimal],
    incoming: tuple[Incoming, ...],
    given_up: str,
) -> SiteFacts:
    far = between(Place(place.country, place.postcode, place.city), goal)
    return SiteFacts(
        location_id=place.id,
        code=place.code,
        kind=place.kind,
        rank=place.rank,
        km=round(far.km),
        precision=far.precision,
        ready_at=opening(hours).ready_at(facts.decided_at) if hours else facts.decided_at,
        stock=stock,
        allotted=allotted,
        incoming=incoming,
        given_up=given_up,
        ships=bool(place.ships),
        picks_up=bool(place.picks_up),
        hazmat=bool(place.hazmat),
        daily_orders=place.daily_orders,
        daily_units=place.daily_units,
        orders_today=given[0],
        units_today=int(given[1] * UNIT),
    )
