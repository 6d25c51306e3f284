"""An order, the locations and the rules become a decision. Pure: the same in, the same out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import msgspec

from sync.routing import exact, quotes
from sync.routing.decision import Decision, Share, Unfilled, Verdict
from sync.routing.facts import Incoming, LineFacts, OrderFacts, SiteFacts
from sync.routing.judging import barred, counted, judged
from sync.routing.policy import PAID_ENOUGH, Policy, settle
from sync.routing.problem import Assignment, Line, Task
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
        lines=tuple(Line(line.line_id, line.sku_id, line.quantity) for line in order.lines),
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
        unfilled=_unfilled(order, prepared, left),
        split=split,
        cost=split + parcels + sum(share.weight_cost for share in shares),
    )


def _shares(
    order: OrderFacts, task: Task, taken: Mapping[tuple[int, int], int]
) -> tuple[Share, ...]:
    """In (SKU, location) order, the order in which every transaction reserves."""
    places = {line.line_id: place for place, line in enumerate(order.lines)}
    costs = {site.location_id: site.line_costs for site in task.sites}
    shares = []
    for (line_id, location_id), quantity in taken.items():
        line = order.lines[places[line_id]]
        whole = costs[location_id][places[line_id]]
        # A part of a line costs its part of the line's weight, rounded up.
        cost = -(-whole * quantity // line.quantity)
        shares.append(Share(location_id, line_id, line.sku_id, quantity, cost))
    return tuple(sorted(shares, key=lambda s: (s.sku_id, s.location_id, s.line_id)))


def _unfilled(
    order: OrderFacts, prepared: Prepared, left: Mapping[int, int]
) -> tuple[Unfilled, ...]:
    task = prepared.task
    held = {
        line.sku_id: [site.stock.get(line.sku_id, 0) for site in task.sites] for line in task.lines
    }
    waiting = {line.sku_id: line.ahead for line in order.lines}
    found = []
    for line in order.lines:
        if quantity := left.get(line.line_id, 0):
            waiting[line.sku_id] += quantity
            expected = _expected_on(prepared.coming, line.sku_id, waiting[line.sku_id])
            why = _why_left(line, prepared, held)
            found.append(Unfilled(line.line_id, line.sku_id, quantity, why, expected))
    return tuple(found)


def _expected_on(coming: Sequence[Incoming], sku_id: int, wanted: int) -> date | None:
    """The day by which so much of a SKU will have come; null when that is not on its way."""
    there = 0
    for one in coming:
        if one.sku_id == sku_id:
            there += one.quantity
            if there >= wanted:
                return one.due_on
    return None


def _why_left(line: LineFacts, prepared: Prepared, held: Mapping[int, Sequence[int]]) -> str:
    task = prepared.task
    wanted = sum(other.quantity for other in task.lines if other.sku_id == line.sku_id)
    there = sum(held[line.sku_id])
    if there < wanted and line.sku_id in prepared.kept:
        return f"{line.sku} is scarce and goes to orders that come first"
    if not task.sites:
        return "no location may serve it"
    if there == 0:
        return f"no location that may serve it has {line.sku}"
    if there < wanted:
        return f"only {counted(there)} of {counted(wanted)} {line.sku} can be had"
    if task.ship_complete:
        return "the order ships whole or not at all, and it cannot be had whole"
    return f"not in {task.max_parcels} parcel{'s' * (task.max_parcels > 1)}, the most allowed"
