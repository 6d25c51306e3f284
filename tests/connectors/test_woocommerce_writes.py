"""What only the coded WooCommerce connector writes: tracking; and its writes as documented.

What any connector to a shop does with stock is in ``test_conformance_shop``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
import respx

from connectors.base import (
    Outcome,
)
from connectors.errors import Rejected
from connectors.http import Call
from connectors.woocommerce import WooCommerce
from mappings import canonical as c
from sandbox.app import Sandbox
from sandbox.clock import ManualClock
from sandbox.server import serve
from sandbox.vendors.woo_shop import WooOrder, WooShop
from tests.connectors.woo_words import (
    Shop,
    ids,
    notice,
    pulled,
    sellable,
    update,
)

# ---- stock out -------------------------------------------------------------------------------


def test_stock_of_a_product_that_keeps_none_is_refused_with_the_remedy(
    web_shop: tuple[WooCommerce, respx.MockRouter],
) -> None:
    woo, router = web_shop
    row = {"id": 7, "manage_stock": False, "stock_quantity": None}
    router.post("/products/batch").mock(return_value=httpx.Response(200, json={"update": [row]}))
    (outcome,) = woo.push_stock({"k": update(7, 7, 5)})
    assert (outcome.status, outcome.code) == ("rejected", "stock_not_managed")
    assert "Switch on stock management" in outcome.message


# ---- tracking out ----------------------------------------------------------------------------


def _paid(shop: WooShop) -> list[WooOrder]:
    return [order for order in shop.orders.values() if order.status == "processing"]


def _tracking_of(order: WooOrder) -> list[Mapping[str, Any]]:
    (entry,) = [m for m in order.body["meta_data"] if m["key"] == "_wc_shipment_tracking_items"]
    assert isinstance(entry["value"], list)
    return entry["value"]


def test_a_whole_shipment_completes_the_order_with_its_tracking(
    woo: WooCommerce, sandbox: Sandbox, clock: ManualClock, calls: list[Call]
) -> None:
    clock.advance(13 * 3600)
    pulled(woo)
    calls.clear()
    orders = _paid(sandbox.world.shop)
    notices = {f"n{order.id}": notice(order.id, f"T{order.id}") for order in orders}
    outcomes = woo.push_tracking(notices)
    assert outcomes == [
        Outcome(f"n{order.id}", "applied", remote_id=str(order.id)) for order in orders
    ]
    assert len(calls) == 1
    for order in orders:
        assert order.status == "completed"
        assert _tracking_of(order) == [
            {
                "tracking_provider": "",
                "custom_tracking_provider": "DHL",
                "custom_tracking_link": f"https://dhl.example/T{order.id}",
                "tracking_number": f"T{order.id}",
                "date_shipped": 1793620800,
            }
        ]


def test_parts_add_up_and_a_repeat_changes_nothing(
    woo: WooCommerce, sandbox: Sandbox, clock: ManualClock
) -> None:
    clock.advance(13 * 3600)
    pulled(woo)
    order = _paid(sandbox.world.shop)[0]
    woo.push_tracking({"a": notice(order.id, "T1", complete=False)})
    assert order.status == "processing"
    earlier = c.Package(tracking_number="T1", carrier="UPS")
    last = {"b": notice(order.id, "T2", shipped_so_far=(earlier,))}
    for _ in range(3):
        assert [outcome.status for outcome in woo.push_tracking(last)] == ["applied"]
        assert order.status == "completed"
        assert [row["tracking_number"] for row in _tracking_of(order)] == ["T1", "T2"]


def test_two_packages_of_one_order_in_one_push_are_one_write(
    woo: WooCommerce, sandbox: Sandbox, clock: ManualClock, recorder: Any
) -> None:
    clock.advance(13 * 3600)
    pulled(woo)
    order, other = _paid(sandbox.world.shop)[:2]
    outcomes = woo.push_tracking(
        {
            "a": notice(order.id, "T1", complete=False),
            "x": notice(other.id, "T9"),
            "b": notice(order.id, "T2", complete=True),
        }
    )
    assert {outcome.key: outcome.status for outcome in outcomes} == dict.fromkeys("abx", "applied")
    assert len(json.loads(recorder.requests[-1].content)["update"]) == 2
    assert [row["tracking_number"] for row in _tracking_of(order)] == ["T1", "T2"]
    assert order.status == other.status == "completed"


def test_an_order_that_is_gone_is_refused_alone(
    woo: WooCommerce, sandbox: Sandbox, clock: ManualClock
) -> None:
    clock.advance(13 * 3600)
    pulled(woo)
    order = _paid(sandbox.world.shop)[0]
    outcomes = woo.push_tracking({"gone": notice(99_999, "T1"), "here": notice(order.id, "T2")})
    assert [(o.key, o.status, o.code) for o in outcomes] == [
        ("gone", "rejected", "woocommerce_rest_shop_order_invalid_id"),
        ("here", "applied", ""),
    ]


def test_the_meta_key_is_a_setting(
    woo_shop: Shop, recorder: Any, sandbox: Sandbox, clock: ManualClock
) -> None:
    connector = woo_shop(recorder, tracking_meta="_parcels")
    clock.advance(13 * 3600)
    pulled(connector)
    order = _paid(sandbox.world.shop)[0]
    connector.push_tracking({"a": notice(order.id, "T1")})
    assert "_parcels" in {entry["key"] for entry in order.body["meta_data"]}


# ---- contract and sockets --------------------------------------------------------------------

_READ_ONLY_NOTE = "read-only"


@cache
def _tables(specs: Path) -> dict[str, Any]:
    file = specs / "woocommerce/derived/v3-property-tables.schema.json"
    tables: dict[str, Any] = json.loads(file.read_text())
    return tables


def _held_to(specs: Path, resource: str, table: str, row: dict[str, Any]) -> None:
    schema = _tables(specs)[resource][table]
    jsonschema.validate(row, schema)
    for name in row:
        assert name in schema["properties"], f"{name} is not documented"
        assert name == "id" or _READ_ONLY_NOTE not in schema["properties"][name]["description"]


def test_every_write_is_one_the_documentation_knows(
    woo: WooCommerce, sandbox: Sandbox, clock: ManualClock, recorder: Any, specs: Path
) -> None:
    clock.advance(13 * 3600)
    pulled(woo)
    woo.push_stock(sellable(sandbox.world.shop))
    woo.push_tracking({str(o.id): notice(o.id, "T1") for o in _paid(sandbox.world.shop)})
    rows = 0
    for request in recorder.requests:
        if request.method != "POST":
            continue
        body = json.loads(request.content)
        assert set(body) == {"update"}
        assert 0 < len(body["update"]) <= 100
        for row in body["update"]:
            rows += 1
            if request.url.path.endswith("/orders/batch"):
                for entry in row["meta_data"]:
                    # Documented as text, but recorded orders hold lists as well.
                    entry["value"] = json.dumps(entry["value"])
                    _held_to(specs, "orders", "Order - Meta data properties", entry)
                _held_to(specs, "orders", "Order properties", row)
            elif "variations" in request.url.path:
                _held_to(specs, "product-variations", "Product variation properties", row)
            else:
                _held_to(specs, "products", "Product properties", row)
    assert rows > 90


def test_the_whole_way_over_a_real_socket(
    woo_shop: Shop, sandbox: Sandbox, clock: ManualClock, calls: list[Call]
) -> None:
    clock.advance(13 * 3600)
    with serve(sandbox) as url:
        woo = woo_shop(None, f"{url}/woo")
        assert all(finding.subject for finding in woo.check())
        assert len(ids(pulled(woo))) == 60
        sandbox.faults.add("woocommerce:batchProducts", "timeout-after", times=1)
        sandbox.faults.add("woocommerce:batchOrders", "timeout-before", times=1)
        assert {o.status for o in woo.push_stock(sellable(sandbox.world.shop))} == {"applied"}
        order = _paid(sandbox.world.shop)[0]
        assert [o.status for o in woo.push_tracking({"a": notice(order.id, "T1")})] == ["applied"]
        woo.close()
    assert order.status == "completed"
    assert [call.status for call in calls if call.op == "batchOrders"] == [0, 200]


def test_a_shop_without_the_api_is_told_apart_from_a_missing_record(
    web_shop: tuple[WooCommerce, respx.MockRouter],
) -> None:
    woo, router = web_shop
    missing = {"code": "rest_no_route", "message": "No route was found", "data": {"status": 404}}
    router.get("/orders").mock(return_value=httpx.Response(404, json=missing))
    with pytest.raises(Rejected) as caught:
        woo.check()
    assert caught.value.code == "rest_no_route"
