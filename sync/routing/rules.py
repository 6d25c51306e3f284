"""What ops may write into a routing rule file: every table, key, unit and default.

Amounts are whole minor units of the file's ``currency``, weights grams. ``sync.routing.rulefile``
reads the file; what stands here is what a decision is made with and what is stored beside it.
"""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Kind = Literal["warehouse", "store", "three_pl", "vendor"]
Paid = Literal["none", "authorised", "captured"]
LATE_DAYS_MAX = 30
FARTHEST_KM = 20_000
"""Half way round the world."""

Whole = Annotated[int, Meta(ge=0)]
Counted = Annotated[int, Meta(ge=1)]
Patterns = tuple[str, ...]
"""Names in which ``*`` stands for anything; upper and lower case are alike."""


class Objective(msgspec.Struct, frozen=True):
    """What a plan's disadvantages cost, so that plans can be compared.

    ``split``: every parcel beyond the first. ``per_day_late``: every begun day after the promise,
    of which no more than ``LATE_DAYS_MAX`` count: what is very late must still be worth sending.
    ``imbalance``: a location whose day is full; half full costs half. ``unfilled``: a line that
    nobody ships, so dear that goods which can be had are never left out to save a parcel.
    """

    per_100_km: Whole = 35
    split: Whole = 300
    per_day_late: Whole = 1000
    imbalance: Whole = 0
    unfilled: Whole = 100_000


class Rate(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """What a parcel costs and how long it takes, by where it goes; the first that fits counts.

    ``to``: countries (``DE``), postcodes (``DE-10*``) or zones of the file. ``up_to_g``: only for
    orders of which no more than that is to be shipped. ``days``: in transit.
    """

    parcel: Whole
    per_kg: Whole = 0
    days: Whole = 0
    from_: Patterns = ()
    to: Patterns = ()
    up_to_g: Counted | None = None


class Quoting(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """Whose prices count instead of a rate, by where a parcel goes; the first that fits counts.

    ``connection`` is asked, for parcels rounded up to ``step_g``. ``services``: those that may be
    used; none named means all. ``percent`` is added to what is quoted, or taken off below zero. A
    quote is good for ``good_hours``. Where there is none ``rates`` count, and an order waits for it
    no longer than ``wait_minutes``.
    """

    connection: str
    services: Patterns = ()
    percent: Annotated[int, Meta(ge=-100, le=1000)] = 0
    good_hours: Annotated[int, Meta(ge=1, le=8760)] = 24
    wait_minutes: Annotated[int, Meta(ge=0, le=10_080)] = 0
    step_g: Counted = 1000
    from_: Patterns = ()
    to: Patterns = ()


class When(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which orders a rule is for: all that is said must hold, and nothing said means every order.

    ``value_*``: minor units, only of orders in the file's currency. ``weight_*``: grams of what is
    still to be shipped. ``sku``, ``tag`` (of a SKU): at least one line. ``b2b``: the buyer's
    address names a company. ``earlier_orders_*``: of the same e-mail address, on any channel.
    """

    channel: Patterns = ()
    sub_channel: Patterns = ()
    country: Patterns = ()
    postcode: Patterns = ()
    service: Patterns = ()
    sku: Patterns = ()
    tag: Patterns = ()
    currency: Patterns = ()
    value_from: Whole | None = None
    value_below: Whole | None = None
    weight_from: Whole | None = None
    weight_below: Whole | None = None
    b2b: bool | None = None
    hazmat: bool | None = None
    earlier_orders_from: Whole | None = None
    earlier_orders_below: Whole | None = None


class Then(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a rule sets. Of each key the first rule that fits an order and sets it decides.

    ``locations``, ``avoid``: codes; ``kinds``: of locations. ``pickup``: the one location where
    the buyer collects. ``promise_days``: after the order was placed, where the channel promised no
    date. ``not_before``: the first day it may be planned (pre-order). ``payment``: what must have
    happened first. ``hold``: why a person looks first. ``surcharge``: by location, per order.
    """

    priority: int | None = None
    locations: Patterns | None = None
    avoid: Patterns | None = None
    kinds: tuple[Kind, ...] | None = None
    split: bool | None = None
    max_parcels: Counted | None = None
    ship_complete: bool | None = None
    pickup: str | None = None
    promise_days: Whole | None = None
    not_before: date | None = None
    payment: Paid | None = None
    hold: str | None = None
    surcharge: dict[str, Whole] | None = None


class Rule(msgspec.Struct, frozen=True, rename={"then": "set"}):
    """One rule. Its name stands in every trace, and says once that a person let an order pass."""

    name: str
    then: Then
    when: When = When()


class Rules(msgspec.Struct, frozen=True):
    """A whole rule file, defaults filled in. ``name``: the file's own name."""

    name: str
    currency: str
    objective: Objective = Objective()
    zones: dict[str, Patterns] = {}
    rates: tuple[Rate, ...] = ()
    quotes: tuple[Quoting, ...] = ()
    rules: tuple[Rule, ...] = ()

    @property
    def dearest_parcel(self) -> int:
        """More than any parcel costs without its weight; a line left out has to cost more yet.

        What carriers quote is not known here: it is added when an order is decided.
        """
        cost = self.objective
        surcharges = [max((rule.then.surcharge or {}).values(), default=0) for rule in self.rules]
        return (
            max((rate.parcel for rate in self.rates), default=0)
            + max(surcharges, default=0)
            + FARTHEST_KM * cost.per_100_km // 100
            + LATE_DAYS_MAX * cost.per_day_late
            + cost.imbalance
            + cost.split
        )

    @property
    def quoting(self) -> frozenset[str]:
        """The connections whose prices are wanted."""
        return frozenset(quoting.connection for quoting in self.quotes)

    @property
    def asks_history(self) -> bool:
        """Does any rule want to know how many orders the buyer placed before?"""
        bounds = ("earlier_orders_from", "earlier_orders_below")
        return any(getattr(rule.when, bound) is not None for rule in self.rules for bound in bounds)

    @property
    def asks_priority(self) -> bool:
        """Does any rule say that some orders come before others?"""
        return any(rule.then.priority is not None for rule in self.rules)

    def stored(self) -> bytes:
        """All of it as JSON, the same for the same rules, whatever the file's comments say."""
        return msgspec.json.encode(self, order="deterministic")

    def version(self) -> str:
        """Names the content: the first twelve hexadecimal digits of its SHA-256."""
        return hashlib.sha256(self.stored()).hexdigest()[:12]
