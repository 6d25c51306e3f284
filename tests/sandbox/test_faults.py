"""Faults: what strikes before leaves no effect, what strikes after leaves it exactly once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from sandbox import truth
from sandbox.app import Sandbox
from sandbox.clock import ManualClock
from sandbox.faults import AFTER, BEFORE, Faults

Client = Callable[[Sandbox], httpx.Client]

ORDER: dict[str, Any] = {
    "type": "DTC",
    "reference_id": "FO-1",
    "shipping_method": "Standard",
    "recipient": {"name": "A", "address": {"address1": "b", "city": "c", "country": "DE"}},
    "products": [{"reference_id": "TIN-250", "name": "Tin", "quantity": 1}],
}


def test_a_request_that_never_arrived_has_no_effect(quiet: Sandbox, bob: Client) -> None:
    client = bob(quiet)
    quiet.faults.add("shipbob:createOrder", "timeout-before", times=1)
    with pytest.raises(httpx.ConnectError) as lost:
        client.post("/order", json=ORDER)
    assert lost.value.request.url.path == "/shipbob/2026-01/order"
    assert truth.shipbob_orders(quiet.world) == {}
    assert client.post("/order", json=ORDER).status_code == 201


def test_a_lost_reply_leaves_the_effect_once(quiet: Sandbox, bob: Client) -> None:
    client = bob(quiet)
    quiet.faults.add("shipbob:createOrder", "timeout-after", times=1)
    with pytest.raises(httpx.ReadTimeout):
        client.post("/order", json=ORDER)
    assert client.post("/order", json=ORDER).status_code == 422
    assert list(truth.shipbob_orders(quiet.world)) == ["FO-1"]
    log = [(call.operation, call.status) for call in quiet.calls.entries]
    assert log == [("createOrder", -1), ("createOrder", 422)]


@pytest.mark.parametrize("kind", sorted(BEFORE - {"latency", "timeout-before"}))
def test_a_refusal_before_has_no_effect(quiet: Sandbox, bob: Client, kind: str) -> None:
    quiet.faults.add("shipbob:*", kind, times=1)
    assert bob(quiet).post("/order", json=ORDER).status_code == int(kind)
    assert truth.shipbob_orders(quiet.world) == {}


@pytest.mark.parametrize("kind", sorted(AFTER - {"timeout-after"}))
def test_a_spoilt_reply_leaves_the_effect(quiet: Sandbox, bob: Client, kind: str) -> None:
    quiet.faults.add("shipbob:*", kind, times=1)
    bob(quiet).post("/order", json=ORDER)
    assert list(truth.shipbob_orders(quiet.world)) == ["FO-1"]


def test_spoilt_replies_look_as_their_names_say(quiet: Sandbox, woo: Client) -> None:
    client, seen = woo(quiet), {}
    whole = client.get("/products").content
    for kind in ("500-after", "html", "truncated", "empty", "wrong-type"):
        quiet.faults.add("woocommerce:*", kind, times=1)
        seen[kind] = client.get("/products")
    assert seen["500-after"].status_code == 500
    assert seen["html"].status_code == 200
    assert seen["html"].headers["content-type"].startswith("text/html")
    assert seen["truncated"].content == whole[: len(whole) // 2]
    assert (seen["empty"].status_code, seen["empty"].content) == (200, b"")
    assert seen["wrong-type"].headers["content-type"] == "text/plain"
    assert seen["wrong-type"].content == whole
    assert client.get("/products").content == whole


@pytest.mark.parametrize(
    ("params", "header"),
    [
        ({}, None),
        ({"retry_after": 7}, "7"),
        ({"retry_after": "date", "seconds": 60}, "Mon, 02 Nov 2026 06:01:00 GMT"),
    ],
)
def test_429_comes_with_and_without_a_time_to_wait(
    quiet: Sandbox, woo: Client, params: dict[str, Any], header: str | None
) -> None:
    quiet.faults.add("woocommerce:listOrders", "429", times=1, params=params)
    refused = woo(quiet).get("/orders")
    assert refused.status_code == 429
    assert refused.headers.get("Retry-After") == header


def test_latency_passes_on_the_sandbox_clock(
    quiet: Sandbox, clock: ManualClock, woo: Client
) -> None:
    before = clock.now()
    quiet.faults.add("woocommerce:*", "latency", times=1, params={"seconds": 12.5})
    assert woo(quiet).get("/orders").status_code == 200
    assert (clock.now() - before).total_seconds() == 12.5


def test_a_page_may_come_twice(quiet: Sandbox, woo: Client) -> None:
    client = woo(quiet)
    first = client.get("/products", params={"per_page": "5", "page": "1"}).json()
    quiet.faults.add("woocommerce:listProducts", "duplicate-page", times=1)
    again = client.get("/products", params={"per_page": "5", "page": "2"}).json()
    assert again == first


def test_a_cursor_may_point_at_its_own_page(
    sandbox: Sandbox, clock: ManualClock, woo: Client, amazon: Client, bob: Client
) -> None:
    clock.advance(20 * 3600)
    sandbox.faults.add("*", "repeated-cursor", times=3)
    sandbox.faults.rules[0].struck = 3
    spapi, query = (
        amazon(sandbox),
        {
            "marketplaceIds": "A1PA6795UKMFR9",
            "createdAfter": "2026-11-01T00:00:00Z",
            "maxResultsPerPage": "5",
        },
    )
    token = spapi.get("/orders/2026-01-01/orders", params=query).json()["pagination"]["nextToken"]
    sandbox.faults.rules[0].struck = 0
    resumed = spapi.get("/orders/2026-01-01/orders", params=query | {"paginationToken": token})
    assert resumed.json()["pagination"]["nextToken"] == token
    page = bob(sandbox).get("/inventory-level", params={"PageSize": "5", "cursor": "c5"}).json()
    assert page["next"] == "/2026-01/inventory-level?PageSize=5&cursor=c5"
    products = woo(sandbox).get("/products", params={"per_page": "5", "page": "2"})
    assert products.links["next"]["url"].endswith("per_page=5&page=2")


def test_faults_strike_by_pattern_share_and_number(quiet: Sandbox) -> None:
    faults = Faults(seed=7)
    some = faults.add("amazon:*", "500", probability=0.25)
    twice = faults.add("*:createLabel", "503", times=2)
    for _ in range(1000):
        assert faults.draw("shipbob", "createOrder") == []
        faults.draw("amazon", "getOrder")
        faults.draw("shipengine", "createLabel")
    assert 190 < some.struck < 310
    assert twice.struck == 2
    faults.clear()
    assert faults.draw("amazon", "getOrder") == []


def test_adding_a_fault_does_not_reshuffle_the_others() -> None:
    rows = []
    for extra in (False, True):
        faults = Faults(seed=7)
        rule = faults.add("amazon:*", "500", probability=0.5)
        if extra:
            faults.add("amazon:*", "503", probability=0.5)
        rows.append([rule in faults.draw("amazon", "getOrder") for _ in range(50)])
    assert rows[0] == rows[1]


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="no fault 'flood'"):
        Faults(seed=7).add("*", "flood")
