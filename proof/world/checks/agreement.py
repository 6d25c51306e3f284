"""What the vendors know held against what we know, when everything is over.

Every difference has the number of the invariant that it breaks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, select

from proof.world.checks import told
from proof.world.checks.picture import CHANNELS, UNPAID, Picture
from proof.world.checks.violation import Violation
from sandbox import truth
from sandbox.vendors.shipbob_account import HOME_CENTER
from sandbox.world import World
from state import tables as t

_TOLD = {"shop-eu": "completed", "amazon-eu": "SHIPPED"}
_ENDED = {"shop-eu": {"cancelled", "refunded"}, "amazon-eu": {"CANCELLED"}}
_HOLDS = ("edited_after_release", "cancel_pending", "late_ship", "over_ship")
"""Kinds of hold that say: a person looks at goods that left, or that shall not leave."""


def differences(
    conn: Connection,
    world: World,
    names: Mapping[str, str],
    shelf: Mapping[str, int],
    printed: Mapping[str, Counter[str]],
) -> list[Violation]:
    """Empty is the only good answer. ``names``: what a channel's SKU was said to be of ours;
    ``shelf``: units that came to the own warehouse since the beginning, or were lost there;
    ``printed``: reference -> units by SKU on the packing list of its label."""
    seen = Picture(conn, world, names, shelf, printed)
    return [
        *_orders(seen),
        *_effects(seen),
        *_money(seen),
        *_shipping(seen),
        *_shelves(seen),
        *_offers(seen),
        *told.differences(seen),
    ]


def _orders(seen: Picture) -> Iterator[Violation]:
    for channel in CHANNELS:
        placed, ours = set(seen.placed[channel]), set(seen.known[channel])
        for name in sorted(placed - ours - seen.parked[channel]):
            yield Violation("I1", f"{channel} {name}", "was placed, and is not known")
        for name in sorted(ours - placed):
            yield Violation("I2", f"{channel} {name}", "is known, and was never placed")
        for name in sorted(placed & ours):
            ended = seen.placed[channel][name]["status"] in _ENDED[channel]
            if ended and seen.known[channel][name].channel_status in ("ready", "pending"):
                yield Violation("I9", f"{channel} {name}", "was cancelled, and is not known to be")


def _effects(seen: Picture) -> Iterator[Violation]:
    """One effect for each intent, and an intent for each effect."""
    for name, row in sorted(seen.labels.items()):
        if (row["bought"], row["live"]) != (1, 1):
            what = f"{row['bought']} bought, {row['live']} live"
            yield Violation("I4", f"label {name}", what)
    for name, n in Counter(o.reference for o in seen.world.shipbob.orders.values()).items():
        if n > 1:
            yield Violation("I4", f"3PL order {name}", f"{n} of them")
    intent, work = t.intent.c, t.fulfilment_order.c
    query = (
        select(work.reference)
        .join(t.intent, intent.subject_id == work.id)
        .where(intent.kind.in_(("label", "fulfilment_order")), intent.sent_at.is_not(None))
    )
    asked = set(seen.conn.scalars(query))
    for name in sorted({*seen.labels, *seen.packed} - asked):
        yield Violation("I11", name, "exists outside, and nothing says that we asked for it")


def _money(seen: Picture) -> Iterator[Violation]:
    for channel in CHANNELS:
        for name, order in sorted(seen.placed[channel].items()):
            row = seen.known[channel].get(name)
            if row is None or row.channel_status == "pending" or name in seen.parked[channel]:
                continue
            ours, theirs = (row.grand_total, row.currency), (order["total"], order["currency"])
            if ours != theirs:
                yield Violation("I5", f"{channel} {name}", f"{ours} here, {theirs} there")


def ought_to_ship(order: Mapping[str, Any], names: Iterable[str]) -> bool:
    """Whether it must have left by now. What a buyer asked to cancel may have left or not."""
    if order.get("cancel_requested") or set(order["unmapped"]) - set(names):
        return False
    return bool(order["to_ship"] and order["addressed"])


def _shipping(seen: Picture) -> Iterator[Violation]:
    """Every order that ought to ship left once, whole, and its channel was told of it."""
    for channel in CHANNELS:
        for number, order in sorted(seen.placed[channel].items()):
            name, units = f"{channel} {number}", seen.left.get((channel, number), Counter())
            wanted = seen.wanted(order["lines"])
            known = seen.held.get((channel, number), set()) & set(_HOLDS)
            if ought_to_ship(order, seen.names):
                due = wanted - _refunded(seen, number)
                if any(units[sku] < n for sku, n in due.items()):
                    yield Violation("I7", name, f"{dict(units)} left of {dict(due)}")
                elif units and order["status"] != _TOLD[channel]:
                    yield Violation("I7", name, f"left, and its channel says {order['status']}")
            if not known and any(n > wanted[sku] for sku, n in units.items()):
                yield Violation("I4", name, f"{dict(units)} left of {dict(wanted)}")
            if units and order["status"] in UNPAID:
                yield Violation("I12", name, f"is {order['status']}, and {dict(units)} left")
            if order["status"] in _ENDED[channel] and units and not known and _early(order):
                yield Violation("I12", name, f"cancelled, and {dict(units)} left untold")
            if any(n > order["lines"][sku] for sku, n in order.get("shipped", {}).items()):
                yield Violation("I4", name, f"{order['shipped']} confirmed")


def _early(order: Mapping[str, Any]) -> bool:
    """Cancelled before its channel knew that it had left."""
    return "completed" not in order.get("history", ()) and not order.get("packages")


def _refunded(seen: Picture, number: str) -> Counter[str]:
    """Units the shop paid back: refunded before they left, they shall not leave any more."""
    order = seen.world.shop.orders.get(int(number)) if number.isdecimal() else None
    if order is None:
        return Counter()
    first = order.body["line_items"][0]["sku"]
    lines = [line for refund in order.refunds for line in refund["line_items"]]
    return Counter({seen.names.get(first, first): sum(abs(one["quantity"]) for one in lines)})


def _real(seen: Picture) -> dict[tuple[str, str], int]:
    """(SKU, location) -> units that stand there."""
    gone: Counter[str] = Counter()
    for row in seen.work:
        if row.reference in seen.labels:
            gone.update(seen.printed.get(row.reference, {}))
    real = {
        (str(sku["code"]), "berlin"): int(sku["own_stock"])
        + seen.shelf.get(str(sku["code"]), 0)
        - gone[str(sku["code"])]
        for sku in seen.world.catalogue()
    }
    for (code, center), held in seen.world.shipbob.levels.items():
        if center == HOME_CENTER:
            real[(code, "bob")] = held.on_hand
    return real


def _shelves(seen: Picture) -> Iterator[Violation]:
    """What we count is what stands there, and no more left than there was."""
    level = t.inventory_level.c
    query = (
        select(t.sku.c.code, t.location.c.code.label("place"), level.on_hand)
        .join(t.sku, t.sku.c.id == level.sku_id)
        .join(t.location, t.location.c.id == level.location_id)
    )
    ours = {(row.code, row.place): row.on_hand for row in seen.conn.execute(query)}
    for (code, place), number in sorted(_real(seen).items()):
        if number < 0:
            yield Violation("I3", f"{code} at {place}", f"{-number} more left than there were")
        elif ours.get((code, place), Decimal(0)) != number:
            counted = f"{ours.get((code, place))} counted, {number} there"
            yield Violation("I8", f"{code} at {place}", counted)


def _offers(seen: Picture) -> Iterator[Violation]:
    """Each channel offers what was promised last, and no more than there is."""
    promise, listing = t.channel_availability.c, t.channel_listing.c
    query = (
        select(t.connection.c.connector, listing.external_sku, promise.computed_qty, t.sku.c.code)
        .join(t.channel_listing, listing.id == promise.listing_id)
        .join(t.sku, t.sku.c.id == listing.sku_id)
        .join(t.connection, t.connection.c.id == listing.connection_id)
        .order_by(t.connection.c.connector, listing.external_sku)
    )
    offered, there = truth.stock(seen.world), Counter[str]()
    for (code, _), number in _real(seen).items():
        there[code] += number
    rows = list(seen.conn.execute(query))
    if len(rows) < 60:
        yield Violation("I10", "listings", f"only {len(rows)} are known")
    for connector, sku, promised, code in rows:
        shown = offered[connector]["quantity"].get(sku)
        if shown != promised:
            yield Violation("I10", f"{connector} {sku}", f"{shown} shown, {promised} promised")
        elif shown > there[code]:
            yield Violation("I3", f"{connector} {sku}", f"{shown} offered of {there[code]}")
