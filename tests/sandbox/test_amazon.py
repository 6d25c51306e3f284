"""How Amazon behaves beyond its shapes: the horizon, page tokens, pending orders, shipments."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from sandbox.app import Sandbox
from sandbox.clock import ManualClock
from sandbox.vendors import lwa
from sandbox.vendors.amazon_seller import MARKETPLACES, AmazonOrder
from sandbox.wire import stamp

Client = Callable[[Sandbox], httpx.Client]

PATH = "/orders/2026-01-01/orders"
SEARCH = {"marketplaceIds": ",".join(MARKETPLACES), "createdAfter": "2026-11-01T00:00:00Z"}


@pytest.fixture
def spapi(quiet: Sandbox, amazon: Client) -> httpx.Client:
    return amazon(quiet)


@pytest.fixture
def buyer(quiet: Sandbox, admin: Client) -> Callable[..., AmazonOrder]:
    client = admin(quiet)

    def buy(lines: dict[str, int] | None = None, **more: Any) -> AmazonOrder:
        reply = client.post("/amazon/orders", json={"lines": lines or {"MUG-BLUE": 2}, **more})
        return quiet.world.seller.orders[reply.json()["id"]]

    return buy


def found(reply: httpx.Response) -> list[str]:
    assert reply.status_code == 200, reply.text
    return [order["orderId"] for order in reply.json()["orders"]]


def confirmation(order: AmazonOrder, reference: str, **quantities: int) -> dict[str, Any]:
    chosen = quantities or {item.sku: item.quantity for item in order.items}
    by_sku = {item.sku.replace("-", "_"): item.item_id for item in order.items}
    return {
        "marketplaceId": order.marketplace,
        "packageDetail": {
            "packageReferenceId": reference,
            "carrierCode": "DPD",
            "trackingNumber": f"T{reference}",
            "shipDate": "2026-11-02T09:00:00Z",
            "orderItems": [
                {"orderItemId": by_sku[sku.replace("-", "_")], "quantity": quantity}
                for sku, quantity in chosen.items()
            ],
        },
    }


def confirm(client: httpx.Client, order: AmazonOrder, body: dict[str, Any]) -> httpx.Response:
    return client.post(f"/orders/v0/orders/{order.order_id}/shipmentConfirmation", json=body)


def test_orders_of_the_last_two_minutes_are_not_listed_yet(
    spapi: httpx.Client, clock: ManualClock, buyer: Callable[..., AmazonOrder]
) -> None:
    order = buyer()
    reply = spapi.get(PATH, params=SEARCH)
    assert found(reply) == []
    assert reply.json()["createdBefore"] == stamp(clock.now() - timedelta(minutes=2))
    clock.advance(120)
    assert found(spapi.get(PATH, params=SEARCH)) == [order.order_id]
    too_late = SEARCH | {"createdBefore": stamp(clock.now() - timedelta(seconds=119))}
    assert spapi.get(PATH, params=too_late).status_code == 400
    just = SEARCH | {"createdBefore": stamp(clock.now() - timedelta(seconds=120))}
    assert found(spapi.get(PATH, params=just)) == [order.order_id]


def test_both_windows_or_none_are_refused(spapi: httpx.Client) -> None:
    both = SEARCH | {"lastUpdatedAfter": "2026-11-01T00:00:00Z"}
    assert spapi.get(PATH, params=both).status_code == 400
    assert spapi.get(PATH, params={"marketplaceIds": SEARCH["marketplaceIds"]}).status_code == 400


def test_pages_go_oldest_first_and_lose_nothing_when_an_order_changes_meanwhile(
    quiet: Sandbox, spapi: httpx.Client, clock: ManualClock, buyer: Callable[..., AmazonOrder]
) -> None:
    orders = []
    for _ in range(5):
        orders.append(buyer())
        clock.advance(10)
    clock.advance(300)
    updated = {key: SEARCH[key] for key in ("marketplaceIds",)} | {
        "lastUpdatedAfter": "2026-11-01T00:00:00Z",
        "maxResultsPerPage": "2",
    }
    first = spapi.get(PATH, params=updated)
    # The first order leaves the window while its page is read.
    assert quiet.world.seller.ask_to_cancel(orders[0], "CHANGED_MIND", clock.now())
    second = spapi.get(
        PATH, params=updated | {"paginationToken": first.json()["pagination"]["nextToken"]}
    )
    third = spapi.get(
        PATH, params=updated | {"paginationToken": second.json()["pagination"]["nextToken"]}
    )
    pages = found(first) + found(second) + found(third)
    assert pages == [order.order_id for order in orders]
    assert "pagination" not in third.json()
    horizons = {reply.json()["lastUpdatedBefore"] for reply in (first, second, third)}
    assert len(horizons) == 1


def test_a_page_token_is_bound_to_its_query_and_lives_a_day(
    spapi: httpx.Client,
    clock: ManualClock,
    buyer: Callable[..., AmazonOrder],
    quiet: Sandbox,
    amazon: Client,
) -> None:
    for _ in range(3):
        buyer()
    clock.advance(300)
    token = spapi.get(PATH, params=SEARCH | {"maxResultsPerPage": "1"}).json()["pagination"][
        "nextToken"
    ]
    resumed = SEARCH | {"paginationToken": token}
    assert len(found(spapi.get(PATH, params=resumed | {"includedData": "BUYER"}))) == 2
    moved = resumed | {"createdAfter": "2026-11-01T00:00:01Z"}
    assert spapi.get(PATH, params=moved).status_code == 400
    assert spapi.get(PATH, params=resumed | {"paginationToken": "made-up"}).status_code == 400
    clock.advance(24 * 3600)
    assert amazon(quiet).get(PATH, params=resumed).status_code == 400


def test_sections_come_only_when_asked_for(
    spapi: httpx.Client, buyer: Callable[..., AmazonOrder]
) -> None:
    order = buyer()
    bare = spapi.get(f"{PATH}/{order.order_id}").json()["order"]
    assert not {"buyer", "recipient", "proceeds", "fulfillment"} & set(bare)
    asked = spapi.get(f"{PATH}/{order.order_id}", params={"includedData": "RECIPIENT,PROCEEDS"})
    assert asked.json()["order"]["recipient"]["deliveryAddress"]["countryCode"] == "DE"
    assert asked.json()["order"]["proceeds"]["grandTotal"]["currencyCode"] == "EUR"


def test_a_pending_order_shows_neither_address_nor_price(
    spapi: httpx.Client, buyer: Callable[..., AmazonOrder]
) -> None:
    order = buyer()
    order.status = "PENDING"
    params = {"includedData": "BUYER,RECIPIENT,PROCEEDS,FULFILLMENT"}
    body = spapi.get(f"{PATH}/{order.order_id}", params=params).json()["order"]
    assert not {"buyer", "recipient", "proceeds"} & set(body)
    assert "price" not in body["orderItems"][0]["product"]
    assert body["fulfillment"]["fulfillmentStatus"] == "PENDING"
    assert confirm(spapi, order, confirmation(order, "1")).status_code == 400


def test_an_order_takes_listing_stock_and_too_big_a_one_is_turned_away(
    quiet: Sandbox, admin: Client, buyer: Callable[..., AmazonOrder]
) -> None:
    buyer({"MUG-BLUE": 4})
    assert quiet.world.seller.listings["MUG-BLUE"].quantity == 296
    refused = admin(quiet).post("/amazon/orders", json={"lines": {"MUG-BLUE": 297}})
    assert refused.status_code == 409


def test_packages_are_confirmed_in_parts_edited_and_never_beyond_the_order(
    quiet: Sandbox, spapi: httpx.Client, buyer: Callable[..., AmazonOrder]
) -> None:
    order = buyer({"MUG-BLUE": 3})
    assert confirm(spapi, order, confirmation(order, "1", **{"MUG-BLUE": 2})).status_code == 204
    assert order.status == "PARTIALLY_SHIPPED"
    too_many = confirm(spapi, order, confirmation(order, "2", **{"MUG-BLUE": 2}))
    assert too_many.status_code == 400
    assert confirm(spapi, order, confirmation(order, "1", **{"MUG-BLUE": 1})).status_code == 204
    assert confirm(spapi, order, confirmation(order, "2", **{"MUG-BLUE": 2})).status_code == 204
    assert order.status == "SHIPPED"
    params = {"includedData": "PACKAGES,FULFILLMENT"}
    body = spapi.get(f"{PATH}/{order.order_id}", params=params).json()["order"]
    packed = {p["packageReferenceId"]: p["packageItems"][0]["quantity"] for p in body["packages"]}
    assert packed == {"1": 1, "2": 2}
    assert body["orderItems"][0]["fulfillment"] == {
        "quantityFulfilled": 3,
        "quantityUnfulfilled": 0,
    }
    assert len(quiet.world.seller.confirmations) == 3


@pytest.mark.parametrize("fault", ["reference", "marketplace", "item", "missing", "zero"])
def test_a_wrong_confirmation_is_refused(
    spapi: httpx.Client, buyer: Callable[..., AmazonOrder], fault: str
) -> None:
    order = buyer()
    body = confirmation(order, "0" if fault == "reference" else "1")
    if fault == "marketplace":
        body["marketplaceId"] = "ATVPDKIKX0DER"
    if fault == "item":
        body["packageDetail"]["orderItems"][0]["orderItemId"] = "1"
    if fault == "missing":
        del body["packageDetail"]["trackingNumber"]
    if fault == "zero":
        body["packageDetail"]["orderItems"][0]["quantity"] = 0
    assert confirm(spapi, order, body).status_code == 400
    assert order.status == "UNSHIPPED"


def test_amazon_fulfils_its_own_orders_and_takes_no_confirmation_for_them(
    sandbox: Sandbox, clock: ManualClock, amazon: Client
) -> None:
    clock.advance(24 * 3600)
    client = amazon(sandbox)
    own = [o for o in sandbox.world.seller.orders.values() if o.fulfilled_by == "AMAZON"]
    assert len(own) >= 3
    assert {order.status for order in own} == {"SHIPPED"}
    assert confirm(client, own[0], confirmation(own[0], "7")).status_code == 400


def test_a_buyer_may_ask_to_cancel_and_amazon_may_cancel(
    quiet: Sandbox, spapi: httpx.Client, admin: Client, buyer: Callable[..., AmazonOrder]
) -> None:
    order, client = buyer(), admin(quiet)
    assert client.post(f"/amazon/orders/{order.order_id}/request-cancel").json()["done"]
    params = {"includedData": "CANCELLATION,FULFILLMENT"}
    item = spapi.get(f"{PATH}/{order.order_id}", params=params).json()["order"]["orderItems"][0]
    assert item["cancellation"]["cancellationRequest"]["requester"] == "BUYER"
    assert client.post(f"/amazon/orders/{order.order_id}/cancel").json()["status"] == "CANCELLED"
    assert quiet.world.seller.listings["MUG-BLUE"].quantity == 300


def test_an_access_token_ends_after_an_hour(
    quiet: Sandbox, spapi: httpx.Client, clock: ManualClock
) -> None:
    assert spapi.get(PATH, params=SEARCH).status_code == 200
    clock.advance(lwa.LIFETIME.total_seconds())
    refused = spapi.get(PATH, params=SEARCH)
    assert refused.status_code == 403
    assert refused.json()["errors"][0]["code"] == "Unauthorized"


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"refresh_token": "wrong"}, 400, "invalid_grant"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
def test_login_with_amazon_refuses(
    quiet: Sandbox,
    connect: Callable[..., httpx.Client],
    change: dict[str, str],
    status: int,
    error: str,
) -> None:
    form = {
        "grant_type": "refresh_token",
        "refresh_token": lwa.REFRESH_TOKEN,
        "client_id": lwa.CLIENT_ID,
        "client_secret": lwa.CLIENT_SECRET,
    }
    reply = connect(quiet).post("/lwa/auth/o2/token", data=form | change)
    assert (reply.status_code, reply.json()["error"]) == (status, error)


def test_listings_page_by_token_and_know_no_more_than_twenty(spapi: httpx.Client) -> None:
    path = "/listings/2021-08-01/items/A2SANDBOXSELLER"
    params = {"marketplaceIds": "A1PA6795UKMFR9", "pageSize": "20", "sortBy": "sku"}
    first = spapi.get(path, params=params).json()
    second = spapi.get(path, params=params | {"pageToken": first["pagination"]["nextToken"]}).json()
    skus = [item["sku"] for item in first["items"] + second["items"]]
    assert len(skus) == len(set(skus)) == 34
    assert "nextToken" not in second["pagination"]
    assert spapi.get(path, params=params | {"pageSize": "21"}).status_code == 400


@pytest.mark.parametrize(
    ("content", "outcome"),
    [
        (b"not json", "FATAL"),
        (b"[]", "FATAL"),
        (b'{"messages": [1]}', "FATAL"),
        (b'{"messages": []}', "FATAL"),
        (b'{"messages": [{"sku": "MUG-BLUE", "operationType": "PATCH", "patches": 1}]}', "DONE"),
        (b'{"messages": [{"sku": ["x"], "operationType": "DELETE"}]}', "DONE"),
    ],
)
def test_an_odd_feed_ends_fatal_or_with_its_messages_refused(
    spapi: httpx.Client, clock: ManualClock, content: bytes, outcome: str
) -> None:
    document = spapi.post("/feeds/2021-06-30/documents", json={"contentType": "application/json"})
    spec = {
        "feedType": "JSON_LISTINGS_FEED",
        "marketplaceIds": ["A1PA6795UKMFR9"],
        "inputFeedDocumentId": document.json()["feedDocumentId"],
    }
    assert spapi.post("/feeds/2021-06-30/feeds", json=spec).status_code == 400
    assert spapi.put(document.json()["url"], content=content).status_code == 200
    feed_id = spapi.post("/feeds/2021-06-30/feeds", json=spec).json()["feedId"]
    clock.advance(600)
    feed = spapi.get(f"/feeds/2021-06-30/feeds/{feed_id}").json()
    assert feed["processingStatus"] == outcome
    assert ("resultFeedDocumentId" in feed) == (outcome == "DONE")
