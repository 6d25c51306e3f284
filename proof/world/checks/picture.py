"""Both sides of a simulated world at one moment: what the vendors know, and what we know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, select

from sandbox import truth
from sandbox.world import World
from state import tables as t

CHANNELS = {"shop-eu": "woocommerce", "amazon-eu": "amazon"}
UNPAID = {"pending", "failed", "PENDING"}


@dataclass
class Picture:
    """Both sides, as they are now."""

    conn: Connection
    world: World
    names: Mapping[str, str]
    shelf: Mapping[str, int]
    printed: Mapping[str, Counter[str]]

    @cached_property
    def placed(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Channel -> its order id -> the truth about the order."""
        return {
            "shop-eu": {order["id"]: order for order in truth.woo_orders(self.world)},
            "amazon-eu": {order["id"]: order for order in truth.amazon_orders(self.world)},
        }

    @cached_property
    def known(self) -> dict[str, dict[str, Any]]:
        """Channel -> its order id -> our row."""
        order = t.sales_order
        query = select(t.connection.c.name.label("channel"), order).join(
            t.connection, t.connection.c.id == order.c.connection_id
        )
        found: dict[str, dict[str, Any]] = {name: {} for name in CHANNELS}
        for row in self.conn.execute(query):
            found[row.channel][row.channel_order_id] = row
        return found

    @cached_property
    def parked(self) -> dict[str, set[str]]:
        """Channel -> ids of records that could not be read, and wait for a person."""
        raw = t.inbox.c
        query = (
            select(t.connection.c.name, raw.external_id)
            .join(t.connection, t.connection.c.id == raw.connection_id)
            .where(raw.topic == "orders", raw.state == "parked")
        )
        found: dict[str, set[str]] = {name: set() for name in CHANNELS}
        for channel, external_id in self.conn.execute(query):
            found[channel].add(external_id)
        return found

    @cached_property
    def labels(self) -> dict[str, dict[str, Any]]:
        return truth.labels(self.world)

    @cached_property
    def packed(self) -> dict[str, dict[str, Any]]:
        return truth.shipbob_orders(self.world)

    @cached_property
    def work(self) -> list[Any]:
        """Every piece of work with its order and reference."""
        work, order = t.fulfilment_order.c, t.sales_order.c
        query = (
            select(t.connection.c.name.label("channel"), order.channel_order_id, work.reference)
            .join(t.sales_order, order.id == work.order_id)
            .join(t.connection, t.connection.c.id == order.connection_id)
        )
        return list(self.conn.execute(query))

    @cached_property
    def left(self) -> dict[tuple[str, str], Counter[str]]:
        """(channel, order) -> units per SKU that left a building, told by the outside.

        A live label means that its whole work has left; the 3PL tells what it packed.
        """
        left: dict[tuple[str, str], Counter[str]] = {}
        for row in self.work:
            units = left.setdefault((row.channel, row.channel_order_id), Counter())
            if row.reference in self.labels:
                live = self.labels[row.reference]["live"]
                parcel = self.printed.get(row.reference, Counter())
                units.update({code: n * live for code, n in parcel.items()})
            else:
                units.update(self.packed.get(row.reference, {}).get("shipped", {}))
        return left

    @cached_property
    def parcels(self) -> dict[tuple[str, str], set[str]]:
        """(channel, order) -> tracking numbers of what carriers and the 3PL have for it."""
        numbers: dict[str, set[str]] = {}
        for label in self.world.shipengine.labels.values():
            numbers.setdefault(label.external_id or "", set()).add(label.tracking)
        for order in self.world.shipbob.orders.values():
            found = {one.tracking for one in order.shipments if one.tracking}
            numbers.setdefault(order.reference, set()).update(found)
        parcels: dict[tuple[str, str], set[str]] = {}
        for row in self.work:
            mine = parcels.setdefault((row.channel, row.channel_order_id), set())
            mine |= numbers.get(row.reference, set())
        return parcels

    @cached_property
    def held(self) -> dict[tuple[str, str], set[str]]:
        """(channel, order) -> kinds of hold that it ever had."""
        query = (
            select(t.connection.c.name, t.sales_order.c.channel_order_id, t.hold.c.kind)
            .join(t.sales_order, t.hold.c.order_id == t.sales_order.c.id)
            .join(t.connection, t.connection.c.id == t.sales_order.c.connection_id)
        )
        found: dict[tuple[str, str], set[str]] = {}
        for channel, order, kind in self.conn.execute(query):
            found.setdefault((channel, order), set()).add(kind)
        return found

    def wanted(self, lines: Mapping[str, int]) -> Counter[str]:
        """A channel's lines in our SKUs."""
        units: Counter[str] = Counter()
        for name, quantity in lines.items():
            units[self.names.get(name, name)] += quantity
        return units
