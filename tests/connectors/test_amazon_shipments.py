"""Amazon shipments out, and all of the connector against the models and over a socket."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import respx
from pydantic import SecretStr

from connectors.amazon import Amazon
from connectors.errors import Unreachable
from connectors.http import Call
from mappings import canonical as c
from sandbox.app import Sandbox
from sandbox.clock import ManualClock
from sandbox.server import serve
from sandbox.vendors.amazon_seller import AmazonOrder, AmazonSeller

SINCE = datetime(2026, 11, 1, tzinfo=UTC)
FEEDS = "/feeds/2021-06-30"
Seller = Callable[..., Amazon]
Web = tuple[Amazon, respx.MockRouter]


def update(sku: str, quantity: int) -> c.StockUpdate:
    return c.StockUpdate(
        external_product_id=sku, external_variant_id=sku, external_sku=sku, quantity=quantity
    )


def updates(account: AmazonSeller) -> dict[str, c.StockUpdate]:
    return {f"stock:{n}:1": update(sku, n) for n, sku in enumerate(account.listings)}


def notice(order: AmazonOrder, number: str, reference: str = "1", **more: Any) -> c.TrackingNotice:
    fields: dict[str, Any] = {
        "channel_order_id": order.order_id,
        "sub_channel": order.marketplace,
        "package_reference": reference,
        "carrier": "DHL",
        "service_name": "Paket",
        "tracking_number": number,
        "shipped_at": datetime(2026, 11, 2, 12, tzinfo=UTC),
        "lines": tuple(
            c.ShippedLine(channel_line_id=item.item_id, quantity=Decimal(item.quantity))
            for item in order.items
        ),
        "complete": True,
    }
    return c.TrackingNotice(**(fields | more))


def shippable(sandbox: Sandbox, clock: ManualClock) -> list[AmazonOrder]:
    clock.advance(13 * 3600)
    sandbox.world.advance_to(clock.now())
    orders = sandbox.world.seller.orders.values()
    return [o for o in orders if o.status == "UNSHIPPED" and o.fulfilled_by == "MERCHANT"]


# ---- shipments out ---------------------------------------------------------------------------


def test_packages_are_confirmed_and_a_repeat_changes_nothing(
    amazon: Amazon, sandbox: Sandbox, clock: ManualClock
) -> None:
    orders = shippable(sandbox, clock)
    notices = {f"n{n}": notice(order, f"T{n}") for n, order in enumerate(orders)}
    for _ in range(2):
        outcomes = amazon.push_tracking(notices)
        assert {o.key: o.status for o in outcomes} == dict.fromkeys(notices, "applied")
    for n, order in enumerate(orders):
        (package,) = order.packages.values()
        assert (order.status, package.tracking, package.carrier) == ("SHIPPED", f"T{n}", "DHL")
        assert package.service == "Paket"


def test_packages_of_a_split_order_add_up(
    amazon: Amazon, sandbox: Sandbox, clock: ManualClock
) -> None:
    orders = shippable(sandbox, clock)
    order = next(o for o in orders if sum(item.quantity for item in o.items) > 1)
    pieces = [
        c.ShippedLine(channel_line_id=item.item_id, quantity=Decimal(1))
        for item in order.items
        for _ in range(item.quantity)
    ]
    first = notice(order, "T1", "1", lines=(pieces[0],), complete=False)
    amazon.push_tracking({"a": first})
    assert order.status == "PARTIALLY_SHIPPED"
    rest = [notice(order, f"T{n}", str(n), lines=(piece,)) for n, piece in enumerate(pieces[1:], 2)]
    outcomes = amazon.push_tracking({one.tracking_number: one for one in rest})
    assert {o.status for o in outcomes} == {"applied"}
    assert order.status == "SHIPPED"
    assert len(order.packages) == len(pieces)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"package_reference": "FO-1"}, "positive number"),
        ({"sub_channel": "ATVPDKIKX0DER"}, "not the order's"),
        ({"lines": ()}, "names no lines"),
        ({"lines": (c.ShippedLine(channel_line_id="1", quantity=Decimal("0.5")),)}, "quantity"),
        ({"channel_order_id": "000-0000000-0000000"}, "not found"),
    ],
)
def test_a_refused_package_does_not_hold_up_the_others(
    amazon: Amazon, sandbox: Sandbox, clock: ManualClock, wrong: dict[str, Any], word: str
) -> None:
    bad, good = shippable(sandbox, clock)[:2]
    given = {"bad": notice(bad, "T1", **wrong), "good": notice(good, "T2")}
    first, second = amazon.push_tracking(given)
    assert (first.key, first.status) == ("bad", "rejected")
    assert word in first.message
    assert (second.key, second.status, good.status) == ("good", "applied", "SHIPPED")


@pytest.mark.parametrize("kind", ["errors-body", "empty-object"])
def test_fault_row_27_a_refusal_that_became_a_200_on_its_way_is_no_success(
    amazon: Amazon, sandbox: Sandbox, clock: ManualClock, kind: str
) -> None:
    """Found by ``crossdock simulate --seed 206 --days 0.5 --workers 3``: a parcel that Amazon had
    refused was taken for told."""
    order = shippable(sandbox, clock)[0]
    spoilt = sandbox.faults.add("amazon:confirmShipment", kind)
    with pytest.raises(Unreachable, match="with a body"):
        amazon.push_tracking({"a": notice(order, "T1", package_reference="not-a-number")})
    assert order.packages == {}
    spoilt.times = spoilt.struck
    assert [o.status for o in amazon.push_tracking({"a": notice(order, "T1")})] == ["applied"]


@pytest.mark.parametrize("kind", ["timeout-after", "500-after", "503"])
def test_a_lost_confirmation_is_sent_again_and_counts_once(
    amazon: Amazon, sandbox: Sandbox, clock: ManualClock, kind: str
) -> None:
    order = shippable(sandbox, clock)[0]
    sandbox.faults.add("amazon:confirmShipment", kind, times=1)
    assert [o.status for o in amazon.push_tracking({"a": notice(order, "T1")})] == ["applied"]
    assert list(order.packages) == ["1"]


@pytest.mark.parametrize(
    ("carrier", "code"),
    [("dhl", "DHL"), ("UPS", "UPS"), ("royal_mail", "Royal Mail"), ("Bike Courier Bob", "Other")],
)
def test_carriers_are_named_in_amazons_words(
    amazon: Amazon, sandbox: Sandbox, clock: ManualClock, recorder: Any, carrier: str, code: str
) -> None:
    order = shippable(sandbox, clock)[0]
    (outcome,) = amazon.push_tracking({"a": notice(order, "T1", carrier=carrier)})
    detail = json.loads(recorder.requests[-1].content)["packageDetail"]
    assert (outcome.status, detail["carrierCode"], detail["carrierName"]) == (
        "applied",
        code,
        carrier,
    )


# ---- contract and sockets --------------------------------------------------------------------

_MODELS = {
    "/orders/2026-01-01/": "orders_2026-01-01",
    "/orders/v0/": "ordersV0",
    "/listings/": "listingsItems_2021-08-01",
    "/feeds/": "feeds_2021-06-30",
}


def test_every_request_is_one_amazons_models_allow(
    seller: Seller, recorder: Any, sandbox: Sandbox, clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch, request_contract: Callable[..., Any],
) -> None:  # fmt: skip
    monkeypatch.setattr("connectors.amazon_orders.PAGE_SIZE", 25)
    connector, account = seller(recorder, feed_threshold=20), sandbox.world.seller
    connector.check()
    orders = shippable(sandbox, clock)
    cursor = list(connector.pull_orders(None, SINCE))[-1].cursor
    list(connector.pull_orders(cursor, SINCE))
    list(connector.pull_listings())
    connector.push_stock({"1": update(next(iter(account.listings)), 1)})
    handle = connector.push_stock(updates(account))[0].handle
    clock.advance(300)
    connector.poll_submission(handle, list(updates(account)))
    connector.push_tracking({"a": notice(orders[0], "T1")})
    checked: set[str] = set()
    for request in recorder.requests:
        path = request.url.path.removeprefix("/amazon")
        for prefix, model in _MODELS.items():
            if path.startswith(prefix):
                request_contract(f"amazon-sp-api/oas3/{model}.json", "/amazon")(request)
                checked.add(f"{request.method} {model}")
    assert checked == {
        "GET orders_2026-01-01",
        "POST ordersV0",
        "GET listingsItems_2021-08-01",
        "PATCH listingsItems_2021-08-01",
        "POST feeds_2021-06-30",
        "GET feeds_2021-06-30",
    }


def test_the_whole_way_over_a_real_socket(
    seller: Seller, sandbox: Sandbox, clock: ManualClock, calls: list[Call]
) -> None:
    clock.advance(13 * 3600)
    with serve(sandbox) as url:
        connector = seller(url=url, feed_threshold=2)
        assert connector.check()
        pages = list(connector.pull_orders(None, SINCE))
        assert len(pages[0].records) == 60
        sandbox.faults.add("amazon:confirmShipment", "timeout-after", times=1)
        order = shippable(sandbox, clock)[0]
        assert [o.status for o in connector.push_tracking({"a": notice(order, "T1")})] == [
            "applied"
        ]
        given = updates(sandbox.world.seller)
        (handle,) = {outcome.handle for outcome in connector.push_stock(given)}
        clock.advance(300)
        results = connector.poll_submission(handle, list(given)) or []
        assert {outcome.status for outcome in results} == {"applied"}
        assert len(results) == len(given)
        connector.close()
    assert [call.status for call in calls if call.op == "confirmShipment"] == [0, 204]


def test_no_secret_leaves_the_connector_in_words(
    seller: Seller, recorder: Any, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    connector = seller(recorder, client_secret=SecretStr("CANARY-secret"))
    with pytest.raises(Exception, match="invalid_client") as caught:
        connector.check()
    good = seller(recorder)
    good.check()
    token = recorder.requests[-1].headers["x-amz-access-token"]
    sandbox.faults.add("amazon:searchListingsItems", "500")
    with pytest.raises(Unreachable) as second:
        good.check()
    shown = f"{caught.value!r} {second.value!r} {caplog.text} {good!r} {vars(good)!r}"
    for secret in ("CANARY-secret", token, "amzn1.oa2-cs.v1.sandbox", "Atzr|sandbox-refresh"):
        assert secret not in shown
