"""How ShipBob behaves beyond its shapes: one order per reference, the floor, stock, lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from sandbox import truth
from sandbox.app import Sandbox
from sandbox.clock import ManualClock
from sandbox.world import World

Client = Callable[[Sandbox], httpx.Client]


@pytest.fixture
def threepl(quiet: Sandbox, bob: Client) -> httpx.Client:
    return bob(quiet)


def order_body(reference: str, products: dict[str, int], **more: Any) -> dict[str, Any]:
    address = {"address1": "1-9-1 Marunouchi", "city": "東京", "country": "JP"}
    lines = [{"reference_id": code, "name": code, "quantity": n} for code, n in products.items()]
    return {
        "type": "DTC",
        "reference_id": reference,
        "shipping_method": "Standard",
        "recipient": {"name": "山田 太郎", "address": address},
        "products": lines,
        **more,
    }


def send(client: httpx.Client, reference: str, products: dict[str, int], **more: Any) -> Any:
    reply = client.post("/order", json=order_body(reference, products, **more))
    assert reply.status_code == 201, reply.text
    return reply.json()


def level(client: httpx.Client, code: str) -> dict[str, int]:
    items = client.get("/inventory-level", params={"SearchBy": code}).json()["items"]
    names = ("on_hand", "committed", "fulfillable", "sellable", "exception")
    return {name: items[0][f"total_{name}_quantity"] for name in names}


def test_a_reference_is_taken_once_for_ever(threepl: httpx.Client, quiet: Sandbox) -> None:
    order = send(threepl, "FO-1", {"TIN-250": 1})
    again = threepl.post("/order", json=order_body("FO-1", {"TIN-250": 1}))
    assert again.status_code == 422
    assert threepl.post(f"/order/{order['id']}:cancel").status_code == 200
    assert threepl.post("/order", json=order_body("FO-1", {"TIN-250": 1})).status_code == 422
    found = threepl.get("/order", params={"ReferenceIds": "FO-1,FO-2"}).json()
    assert [row["id"] for row in found] == [order["id"]]
    assert list(truth.shipbob_orders(quiet.world)) == ["FO-1"]


def test_the_channel_header_is_needed_to_create(threepl: httpx.Client) -> None:
    body = order_body("FO-1", {"TIN-250": 1})
    for channel in ("", "1"):
        refused = threepl.post("/order", json=body, headers={"shipbob_channel_id": channel})
        assert refused.status_code == 400


def test_an_order_is_committed_then_shipped_with_tracking(
    threepl: httpx.Client, clock: ManualClock
) -> None:
    order_id = send(threepl, "FO-1", {"TIN-250": 1})["id"]
    before = {"on_hand": 460, "committed": 1, "fulfillable": 459, "sellable": 459, "exception": 0}
    assert level(threepl, "TIN-250") == before
    assert "tracking" not in threepl.get(f"/order/{order_id}").json()["shipments"][0]
    clock.advance(3 * 3600)
    order = threepl.get(f"/order/{order_id}").json()
    assert order["status"] == "Fulfilled"
    assert order["shipments"][0]["tracking"]["shipping_date"] == "2026-11-02T09:00:00Z"
    assert level(threepl, "TIN-250")["on_hand"] == 459
    assert level(threepl, "TIN-250")["committed"] == 0


def test_some_orders_leave_in_two_parcels_and_nothing_gets_lost(
    threepl: httpx.Client, clock: ManualClock, quiet: Sandbox
) -> None:
    for number in range(40):
        send(threepl, f"FO-{number}", {"TIN-250": 2, "MUG-BLUE": 1})
    clock.advance(3 * 3600)
    statuses = Counter(row["status"] for row in threepl.get("/order").json())
    assert set(statuses) == {"Fulfilled", "PartiallyFulfilled"}
    clock.advance(3600)
    orders = threepl.get("/order").json()
    assert {row["status"] for row in orders} == {"Fulfilled"}
    assert {len(row["shipments"]) for row in orders} == {1, 2}
    for summary in truth.shipbob_orders(quiet.world).values():
        assert summary["shipped"] == {"TIN-250": 2, "MUG-BLUE": 1}
    assert level(threepl, "TIN-250")["on_hand"] == 460 - 80


def test_splitting_does_not_depend_on_the_order_of_arrival(bob: Client) -> None:
    parcels = []
    for numbers in (range(20), reversed(range(20))):
        clock = ManualClock(datetime.fromisoformat("2026-11-02T06:00:00Z"))
        client = bob(Sandbox(World(7, clock, orders_per_channel=0)))
        orders = [send(client, f"FO-{number}", {"TIN-250": 3}) for number in numbers]
        parcels.append({row["reference_id"]: len(row["shipments"]) for row in orders})
    assert parcels[0] == parcels[1]


def test_an_order_without_stock_waits_for_the_delivery(
    threepl: httpx.Client, clock: ManualClock
) -> None:
    order_id = send(threepl, "FO-1", {"KETTLE-GOOSE": 6})["id"]
    assert threepl.get(f"/order/{order_id}").json()["status"] == "Exception"
    assert level(threepl, "KETTLE-GOOSE") == {
        "on_hand": 1,
        "committed": 0,
        "fulfillable": 1,
        "sellable": 0,
        "exception": 6,
    }
    clock.advance(12 * 0.7 * 3600)
    assert threepl.get(f"/order/{order_id}").json()["status"] == "Processing"
    clock.advance(4 * 3600)
    assert threepl.get(f"/order/{order_id}").json()["status"] == "Fulfilled"
    assert level(threepl, "KETTLE-GOOSE")["on_hand"] == 7


def test_cancelling_before_picking_gives_the_stock_back_for_good(
    threepl: httpx.Client, clock: ManualClock
) -> None:
    order_id = send(threepl, "FO-1", {"TIN-250": 1})["id"]
    clock.advance(29 * 60)
    assert threepl.post(f"/order/{order_id}:cancel").json()["status"] == "Success"
    clock.advance(5 * 3600)
    assert threepl.get(f"/order/{order_id}").json()["status"] == "Cancelled"
    assert level(threepl, "TIN-250") == {
        "on_hand": 460,
        "committed": 0,
        "fulfillable": 460,
        "sellable": 460,
        "exception": 0,
    }
    assert threepl.post(f"/order/{order_id}:cancel").json()["status"] == "Success"


def test_the_pace_of_the_floor_can_be_set(bob: Client, clock: ManualClock) -> None:
    world = World(
        7,
        clock,
        orders_per_channel=0,
        pick_after=timedelta(minutes=1),
        ship_after=timedelta(minutes=2),
    )
    client = bob(Sandbox(world))
    order_id = send(client, "FO-1", {"TIN-250": 1})["id"]
    clock.advance(60)
    assert client.post(f"/order/{order_id}:cancel").status_code == 422
    clock.advance(60)
    assert client.get(f"/order/{order_id}").json()["status"] == "Fulfilled"


def test_orders_are_listed_by_what_changed_since(threepl: httpx.Client, clock: ManualClock) -> None:
    first = send(threepl, "FO-1", {"TIN-250": 1})["id"]
    clock.advance(3600)
    second = send(threepl, "FO-2", {"TIN-250": 1})["id"]
    clock.advance(2.5 * 3600)

    def listed(**params: str) -> list[int]:
        return [row["id"] for row in threepl.get("/order", params=params).json()]

    assert listed() == [second, first]
    assert listed(SortOrder="Oldest") == [first, second]
    assert listed(Limit="1", Page="2") == [first]
    assert listed(StartDate="2026-11-02T06:30:00Z") == [second]
    assert listed(EndDate="2026-11-02T06:30:00Z") == [first]
    assert listed(LastUpdateStartDate="2026-11-02T08:00:00Z") == [first]
    assert listed(HasTracking="true") == listed(LastTrackingUpdateStartDate="2026-11-02T06:00:00Z")
    assert listed(HasTracking="false") == [second]
    shipment = threepl.get(f"/order/{first}").json()["shipments"][0]["id"]
    assert listed(IsTrackingUploaded="true") == []
    body = {"shipment_ids": [shipment], "is_tracking_uploaded": True}
    assert threepl.post("/shipment:batchUpdateTrackingUpload", json=body).status_code == 200
    assert listed(IsTrackingUploaded="true") == [first]


def test_stock_pages_by_the_address_of_the_next_page(threepl: httpx.Client) -> None:
    address, codes = "/2026-01/inventory-level/locations?PageSize=15", []
    while address:
        page = threepl.get(f"http://sandbox.test/shipbob{address}").json()
        codes += [row["sku"] for row in page["items"]]
        address = page["next"]
    assert len(codes) == len(set(codes)) == 40
    places = {row["location_id"]: row["on_hand_quantity"] for row in page["items"][0]["locations"]}
    assert places == {84: 400, 91: 60}


def test_the_location_asked_for_ships(threepl: httpx.Client) -> None:
    order = send(threepl, "FO-1", {"TIN-250": 1}, location_id=91)
    assert order["shipments"][0]["location"]["id"] == 91
    assert (
        threepl.post("/order", json=order_body("FO-2", {"TIN-250": 1}, location_id=5)).status_code
        == 422
    )
