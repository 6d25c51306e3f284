"""The outside world held against the store: every order shipped once, nothing lost or doubled."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from sandbox import truth
from sandbox.vendors.shipbob_account import HOME_CENTER
from sandbox.world import World
from state import tables as t
from state.store import Store
from sync import invariants


def violations(store: Store) -> list[invariants.Violation]:
    with store.read() as conn:
        return invariants.check(conn)


def known_orders(store: Store, connection: str) -> set[str]:
    """The channel's ids of the orders that the hub has, or has parked as records."""
    with store.read() as conn:
        link = conn.scalar(select(t.connection.c.id).where(t.connection.c.name == connection))
        order, raw = t.sales_order.c, t.inbox.c
        accepted = conn.scalars(select(order.channel_order_id).where(order.connection_id == link))
        parked = conn.scalars(
            select(raw.external_id).where(
                raw.connection_id == link, raw.topic == "orders", raw.state == "parked"
            )
        )
        return {*accepted, *parked}


def parcels(store: Store, world: World) -> dict[tuple[str, str], Counter[str]]:
    """(connection, channel order) -> units per SKU that left a building, told by the outside.

    A live label means that what was left of its fulfilment order has gone; the 3PL tells what it
    packed.
    """
    work, line, order = t.fulfilment_order.c, t.fulfilment_order_line.c, t.sales_order.c
    query = (
        select(
            t.connection.c.name,
            order.channel_order_id,
            work.reference,
            t.sku.c.code,
            line.qty,
            line.qty_cancelled,
        )
        .join(t.sales_order, order.id == work.order_id)
        .join(t.connection, t.connection.c.id == order.connection_id)
        .join(t.fulfilment_order_line, line.ffo_id == work.id)
        .join(t.sku, t.sku.c.id == line.sku_id)
    )
    labels, packed = truth.labels(world), truth.shipbob_orders(world)
    left: dict[tuple[str, str], Counter[str]] = {}
    with store.read() as conn:
        for row in conn.execute(query):
            units = left.setdefault((row.name, row.channel_order_id), Counter())
            if row.reference in labels:
                units[row.code] += int(row.qty - row.qty_cancelled) * labels[row.reference]["live"]
            elif row.reference in packed:
                # One fulfilment order may hold a SKU on several lines; it is packed once.
                shipped = packed.pop(row.reference)["shipped"]
                units.update(shipped)
    assert not packed, f"the 3PL has orders that the hub does not know: {sorted(packed)}"
    return left


def differences(store: Store, world: World) -> list[str]:
    """Everything in which the hub and the outside disagree; empty is the only good answer."""
    return [
        *_lost(store, world),
        *_shipping(store, world),
        *_doubled(world),
        *_promises(store, world),
        *_stock(store, world),
    ]


def _lost(store: Store, world: World) -> list[str]:
    woo = {order["id"] for order in truth.woo_orders(world)}
    amazon = {order["id"] for order in truth.amazon_orders(world)}
    found = []
    for name, placed in (("shop-eu", woo), ("amazon-eu", amazon)):
        known = known_orders(store, name)
        if known != placed:
            found.append(f"{name}: placed {placed - known}, not known; known {known - placed}")
    return found


def ought_to_ship(order: dict[str, Any]) -> bool:
    """Whether it must have left by now. What a buyer asked to cancel may have left or not."""
    if order.get("cancel_requested"):
        return False
    return bool(order["to_ship"] and order["addressed"] and not order["unmapped"])


def _shipping(store: Store, world: World) -> list[str]:
    """Every order that ought to ship has left once, whole, and its channel was told."""
    left, held = parcels(store, world), _edited_too_late(store)
    found = []
    for channel, told, orders in (
        ("shop-eu", "completed", truth.woo_orders(world)),
        ("amazon-eu", "SHIPPED", truth.amazon_orders(world)),
    ):
        for order in orders:
            name, units = (channel, order["id"]), left.get((channel, order["id"]), Counter())
            if ought_to_ship(order):
                due = Counter[str](order["lines"]) - _refunded(world, order["id"])
                whole = all(units[sku] >= n for sku, n in due.items())
                if not whole or (units and order["status"] != told):
                    found.append(f"{name} {order['status']}: {units} of {order['lines']}")
            found += _too_many(channel, units, order, held)
            if any(n > order["lines"][sku] for sku, n in order.get("shipped", {}).items()):
                found.append(f"{name}: {order['shipped']} confirmed")
    return found


def _refunded(world: World, order_id: str) -> Counter[str]:
    """Units the shop paid back: refunded before they left, they shall not leave any more."""
    order = world.shop.orders.get(int(order_id)) if order_id.isdecimal() else None
    if order is None:
        return Counter()
    first = order.body["line_items"][0]["sku"]
    lines = [line for refund in order.refunds for line in refund["line_items"]]
    return Counter({first: sum(abs(line["quantity"]) for line in lines)})


def _too_many(name: str, units: Counter[str], order: dict[str, Any], held: set[str]) -> list[str]:
    over = {sku: n for sku, n in units.items() if n > order["lines"].get(sku, 0)}
    # The shop took units off an order that a building was packing already: a person looks at it.
    if not over or order["id"] in held:
        return []
    return [f"{name} {order['id']} {order['status']}: shipped {over} of {order['lines']}"]


def _edited_too_late(store: Store) -> set[str]:
    """The channel's ids of orders that were changed after their work was handed over."""
    query = (
        select(t.sales_order.c.channel_order_id)
        .join(t.hold, t.hold.c.order_id == t.sales_order.c.id)
        .where(t.hold.c.kind == "edited_after_release")
    )
    with store.read() as conn:
        return set(conn.scalars(query))


def _doubled(world: World) -> list[str]:
    found = [
        f"label {reference}: {row['bought']} bought, {row['live']} live"
        for reference, row in truth.labels(world).items()
        if (row["bought"], row["live"]) != (1, 1)
    ]
    references = Counter(order.reference for order in world.shipbob.orders.values())
    return found + [f"3PL order {name}: {n} of them" for name, n in references.items() if n > 1]


def _promises(store: Store, world: World) -> list[str]:
    """What each channel offers is what was promised last."""
    promise, listing = t.channel_availability.c, t.channel_listing.c
    query = (
        select(t.connection.c.connector, listing.external_sku, promise.computed_qty)
        .join(t.channel_listing, listing.id == promise.listing_id)
        .join(t.connection, t.connection.c.id == listing.connection_id)
    )
    offered = truth.stock(world)
    with store.read() as conn:
        rows = [tuple(row) for row in conn.execute(query)]
    assert len(rows) > 60
    return [
        f"{connector} {sku}: {offered[connector]['quantity'].get(sku)} shown, {promised} promised"
        for connector, sku, promised in rows
        if offered[connector]["quantity"].get(sku) != promised
    ]


def _stock(store: Store, world: World) -> list[str]:
    """What the hub counts is what stands on the shelves."""
    level = t.inventory_level.c
    query = (
        select(t.sku.c.code, t.location.c.code.label("place"), level.on_hand)
        .join(t.sku, t.sku.c.id == level.sku_id)
        .join(t.location, t.location.c.id == level.location_id)
    )
    with store.read() as conn:
        ours = {(row.code, row.place): row.on_hand for row in conn.execute(query)}
    real = _shelves(store, world)
    return [
        f"{code} at {place}: {ours.get((code, place))} counted, {number} there"
        for (code, place), number in real.items()
        if ours.get((code, place), Decimal(0)) != number
    ]


def _shelves(store: Store, world: World) -> dict[tuple[str, str], int]:
    gone: Counter[str] = Counter()
    work, line = t.fulfilment_order.c, t.fulfilment_order_line.c
    query = (
        select(t.sku.c.code, line.qty, line.qty_cancelled)
        .join(t.fulfilment_order, work.id == line.ffo_id)
        .join(t.sku, t.sku.c.id == line.sku_id)
        .where(work.reference.in_(truth.labels(world)))
    )
    with store.read() as conn:
        for row in conn.execute(query):
            gone[row.code] += int(row.qty - row.qty_cancelled)
    real = {
        (str(sku["code"]), "berlin"): int(sku["own_stock"]) - gone[str(sku["code"])]
        for sku in world.catalogue()
    }
    for (code, center), held in world.shipbob.levels.items():
        if center == HOME_CENTER:
            real[(code, "bob")] = held.on_hand
    return real
