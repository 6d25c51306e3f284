"""Decides the orders of the past again, by other rules, each as things stood at the time.

An order is decided from what the first decision that planned anything was made from (or the last,
if none did). Goods that the proposed rules would have taken elsewhere are carried along: what an
earlier order of the period takes differently is missing in one location and left over in the other,
for all who come after it; so is a day's work. What came in and was counted meanwhile stays as it
was. Orders are taken one after another: how scarce goods were shared out among many at once is not
repeated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Row

from state import routing_history
from state.personal.erasing import ERASED
from sync.routing import trace
from sync.routing.decide import decide
from sync.routing.decision import Decision
from sync.routing.facts import UNIT, OrderFacts, SiteFacts
from sync.routing.rules import Rules
from sync.simulation.outcome import Outcome, outcome


class Compared(msgspec.Struct, frozen=True):
    """One order by the rules of its time and by the proposed ones."""

    order_id: int
    order: str
    decided_at: datetime
    before: Outcome
    after: Outcome

    @property
    def moved(self) -> bool:
        return self.before.locations != self.after.locations


class Day(msgspec.Struct, frozen=True):
    """What one location was given on one day (UTC), and the most it takes; null for no limit."""

    location: str
    day: date
    orders_before: int
    orders_after: int
    units_before: int
    units_after: int
    daily_orders: int | None
    daily_units: int | None

    def breaches(self) -> tuple[bool, bool]:
        """Whether a limit is passed: by the rules of the time, and by the proposed ones."""
        return (
            self._over(self.orders_before, self.units_before),
            self._over(self.orders_after, self.units_after),
        )

    def _over(self, orders: int, units: int) -> bool:
        return (self.daily_orders is not None and orders > self.daily_orders) or (
            self.daily_units is not None and units > self.daily_units * UNIT
        )


class Simulated(msgspec.Struct, frozen=True):
    """``older``: orders decided before there were rule files, or with their postcode erased since,
    which cannot be decided again.

    ``repeated``: later decisions about the same orders (after a refusal, for the rest), not
    compared.
    """

    rules: str
    version: str
    currency: str
    since: datetime
    orders: tuple[Compared, ...]
    days: tuple[Day, ...]
    older: int
    repeated: int


def simulate(conn: Connection, rules: Rules, since: datetime) -> Simulated:
    """Decide again every order about which was decided at or after ``since``. Only reads."""
    return replay(routing_history.decisions_since(conn, since), rules, since)


def replay(decisions: Iterable[Row[Any]], rules: Rules, since: datetime) -> Simulated:
    """The same from rows of ``routing_decision`` with the order's name, oldest first."""
    world = _World()
    compared: dict[int, Compared] = {}
    older: set[int] = set()
    waiting: dict[int, _Pair] = {}
    repeated = 0
    for row in decisions:
        if not trace.is_told(row) or row.policy_version == ERASED:
            older.add(row.order_id)
            continue
        # A decision to wait, or that nothing is there, is followed by the one that counts.
        if row.order_id in older or (row.order_id in compared and row.order_id not in waiting):
            repeated += 1
            continue
        if row.order_id in waiting:
            repeated += 1
            world.note(waiting.pop(row.order_id), weight=-1)
        before, inputs = trace.stored(row), trace.inputs_of(row)
        # Quotes of the past are what they are: nobody waits for more of them.
        asked = msgspec.structs.replace(inputs.order, waiting_since=None)
        after = decide(asked, world.seen(inputs.order, inputs.sites), rules)
        pair = _Pair(inputs.order, inputs.sites, before, after)
        world.note(pair)
        if not before.shares:
            waiting[row.order_id] = pair
        compared[row.order_id] = Compared(
            row.order_id,
            row.channel_order_name,
            row.decided_at,
            outcome(before),
            outcome(after),
        )
    return Simulated(
        rules.name,
        rules.version(),
        rules.currency,
        since,
        tuple(compared.values()),
        world.days(),
        len(older),
        repeated,
    )


class _Pair(NamedTuple):
    """The two decisions about an order, and what both were made from."""

    order: OrderFacts
    sites: tuple[SiteFacts, ...]
    before: Decision
    after: Decision


class _World:
    """How far the proposed rules have led away from what happened."""

    def __init__(self) -> None:
        self._taken: Counter[tuple[int, int]] = Counter()
        self._orders: list[Counter[tuple[int, date]]] = [Counter(), Counter()]
        self._units: list[Counter[tuple[int, date]]] = [Counter(), Counter()]
        self._limits: dict[int, SiteFacts] = {}

    def seen(self, order: OrderFacts, sites: Iterable[SiteFacts]) -> list[SiteFacts]:
        """The locations as the order would have found them.

        What an order may have had of scarce goods was settled by the rules of the time: that falls
        away, and the order takes what is there.
        """
        day = order.decided_at.date()
        return [
            msgspec.structs.replace(
                site,
                stock={
                    sku: left
                    for sku in {
                        *site.stock,
                        *(sku for line in order.lines for sku, _ in line.takes()),
                    }
                    if (left := site.stock.get(sku, 0) - self._taken[site.location_id, sku]) > 0
                },
                allotted={},
                orders_today=max(0, site.orders_today + self._more(self._orders, site, day)),
                units_today=max(0, site.units_today + self._more(self._units, site, day)),
            )
            for site in sites
        ]

    @staticmethod
    def _more(counts: list[Counter[tuple[int, date]]], site: SiteFacts, day: date) -> int:
        key = (site.location_id, day)
        return counts[1][key] - counts[0][key]

    def note(self, pair: _Pair, weight: int = 1) -> None:
        """Remember where the two decisions about an order differ; -1 forgets it again."""
        self._limits |= {site.location_id: site for site in pair.sites}
        day = pair.order.decided_at.date()
        for which, (sign, decision) in enumerate(((-1, pair.before), (1, pair.after))):
            for share in decision.shares:
                for sku_id, quantity in share.takes:
                    self._taken[share.location_id, sku_id] += weight * sign * quantity
                    self._units[which][share.location_id, day] += weight * quantity
            for location_id in {share.location_id for share in decision.shares}:
                self._orders[which][location_id, day] += weight

    def days(self) -> tuple[Day, ...]:
        keys = sorted({key for counts in self._orders for key, count in counts.items() if count})
        return tuple(
            Day(
                site.code,
                day,
                self._orders[0][location_id, day],
                self._orders[1][location_id, day],
                self._units[0][location_id, day],
                self._units[1][location_id, day],
                site.daily_orders,
                site.daily_units,
            )
            for location_id, day in keys
            if (site := self._limits[location_id])
        )
