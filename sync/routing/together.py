"""Orders that compete for scarce goods, taken together: who may have what.

The order of precedence: the rules' ``priority`` (higher first), then the promised date (earlier
first, none last), then the day on which the order was placed. Orders of one day are equals: what is
scarce goes where all of them together cost least, and among equal costs to who ordered first.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple

from sqlalchemy import Connection

from state import orders
from sync.context import Hub
from sync.routing import batch, survey
from sync.routing import waiting as waits
from sync.routing.decide import Prepared, prepare
from sync.routing.problem import Assignment, Task
from sync.routing.survey import Allotment
from sync.routing.waiting import Waiting

TOGETHER_MAX = 1_000
"""Orders solved at once; those that come after them are planned from what these leave."""

COMPARED_MAX = 5_000
"""Orders read at once to be compared. Of a longer backlog those with the earliest promised date,
then the oldest, are; the others are planned after them, in that order."""

_NEVER = datetime.max.replace(tzinfo=UTC)


class Turn(NamedTuple):
    """An order that is to be planned now, what it may take of scarce goods, and what all the
    waiting orders wait for."""

    order_id: int
    allotment: Allotment | None
    seen: Waiting


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


def queue(conn: Connection, hub: Hub, waiting: Sequence[int]) -> list[Turn]:
    """Whose turn it is, in order: of the waiting orders those of which a look may end otherwise
    than the last one did. Whoever is left out could not use what there is."""
    lines = orders.lines(conn, waiting)
    needs = survey.needs(conn, lines)
    seen = waits.read(conn, hub, needs, {order_id: lines.get(order_id, ()) for order_id in waiting})
    hopeful = [order_id for order_id in waiting if not seen.is_unchanged(order_id)]
    scarce = set(seen.scarce)
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
    return [Turn(order_id, allotments.get(order_id), seen) for order_id in in_order]


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
        (site.location_id, sku_id): 0
        for site in task.sites
        for line in task.lines
        for sku_id, _ in line.takes
        if sku_id in scarce
    }
    for line, location_id in zip(found.lines, found.sites, strict=True):
        for sku_id, quantity in line.takes:
            if location_id is not None and sku_id in scarce:
                may_take[location_id, sku_id] += quantity
    return may_take
