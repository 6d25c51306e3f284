"""How the shop behaves beyond its shapes: windows, paging, writes, its own stock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from sandbox.app import Sandbox
from sandbox.clock import ManualClock

Client = Callable[[Sandbox], httpx.Client]


@pytest.fixture
def shop(quiet: Sandbox, woo: Client) -> httpx.Client:
    return woo(quiet)


@pytest.fixture
def buyer(quiet: Sandbox, admin: Client) -> Callable[..., int]:
    client = admin(quiet)

    def buy(lines: dict[str, int] | None = None, **more: Any) -> int:
        body = {"lines": lines or {"MUG-BLUE": 2}, **more}
        reply = client.post("/woo/orders", json=body)
        assert reply.status_code == 201
        return int(reply.json()["id"])

    return buy


def ids(reply: httpx.Response) -> list[int]:
    return [row["id"] for row in reply.json()]


def test_the_modified_window_is_exclusive_and_in_whole_seconds(
    shop: httpx.Client, clock: ManualClock, buyer: Callable[..., int]
) -> None:
    clock.advance(0.7)
    number = buyer()
    gmt = {"dates_are_gmt": "true"}
    at, before = "2026-11-02T06:00:00", "2026-11-02T05:59:59"
    assert ids(shop.get("/orders", params={"modified_after": before, **gmt})) == [number]
    assert ids(shop.get("/orders", params={"modified_after": at, **gmt})) == []
    assert ids(shop.get("/orders", params={"modified_before": at, **gmt})) == []
    assert ids(shop.get("/orders", params={"modified_after": f"{before}Z"})) == [number]


def test_dates_without_gmt_are_the_sites_own(shop: httpx.Client, buyer: Callable[..., int]) -> None:
    number = buyer()
    order = shop.get(f"/orders/{number}").json()
    assert order["date_created_gmt"] == "2026-11-02T06:00:00"
    assert order["date_created"] == "2026-11-02T07:00:00"
    assert ids(shop.get("/orders", params={"after": "2026-11-02T06:30:00"})) == [number]
    late = {"after": "2026-11-02T06:30:00", "dates_are_gmt": "true"}
    assert ids(shop.get("/orders", params=late)) == []


def test_paging_tells_totals_and_links(shop: httpx.Client, buyer: Callable[..., int]) -> None:
    numbers = [buyer() for _ in range(5)]
    page = shop.get("/orders", params={"per_page": "2", "page": "2", "order": "asc"})
    assert ids(page) == numbers[2:4]
    assert (page.headers["X-WP-Total"], page.headers["X-WP-TotalPages"]) == ("5", "3")
    assert page.links["next"]["url"].endswith("page=3&order=asc")
    assert page.links["prev"]["url"].endswith("page=1&order=asc")
    assert "next" not in shop.get(page.links["next"]["url"]).links
    assert ids(shop.get("/orders", params={"per_page": "2", "page": "9"})) == []
    assert ids(shop.get("/orders")) == numbers[::-1]
    assert ids(shop.get("/orders", params={"include": f"{numbers[0]},{numbers[3]}"})) == [
        numbers[3],
        numbers[0],
    ]


def test_completing_an_order_merges_meta(
    shop: httpx.Client, clock: ManualClock, buyer: Callable[..., int]
) -> None:
    number = buyer()
    clock.advance(60)
    change = {
        "status": "completed",
        "meta_data": [
            {"key": "_tracking", "value": "DPD1"},
            {"key": "is_vat_exempt", "value": "yes"},
        ],
    }
    order = shop.put(f"/orders/{number}", json=change).json()
    assert order["status"] == "completed"
    assert order["date_completed_gmt"] == order["date_modified_gmt"] == "2026-11-02T06:01:00"
    meta = {row["key"]: row["value"] for row in order["meta_data"]}
    assert meta == {"_tracking": "DPD1", "is_vat_exempt": "yes"}
    again = shop.put(f"/orders/{number}", json=change).json()
    assert len(again["meta_data"]) == 2
    gone = shop.put(
        f"/orders/{number}", json={"meta_data": [{"key": "_tracking", "value": None}]}
    ).json()
    assert [row["key"] for row in gone["meta_data"]] == ["is_vat_exempt"]


def test_writing_meta_alone_does_not_move_the_modified_date(
    shop: httpx.Client, clock: ManualClock, buyer: Callable[..., int]
) -> None:
    number = buyer()
    clock.advance(60)
    order = shop.put(f"/orders/{number}", json={"meta_data": [{"key": "k", "value": "v"}]}).json()
    assert order["date_modified_gmt"] == "2026-11-02T06:00:00"


def test_a_batch_answers_item_by_item_and_takes_a_hundred(
    quiet: Sandbox, shop: httpx.Client, buyer: Callable[..., int]
) -> None:
    number = buyer()
    changes = [{"id": number, "status": "completed"}, {"id": 1, "status": "completed"}]
    done = shop.post("/orders/batch", json={"update": changes})
    assert done.status_code == 200
    assert done.json()["update"][0]["status"] == "completed"
    assert done.json()["update"][1]["error"]["data"]["status"] == 404
    for path in ("/orders/batch", "/products/batch"):
        too_many = shop.post(path, json={"update": [{"id": 1}] * 101})
        assert too_many.status_code == 413
    product = quiet.world.shop.listed("TIN-250")
    changes = [
        {"id": product.id, "stock_quantity": 7},
        {"id": 1},
        {"id": product.id, "stock_quantity": "x"},
    ]
    results = shop.post("/products/batch", json={"update": changes}).json()["update"]
    assert [("error" in row, row.get("stock_quantity")) for row in results] == [
        (False, 7),
        (True, None),
        (True, None),
    ]
    assert product.stock == 7


def test_variations_are_written_through_their_own_parent_only(
    quiet: Sandbox, shop: httpx.Client
) -> None:
    mug, tee = (quiet.world.shop.listed(code) for code in ("MUG-BLUE", "TEE-OLIVE-M"))
    changes = [{"id": mug.id, "stock_quantity": 3}, {"id": tee.id, "stock_quantity": 3}]
    path = f"/products/{mug.parent_id}/variations/batch"
    results = shop.post(path, json={"update": changes}).json()["update"]
    assert ["error" in row for row in results] == [False, True]
    assert (mug.stock, tee.stock) == (3, 12)
    in_the_wrong_batch = shop.post("/products/batch", json={"update": changes[:1]}).json()
    assert "error" in in_the_wrong_batch["update"][0]


def test_a_checkout_takes_stock_and_a_cancellation_gives_it_back(
    quiet: Sandbox, shop: httpx.Client, admin: Client, buyer: Callable[..., int]
) -> None:
    mug = quiet.world.shop.listed("MUG-BLUE")
    number = buyer({"MUG-BLUE": 5})
    assert mug.stock == 295
    assert admin(quiet).post(f"/woo/orders/{number}/edit", json={"quantity": 3}).json()["done"]
    assert mug.stock == 297
    assert (
        shop.put(f"/orders/{number}", json={"status": "cancelled"}).json()["status"] == "cancelled"
    )
    assert mug.stock == 300
    mug.stock = 1
    refused = admin(quiet).post("/woo/orders", json={"lines": {"MUG-BLUE": 2}})
    assert refused.status_code == 409
    assert quiet.world.shop.turned_away == ["MUG-BLUE"]


def test_a_pending_order_holds_no_stock_until_it_is_paid(
    quiet: Sandbox, admin: Client, buyer: Callable[..., int]
) -> None:
    mug = quiet.world.shop.listed("MUG-BLUE")
    number = buyer(status="pending")
    assert mug.stock == 300
    assert admin(quiet).post(f"/woo/orders/{number}/pay").json()["status"] == "processing"
    assert mug.stock == 298


def test_part_and_rest_of_an_order_can_be_refunded(
    quiet: Sandbox, shop: httpx.Client, admin: Client, buyer: Callable[..., int]
) -> None:
    number = buyer({"MUG-BLUE": 3, "TIN-250": 1})
    client = admin(quiet)
    part = client.post(f"/woo/orders/{number}/refund", json={"quantity": 1, "reason": "kaputt"})
    assert part.json()["status"] == "processing"
    refund = shop.get(f"/orders/{number}/refunds").json()[0]
    order = shop.get(f"/orders/{number}").json()
    assert refund["amount"] == "9.90"
    assert refund["line_items"][0]["quantity"] == -1
    assert refund["line_items"][0]["meta_data"][0]["value"] == str(order["line_items"][0]["id"])
    whole = client.post(f"/woo/orders/{number}/refund", json={"quantity": 0})
    assert whole.json()["status"] == "refunded"
    refunds = shop.get(f"/orders/{number}").json()["refunds"]
    assert sum(float(row["total"]) for row in refunds) == -float(order["total"])
