"""Every kind of answer of the ShipBob sandbox is one ShipBob's contract allows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

from sandbox.app import Sandbox
from sandbox.clock import ManualClock

Client = Callable[[Sandbox], httpx.Client]
Check = Callable[[httpx.Response], None]


def order_body(reference: str, products: dict[str, int], **more: Any) -> dict[str, Any]:
    address = {"address1": "Straße 1", "city": "Köln", "country": "DE", "zip_code": "50667"}
    return {
        "type": "DTC",
        "reference_id": reference,
        "shipping_method": "Standard",
        "recipient": {"name": "Zoë 🌻", "address": address},
        "products": [
            {"reference_id": code, "name": code, "quantity": quantity}
            for code, quantity in products.items()
        ],
        **more,
    }


def test_an_order_validates_from_creation_to_tracking(
    quiet: Sandbox, clock: ManualClock, bob: Client, shipbob_contract: Check
) -> None:
    client = bob(quiet)
    created = client.post("/order", json=order_body("FO-1", {"MUG-BLUE": 2, "TIN-250": 1}))
    shipbob_contract(created)
    assert created.status_code == 201
    clock.advance(5 * 3600)
    order_id = created.json()["id"]
    for path in ("/order", f"/order/{order_id}", f"/order/{order_id}/shipment"):
        reply = client.get(path)
        shipbob_contract(reply)
    order = client.get(f"/order/{order_id}").json()
    shipment = client.get(f"/shipment/{order['shipments'][0]['id']}")
    shipbob_contract(shipment)
    assert order["status"] == "Fulfilled"
    assert shipment.json()["tracking"]["tracking_number"].startswith("SB")
    done = client.post(
        "/shipment:batchUpdateTrackingUpload",
        json={"shipment_ids": [shipment.json()["id"], 1], "is_tracking_uploaded": True},
    )
    shipbob_contract(done)
    assert done.json()["summary"] == {"total": 2, "successful": 1, "failed": 1}


def test_an_order_without_stock_validates_as_an_exception(
    quiet: Sandbox, bob: Client, shipbob_contract: Check
) -> None:
    created = bob(quiet).post("/order", json=order_body("FO-1", {"KETTLE-GOOSE": 5}))
    shipbob_contract(created)
    assert created.json()["status"] == "Exception"
    assert (
        bob(quiet)
        .get("/inventory-level?SearchBy=KETTLE")
        .json()["items"][0]["total_exception_quantity"]
        == 5
    )


def test_cancellation_validates_when_it_works_and_when_it_is_too_late(
    quiet: Sandbox, clock: ManualClock, bob: Client, shipbob_contract: Check
) -> None:
    client = bob(quiet)
    early, late = (
        client.post("/order", json=order_body(reference, {"TIN-250": 1})).json()["id"]
        for reference in ("FO-1", "FO-2")
    )
    cancelled = client.post(f"/order/{early}:cancel")
    shipbob_contract(cancelled)
    assert cancelled.json()["status"] == "Success"
    assert cancelled.json()["order"]["status"] == "Cancelled"
    clock.advance(31 * 60)
    refused = client.post(f"/order/{late}:cancel")
    shipbob_contract(refused)
    assert refused.status_code == 422
    shipment = client.get(f"/order/{late}").json()["shipments"][0]["id"]
    refused = client.post(f"/shipment/{shipment}:cancel")
    shipbob_contract(refused)
    assert refused.status_code == 422


def test_stock_product_and_place_lists_validate(
    quiet: Sandbox, bob: Client, shipbob_contract: Check
) -> None:
    client = bob(quiet)
    for path in (
        "/inventory-level",
        "/inventory-level/locations",
        "/inventory-level/20000001",
        "/inventory",
        "/product",
        "/channel",
        "/location",
        "/shipping-method",
    ):
        reply = client.get(path)
        assert reply.status_code == 200, path
        shipbob_contract(reply)


def test_refusals_validate(quiet: Sandbox, bob: Client, shipbob_contract: Check) -> None:
    client = bob(quiet)
    client.post("/order", json=order_body("FO-1", {"TIN-250": 1}))
    nameless = order_body("FO-3", {"TIN-250": 1}) | {"recipient": {"name": "A"}}
    for reply, status in (
        (client.post("/order", json=order_body("FO-1", {"TIN-250": 1})), 422),
        (client.post("/order", json=order_body("FO-2", {"NO-SUCH": 1})), 422),
        (client.post("/order", json={"type": "DTC"}), 400),
        (client.post("/order", json=nameless), 400),
        (client.post("/order", content=b"not json"), 400),
        (client.get("/order", params={"Limit": "251"}), 400),
        (client.get("/inventory-level", params={"PageSize": "0"}), 400),
        (client.get("/inventory-level/1"), 404),
    ):
        shipbob_contract(reply)
        assert reply.status_code == status
    assert client.get("/order/1").status_code == 404
    assert client.get("/order", headers={"Authorization": "Bearer wrong"}).status_code == 401
