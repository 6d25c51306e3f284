"""The vendors' truth and the hub's books after the kills, held against a life without any."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select

from sandbox import truth
from sandbox.world import World
from state import tables as t
from state.store import Store
from sync import invariants

_OPEN = ("planned", "sending", "accepted", "unknown", "review")


@dataclass(frozen=True, slots=True)
class Ending:
    """How everything stands at rest.

    ``told``: what the outside has and shows, and what the hub's books say of it, by name.
    ``wrong``: what must never be, not even on the way. ``restless``: what is not at rest yet.
    """

    told: dict[str, Any] = field(default_factory=dict)
    wrong: tuple[str, ...] = ()
    restless: tuple[str, ...] = ()

    def against(self, undisturbed: Ending) -> list[str]:
        """Everything that the kills changed; empty is the only good answer."""
        names = sorted({*self.told, *undisturbed.told})
        return [
            *self.wrong,
            *self.restless,
            *(
                f"{name}: {self.told.get(name)}, undisturbed {undisturbed.told.get(name)}"
                for name in names
                if self.told.get(name) != undisturbed.told.get(name)
            ),
        ]


def look(store: Store, world: World) -> Ending:
    with store.read() as conn:
        broken = [
            f"audit {one.invariant}: {one.subject} {one.detail}" for one in invariants.check(conn)
        ]
    return Ending(
        told=_outside(world) | _books(store),
        wrong=(*broken, *_doubled(world)),
        restless=(*_restless(store, world), *_not_shown(store, world)),
    )


def repeated(world: World) -> int:
    """Calls that changed nothing because they had been made before: packages told again."""
    told = Counter((order, package) for _, order, package in world.seller.confirmations)
    return sum(told.values()) - len(told)


def _outside(world: World) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for order in truth.woo_orders(world):
        found[f"shop order {order['id']}"] = (
            order["status"],
            order["refunded"],
            sorted(order["meta"]),
        )
    for order in truth.amazon_orders(world):
        found[f"marketplace order {order['id']}"] = (
            order["status"],
            order["shipped"],
            len(order["packages"]),
        )
    for reference, row in truth.labels(world).items():
        found[f"label {reference}"] = (row["bought"], row["live"], row["charged"])
    for reference, row in truth.shipbob_orders(world).items():
        found[f"3PL order {reference}"] = (row["status"], row["shipments"], row["shipped"])
    shown = truth.stock(world)
    for channel in ("woocommerce", "amazon"):
        found[f"{channel} shows"] = dict(sorted(shown[channel]["quantity"].items()))
    return found


def _doubled(world: World) -> list[str]:
    found = [
        f"doubled label {reference}: {row['bought']} bought"
        for reference, row in truth.labels(world).items()
        if row["bought"] != 1
    ]
    references = Counter(order.reference for order in world.shipbob.orders.values())
    return found + [f"doubled 3PL order {name}: {n}" for name, n in references.items() if n > 1]


def _not_shown(store: Store, world: World) -> list[str]:
    promise, listing = t.channel_availability.c, t.channel_listing.c
    query = (
        select(t.connection.c.connector, listing.external_sku, promise.computed_qty)
        .join(t.channel_listing, listing.id == promise.listing_id)
        .join(t.connection, t.connection.c.id == listing.connection_id)
    )
    shown = truth.stock(world)
    with store.read() as conn:
        return [
            f"promised {row[2]} of {row[1]}, {row[0]} shows {shown[row[0]]['quantity'].get(row[1])}"
            for row in conn.execute(query)
            if shown[row[0]]["quantity"].get(row[1]) != row[2]
        ]


def _books(store: Store) -> dict[str, Any]:
    level, order, work = t.inventory_level.c, t.sales_order.c, t.fulfilment_order.c
    levels = (
        select(t.sku.c.code, t.location.c.code, level.on_hand, level.reserved)
        .join(t.sku, t.sku.c.id == level.sku_id)
        .join(t.location, t.location.c.id == level.location_id)
    )
    works = select(
        work.reference, work.work_state, work.request_state, order.channel_order_id
    ).join(t.sales_order, order.id == work.order_id)
    settled = select(t.intent.c.kind, func.count(t.intent.c.subject_id.distinct())).where(
        t.intent.c.state == "done", t.intent.c.kind != "stock"
    )
    with store.read() as conn:
        return {
            **{f"level {row[0]} at {row[1]}": tuple(row[2:]) for row in conn.execute(levels)},
            **{f"work {row[0]}": tuple(row[1:]) for row in conn.execute(works)},
            **{
                f"order {row.channel_order_id}": (row.intake_state, row.channel_status)
                for row in conn.execute(select(t.sales_order))
            },
            **{
                f"intents {row[0]}": row[1]
                for row in conn.execute(settled.group_by(t.intent.c.kind))
            },
        }


def _restless(store: Store, world: World) -> list[str]:
    found = [] if world.next_event() is None else [f"the world goes on at {world.next_event()}"]
    intent = t.intent.c
    waiting = select(intent.kind, intent.state, intent.message).where(intent.state.in_(_OPEN))
    with store.read() as conn:
        found += [f"intent {row[0]} {row[1]}: {row[2]}" for row in conn.execute(waiting)]
        found += [
            f"stream {key} fails: {error}"
            for key, error in conn.execute(
                select(t.stream.c.key, t.stream.c.last_error).where(t.stream.c.failures > 0)
            )
        ]
        if conn.scalar(select(func.count()).select_from(t.dirty_sku)):
            found.append("promises to be computed anew")
    return found
