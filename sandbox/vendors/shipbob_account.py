"""State of one ShipBob account: orders, shipments, stock per fulfilment center, and the floor.

An order is picked half an hour after it came in and leaves the building three hours after it
came in (both configurable). Until picking it can be cancelled, afterwards not.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sandbox.quirks import Quirks
from sandbox.wire import Json

if TYPE_CHECKING:
    from sandbox.world import World

CENTERS = {84: "Venlo (NL)", 91: "Manchester (UK)"}
HOME_CENTER = 84

_SPLIT_SHARE = 0.15


@dataclass
class StockLevel:
    """Of one SKU in one center. ``committed`` is promised to orders and still on the shelf."""

    on_hand: int
    committed: int = 0

    @property
    def free(self) -> int:
        return self.on_hand - self.committed


@dataclass
class Shipment:
    """One parcel of an order. ``quantities`` by SKU code. Status as ShipBob's OrderStatusEnum."""

    id: int
    center: int
    quantities: dict[str, int]
    created: datetime
    updated: datetime
    status: str = "Processing"
    tracking: str | None = None
    shipped: datetime | None = None
    tracking_uploaded: bool = False
    on_its_way: bool = False
    """Packed before the cancellation was confirmed: it leaves all the same."""

    def told(self, late: timedelta, now: datetime) -> Shipment:
        """The shipment as it is told of: one that left less than ``late`` ago has not yet."""
        if self.shipped is None or now - self.shipped >= late:
            return self
        return replace(self, status="Processing", tracking=None, shipped=None, updated=self.created)


@dataclass
class BobOrder:
    """``body`` is what the client sent; ``reference_id`` in it is unique for ever."""

    id: int
    channel_id: int
    body: Json
    created: datetime
    updated: datetime
    shipments: list[Shipment] = field(default_factory=list)

    @property
    def reference(self) -> str:
        return str(self.body["reference_id"])

    @property
    def status(self) -> str:
        """Derived from the shipments, as ShipBob does."""
        states = {shipment.status for shipment in self.shipments}
        if states == {"Cancelled"}:
            return "Cancelled"
        states.discard("Cancelled")
        if states == {"Completed"}:
            return "Fulfilled"
        if "Completed" in states:
            return "PartiallyFulfilled"
        return "Exception" if "Exception" in states else "Processing"


def _nobody_asked(_topic: str, _order: BobOrder, _at: datetime) -> None:
    """There is no webhook."""


class ShipBobAccount:
    """One merchant at ShipBob."""

    def __init__(
        self, seed: int, pick_after: timedelta, ship_after: timedelta, quirks: Quirks
    ) -> None:
        self.seed = seed
        self.quirks = quirks
        self.pick_after = pick_after
        self.ship_after = ship_after
        self.orders: dict[int, BobOrder] = {}
        self.by_reference: dict[str, int] = {}
        self.levels: dict[tuple[str, int], StockLevel] = {}
        self.tell: Callable[[str, BobOrder, datetime], None] = _nobody_asked
        self._last_id = 300_000_000

    def new_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def receive(self, code: str, center: int, quantity: int) -> None:
        """Goods arrive at a center."""
        level = self.levels.setdefault((code, center), StockLevel(0))
        level.on_hand += quantity

    def accept(self, world: World, body: Json, wanted: dict[str, int], channel_id: int) -> BobOrder:
        """Take an order in: split it into shipments, commit stock, put it on the floor's plan."""
        at = world.now.replace(microsecond=0)
        order = BobOrder(self.new_id(), channel_id, body, created=at, updated=at)
        center = int(body.get("location_id") or HOME_CENTER)
        for quantities in self._parcels(order.reference, wanted):
            shipment = Shipment(self.new_id(), center, quantities, created=at, updated=at)
            order.shipments.append(shipment)
            self._commit(world, order, shipment, at)
        self.orders[order.id] = order
        self.by_reference.setdefault(order.reference, order.id)
        return order

    def retry_exceptions(self, world: World, at: datetime) -> None:
        """After goods arrived: shipments that waited for stock go on, oldest order first."""
        for order in self.orders.values():
            for shipment in order.shipments:
                if shipment.status == "Exception":
                    self._commit(world, order, shipment, at)

    def cancel(self, order: BobOrder, at: datetime) -> dict[int, bool]:
        """Cancel every shipment that was not picked yet: shipment id -> whether it worked."""
        return {
            shipment.id: self.cancel_shipment(order, shipment, at) for shipment in order.shipments
        }

    def cancel_shipment(self, order: BobOrder, shipment: Shipment, at: datetime) -> bool:
        """True when it is cancelled now or was before; False once picking began."""
        if shipment.status == "Cancelled":
            return True
        if shipment.status not in {"Processing", "Exception", "OnHold"}:
            return False
        if shipment.status == "Processing":
            if at - shipment.created >= self.pick_after:
                return False
            for code, quantity in shipment.quantities.items():
                self.levels[code, shipment.center].committed -= quantity
        shipment.status, shipment.updated, order.updated = "Cancelled", at, at
        self.tell("order.shipment.cancelled", order, at)
        shipment.on_its_way = self.quirks.draws(
            "ships_cancelled", shipment.id, self.quirks.ships_cancelled_share
        )
        return True

    def _parcels(self, reference: str, wanted: dict[str, int]) -> list[dict[str, int]]:
        # Drawn from the reference, so that the order of arrival changes nothing.
        draw = random.Random(f"{self.seed}:split:{reference}")
        codes = list(wanted)
        if sum(wanted.values()) < 2 or draw.random() >= _SPLIT_SHARE:
            return [dict(wanted)]
        if len(codes) > 1:
            return [{codes[0]: wanted[codes[0]]}, {code: wanted[code] for code in codes[1:]}]
        half = wanted[codes[0]] // 2
        return [{codes[0]: half}, {codes[0]: wanted[codes[0]] - half}]

    def _commit(self, world: World, order: BobOrder, shipment: Shipment, at: datetime) -> None:
        levels = {
            code: self.levels.setdefault((code, shipment.center), StockLevel(0))
            for code in shipment.quantities
        }
        shipment.updated = order.updated = at
        if any(levels[code].free < wanted for code, wanted in shipment.quantities.items()):
            shipment.status = "Exception"
            self.tell("order.shipment.exception", order, at)
            return
        for code, quantity in shipment.quantities.items():
            levels[code].committed += quantity
        shipment.status = "Processing"
        # The second parcel of an order leaves an hour after the first.
        late = timedelta(hours=order.shipments.index(shipment))
        world.schedule(
            at + self.ship_after + late, lambda _, then: self._ship(order, shipment, then)
        )

    def _ship(self, order: BobOrder, shipment: Shipment, at: datetime) -> None:
        stopped = shipment.status != "Processing" and not shipment.on_its_way
        if stopped or shipment.tracking is not None:
            return
        for code, quantity in shipment.quantities.items():
            level = self.levels[code, shipment.center]
            level.on_hand -= quantity
            level.committed -= 0 if shipment.on_its_way else quantity
        if shipment.on_its_way:
            self.quirks.note("ships_cancelled", shipment.id)
        shipment.status, shipment.shipped = "Completed", at
        shipment.tracking = f"SB{shipment.id}NL"
        shipment.updated = order.updated = at
        self.tell("order.shipped", order, at)
