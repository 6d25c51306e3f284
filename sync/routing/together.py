"""Orders that compete for scarce goods, taken together: who may have what.

The order of precedence: the rules' ``priority`` (higher first), then the promised date (earlier
first, none last), then the day on which the order was placed. Orders of one day are equals: what is
scarce goes where all of them together cost least, and among equal costs to who ordered first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple

from sqlalchemy import Connection

from state import fulfilment, orders
from sync.context import Hub
from sync.routing import batch, survey
from sync.routing.decide import Prepared, prepare
from sync.routing.problem import Assignment, Task
from sync.routing.survey import Allotment

TOGETHER_MAX = 1_000
"""Orders solved at once; those that come after them are planned from what these leave."""

COMPARED_MAX = 5_000
"""Orders read at once to be compared. Of a longer backlog those with the earliest promised date,
then the oldest, are; the others are planned after them, in that order."""

_NEVER = datetime.max.replace(tzinfo=UTC)

Queue = list[tuple[int, Allotment | None]]


class _Waiting(NamedTuple):
    """``precedence`` sorts; ``needs`` is millionths by SKU id."""

    order_id: int
    placed_at: datetime
    prepared: Prepared

    @property
    def rank(self) -> tuple[int, date, date]:
        """The greater, the later: of orders that differ in it the lower is served first."""
        priority, due_at, placed_at, _ = self.precedence
        return priority, due_at.date(), placed_at.date()

    @property
    def precedence(self) -> tuple[int, datetime, datetime, int]:
        policy = self.prepared.policy
        priority = policy.settled.priority or 0
        return (-priority, policy.due_at or _NEVER, self.placed_at, self.order_id)


def queue(conn: Connection, hub: Hub, waiting: Sequence[int]) -> Queue:
    """Order ids in the order they are to be planned, with what each may take of scarce goods."""
    needs = {
        order_id: survey.needs(lines) for order_id, lines in orders.lines(conn, waiting).items()
    }
    supply = _supply(conn, needs)
    hopeful = _hopeful(conn, hub, waiting, needs, supply)
    scarce = _scarce(needs, supply)
    rivals = {one for one in hopeful if scarce & needs.get(one, {}).keys()}
    # Reading an order costs more than all the rest: only those are read that are to be compared.
    all_compared = hub.routing.asks_priority
    compared = hopeful if all_compared else [one for one in hopeful if one in rivals]
    ranked = sorted(
        (_waiting(conn, hub, order_id) for order_id in compared[:COMPARED_MAX]),
        key=lambda one: one.precedence,
    )
    competing = [one for one in ranked if one.order_id in rivals][:TOGETHER_MAX]
    allotments = _shared_out(competing, scarce)
    # Rivals go first: nobody else wants what is scarce, and what they want beside it is plenty.
    first = [one.order_id for one in competing if one.order_id in allotments]
    then = [one.order_id for one in ranked] if all_compared else []
    in_order = dict.fromkeys((*first, *then, *hopeful))
    return [(order_id, allotments.get(order_id)) for order_id in in_order]


def _hopeful(
    conn: Connection,
    hub: Hub,
    waiting: Sequence[int],
    needs: Mapping[int, Mapping[int, int]],
    supply: Mapping[int, int],
) -> list[int]:
    """Orders for which there may be anything.

    Those of which no location has anything are looked at when they come, and then once an hour:
    there may be many, and nothing but the date on which goods are expected can have changed.
    """
    told = fulfilment.orders_decided(conn, waiting)
    minute = hub.clock.now().minute
    return [
        order_id
        for order_id in waiting
        if order_id not in told
        or order_id % 60 == minute
        or any(supply.get(sku_id) for sku_id in needs.get(order_id, {}))
    ]


def _supply(conn: Connection, needs: Mapping[int, Mapping[int, int]]) -> dict[int, int]:
    """Millionths available anywhere, by SKU id."""
    supply: dict[int, int] = {}
    for held in survey.available(conn, {sku for need in needs.values() for sku in need}).values():
        for sku_id, quantity in held.items():
            supply[sku_id] = supply.get(sku_id, 0) + quantity
    return supply


def _scarce(needs: Mapping[int, Mapping[int, int]], supply: Mapping[int, int]) -> set[int]:
    """SKUs of which there is some, but less than all waiting orders need."""
    demand: dict[int, int] = {}
    for need in needs.values():
        for sku_id, quantity in need.items():
            demand[sku_id] = demand.get(sku_id, 0) + quantity
    return {sku_id for sku_id, there in supply.items() if 0 < there < demand[sku_id]}


def _waiting(conn: Connection, hub: Hub, order_id: int) -> _Waiting:
    order = orders.get(conn, order_id)
    channel = hub.link_by_id(order.connection_id).name
    facts = survey.order_facts(conn, order, channel, hub.routing, hub.clock.now())
    sites = survey.site_facts(conn, order, facts, hub.routing)
    return _Waiting(order_id, order.placed_at, prepare(facts, sites, hub.routing))


def _shared_out(rivals: Sequence[_Waiting], scarce: set[int]) -> dict[int, Allotment]:
    """What each rival may take of the scarce SKUs at each location; of all others it is free."""
    # One that was changed since the queue was read may need nothing any more.
    rivals = [one for one in rivals if one.prepared.waits is None and one.prepared.task.lines]
    if len(rivals) < 2:
        return {}
    tasks = [one.prepared.task for one in rivals]
    stock = {
        (site.location_id, sku_id): quantity
        for task in tasks
        for site in task.sites
        for sku_id, quantity in site.stock.items()
    }
    ranks = sorted({one.rank for one in rivals}, reverse=True)
    priorities = [ranks.index(one.rank) for one in rivals]
    return {
        task.order_id: _allotment(task, found, scarce)
        for task, found in zip(tasks, batch.solve(tasks, stock, priorities=priorities), strict=True)
    }


def _allotment(task: Task, found: Assignment, scarce: set[int]) -> Allotment:
    may_take = {
        (site.location_id, line.sku_id): 0
        for site in task.sites
        for line in task.lines
        if line.sku_id in scarce
    }
    for line, location_id in zip(found.lines, found.sites, strict=True):
        if location_id is not None and line.sku_id in scarce:
            may_take[location_id, line.sku_id] += line.quantity
    return may_take
