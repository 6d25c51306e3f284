"""The sandbox's own API: what tests and demos in other processes steer it by."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from sandbox import truth
from sandbox.app import Sandbox
from sandbox.clock import ManualClock

Client = Callable[[Sandbox], httpx.Client]


def test_the_clock_can_be_read_and_moved(sandbox: Sandbox, admin: Client) -> None:
    client = admin(sandbox)
    before = client.get("/clock").json()
    assert before["now"] == "2026-11-02T06:00:00Z"
    assert before["day_ends"] == "2026-11-02T18:00:00Z"
    assert before["next_event"] > before["now"]
    assert client.post("/clock", json={"advance": 3600}).json()["now"] == "2026-11-02T07:00:00Z"


def test_calls_are_counted_by_vendor_and_operation(
    quiet: Sandbox, admin: Client, woo: Client
) -> None:
    shop, client = woo(quiet), admin(quiet)
    shop.get("/orders")
    shop.get("/orders", params={"per_page": "0"})
    shop.get("/no-such-path")
    assert client.get("/calls").json() == {"woocommerce:listOrders": 2, "woocommerce:unknown": 1}
    log = client.get("/calls/log", params={"since": "1"}).json()
    assert [(row["operation"], row["status"]) for row in log] == [
        ("listOrders", 400),
        ("unknown", 404),
    ]


def test_faults_can_be_added_listed_and_cleared(quiet: Sandbox, admin: Client, woo: Client) -> None:
    client, shop = admin(quiet), woo(quiet)
    fault = {"pattern": "woocommerce:*", "kind": "503", "times": 2, "params": {"retry_after": 3}}
    assert client.post("/faults", json=fault).status_code == 201
    assert shop.get("/orders").headers["Retry-After"] == "3"
    assert client.get("/faults").json() == [fault | {"probability": 1.0, "struck": 1}]
    assert client.delete("/faults").status_code == 204
    assert shop.get("/orders").status_code == 200
    assert client.post("/faults", json={"pattern": "*", "kind": "flood"}).status_code == 400


@pytest.mark.parametrize("channel", ["woo", "amazon"])
def test_wrong_orders_are_refused_with_the_reason(
    quiet: Sandbox, admin: Client, channel: str
) -> None:
    client = admin(quiet)
    for body in ({}, {"lines": {"NO-SUCH": 1}}, {"lines": {"MUG-BLUE": 1}, "person": 99}):
        refused = client.post(f"/{channel}/orders", json=body)
        assert refused.status_code == 400
        assert refused.json()["error"]
    assert client.post(f"/{channel}/orders", content=b"[]").status_code == 400
    assert client.post(f"/{channel}/orders/1/cancel").status_code == 404


def test_cancelling_a_shipped_shop_order_is_too_late(
    quiet: Sandbox, admin: Client, woo: Client
) -> None:
    client = admin(quiet)
    number = client.post("/woo/orders", json={"lines": {"MUG-BLUE": 1}}).json()["id"]
    woo(quiet).put(f"/orders/{number}", json={"status": "completed"})
    refused = client.post(f"/woo/orders/{number}/cancel").json()
    assert refused == {"done": False, "status": "completed"}
    assert truth.woo_orders(quiet.world)[0]["history"] == ["processing", "completed"]


def test_truth_digest_and_catalogue_are_served(
    sandbox: Sandbox, clock: ManualClock, admin: Client
) -> None:
    client = admin(sandbox)
    clock.advance(20 * 3600)
    assert client.get("/digest").json()["sha256"] == truth.digest(sandbox.world)
    assert client.get("/truth").json()["stock"]["woocommerce"]["writes"] == {}
    row = client.get("/catalogue").json()[0]
    assert row == {
        "code": "TEE-OLIVE-S",
        "title": "Organic Tee Olive-S",
        "gtin": "4012345000016",
        "weight_g": 180,
        "shipbob_id": 20000001,
        "own_stock": 150,
    }
