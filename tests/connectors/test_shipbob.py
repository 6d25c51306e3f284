"""ShipBob: orders placed once, cancelled where that is still possible; shipments and stock read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
import respx

from connectors.base import (
    CancelsFulfilmentOrders,
    Connector,
    Cursor,
    PullsShipments,
    PullsStock,
    PushesFulfilmentOrders,
)
from connectors.errors import Ambiguous, ConfigProblem, Retryable
from connectors.shipbob import ShipBob, ShipBobConfig
from mappings import Definitions
from mappings import canonical as c
from sandbox.app import Sandbox
from sandbox.catalogue import SKUS
from sandbox.clock import ManualClock
from sandbox.server import serve
from sandbox.vendors.shipbob import TOKEN
from sandbox.world import World

START = datetime(2026, 11, 2, 8, tzinfo=UTC)
URL = "https://sandbox.test/shipbob"
ORDER_PATH = "https://bob.test/2026-01/order"
Build = Callable[..., ShipBob]


@pytest.fixture
def sandbox(clock: ManualClock) -> Sandbox:
    """A ShipBob at which nobody else orders."""
    return Sandbox(World(7, clock, orders_per_channel=0))


@pytest.fixture
def build(
    open_door: Callable[..., Any], closing: Callable[[Any], Any], definitions: Definitions
) -> Build:
    def make(transport: httpx.BaseTransport | None, **settings: Any) -> ShipBob:
        given = {"url": URL, "token": TOKEN, "channel_id": 105111} | settings
        config = ShipBobConfig.model_validate(given)
        connector: ShipBob = closing(ShipBob(config, open_door(transport), definitions))
        return connector

    return make


@pytest.fixture
def bob(build: Build, sandbox: Sandbox) -> ShipBob:
    return build(sandbox.transport(), location_code="VENLO", location_id=84)


@pytest.fixture
def vendor() -> Iterator[respx.MockRouter]:
    """A ShipBob of our own making at ``https://bob.test``."""
    with respx.mock(assert_all_called=False) as router:
        yield router


@pytest.fixture
def stub(build: Build, vendor: respx.MockRouter) -> ShipBob:
    return build(None, url="https://bob.test")


def request(reference: str = "FO-1", **changes: Any) -> c.FulfilmentRequest:
    fields: dict[str, Any] = {
        "reference": reference,
        "order_name": "#1001",
        "placed_at": START,
        "currency": "EUR",
        "ship_to": c.Address(
            name="مها 🎁",
            street="Weg 1",
            street2="c/o",
            city="Bonn",
            postcode="53111",
            country="DE",
        ),
        "lines": (
            c.FulfilmentLine(line_reference="1", sku=SKUS[0].code, quantity=Decimal(2)),
            c.FulfilmentLine(
                line_reference="2", sku=SKUS[1].code, title="Cup", quantity=Decimal("1.00")
            ),
        ),
    }
    return c.FulfilmentRequest(**fields | changes)


def shipments(
    connector: ShipBob, definitions: Definitions, cursor: Cursor | None = None
) -> tuple[list[c.Shipment], Cursor]:
    pages = list(connector.pull_shipments(cursor, START))
    mapped = [
        definitions["shipbob.shipments"].apply(record.body).record
        for page in pages
        for record in page.records
    ]
    return mapped, pages[-1].cursor


def order_body(number: int = 1, **changes: Any) -> dict[str, Any]:
    """An order as ShipBob prints it, as far as the connector looks at it."""
    products = [
        {"reference_id": SKUS[0].code, "quantity": 2},
        {"reference_id": SKUS[1].code, "quantity": 1},
    ]
    body = {"id": number, "reference_id": "FO-1", "status": "Processing", "products": products}
    return body | {"created_date": "2026-11-02T08:00:00Z", "shipments": []} | changes


def test_it_has_the_capabilities_it_names(bob: ShipBob) -> None:
    for protocol in (
        Connector,
        PushesFulfilmentOrders,
        CancelsFulfilmentOrders,
        PullsShipments,
        PullsStock,
    ):
        assert isinstance(bob, protocol), protocol
    assert set(bob.info.pushes) == {"push_fulfilment_orders", "cancel_fulfilment_orders"}


def test_the_limit_fits_into_any_minute() -> None:
    rate = ShipBob.info.limits["*"]
    assert rate.per_second * 60 + rate.burst <= 150


# ---- orders out --------------------------------------------------------------------------------


def test_an_order_is_placed_with_our_reference_and_found_by_it(
    bob: ShipBob, sandbox: Sandbox
) -> None:
    (outcome,) = bob.push_fulfilment_orders({"k": request()})

    (order,) = sandbox.world.shipbob.orders.values()
    assert (outcome.key, outcome.status, outcome.remote_id) == ("k", "applied", str(order.id))
    assert order.body["reference_id"] == "FO-1"
    assert order.body["location_id"] == 84
    assert order.body["shipping_method"] == "Standard"
    assert order.body["recipient"]["address"] == {
        "address1": "Weg 1",
        "address2": "c/o",
        "city": "Bonn",
        "zip_code": "53111",
        "country": "DE",
    }
    assert bob.find_fulfilment_order("FO-1") == str(order.id)
    assert bob.find_fulfilment_order("FO-2") is None


def test_services_are_translated_where_ops_say_how(build: Build, sandbox: Sandbox) -> None:
    bob = build(sandbox.transport(), shipping_methods={"DHL Express": "Expedited"})
    bob.push_fulfilment_orders(
        {
            "a": request("FO-1", service_name="DHL Express"),
            "b": request("FO-2", service_name="Something"),
        }
    )
    orders = sandbox.world.shipbob.orders.values()
    assert [order.body["shipping_method"] for order in orders] == ["Expedited", "Standard"]


def test_a_repeat_adopts_the_order_that_is_there(bob: ShipBob, sandbox: Sandbox) -> None:
    first = bob.push_fulfilment_orders({"k": request()})
    assert bob.push_fulfilment_orders({"k": request()}) == first
    assert len(sandbox.world.shipbob.orders) == 1


def test_a_repeat_with_other_goods_is_refused(bob: ShipBob, sandbox: Sandbox) -> None:
    bob.push_fulfilment_orders({"k": request()})
    (outcome,) = bob.push_fulfilment_orders({"k": request(lines=request().lines[:1])})
    assert (outcome.status, outcome.code) == ("rejected", "duplicate_reference")
    assert len(sandbox.world.shipbob.orders) == 1


@pytest.mark.parametrize("kind", ["timeout-after", "500-after", "truncated", "html", "empty"])
def test_a_lost_reply_is_unknown_and_never_doubles_the_order(
    bob: ShipBob, sandbox: Sandbox, kind: str
) -> None:
    sandbox.faults.add("shipbob:createOrder", kind, times=1)
    (outcome,) = bob.push_fulfilment_orders({"k": request()})
    assert outcome.status == "unknown"
    assert len(sandbox.world.shipbob.orders) == 1, "nothing was sent twice"

    (repeat,) = bob.push_fulfilment_orders({"k": request()})
    assert (repeat.status, repeat.remote_id) == ("applied", bob.find_fulfilment_order("FO-1"))
    assert len(sandbox.world.shipbob.orders) == 1


def test_one_bad_order_does_not_hold_up_the_others(bob: ShipBob, sandbox: Sandbox) -> None:
    strange = c.FulfilmentLine(line_reference="1", sku="NO-SUCH", quantity=Decimal(1))
    half = c.FulfilmentLine(line_reference="1", sku=SKUS[0].code, quantity=Decimal("0.5"))
    outcomes = bob.push_fulfilment_orders(
        {
            "unknown": request("FO-1", lines=(strange,)),
            "half": request("FO-2", lines=(half,)),
            "good": request("FO-3"),
        }
    )
    assert [o.status for o in outcomes] == ["rejected", "rejected", "applied"]
    assert "NO-SUCH" in outcomes[0].message
    assert "quantity" in outcomes[1].message
    assert [order.reference for order in sandbox.world.shipbob.orders.values()] == ["FO-3"]


def test_a_refusal_is_not_believed_while_the_look_up_fails(
    stub: ShipBob, vendor: respx.MockRouter
) -> None:
    vendor.post(ORDER_PATH).respond(422, json={"errors": ["duplicate"]})
    vendor.get(ORDER_PATH).respond(400, json={"errors": ["no"]})
    (outcome,) = stub.push_fulfilment_orders({"k": request()})
    assert outcome.status != "applied"


def test_a_filter_that_is_ignored_finds_nobody_elses_order(
    stub: ShipBob, vendor: respx.MockRouter
) -> None:
    vendor.get(ORDER_PATH).respond(json=[order_body(reference_id="FO-10")])
    assert stub.find_fulfilment_order("FO-1") is None


def test_two_orders_under_one_reference_are_for_a_person(
    stub: ShipBob, vendor: respx.MockRouter
) -> None:
    vendor.get(ORDER_PATH).respond(json=[order_body(1), order_body(2)])
    with pytest.raises(Ambiguous, match="1, 2"):
        stub.find_fulfilment_order("FO-1")


# ---- cancellation ------------------------------------------------------------------------------


def test_an_order_is_cancelled_until_it_is_picked_and_a_repeat_is_done(
    bob: ShipBob, clock: ManualClock
) -> None:
    (early,) = bob.push_fulfilment_orders({"k": request("FO-1")})
    assert [o.status for o in bob.cancel_fulfilment_orders({"c": early.remote_id})] == ["applied"]
    assert [o.status for o in bob.cancel_fulfilment_orders({"c": early.remote_id})] == ["applied"]

    (late,) = bob.push_fulfilment_orders({"k": request("FO-2")})
    clock.advance(timedelta(hours=1).total_seconds())
    (refused,) = bob.cancel_fulfilment_orders({"c": late.remote_id})
    assert refused.status == "rejected"
    assert "cannot be cancelled" in refused.message


def test_cancelling_what_does_not_exist_is_refused(bob: ShipBob) -> None:
    (outcome,) = bob.cancel_fulfilment_orders({"c": "999"})
    assert outcome.status == "rejected"


def test_a_refused_repeat_of_a_cancellation_is_done(
    stub: ShipBob, vendor: respx.MockRouter
) -> None:
    vendor.post(f"{ORDER_PATH}/7:cancel").respond(422, json={"errors": ["nothing to cancel"]})
    vendor.get(f"{ORDER_PATH}/7").respond(json=order_body(7, status="Cancelled"))
    assert [o.status for o in stub.cancel_fulfilment_orders({"c": "7"})] == ["applied"]


def test_a_part_that_ships_all_the_same_is_named(stub: ShipBob, vendor: respx.MockRouter) -> None:
    results = [
        {"shipment_id": 11, "is_success": True, "reason": None},
        {"shipment_id": 12, "is_success": False, "reason": "picked"},
    ]
    vendor.post(f"{ORDER_PATH}/7:cancel").respond(
        json={"order_id": 7, "status": "PartialSuccess", "canceled_shipment_results": results}
    )
    (outcome,) = stub.cancel_fulfilment_orders({"c": "7"})
    assert (outcome.status, outcome.code) == ("rejected", "PartialSuccess")
    assert "12: picked" in outcome.message
    assert "11" not in outcome.message


# ---- shipments in ------------------------------------------------------------------------------


def test_shipments_come_with_tracking_and_goods(
    bob: ShipBob, sandbox: Sandbox, clock: ManualClock, definitions: Definitions
) -> None:
    for sku in SKUS[:2]:
        sandbox.world.shipbob.receive(sku.code, 84, 100)
    for number in range(12):
        bob.push_fulfilment_orders({"k": request(f"FO-{number}")})
    waiting, cursor = shipments(bob, definitions)
    assert {shipment.state for shipment in waiting} == {"processing"}
    assert all(shipment.packages == () for shipment in waiting)

    clock.advance(timedelta(hours=5).total_seconds())
    shipped, _ = shipments(bob, definitions, cursor)

    assert {shipment.state for shipment in shipped} == {"shipped"}
    orders = sandbox.world.shipbob.orders.values()
    assert len(shipped) == sum(len(order.shipments) for order in orders) > 12, "some are split"
    sent: dict[str, dict[str, Decimal]] = {}
    for shipment in shipped:
        (package,) = shipment.packages
        assert package.tracking_number.startswith("SB")
        assert shipment.shipped_at is not None
        for line in package.lines:
            goods = sent.setdefault(shipment.reference, {})
            goods[line.sku] = goods.get(line.sku, Decimal(0)) + line.quantity
    wanted = {SKUS[0].code: Decimal(2), SKUS[1].code: Decimal(1)}
    assert sent == {f"FO-{number}": wanted for number in range(12)}


def test_the_watermark_is_the_latest_change_seen_and_is_read_again_with_an_overlap(
    bob: ShipBob, clock: ManualClock, definitions: Definitions
) -> None:
    bob.push_fulfilment_orders({"k": request("FO-1")})
    clock.advance(200)
    bob.push_fulfilment_orders({"k": request("FO-2")})
    clock.advance(60)
    _, cursor = shipments(bob, definitions)
    assert cursor["watermark"] == (START + timedelta(seconds=200)).isoformat()
    again, _ = shipments(bob, definitions, cursor)
    assert {shipment.reference for shipment in again} == {"FO-1", "FO-2"}, "200 s before it"

    clock.advance(3600)
    bob.push_fulfilment_orders({"k": request("FO-3")})
    _, cursor = shipments(bob, definitions, cursor)
    again, same = shipments(bob, definitions, cursor)
    assert {shipment.reference for shipment in again} == {"FO-3"}
    assert same == cursor, "nothing new: the cursor stays"


def test_pages_are_walked_to_the_end_and_only_then_the_watermark_moves(
    build: Build, sandbox: Sandbox, definitions: Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = build(sandbox.transport())
    for number in range(7):
        bob.push_fulfilment_orders({"k": request(f"FO-{number}")})
    monkeypatch.setattr("connectors.shipbob_feeds.PER_PAGE", 3)
    since = START - timedelta(days=1)
    pages = list(bob.pull_shipments(None, since))
    ids = [record.body["order"]["reference_id"] for page in pages for record in page.records]
    assert set(ids) == {f"FO-{number}" for number in range(7)}
    assert [page.cursor["watermark"] for page in pages] == [since.isoformat()] * 2 + [
        START.isoformat()
    ]


def test_a_page_that_comes_twice_stops_the_walk(stub: ShipBob, vendor: respx.MockRouter) -> None:
    page = [order_body(number) for number in range(250)]
    vendor.get(ORDER_PATH).respond(json=page)
    with pytest.raises(Retryable, match="repeats a page"):
        list(stub.pull_shipments(None, START))


def test_a_change_in_the_future_does_not_hide_the_changes_until_then(
    stub: ShipBob, vendor: respx.MockRouter
) -> None:
    shipment = {"id": 5, "status": "Processing", "last_update_at": "9999-12-31T00:00:00Z"}
    vendor.get(ORDER_PATH).respond(json=[order_body(shipments=[shipment])])
    (page,) = stub.pull_shipments(None, START)
    assert page.cursor["watermark"] == START.isoformat()


def test_an_order_without_a_shipment_is_reported_by_its_own_status(
    stub: ShipBob, vendor: respx.MockRouter, definitions: Definitions
) -> None:
    vendor.get(ORDER_PATH).respond(json=[order_body(9, status="Cancelled")])
    (shipment,), _ = shipments(stub, definitions)
    assert (shipment.reference, shipment.external_id, shipment.state) == ("FO-1", "9", "cancelled")


# ---- stock in ----------------------------------------------------------------------------------


@pytest.mark.parametrize("center", [None, 84, 91])
def test_stock_is_counted_in_the_center_or_everywhere(
    build: Build,
    sandbox: Sandbox,
    definitions: Definitions,
    center: int | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("connectors.shipbob_feeds.PER_PAGE", 15)
    bob = build(sandbox.transport(), location_code="3PL", location_id=center)
    pages = list(bob.pull_stock())
    counts = [
        definitions["shipbob.stock"].apply(record.body).record
        for page in pages
        for record in page.records
    ]
    levels = sandbox.world.shipbob.levels
    expected = {
        sku.code: sum(
            level.on_hand
            for (code, place), level in levels.items()
            if code == sku.code and center in (None, place)
        )
        for sku in SKUS
    }
    assert {count.sku: count.on_hand for count in counts} == expected
    assert {count.location_code for count in counts} == {"3PL"}
    assert len(pages) > 1
    assert [page.total for page in pages] == [None] * (len(pages) - 1) + [len(SKUS)]


def test_an_item_without_a_row_for_the_center_has_nothing_there(
    build: Build, vendor: respx.MockRouter, definitions: Definitions
) -> None:
    level = {
        "inventory_id": 1,
        "sku": "A",
        "locations": [{"location_id": 2, "on_hand_quantity": 9}],
    }
    vendor.get("https://bob.test/2026-01/inventory-level/locations").respond(
        json={"items": [level], "next": None}
    )
    bob = build(None, url="https://bob.test", location_id=84)
    ((record,),) = [page.records for page in bob.pull_stock()]
    assert definitions["shipbob.stock"].apply(record.body).record.on_hand == 0


def test_the_next_address_never_leads_to_another_host(
    stub: ShipBob, vendor: respx.MockRouter
) -> None:
    route = vendor.get("https://bob.test/2026-01/inventory-level")
    route.side_effect = [
        httpx.Response(200, json={"items": [], "next": "https://evil.test/x?cursor=c1"}),
        httpx.Response(200, json={"items": [], "next": None}),
    ]
    assert len(list(stub.pull_stock())) == 2
    assert route.calls.last.request.url.params["cursor"] == "c1"


def test_a_next_address_that_comes_again_stops_the_walk(
    stub: ShipBob, vendor: respx.MockRouter
) -> None:
    vendor.get("https://bob.test/2026-01/inventory-level").respond(
        json={"items": [{"inventory_id": 1}], "next": "/2026-01/inventory-level?cursor=c1"}
    )
    with pytest.raises(Retryable, match="repeats"):
        list(stub.pull_stock())


# ---- check -------------------------------------------------------------------------------------


def test_check_names_what_is_wrong_and_what_to_use(build: Build, sandbox: Sandbox) -> None:
    assert all(finding.ok for finding in build(sandbox.transport(), location_id=84).check())
    bad = build(sandbox.transport(), channel_id=1, location_id=2).check()
    assert [finding.subject for finding in bad if not finding.ok] == ["channel_id", "location_id"]
    assert "105111 (Crossdock)" in bad[0].remedy


def test_a_wrong_token_is_a_matter_of_configuration_and_is_never_shown(
    build: Build, sandbox: Sandbox
) -> None:
    bob = build(sandbox.transport(), token="pat-wrong-secret")
    with pytest.raises(ConfigProblem) as caught:
        bob.check()
    assert "pat-wrong-secret" not in f"{caught.value!r} {bob!r} {vars(bob)!r}"


def test_the_whole_way_over_a_real_socket(
    build: Build, sandbox: Sandbox, clock: ManualClock, definitions: Definitions
) -> None:
    with serve(sandbox) as base:
        bob = build(None, url=f"{base}/shipbob")
        (outcome,) = bob.push_fulfilment_orders({"k": request()})
        clock.advance(timedelta(hours=5).total_seconds())
        shipped, _ = shipments(bob, definitions)
        bob.close()
    assert outcome.status == "applied"
    assert {shipment.state for shipment in shipped} == {"shipped"}
