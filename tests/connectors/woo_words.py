"""What the tests of the WooCommerce connector say often: payloads, replies, pushes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx

from connectors.base import Page
from connectors.woocommerce import WooCommerce
from mappings import canonical as c
from sandbox.vendors.woo_shop import WooShop

SINCE = datetime(2026, 11, 1, tzinfo=UTC)
API = "https://shop.example/wp-json/wc/v3"
Shop = Callable[..., WooCommerce]


def pulled(connector: WooCommerce, cursor: dict[str, Any] | None = None) -> list[Page]:
    return list(connector.pull_orders(cursor, SINCE))


def contents(pages: Iterable[Page]) -> list[Any]:
    """What pages say, however their records are written down."""
    return [
        ([(one.external_id, one.body) for one in page.records], page.cursor, page.total)
        for page in pages
    ]


def ids(pages: list[Page]) -> list[str]:
    return [record.external_id for page in pages for record in page.records]


def order_row(number: int, **more: Any) -> dict[str, Any]:
    return {"id": number, "status": "processing", "refunds": [], **more}


def listing_reply(rows: list[Any], total: int | None = None) -> httpx.Response:
    headers = {"X-WP-Total": str(len(rows) if total is None else total)}
    return httpx.Response(200, json=rows, headers=headers)


def update(product: int, variant: int, quantity: int) -> c.StockUpdate:
    return c.StockUpdate(
        external_product_id=str(product),
        external_variant_id=str(variant),
        external_sku="",
        quantity=quantity,
    )


def sellable(shop: WooShop, first: int = 0) -> dict[str, c.StockUpdate]:
    """An update for each thing that has a stock, each with a number of its own."""
    return {
        f"key-{p.id}": update(p.parent_id or p.id, p.id, number)
        for number, p in enumerate(shop.products.values(), start=first)
        if p.kind != "variable"
    }


def notice(order_id: object, number: str, complete: bool = True, **more: Any) -> c.TrackingNotice:
    return c.TrackingNotice(
        channel_order_id=str(order_id),
        package_reference="1",
        carrier="DHL",
        tracking_number=number,
        tracking_url=f"https://dhl.example/{number}",
        shipped_at=datetime(2026, 11, 2, 12, tzinfo=UTC),
        lines=(c.ShippedLine(sku="MUG", quantity=Decimal(1)),),
        complete=complete,
        **more,
    )
