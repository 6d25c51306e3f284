"""What only the coded WooCommerce connector does: its check and its listings.

What any connector to a shop does with orders and stock is in ``test_conformance_shop``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import respx
from pydantic import SecretStr, ValidationError

from connectors.base import (
    Connector,
    PullsListings,
    PullsOrders,
    PushesStock,
    PushesTracking,
)
from connectors.http import Call
from connectors.woocommerce import WooCommerce, WooConfig
from mappings import Definitions, MappingError
from mappings import canonical as c
from sandbox.app import Sandbox
from tests.connectors.woo_words import (
    Shop,
    listing_reply,
)

# ---- the class -------------------------------------------------------------------------------


def test_it_has_the_capabilities_it_declares(woo: WooCommerce, definitions: Definitions) -> None:
    for capability in (Connector, PullsOrders, PullsListings, PushesStock, PushesTracking):
        assert isinstance(woo, capability)
    assert set(woo.info.definitions.values()) <= set(definitions)
    assert all(hasattr(woo, push) for push in woo.info.pushes)


def test_settings_refuse_what_they_do_not_know() -> None:
    with pytest.raises(ValidationError, match="consumer_sekret"):
        WooConfig.model_validate({"url": "https://x", "consumer_key": "k", "consumer_sekret": "s"})


def test_no_secret_shows_in_the_settings() -> None:
    config = WooConfig(
        url="https://x", consumer_key=SecretStr("ck_CANARY"), consumer_secret=SecretStr("cs_CANARY")
    )
    assert "CANARY" not in f"{config!r} {config}"


# ---- check -----------------------------------------------------------------------------------


def test_check_finds_a_well_shop(woo_shop: Shop, recorder: Any) -> None:
    findings = woo_shop(recorder, currency="EUR", timezone="Europe/Berlin").check()
    assert [(f.subject, f.ok) for f in findings] == [
        ("credentials", True),
        ("clock", True),
        ("currency", True),
        ("timezone", True),
    ]


def test_check_says_what_differs(woo_shop: Shop, recorder: Any) -> None:
    wrong = [f for f in woo_shop(recorder, currency="USD").check() if not f.ok]
    assert [(f.subject, f.detail) for f in wrong] == [("currency", "the shop runs in EUR")]
    assert wrong[0].remedy


def test_check_notices_a_skewed_clock(web_shop: tuple[WooCommerce, respx.MockRouter]) -> None:
    woo, router = web_shop
    reply = listing_reply([])
    reply.headers["Date"] = "Mon, 02 Nov 2026 08:10:00 GMT"
    router.get("/orders").mock(return_value=reply)
    (clock,) = [f for f in woo.check() if f.subject == "clock"]
    assert (clock.ok, clock.detail) == (False, "their clock is 600 s ahead of ours")


# ---- listings in -----------------------------------------------------------------------------


def test_every_variant_is_listed_once_and_maps(
    woo: WooCommerce, sandbox: Sandbox, definitions: Definitions, calls: list[Call]
) -> None:
    records = [record for page in woo.pull_listings() for record in page.records]
    products = sandbox.world.shop.products.values()
    sellable = {str(p.id): p for p in products if p.kind != "variable"}
    assert {record.external_id for record in records} == set(sellable)
    assert len(records) == len(sellable)
    listings = [definitions["woocommerce.listings"].apply(record.body).record for record in records]
    for listing in listings:
        product = sellable[listing.external_variant_id]
        parent = product.parent_id or product.id
        assert listing.external_product_id == str(parent)
        assert (listing.external_sku, listing.gtin) == (product.sku, product.gtin)
        assert (listing.quantity, listing.status) == (product.stock, "live")
    variable = sum(product.kind == "variable" for product in products)
    assert len(calls) == 1 + variable


def test_listings_of_the_documentation_and_of_the_field_map(
    definitions: Definitions, specs: Path
) -> None:
    known = _known_products(specs)
    mapped: list[c.Listing] = []
    unmapped: list[str] = []
    for name, body in known:
        try:
            mapped.append(definitions["woocommerce.listings"].apply(body).record)
        except MappingError as error:
            unmapped.append(f"{name}: {error.problems[0].field}")
    # Documentation of a product that never was: its status is `true`.
    assert unmapped == ["product-variations.json: status"]
    assert len(mapped) >= 40
    assert any(listing.quantity == 16 for listing in mapped), "a fraction is rounded down"
    assert any(not listing.quantity_managed for listing in mapped)


def _known_products(specs: Path) -> list[tuple[str, dict[str, Any]]]:
    files = [
        *(specs / "woocommerce" / "payloads").glob("product*.json"),
        *(specs / "woocommerce" / "recorded-responses").glob("product*.json"),
    ]
    found: list[tuple[str, dict[str, Any]]] = []

    def search(name: str, node: Any) -> None:
        if isinstance(node, list):
            for part in node:
                search(name, part)
        elif isinstance(node, dict):
            if {"id", "stock_quantity", "manage_stock", "status", "tax_class"} <= set(node):
                found.append((name, node))
            else:
                search(name, list(node.values()))

    for file in sorted(files):
        search(file.name, json.loads(file.read_text()))
    return found
