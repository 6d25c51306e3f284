"""What a decision is made from: an order and the locations that may serve it, as plain values.

Quantities are whole millionths of the SKU's unit, as the store keeps them; times are aware UTC.
No personal data: the parcel's country and postcode explain a decision, who lives there does not.
"""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from sync.routing.rules import Kind, Paid

UNIT = 1_000_000
"""Millionths in one unit."""


class PartFacts(msgspec.Struct, frozen=True):
    """One component of a bundle.

    ``each``: millionths of it in one bundle. ``ahead``: what orders that came before still wait
    for of it, told where goods are on their way.
    """

    sku_id: int
    sku: str
    each: int
    hazmat: bool = False
    ahead: int = 0


class LineFacts(msgspec.Struct, frozen=True):
    """What one order line still needs.

    ``weight_g``: of one unit. ``ahead``: as of a part. ``parts``: what one of a bundle holds;
    of anything else nothing. ``unweighed``: one of them whose weight is not known, so that the
    bundle weighs more than ``weight_g``.
    """

    line_id: int
    line_no: int
    sku_id: int
    sku: str
    quantity: int
    weight_g: int = 0
    hazmat: bool = False
    ahead: int = 0
    tags: tuple[str, ...] = ()
    parts: tuple[PartFacts, ...] = ()
    unweighed: str = ""

    @property
    def each(self) -> int:
        """A line that is no bundle is its own and only part."""
        return UNIT

    @property
    def goods(self) -> tuple[Goods, ...]:
        """What it takes from the shelf: a bundle's parts, or what it names itself."""
        return self.parts or (self,)

    @property
    def skus(self) -> tuple[str, ...]:
        """The codes it is known by: what it names, and what that holds."""
        return (self.sku, *(part.sku for part in self.parts))

    def takes(self, quantity: int | None = None) -> tuple[tuple[int, int], ...]:
        """(SKU id, millionths) that ``quantity`` of it takes; null: all of it."""
        wanted = self.quantity if quantity is None else quantity
        return tuple((goods.sku_id, wanted * goods.each // UNIT) for goods in self.goods)


Goods = LineFacts | PartFacts
"""A SKU of which a line takes ``each`` for every one of it."""


class Incoming(msgspec.Struct, frozen=True):
    """Goods on their way to a location, and the day they are due."""

    sku_id: int
    quantity: int
    due_on: date


class Offer(msgspec.Struct, frozen=True):
    """What one service would charge: minor units of ``currency``; ``days`` in transit, if told."""

    carrier: str
    service: str
    amount: int
    currency: str
    days: int | None = None


class Quote(msgspec.Struct, frozen=True):
    """A carrier's answer about parcels of up to ``weight_g`` from a location to the order's place.

    ``problem``: why it offers nothing, where that was said.
    """

    quote_id: int
    connection: str
    weight_g: int
    quoted_at: datetime
    offers: tuple[Offer, ...] = ()
    problem: str = ""


class OrderFacts(msgspec.Struct, frozen=True):
    """One order to be routed.

    ``value``: the channel's total, minor units of ``currency``. ``due_at``: the channel's promise.
    ``earlier_orders``: null when no rule asks. ``parked_lines``: lines that wait for a person and
    are not among ``lines``. ``passed``: rules whose hold a person has lifted. ``waiting_since``:
    when it first could have been planned but for missing quotes; null when no rule lets it wait.
    """

    order_id: int
    decided_at: datetime
    placed_at: datetime
    channel: str
    currency: str
    value: int
    country: str
    postcode: str
    lines: tuple[LineFacts, ...]
    sub_channel: str = ""
    service: str = ""
    due_at: datetime | None = None
    b2b: bool = False
    paid: Paid = "none"
    earlier_orders: int | None = None
    parked_lines: int = 0
    passed: tuple[str, ...] = ()
    waiting_since: datetime | None = None


class SiteFacts(msgspec.Struct, frozen=True):
    """A location that may serve the order.

    ``stock``: what is available by SKU id. ``allotted``: of a SKU for which several orders compete,
    what this order may take here; SKUs that it does not name are free. ``ready_at``: when a parcel
    ordered now leaves. ``given_up``: why this location shall not have the order (again).
    ``orders_today``, ``units_today``: what it was given since midnight in its own zone. ``quote``:
    the newest that is good for what it could send of the order.
    """

    location_id: int
    code: str
    kind: Kind
    rank: int
    km: int
    precision: str
    ready_at: datetime
    stock: dict[int, int]
    allotted: dict[int, int] = {}
    incoming: tuple[Incoming, ...] = ()
    given_up: str = ""
    ships: bool = True
    picks_up: bool = False
    hazmat: bool = False
    daily_orders: int | None = None
    daily_units: int | None = None
    orders_today: int = 0
    units_today: int = 0
    quote: Quote | None = None
