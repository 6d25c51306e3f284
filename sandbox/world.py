"""The world: every vendor's state, the sandbox clock, and what will happen when."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sandbox import seasons
from sandbox import seed as seeding
from sandbox.catalogue import SKUS
from sandbox.clock import Clock
from sandbox.hooks import ORIGIN, Hooks
from sandbox.limits import Limiter
from sandbox.quirks import Quirks
from sandbox.vendors.amazon_seller import AmazonSeller
from sandbox.vendors.lwa import Logins
from sandbox.vendors.shipbob_account import BobOrder, ShipBobAccount
from sandbox.vendors.shipengine_account import ShipEngineAccount
from sandbox.vendors.woo_shop import WooOrder, WooShop

Action = Callable[["World", datetime], Any]


class World:
    """Same seed, same start and same requests give the same world, to the byte.

    ``day_start`` (default: the clock's now) begins a day of trade of ``day_hours``, the first of
    ``days``; ``day_ends`` is the end of the last one. ``orders_per_channel`` is what an average day
    brings. ``pick_after`` and ``ship_after`` are the 3PL's pace. State is changed only while
    ``lock`` is held; ``now`` is the moment up to which events have happened. ``returned`` tells
    which goods came back (when, shop order, SKU), ``bursts`` when very many bought at once.
    """

    def __init__(
        self,
        seed: int,
        clock: Clock,
        *,
        orders_per_channel: int = 60,
        day_start: datetime | None = None,
        day_hours: float = 12.0,
        site_timezone: str = "Europe/Berlin",
        pick_after: timedelta = timedelta(minutes=30),
        ship_after: timedelta = timedelta(hours=3),
        days: int = 1,
        quirks: Quirks | None = None,
    ) -> None:
        self.seed = seed
        self.quirks = quirks or Quirks()
        self.quirks.seed = seed
        self.orders_per_channel = orders_per_channel
        self.clock = clock
        self.lock = threading.RLock()
        self.opened = self.now = (day_start or clock.now()).replace(microsecond=0)
        self.limiter = Limiter()
        self.logins = Logins()
        self.shop = WooShop(site_timezone, self.quirks)
        self.seller = AmazonSeller(self.quirks)
        self.shipbob = ShipBobAccount(seed, pick_after, ship_after, self.quirks)
        self.shipengine = ShipEngineAccount(self.quirks)
        self._due: list[tuple[datetime, int, Action]] = []
        self._scheduled = 0
        self.hooks = Hooks(self)
        self.shop.tell = self._tell_of_shop
        self.shipbob.tell = self._tell_of_shipbob
        seeding.furnish(self)
        self.returned: list[tuple[datetime, int, str]] = []
        self.bursts: list[datetime] = []
        self.day_ends = seeding.plan_day(self, day_hours)
        if days > 1:
            season = seasons.Season(day_hours, days, seeding.stocked(self))
            seasons.plan_next(self, season, 1)
            self.day_ends += timedelta(days=days - 1)

    def schedule(self, at: datetime, action: Action) -> None:
        """Have something happen at a moment; events of one moment keep their order."""
        self._scheduled += 1
        heapq.heappush(self._due, (at, self._scheduled, action))

    def advance_to(self, now: datetime) -> None:
        """Let everything due by ``now`` happen, each at its own moment."""
        with self.lock:
            while self._due and self._due[0][0] <= now:
                at, _, action = heapq.heappop(self._due)
                self.now = max(self.now, at)
                action(self, self.now)
            self.now = max(self.now, now)

    def _tell_of_shop(self, topic: str, order: WooOrder, at: datetime) -> None:
        # Not at the top: the vendor's module needs the world's.
        from sandbox.vendors.woocommerce import order_json

        self.hooks.happened("woocommerce", topic, lambda: order_json(self.shop, order, ORIGIN), at)

    def _tell_of_shipbob(self, topic: str, order: BobOrder, at: datetime) -> None:
        from sandbox.vendors.shipbob_body import order_json

        self.hooks.happened("shipbob", topic, lambda: order_json(self.shipbob, order, at), at)

    def next_event(self) -> datetime | None:
        """When the next thing will happen by itself; None when the plan is through."""
        return self._due[0][0] if self._due else None

    def catalogue(self) -> list[dict[str, str | int]]:
        """The merchant's own list of SKUs, as the hub would be given it.

        ``own_stock`` is the opening stock of the own warehouse, ``shipbob_id`` the inventory id.
        """
        return [
            {
                "code": sku.code,
                "title": sku.title,
                "gtin": sku.gtin,
                "weight_g": sku.weight_g,
                "shipbob_id": sku.inventory_id,
                "own_stock": seeding.opening(sku, self.orders_per_channel).own,
            }
            for sku in SKUS
        ]
