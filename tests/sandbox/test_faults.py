"""Faults: what strikes before leaves no effect, what strikes after leaves it exactly once."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from sandbox import truth
from sandbox.app import Sandbox
from sandbox.clock import ManualClock
from sandbox.faults import AFTER, DRIFTS, REDIRECTS, REFUSALS, Faults

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


@pytest.mark.parametrize("kind", sorted(REFUSALS | REDIRECTS))
def test_a_refusal_before_has_no_effect(quiet: Sandbox, bob: Client, kind: str) -> None:
    quiet.faults.add("shipbob:*", kind, times=1)
    status = 302 if kind in REDIRECTS else int(kind[:3])
    assert bob(quiet).post("/order", json=ORDER).status_code == status
    assert truth.shipbob_orders(quiet.world) == {}
    assert quiet.faults.struck == {kind: 1}


@pytest.mark.parametrize("kind", sorted(AFTER - {"timeout-after"}))
def test_a_spoilt_reply_leaves_the_effect(quiet: Sandbox, bob: Client, kind: str) -> None:
    quiet.faults.add(
        "shipbob:*", kind, times=1, params={"field": "status"} if kind in DRIFTS else {}
    )
    with contextlib.suppress(httpx.DecodingError):
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
        ({"retry_after": "past-date"}, "Mon, 02 Nov 1998 06:00:00 GMT"),
        ({"retry_after": "huge"}, "99999999999"),
        ({"retry_after": "negative"}, "-30"),
        ({"retry_after": "nonsense"}, "soon"),
        ({"retry_after": "absent"}, None),
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


def spoilt(quiet: Sandbox, client: httpx.Client, kind: str, **params: Any) -> httpx.Response:
    quiet.faults.add("woocommerce:listProducts", kind, times=1, params=params)
    return client.get("/products", params={"per_page": "5"})


def test_bodies_are_broken_as_their_kinds_say(quiet: Sandbox, woo: Client) -> None:
    client = woo(quiet)
    whole = client.get("/products", params={"per_page": "5"}).content
    assert spoilt(quiet, client, "empty-object").json() == {}
    assert spoilt(quiet, client, "errors-body").json()["errors"][0]["code"] == "INTERNAL"
    assert spoilt(quiet, client, "trailing-garbage").content.startswith(whole)
    assert spoilt(quiet, client, "byte-order-mark").content == b"\xef\xbb\xbf" + whole
    assert b'"extra":NaN,' in spoilt(quiet, client, "not-a-number").content
    assert b"[" * 100_000 in spoilt(quiet, client, "deep").content
    assert b"9" * 1_000_000 in spoilt(quiet, client, "huge-integer").content
    twice = spoilt(quiet, client, "duplicate-keys").json()
    assert (twice[0]["id"], twice[1]["id"]) == (None, json.loads(whole)[1]["id"])
    with contextlib.suppress(httpx.DecodingError):
        assert spoilt(quiet, client, "gzip-cut").content != whole
    assert len(spoilt(quiet, client, "gzip-bomb").content) == 40 * 1024 * 1024
    assert len(quiet.faults.struck) == 10


def test_two_faults_may_spoil_one_reply(quiet: Sandbox, woo: Client) -> None:
    client = woo(quiet)
    quiet.faults.add("woocommerce:listProducts", "deep", times=2)
    quiet.faults.add("woocommerce:listProducts", "new-enum", times=1, params={"field": "status"})
    assert b"[" * 100_000 in client.get("/products", params={"per_page": "5"}).content
    assert b"[" * 100_000 in spoilt(quiet, client, "repeated-cursor").content
    quiet.faults.add("woocommerce:listProducts", "deep", times=1)
    assert b"[" * 100_000 in spoilt(quiet, client, "duplicate-keys").content


def test_redirects_lead_where_their_kinds_say(quiet: Sandbox, woo: Client) -> None:
    client = woo(quiet)
    for kind, target in (
        ("redirect-http", "http://sandbox.test/moved"),
        ("redirect-host", "https://elsewhere.example/v1/orders"),
        ("redirect-link-local", "http://169.254.169.254/latest/meta-data/"),
        ("redirect-loop", "http://sandbox.test/woo/wp-json/wc/v3/products?per_page=5"),
    ):
        moved = spoilt(quiet, client, kind, status=307)
        assert (moved.status_code, moved.headers["Location"]) == (307, target)


def test_a_field_of_one_object_drifts(quiet: Sandbox, woo: Client) -> None:
    client = woo(quiet)
    new = spoilt(quiet, client, "new-enum", field="stock_status", value="maybe").json()
    assert [row["stock_status"] for row in new].count("maybe") == 1
    less = spoilt(quiet, client, "missing-field", field="stock_status").json()
    assert sum("stock_status" not in row for row in less) == 1
    other = spoilt(quiet, client, "type-change", field="stock_status").json()
    assert sum(isinstance(row["stock_status"], dict) for row in other) == 1
    assert spoilt(quiet, client, "missing-field", field="no-such-field").status_code == 200
    # What met nothing was drawn, but did not happen.
    assert quiet.faults.struck == {"new-enum": 1, "missing-field": 1, "type-change": 1}
    with pytest.raises(ValueError, match="needs params"):
        quiet.faults.add("*", "missing-field")


def test_an_answer_may_come_too_late(quiet: Sandbox, clock: ManualClock, bob: Client) -> None:
    quiet.faults.add("shipbob:createOrder", "late", times=1, params={"seconds": 20})
    before = clock.now()
    assert bob(quiet).post("/order", json=ORDER).status_code == 201
    assert (clock.now() - before).total_seconds() == 20
    quiet.faults.add("shipbob:createOrder", "late", times=1, params={"seconds": 50})
    with pytest.raises(httpx.ReadTimeout):
        bob(quiet).post("/order", json=ORDER | {"reference_id": "FO-2"})
    assert (clock.now() - before).total_seconds() == 50
    assert list(truth.shipbob_orders(quiet.world)) == ["FO-1", "FO-2"]


def test_a_cache_may_give_an_old_answer(quiet: Sandbox, woo: Client) -> None:
    client = woo(quiet)
    tin = quiet.world.shop.listed("TIN-250")
    old = client.get("/products", params={"sku": "TIN-250"}).json()
    tin.stock = 1
    client.get("/products", params={"sku": "TIN-250"})
    quiet.faults.add("woocommerce:listProducts", "stale-page", times=1, params={"ago": 2})
    assert client.get("/products", params={"sku": "TIN-250"}).json() == old
    assert client.get("/products", params={"sku": "TIN-250"}).json()[0]["stock_quantity"] == 1


def test_an_outage_begins_and_ends(quiet: Sandbox, clock: ManualClock, woo: Client) -> None:
    client = woo(quiet)
    start = clock.now() + timedelta(hours=1)
    quiet.faults.add("woocommerce:*", "503", since=start, until=start + timedelta(hours=6))
    seen = []
    for _ in range(9):
        seen.append(client.get("/orders").status_code)
        clock.advance(3600)
    assert seen == [200, *[503] * 6, 200, 200]
    assert quiet.faults.struck == {"503": 6}
