"""The merchant's doors: every way in which a written number stops being there."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from sandbox.app import Sandbox

Client = Callable[[Sandbox], httpx.Client]


def write(woo: httpx.Client, product: int, quantity: int) -> httpx.Response:
    row = {"id": product, "stock_quantity": quantity}
    return woo.post("/products/batch", json={"update": [row]})


def test_a_shop_can_forget_be_typed_into_and_refuse(
    quiet: Sandbox, woo: Client, admin: Client
) -> None:
    shop, door = woo(quiet), admin(quiet)
    product = next(p for p in quiet.world.shop.products.values() if p.kind == "simple")
    path = f"/woo/products/{product.sku}"
    assert door.post(path, json={"stock": 77, "deaf_to": 1}).json()["stock"] == 77
    assert write(shop, product.id, 5).json()["update"][0]["stock_quantity"] == 5
    assert product.stock == 77, "confirmed and forgotten"
    write(shop, product.id, 6)
    assert product.stock == 6
    door.post(path, json={"managed": False})
    answer = write(shop, product.id, 7).json()["update"][0]
    assert (answer["manage_stock"], answer["stock_quantity"]) == (False, None)
    door.post(path, json={"managed": True, "poison": True})
    assert write(shop, product.id, 7).status_code == 400
    assert product.stock == 6


def test_a_marketplace_can_forget_and_be_typed_into(quiet: Sandbox, admin: Client) -> None:
    door, seller = admin(quiet), quiet.world.seller
    sku = next(iter(seller.listings))
    told = door.post(f"/amazon/listings/{sku}", json={"stock": 9, "deaf_to": -1}).json()
    assert told == {"stock": 9, "deaf_to": -1}
    for _ in range(3):
        seller.write_quantity(sku, 4, quiet.world.now, "patch")
    assert seller.listings[sku].quantity == 9


@pytest.mark.parametrize("path", ["/woo/products/NONE", "/amazon/listings/NONE"])
def test_what_is_not_listed_cannot_be_changed(quiet: Sandbox, admin: Client, path: str) -> None:
    assert admin(quiet).post(path, json={"stock": 1}).status_code == 404
