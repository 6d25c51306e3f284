"""What a cell can be about: a push of a connection, and what its vendor really holds after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import httpx

from proof.ambiguity.installation import Scene

VendorClass = Literal["K", "R", "L", "A", "N", "F", "S", "B"]
NOT_THERE = {
    "C": "none: no connector compares and sets",
    "D": "none: no connector sends differences",
}
"""The classes of vendors that nothing of ours writes to: there is no cell to play. Stock goes out
as absolute levels (A) also where the vendor would take a comparison or a difference."""


def _posted(host: str, ending: str) -> Callable[[httpx.Request], bool]:
    def is_effect(request: httpx.Request) -> bool:
        return (
            request.method in ("POST", "PUT", "PATCH")
            and host in str(request.url)
            and ending in request.url.path
        )

    return is_effect


@dataclass(frozen=True, slots=True)
class Target:
    """``taker``: the template. ``first``: what is done before the push in question.

    ``effects``: how often the work of an intent is there, in the vendor's own books, and
    ``wanted``: how often it has to be.
    """

    name: str
    vendor_class: VendorClass
    taker: str
    kind: str
    connection: str
    is_effect: Callable[[httpx.Request], bool]
    effects: Callable[[Scene, Any], int]
    first: Sequence[str] = ()
    looked_up: bool = False


def _labels(scene: Scene, intent: Any) -> int:
    labels = scene.world.shipengine.labels.values()
    return sum(label.external_id == intent.body["reference"] for label in labels)


def _bob_orders(scene: Scene, intent: Any) -> int:
    orders = scene.world.shipbob.orders.values()
    return sum(order.reference == intent.body["reference"] for order in orders)


def _bob_cancelled(scene: Scene, intent: Any) -> int:
    return int(scene.world.shipbob.orders[int(intent.body["remote_id"])].status == "Cancelled")


def _key_orders(scene: Scene, intent: Any) -> int:
    return sum(reference == intent.body["reference"] for reference, _ in scene.way.keys.orders)


def _woo_level(scene: Scene, intent: Any) -> int:
    product = scene.world.shop.products[int(intent.body["external_variant_id"])]
    return int(product.stock == intent.body["quantity"])


def _woo_writes(scene: Scene, intent: Any) -> int:
    sku = scene.world.shop.products[int(intent.body["external_variant_id"])].sku
    return sum(write.listing == sku for write in scene.world.shop.stock_writes)


def _amazon_level(scene: Scene, intent: Any) -> int:
    listing = scene.world.seller.listings[intent.body["external_sku"]]
    return int(listing.quantity == intent.body["quantity"])


def _woo_notices(scene: Scene, intent: Any) -> int:
    order = scene.world.shop.orders[int(intent.body["channel_order_id"])]
    return str(order.body["meta_data"]).count(f"'{intent.body['tracking_number']}'")


def _amazon_packages(scene: Scene, intent: Any) -> int:
    order = scene.world.seller.orders[intent.body["channel_order_id"]]
    return len(order.packages)


def _files(scene: Scene, intent: Any) -> int:
    rows = [
        line
        for file in (scene.folder / "drop" / "out").rglob("*.csv")
        for line in file.read_text("utf-8-sig").splitlines()[1:]
        if intent.body["reference"] in line
    ]
    # Every line of an order is a row: as many times as it has lines.
    return len(rows) // len(intent.body["lines"]) if intent.body.get("lines") else len(rows)


_WOO_BATCH = _posted("/woo/", "/products/")
TARGETS = (
    Target(
        "shipengine labels",
        "L",
        "labels",
        "label",
        "labels",
        lambda request: request.method == "POST" and request.url.path.endswith("/labels"),
        _labels,
        looked_up=True,
    ),
    Target(
        "shipbob orders",
        "R",
        "bob",
        "fulfilment_order",
        "bob",
        _posted("/shipbob/", "/order"),
        _bob_orders,
        looked_up=True,
    ),
    Target(
        "rest orders by reference",
        "R",
        "rest-bob",
        "fulfilment_order",
        "rest-bob",
        _posted("/shipbob/", "/order"),
        _bob_orders,
        looked_up=True,
    ),
    Target(
        "rest orders by key",
        "K",
        "keys",
        "fulfilment_order",
        "keys",
        _posted("keys.test", "/orders"),
        _key_orders,
        looked_up=True,
    ),
    Target(
        "csv orders",
        "S",
        "drop",
        "fulfilment_order",
        "drop",
        lambda _: False,
        _files,
    ),
    Target("woo stock", "A", "labels", "stock", "shop-eu", _WOO_BATCH, _woo_level),
    Target(
        "amazon stock",
        "A",
        "labels",
        "stock",
        "amazon-eu",
        _posted("/amazon/", "/listings/"),
        _amazon_level,
    ),
    Target(
        "amazon stock by feed",
        "F",
        "labels",
        "stock",
        "amazon-eu",
        _posted("/amazon/", "/feeds"),
        _amazon_level,
        ("feed",),
    ),
    Target(
        "woo tracking",
        "A",
        "labels",
        "tracking",
        "shop-eu",
        _posted("/woo/", "/orders/batch"),
        _woo_notices,
        ("labels",),
    ),
    Target(
        "amazon tracking",
        "N",
        "labels",
        "tracking",
        "amazon-eu",
        _posted("/amazon/", "/shipmentConfirmation"),
        _amazon_packages,
        ("labels",),
    ),
    Target(
        "shipbob cancellations",
        "N",
        "bob",
        "cancel_fulfilment_order",
        "bob",
        _posted("/shipbob/", ":cancel"),
        _bob_cancelled,
        ("bob", "cancel"),
    ),
    Target(
        "rest stock, blind",
        "B",
        "labels",
        "stock",
        "blind",
        _posted("/woo/", "/products/"),
        _woo_writes,
    ),
)
BY_NAME = {target.name: target for target in TARGETS}
