"""A day of trade can be served: everything a hub has to do is possible, and adds up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx

from sandbox import truth
from sandbox.app import Sandbox
from sandbox.clock import ManualClock
from sandbox.vendors.amazon_seller import MARKETPLACES

Client = Callable[[Sandbox], httpx.Client]
Check = Callable[[httpx.Response], None]
Json = dict[str, Any]

HOME = {
    "name": "Lager",
    "address_line1": "Hafenstraße 1",
    "phone": "+49 221 5550100",
    "city_locality": "Köln",
    "state_province": "NW",
    "postal_code": "50667",
    "country_code": "DE",
}


def send_to_3pl(bob: httpx.Client, order: Json) -> None:
    """One ShipBob order for a whole shop order."""
    to = order["shipping"]
    address = {"address1": to["address_1"], "city": to["city"], "country": to["country"]}
    body = {
        "type": "DTC",
        "reference_id": f"woo-{order['id']}",
        "shipping_method": "Standard",
        "recipient": {"name": f"{to['first_name']} {to['last_name']}", "address": address},
        "products": [
            {"reference_id": line["sku"], "name": line["name"], "quantity": line["quantity"]}
            for line in order["line_items"]
        ],
    }
    reply = bob.post("/order", json=body)
    assert reply.status_code == 201, reply.text


def label_for(engine: httpx.Client, order: Json) -> Json:
    """The cheapest label for an Amazon order, bought."""
    to = order["recipient"]["deliveryAddress"]
    shipment = {
        "external_shipment_id": f"amazon-{order['orderId']}",
        "ship_from": HOME,
        "ship_to": {
            "name": to["name"],
            "address_line1": to["addressLine1"],
            "city_locality": to["city"],
            "state_province": to.get("stateOrRegion") or to["city"],
            "postal_code": to["postalCode"],
            "country_code": to["countryCode"],
        },
        "packages": [{"weight": {"value": 900, "unit": "gram"}}],
    }
    quoted = engine.post("/rates", json={"shipment": shipment, "rate_options": {}}).json()
    rates = quoted["rate_response"]["rates"]
    cheapest = min(rates, key=lambda rate: rate["shipping_amount"]["amount"])
    reply = engine.post(f"/labels/rates/{cheapest['rate_id']}", json={})
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


def confirm(spapi: httpx.Client, order: Json, label: Json) -> None:
    detail = {
        "packageReferenceId": "1",
        "carrierCode": "DPD",
        "trackingNumber": label["tracking_number"],
        "shipDate": label["created_at"],
        "orderItems": [
            {"orderItemId": item["orderItemId"], "quantity": item["quantityOrdered"]}
            for item in order["orderItems"]
        ],
    }
    path = f"/orders/v0/orders/{order['orderId']}/shipmentConfirmation"
    body = {"marketplaceId": order["salesChannel"]["marketplaceId"], "packageDetail": detail}
    reply = spapi.post(path, json=body)
    assert reply.status_code == 204, reply.text


def watch(client: httpx.Client, check: Check) -> httpx.Client:
    """Hold every answer this client gets to the contract."""

    def validate(response: httpx.Response) -> None:
        response.read()
        check(response)

    client.event_hooks["response"] = [validate]
    return client


def test_the_shop_can_be_served_by_the_3pl(
    sandbox: Sandbox, clock: ManualClock, woo: Client, bob: Client, shipbob_contract: Check
) -> None:
    clock.advance(13 * 3600)
    shop, threepl = woo(sandbox), watch(bob(sandbox), shipbob_contract)
    known = {str(row["code"]) for row in sandbox.world.catalogue()}
    orders = [
        order
        for order in shop.get("/orders", params={"status": "processing", "per_page": "100"}).json()
        if order["shipping"]["address_1"] and {line["sku"] for line in order["line_items"]} <= known
    ]
    before = truth.stock(sandbox.world)["shipbob"]
    for order in orders:
        send_to_3pl(threepl, order)
    clock.advance(5 * 3600)
    for shipped in threepl.get("/order", params={"Limit": "250"}).json():
        assert shipped["status"] == "Fulfilled"
        number = shipped["reference_id"].removeprefix("woo-")
        assert shop.put(f"/orders/{number}", json={"status": "completed"}).status_code == 200
    assert len(orders) >= 45
    left: Counter[str] = Counter()
    for summary in truth.shipbob_orders(sandbox.world).values():
        left.update(summary["shipped"])
    after = truth.stock(sandbox.world)["shipbob"]
    assert {code: before[code] - left[code] for code in before} == after
    waiting = [
        order
        for order in truth.woo_orders(sandbox.world)
        if order["to_ship"] and order["addressed"] and order["status"] != "completed"
    ]
    assert all(order["unmapped"] for order in waiting)


def test_amazon_can_be_served_from_the_own_warehouse(
    sandbox: Sandbox,
    clock: ManualClock,
    amazon: Client,
    engine: Client,
    shipengine_contract: Check,
    amazon_contract: Callable[[str], Check],
) -> None:
    clock.advance(20 * 3600)
    spapi, carrier = amazon(sandbox), watch(engine(sandbox), shipengine_contract)
    params = {
        "createdAfter": "2026-11-01T00:00:00Z",
        "marketplaceIds": ",".join(MARKETPLACES),
        "fulfilledBy": "MERCHANT",
        "fulfillmentStatuses": "UNSHIPPED",
        "includedData": "RECIPIENT",
    }
    orders = spapi.get("/orders/2026-01-01/orders", params=params).json()["orders"]
    watch(spapi, amazon_contract("ordersV0"))
    for order in (order for order in orders if "recipient" in order):
        confirm(spapi, order, label_for(carrier, order))
        clock.advance(1)
    bought = truth.labels(sandbox.world)
    assert len(bought) >= 45
    for order in truth.amazon_orders(sandbox.world):
        if order["to_ship"] and order["addressed"]:
            assert (order["status"], order["confirmations"]) == ("SHIPPED", 1)
            assert order["shipped"] == order["lines"]
            assert bought[f"amazon-{order['id']}"]["live"] == 1
