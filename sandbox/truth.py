"""What really happened outside: the oracle audits compare the hub with."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from sandbox.catalogue import BY_CODE
from sandbox.money import minor_units
from sandbox.vendors.amazon_body import grand_total
from sandbox.vendors.amazon_seller import AmazonOrder
from sandbox.vendors.shipbob_account import Shipment
from sandbox.vendors.woo_shop import WooOrder
from sandbox.wire import Json, stamp

if TYPE_CHECKING:
    from sandbox.world import World

_NOT_TO_SHIP = {"pending", "on-hold", "cancelled", "refunded", "failed"}


class _Write(Protocol):
    @property
    def at(self) -> datetime: ...
    @property
    def listing(self) -> str: ...
    @property
    def quantity(self) -> int: ...


def woo_orders(world: World) -> list[Json]:
    """Per order: what the buyer paid (minor units), may expect, and was told."""
    return [_woo_order(order) for order in world.shop.orders.values()]


def deleted_orders(world: World) -> list[Json]:
    """Orders of the shop that were deleted for good: nobody can list them any more."""
    return [_woo_order(order) for order in world.shop.deleted.values()]


def _woo_order(order: WooOrder) -> Json:
    body = order.body
    refunded = sum(minor_units(refund["amount"], order.currency) for refund in order.refunds)
    return {
        "id": str(order.id),
        "status": order.status,
        "history": order.history,
        "currency": order.currency,
        "total": minor_units(body["total"], order.currency),
        "refunded": refunded,
        "placed": stamp(order.created),
        "addressed": bool(body["shipping"]["address_1"]),
        "to_ship": order.status not in _NOT_TO_SHIP and bool(body["shipping_lines"]),
        "lines": {line["sku"]: line["quantity"] for line in body["line_items"]},
        "unmapped": [line["sku"] for line in body["line_items"] if line["sku"] not in BY_CODE],
        "refunds": [
            {
                "id": refund["id"],
                "amount": minor_units(refund["amount"], order.currency),
                "units": sum(-line["quantity"] for line in refund["line_items"]),
            }
            for refund in order.refunds
        ],
        "meta": {row["key"]: row["value"] for row in body["meta_data"]},
    }


def amazon_orders(world: World) -> list[Json]:
    """Per order: as :func:`woo_orders`, with packages and how often shipment was confirmed."""
    confirmed = Counter(order_id for _, order_id, _ in world.seller.confirmations)
    return [
        _amazon_order(order, confirmed[order.order_id]) for order in world.seller.orders.values()
    ]


def _amazon_order(order: AmazonOrder, confirmed: int) -> Json:
    mine = order.fulfilled_by == "MERCHANT"
    return {
        "id": order.order_id,
        "status": order.status,
        "currency": order.currency,
        "total": grand_total(order),
        "placed": stamp(order.created),
        "fulfilled_by": order.fulfilled_by,
        "cancel_requested": any(item.cancel_request is not None for item in order.items),
        "addressed": order.recipient is not None,
        "to_ship": mine and order.status not in {"PENDING", "CANCELLED"},
        "lines": {item.sku: item.quantity for item in order.items},
        "shipped": {item.sku: item.shipped for item in order.items},
        "unmapped": [item.sku for item in order.items if item.sku not in BY_CODE],
        "packages": sorted(order.packages),
        "notices": [
            {
                "reference": package.reference,
                "tracking": package.tracking,
                "quantities": package.quantities,
            }
            for package in order.packages.values()
        ],
        "confirmations": confirmed,
    }


def labels(world: World) -> dict[str, Json]:
    """Per external shipment id: labels bought and live, money charged and paid back in cents."""
    summary: dict[str, Json] = {}
    for label in world.shipengine.labels.values():
        row = summary.setdefault(
            label.external_id or "", {"bought": 0, "live": 0, "charged": 0, "paid_back": 0}
        )
        row["bought"] += 1
        row["live"] += label.live
        row["charged"] += label.cost
        row["paid_back"] += 0 if label.live else label.cost
    return summary


def shipbob_orders(world: World) -> dict[str, Json]:
    """Per reference id: how many orders there are, the last one's id, status and parcels, and what
    left the building of all of them."""
    summary: dict[str, Json] = {}
    for order in world.shipbob.orders.values():
        left: Counter[str] = Counter()
        for shipment in order.shipments:
            if shipment.shipped is not None:
                left.update(shipment.quantities)
        before = summary.get(order.reference, {"orders": 0, "shipments": 0, "shipped": {}})
        summary[order.reference] = {
            "id": order.id,
            "orders": before["orders"] + 1,
            "status": order.status,
            "shipments": before["shipments"] + len(order.shipments),
            "shipped": dict(left + Counter(before["shipped"])),
            "parcels": [_parcel(shipment) for shipment in order.shipments],
        }
    return summary


def _parcel(shipment: Shipment) -> Json:
    return {
        "id": shipment.id,
        "center": shipment.center,
        "status": shipment.status,
        "quantities": shipment.quantities,
        "tracking": shipment.tracking,
        "left": stamp(shipment.shipped) if shipment.shipped else None,
    }


def stock(world: World) -> Json:
    """Current quantity per listing, number of writes to each, and what the 3PL has on hand."""
    shop = {p.sku: p.stock for p in world.shop.products.values() if p.kind != "variable"}
    held: Counter[str] = Counter()
    for (code, _), level in world.shipbob.levels.items():
        held[code] += level.on_hand
    return {
        "woocommerce": {"quantity": shop, "writes": _writes(world.shop.stock_writes)},
        "amazon": {
            "quantity": {one.sku: one.quantity for one in world.seller.listings.values()},
            "writes": _writes(world.seller.writes),
        },
        "shipbob": dict(held),
        "shelves": _shelves(world),
        "turned_away": {
            "woocommerce": world.shop.turned_away,
            "amazon": world.seller.turned_away,
        },
    }


def _shelves(world: World) -> Json:
    """Per center of the 3PL and SKU: what stands there, and what of it is promised."""
    shelves: Json = {}
    for (code, center), level in world.shipbob.levels.items():
        shelf = {"on_hand": level.on_hand, "committed": level.committed}
        shelves.setdefault(str(center), {})[code] = shelf
    return shelves


def _writes(writes: Iterable[_Write]) -> dict[str, int]:
    return dict(Counter(write.listing for write in writes))


def summary(world: World) -> Json:
    """Everything above in one JSON object."""
    return {
        "now": stamp(world.now),
        "day_ends": stamp(world.day_ends),
        "orders": {
            "woocommerce": woo_orders(world),
            "amazon": amazon_orders(world),
            "deleted": deleted_orders(world),
        },
        "returned": [
            {"at": stamp(at), "order": str(order_id), "sku": code}
            for at, order_id, code in world.returned
        ],
        "labels": labels(world),
        "shipbob": shipbob_orders(world),
        "stock": stock(world),
    }


def digest(world: World) -> str:
    """A hash of the truth: equal for equal seeds and equal requests."""
    text = json.dumps(summary(world), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
