"""Asking carriers what the parcels of waiting orders would cost, before the orders are planned.

Routing itself asks nobody: it takes the answers that are stored and good, and the table of rates
where there is none. So a carrier that does not answer delays no order.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Row

from connectors.base import EstimatesRates
from connectors.errors import Rejected
from mappings import MappingError
from mappings import canonical as c
from state import fulfilment, orders, rate_quotes
from state.streams import key_of
from sync.context import Hub, Run
from sync.routing import survey
from sync.routing.decide import askable, prepare
from sync.routing.facts import Offer
from sync.routing.quotes import Lane, missing

JOB = "pull-rates"

LANES_MAX = 150
"""Questions in one run: about a minute's worth at three a second, so that labels get through."""

ORDERS_MAX = 5_000
"""Orders looked at in one run, those that came last first: the others were looked at before."""


class _Question(NamedTuple):
    """``ship_to``: the place alone. ``ship_at``: when a parcel ordered now would leave."""

    lane: Lane
    ship_to: c.Address
    ship_at: datetime


def asked_first(hub: Hub, wake: Collection[str]) -> set[str]:
    """The streams to wake; carriers are asked before orders are planned, where the rules want it.

    ``pull-rates`` then wakes ``allocate``, which has its own interval for when that fails.
    """
    keys = asking(hub)
    return (set(wake) - {"allocate"}) | keys if keys and "allocate" in wake else set(wake)


def asking(hub: Hub) -> set[str]:
    """The streams that ask for what the rules want to know."""
    return {key_of(JOB, name) for name in hub.routing.quoting}


def pull_rates(hub: Hub, run: Run) -> None:
    """Job: ask what the parcels of waiting orders cost, where no answer is at hand that is good."""
    link = hub.link(run)
    connector = link.connector
    if not isinstance(connector, EstimatesRates):
        raise TypeError(f"{connector.info.name} does not estimate rates")
    if link.name not in hub.routing.quoting:
        return
    with hub.store.read() as conn:
        questions = _questions(conn, hub, link.name)
    try:
        for question in questions[:LANES_MAX]:
            _ask(hub, run, connector, link.id, question)
            if run.stopping:
                return
    finally:
        # Also when the carrier does not answer: then the table has to do.
        with run.commit() as conn:
            run.request(conn, "allocate")
            if len(questions) > LANES_MAX:
                run.request(conn, key_of(JOB, link.name))


def _questions(conn: Connection, hub: Hub, connection: str) -> list[_Question]:
    """What is to be asked, each lane once; more than ``LANES_MAX`` where there are more."""
    # An order that waits for its payment is planned the moment it is paid.
    waiting = [*orders.awaiting_allocation(conn), *orders.held_for(conn, "payment")]
    needs = survey.needs(conn, orders.lines(conn, waiting))
    held = survey.available(conn, {sku for need in needs.values() for sku in need})
    there = {sku_id for stock in held.values() for sku_id in stock}
    hopeful = [order_id for order_id in waiting if there & needs.get(order_id, {}).keys()]
    found: dict[Lane, _Question] = {}
    for order_id in sorted(hopeful, reverse=True)[:ORDERS_MAX]:
        for question in _questions_of(conn, hub, orders.get(conn, order_id)):
            if question.lane.connection == connection:
                found.setdefault(question.lane, question)
        if len(found) > LANES_MAX:
            break
    return list(found.values())


def _questions_of(conn: Connection, hub: Hub, order: Row[Any]) -> list[_Question]:
    rules = hub.routing
    channel = hub.link_by_id(order.connection_id).name
    facts = survey.order_facts(conn, order, channel, rules, hub.clock.now())
    sites = survey.site_facts(conn, order, facts, rules)
    prepared = prepare(facts, sites, rules)
    if prepared.waits is not None and prepared.waits[0] not in ("quotes", "payment"):
        return []
    ready = {site.location_id: site.ready_at for site in sites}
    ship_to = orders.address(conn, order.ship_to_id)
    city, region = (ship_to.city, ship_to.region) if ship_to else ("", "")
    return [
        _Question(
            lane,
            c.Address(city=city, region=region, postcode=lane.postcode, country=lane.country),
            ready[lane.location_id],
        )
        for lane in missing(rules, facts, askable(sites, prepared.policy))
    ]


def _ask(
    hub: Hub, run: Run, connector: EstimatesRates, connection_id: int, question: _Question
) -> None:
    """Ask about one lane and keep the answer, also that there is none: it is not asked again."""
    lane = question.lane
    with hub.store.read() as conn:
        place = fulfilment.location(conn, lane.location_id)
    offers, problem = _answer(connector, place, question)
    with run.commit() as conn:
        rate_quotes.add(
            conn,
            connection_id=connection_id,
            location_id=lane.location_id,
            to=lane.to,
            weight_g=lane.weight_g,
            offers=[msgspec.to_builtins(offer) for offer in offers],
            problem=problem,
            quoted_at=hub.clock.now(),
            good_for=_good_for(hub, lane),
        )
    run.count("quoted" if offers else "nothing_offered")


def _answer(
    connector: EstimatesRates, place: Row[Any], question: _Question
) -> tuple[list[Offer], str]:
    """What is offered; or nothing, and why."""
    if not place.country or not place.postcode:
        return [], f"[locations.{place.code}] has no country and postcode"
    request = c.RateRequest(
        ship_from=c.Address(
            city=place.city, region=place.region, postcode=place.postcode, country=place.country
        ),
        ship_to=question.ship_to,
        weight_g=question.lane.weight_g,
        ship_at=question.ship_at,
    )
    try:
        quotes = connector.estimate_rates(request)
    except (Rejected, MappingError) as refusal:
        # About this lane; the others have nothing to do with it.
        return [], str(refusal)
    return [
        Offer(one.carrier, one.service_code, one.amount, one.currency, one.delivery_days)
        for one in quotes
    ], ""


def _good_for(hub: Hub, lane: Lane) -> timedelta:
    """The longest that any rule takes the connection's quotes for; each looks at its own again."""
    hours = (one.good_hours for one in hub.routing.quotes if one.connection == lane.connection)
    return timedelta(hours=max(hours))
