"""An order, the locations and the rules become a decision. Pure: the same in, the same out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import msgspec

from sync.routing import exact, quotes
from sync.routing.decision import Decision, Share, Unfilled, Verdict
from sync.routing.facts import UNIT, Goods, Incoming, LineFacts, OrderFacts, SiteFacts
from sync.routing.judging import barred, counted, demand, judged, needs
from sync.routing.policy import PAID_ENOUGH, Policy, settle
from sync.routing.problem import Assignment, Line, Site, Task
from sync.routing.rules import Rules

ENGINE = "rules/1"
"""Names this way of deciding in what is stored; an older decision is told as it was stored."""


class Prepared(msgspec.Struct, frozen=True):
    """An order brought to numbers.

    ``waits``: why it is not to be planned now. ``kept``: SKU ids of which some goes to others.
    ``coming``: what is on its way to locations that may have the order, earliest first.
    """

    policy: Policy
    verdicts: tuple[Verdict, ...]
    task: Task
    waits: tuple[str, str] | None = None
    kept: frozenset[int] = frozenset()
    coming: tuple[Incoming, ...] = ()


def decide(order: OrderFacts, sites: Sequence[SiteFacts], rules: Rules) -> Decision:
    """The cheapest plan that the rules allow, with what every location was thought of.

    Whatever order ``sites`` come in, the decision is the same to the byte.
    """
    prepared = prepare(order, sites, rules)
    if prepared.waits is not None:
        return Decision(rules.currency, prepared.policy, prepared.verdicts, waits=prepared.waits)
    return _decision(order, rules, prepared, exact.solve(prepared.task))


def prepare(order: OrderFacts, sites: Sequence[SiteFacts], rules: Rules) -> Prepared:
    """What ``decide`` has solved; the batch takes the tasks of many orders together."""
    policy = settle(rules, order)
    verdicts, eligible = [], []
    for site in sorted(sites, key=lambda site: site.code):
        verdict, one = judged(order, site, rules, policy)
        verdicts.append(verdict)
        eligible += [] if one is None else [one]
    kept = frozenset(
        sku_id
        for site in sites
        for sku_id, quantity in site.allotted.items()
        if quantity < site.stock.get(sku_id, 0)
    )
    coming = sorted(
        (one for site in sites if not barred(site, policy) for one in site.incoming),
        key=lambda one: (one.due_on, one.sku_id, one.quantity),
    )
    settled = policy.settled
    alone = settled.split is False or settled.pickup is not None
    task = Task(
        order_id=order.order_id,
        lines=tuple(
            Line(line.line_id, line.quantity, line.takes(), UNIT if line.parts else 1)
            for line in order.lines
        ),
        sites=tuple(eligible),
        split_cost=rules.objective.split,
        # Neither weight nor a dear carrier is a reason to leave goods where they are.
        unfilled_cost=rules.objective.unfilled
        + max((cost for site in eligible for cost in site.line_costs), default=0)
        + max((verdict.quoted.price for verdict in verdicts if verdict.quoted), default=0),
        max_parcels=1 if alone else settled.max_parcels or max(1, len(eligible)),
        ship_complete=bool(settled.ship_complete),
    )
    waits = _waits(order, policy) or _waits_for_quotes(order, sites, rules, policy)
    return Prepared(policy, tuple(verdicts), task, waits, kept, tuple(coming))


def _waits(order: OrderFacts, policy: Policy) -> tuple[str, str] | None:
    settled = policy.settled
    if settled.payment and order.paid not in PAID_ENOUGH[settled.payment]:
        return "payment", f"the payment is not {settled.payment} (rule {policy.by['payment']})"
    if settled.hold is not None:
        return "hold", f"{settled.hold} (rule {policy.by['hold']})"
    if settled.ship_complete and order.parked_lines:
        rule = policy.by["ship_complete"]
        return "parked", f"a line is parked, and the order ships whole (rule {rule})"
    if settled.not_before is not None and order.decided_at.date() < settled.not_before:
        return "not_before", f"not before {settled.not_before} (rule {policy.by['not_before']})"
    return None


def _waits_for_quotes(
    order: OrderFacts, sites: Sequence[SiteFacts], rules: Rules, policy: Policy
) -> tuple[str, str] | None:
    awaited = quotes.awaited(rules, order, askable(sites, policy))
    return ("quotes", f"{awaited} is asked what the parcel would cost") if awaited else None


def askable(sites: Iterable[SiteFacts], policy: Policy) -> list[SiteFacts]:
    """Locations whose parcels may cost what a carrier quotes; none where the buyer collects."""
    if policy.settled.pickup is not None:
        return []
    return [site for site in sites if not barred(site, policy)]


def _decision(order: OrderFacts, rules: Rules, prepared: Prepared, found: Assignment) -> Decision:
    taken: dict[tuple[int, int], int] = {}
    left: dict[int, int] = {}
    for part, location_id in zip(found.lines, found.sites, strict=True):
        if location_id is None:
            left[part.line_id] = left.get(part.line_id, 0) + part.quantity
        else:
            key = (part.line_id, location_id)
            taken[key] = taken.get(key, 0) + part.quantity
    shares = _shares(order, prepared.task, taken)
    used = {share.location_id for share in shares}
    split = rules.objective.split * max(0, len(used) - 1)
    parcels = sum(site.open_cost for site in prepared.task.sites if site.location_id in used)
    return Decision(
        currency=rules.currency,
        policy=prepared.policy,
        verdicts=prepared.verdicts,
        shares=shares,
        unfilled=_unfilled(order, prepared, left, shares),
        split=split,
        cost=split + parcels + sum(share.weight_cost for share in shares),
    )


def _shares(
    order: OrderFacts, task: Task, taken: Mapping[tuple[int, int], int]
) -> tuple[Share, ...]:
    """In (SKU, location) order."""
    places = {line.line_id: place for place, line in enumerate(order.lines)}
    costs = {site.location_id: site.line_costs for site in task.sites}
    shares = []
    for (line_id, location_id), quantity in taken.items():
        line = order.lines[places[line_id]]
        whole = costs[location_id][places[line_id]]
        # A part of a line costs its part of the line's weight, rounded up.
        cost = -(-whole * quantity // line.quantity)
        parts = line.takes(quantity) if line.parts else ()
        shares.append(Share(location_id, line_id, line.sku_id, quantity, cost, parts))
    return tuple(sorted(shares, key=lambda s: (s.sku_id, s.location_id, s.line_id)))


def _unfilled(
    order: OrderFacts, prepared: Prepared, left: Mapping[int, int], shares: Sequence[Share]
) -> tuple[Unfilled, ...]:
    waiting = {goods.sku_id: goods.ahead for line in order.lines for goods in line.goods}
    there = _there(prepared)
    for sku_id, quantity in (taken for share in shares for taken in share.takes):
        there[sku_id] -= quantity
    found = []
    for line in order.lines:
        if quantity := left.get(line.line_id, 0):
            for sku_id, lacking in line.takes(quantity):
                waiting[sku_id] += lacking
            expected = _expected_on(line, prepared.coming, waiting, there)
            why = _why_left(order, line, prepared, shares)
            found.append(Unfilled(line.line_id, line.sku_id, quantity, why, expected))
    return tuple(found)


def _there(prepared: Prepared) -> dict[int, int]:
    """What all locations together may give of the goods that are wanted, by SKU id."""
    sites = prepared.task.sites
    wanted = {sku_id for line in prepared.task.lines for sku_id, _ in line.takes}
    return {sku_id: sum(site.stock.get(sku_id, 0) for site in sites) for sku_id in wanted}


def _expected_on(
    line: LineFacts,
    coming: Sequence[Incoming],
    waiting: Mapping[int, int],
    there: Mapping[int, int],
) -> date | None:
    """The day by which so much of its goods will have come; null when that is not on its way.

    Of a bundle only what there is too little of has to come: its other parts stay where they are.
    """
    lacking = {goods.sku_id: waiting[goods.sku_id] for goods in line.goods}
    if line.parts:
        lacking = {sku: qty - there[sku] for sku, qty in lacking.items() if qty > there[sku]}
    days = [_day_of(coming, sku_id, quantity) for sku_id, quantity in lacking.items()]
    known = [day for day in days if day is not None]
    return max(known) if known and len(known) == len(days) else None


def _day_of(coming: Sequence[Incoming], sku_id: int, wanted: int) -> date | None:
    there = 0
    for one in coming:
        if one.sku_id == sku_id:
            there += one.quantity
            if there >= wanted:
                return one.due_on
    return None


def _why_left(
    order: OrderFacts, line: LineFacts, prepared: Prepared, shares: Sequence[Share]
) -> str:
    task = prepared.task
    there, short = _there(prepared), []
    for goods in line.goods:
        wanted = demand(order.lines, goods.sku_id)
        if there[goods.sku_id] < wanted:
            short.append((goods, wanted))
    scarce = [goods.sku for goods, _ in short if goods.sku_id in prepared.kept]
    if scarce:
        return f"{scarce[0]} is scarce and goes to orders that come first"
    if not task.sites:
        return "no location may serve it"
    if short:
        return " and ".join(_lacking(order, g, wanted, there[g.sku_id]) for g, wanted in short)
    if line.parts and not any(_makes_one(line, site, shares) for site in task.sites):
        more = "more " if any(share.line_id == line.line_id for share in shares) else ""
        return f"no location has all that one {more}{line.sku} holds"
    if task.ship_complete:
        return "the order ships whole or not at all, and it cannot be had whole"
    return f"not in {task.max_parcels} parcel{'s' * (task.max_parcels > 1)}, the most allowed"


def _lacking(order: OrderFacts, goods: Goods, wanted: int, there: int) -> str:
    if there == 0:
        return f"no location that may serve it has {goods.sku}"
    needed = needs(order.lines, goods)
    if needed:
        return f"{needed}, and only {counted(there)} can be had"
    return f"only {counted(there)} of {counted(wanted)} {goods.sku} can be had"


def _makes_one(line: LineFacts, site: Site, shares: Sequence[Share]) -> bool:
    """Does what the shares leave of a location's goods make one bundle?"""
    left = dict(site.stock)
    for share in shares:
        if share.location_id == site.location_id:
            for sku_id, quantity in share.takes:
                left[sku_id] -= quantity
    return all(left.get(goods.sku_id, 0) >= goods.each for goods in line.parts)
