"""ShipBob: its services, its stock counts and its check.

What any connector to a 3PL does with orders and shipments is in ``test_conformance_fulfilment``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import respx

from connectors.base import (
    CancelsFulfilmentOrders,
    Connector,
    PullsShipments,
    PullsStock,
    PushesFulfilmentOrders,
)
from connectors.errors import Retryable
from connectors.shipbob import ShipBob, ShipBobConfig
from mappings import Definitions
from sandbox.app import Sandbox
from sandbox.catalogue import SKUS
from sandbox.clock import ManualClock
from sandbox.vendors.shipbob import TOKEN
from sandbox.world import World
from tests.connectors.warehouse_words import ordered

URL = "https://sandbox.test/shipbob"
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


# ---- orders out --------------------------------------------------------------------------------


def test_services_are_translated_where_ops_say_how(build: Build, sandbox: Sandbox) -> None:
    bob = build(sandbox.transport(), shipping_methods={"DHL Express": "Expedited"})
    bob.push_fulfilment_orders(
        {
            "a": ordered("FO-1", service_name="DHL Express"),
            "b": ordered("FO-2", service_name="Something"),
        }
    )
    orders = sandbox.world.shipbob.orders.values()
    assert [order.body["shipping_method"] for order in orders] == ["Expedited", "Standard"]


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
