"""Every kind of answer of the Amazon sandbox is one Amazon's own models allow."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from sandbox.app import Sandbox
from sandbox.clock import ManualClock
from sandbox.vendors.amazon_seller import MARKETPLACES, SELLER_ID

Client = Callable[[Sandbox], httpx.Client]
Contract = Callable[[str], Callable[[httpx.Response], None]]

ORDERS = "/orders/2026-01-01/orders"
ITEMS = f"/listings/2021-08-01/items/{SELLER_ID}"
MARKETS = ",".join(MARKETPLACES)
EVERYTHING = "BUYER,RECIPIENT,PROCEEDS,EXPENSE,PROMOTION,CANCELLATION,FULFILLMENT,PACKAGES"


def stock_patch(quantity: int) -> dict[str, Any]:
    value = [{"fulfillment_channel_code": "DEFAULT", "quantity": quantity}]
    patch = {"op": "replace", "path": "/attributes/fulfillment_availability", "value": value}
    return {"productType": "KITCHEN", "patches": [patch]}


def test_every_order_of_a_day_validates_in_list_and_alone(
    sandbox: Sandbox, clock: ManualClock, amazon: Client, amazon_contract: Contract
) -> None:
    clock.advance(20 * 3600)
    client, check = amazon(sandbox), amazon_contract("orders_2026-01-01")
    listing = client.get(
        ORDERS,
        params={
            "createdAfter": "2026-11-01T00:00:00Z",
            "marketplaceIds": MARKETS,
            "includedData": EVERYTHING,
        },
    )
    check(listing)
    orders = listing.json()["orders"]
    assert len(orders) == 60
    assert {order["fulfillment"]["fulfillmentStatus"] for order in orders} == {
        "UNSHIPPED",
        "SHIPPED",
        "CANCELLED",
    }
    for order in orders[:10]:
        alone = client.get(f"{ORDERS}/{order['orderId']}", params={"includedData": EVERYTHING})
        check(alone)
        assert alone.json()["order"] == order


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"createdAfter": "2026-11-01T00:00:00Z"}, 400),
        ({"marketplaceIds": MARKETS}, 400),
        ({"marketplaceIds": MARKETS, "createdAfter": "yesterday"}, 400),
        (
            {"marketplaceIds": MARKETS, "createdAfter": "2026-11-01", "maxResultsPerPage": "101"},
            400,
        ),
        ({"marketplaceIds": MARKETS, "createdAfter": "2026-11-01", "includedData": "NOTHING"}, 400),
    ],
)
def test_a_refused_search_answers_an_error_list(
    sandbox: Sandbox,
    amazon: Client,
    amazon_contract: Contract,
    params: dict[str, str],
    status: int,
) -> None:
    refused = amazon(sandbox).get(ORDERS, params=params)
    amazon_contract("orders_2026-01-01")(refused)
    assert refused.status_code == status
    assert refused.json()["errors"][0]["code"] == "InvalidInput"


def test_listings_validate_with_every_data_set(
    quiet: Sandbox, amazon: Client, amazon_contract: Contract
) -> None:
    client, check = amazon(quiet), amazon_contract("listingsItems_2021-08-01")
    data = "summaries,attributes,issues,offers,fulfillmentAvailability,productTypes"
    page = client.get(
        ITEMS, params={"marketplaceIds": MARKETS, "includedData": data, "pageSize": "20"}
    )
    check(page)
    item = client.get(f"{ITEMS}/MUG-BLUE", params={"marketplaceIds": MARKETS, "includedData": data})
    check(item)
    assert page.json()["numberOfResults"] == 34
    assert item.json()["fulfillmentAvailability"] == [
        {"fulfillmentChannelCode": "DEFAULT", "quantity": 300}
    ]


@pytest.mark.parametrize(
    ("sku", "quantity", "status"),
    [("MUG-BLUE", 5, "ACCEPTED"), ("MUG-BLUE", -1, "INVALID"), ("NO-SUCH", 5, "INVALID")],
)
def test_a_patch_answers_a_submission(
    quiet: Sandbox,
    amazon: Client,
    amazon_contract: Contract,
    sku: str,
    quantity: int,
    status: str,
) -> None:
    reply = amazon(quiet).patch(
        f"{ITEMS}/{sku}", params={"marketplaceIds": MARKETS}, json=stock_patch(quantity)
    )
    amazon_contract("listingsItems_2021-08-01")(reply)
    assert reply.json()["status"] == status
    expected = 5 if status == "ACCEPTED" else 300
    assert quiet.world.seller.listings["MUG-BLUE"].quantity == expected


def test_a_feed_goes_through_its_states_and_reports_per_message(
    quiet: Sandbox, clock: ManualClock, amazon: Client, amazon_contract: Contract, specs: Path
) -> None:
    client, check = amazon(quiet), amazon_contract("feeds_2021-06-30")
    document = client.post("/feeds/2021-06-30/documents", json={"contentType": "application/json"})
    check(document)
    messages = [
        {"messageId": place, "sku": sku, "operationType": "PATCH", **stock_patch(place)}
        for place, sku in enumerate(("MUG-BLUE", "NO-SUCH", "MUG-RED"), start=1)
    ]
    feed_body = {"header": {"sellerId": SELLER_ID, "version": "2.0"}, "messages": messages}
    assert client.put(document.json()["url"], json=feed_body).status_code == 200
    submitted = client.post(
        "/feeds/2021-06-30/feeds",
        json={
            "feedType": "JSON_LISTINGS_FEED",
            "marketplaceIds": list(MARKETPLACES),
            "inputFeedDocumentId": document.json()["feedDocumentId"],
        },
    )
    check(submitted)
    states = []
    for _ in range(4):
        feed = client.get(f"/feeds/2021-06-30/feeds/{submitted.json()['feedId']}")
        check(feed)
        states.append(feed.json()["processingStatus"])
        clock.advance(65)
    assert states == ["IN_QUEUE", "IN_PROGRESS", "IN_PROGRESS", "DONE"]
    result = client.get(f"/feeds/2021-06-30/documents/{feed.json()['resultFeedDocumentId']}")
    check(result)
    report = json.loads(gzip.decompress(client.get(result.json()["url"]).content))
    schema = specs / "amazon-sp-api/schemas/feeds/listings-feed-processing-report-schema-v2.json"
    jsonschema.validate(report, json.loads(schema.read_text()))
    assert [(issue["messageId"], issue["sku"]) for issue in report["issues"]] == [(2, "NO-SUCH")]
    assert report["summary"]["messagesAccepted"] == 2
    assert quiet.world.seller.listings["MUG-RED"].quantity == 3


def test_refusals_of_every_api_are_error_lists(
    quiet: Sandbox, amazon: Client, amazon_contract: Contract
) -> None:
    client = amazon(quiet)
    refused = [
        ("orders_2026-01-01", client.get(f"{ORDERS}/000-0000000-0000000"), 404),
        ("listingsItems_2021-08-01", client.get(ITEMS), 400),
        ("feeds_2021-06-30", client.get("/feeds/2021-06-30/feeds/1"), 404),
        ("ordersV0", client.post("/orders/v0/orders/1/shipmentConfirmation", json={}), 404),
    ]
    client.headers.pop("x-amz-access-token")
    refused.append(("orders_2026-01-01", client.get(ORDERS), 403))
    for api, reply, status in refused:
        amazon_contract(api)(reply)
        assert reply.status_code == status
