"""WooCommerce and its description in TOML side by side: the same requests, records and writes.

What holds for either alone is in ``test_conformance_shop``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from connectors.base import (
    Connector,
    PullsListings,
    PullsOrders,
    PullsShipments,
    PullsStock,
    PushesFulfilmentOrders,
    PushesStock,
    PushesTracking,
)
from connectors.registry import CONNECTORS
from connectors.rest import Rest
from jobs import app
from jobs.catalogue import JOBS
from jobs.clock import ManualClock as HubClock
from jobs.settings_loader import load
from mappings import Definitions
from sandbox.app import Sandbox
from sandbox.clock import ManualClock
from sandbox.vendors import woocommerce
from state import streams
from state import tables as t
from tests.connectors.rest_words import EXAMPLES, SINCE, connector, example, ids
from tests.connectors.woo_words import (
    Shop,
    contents,
    listing_reply,
    notice,
    order_row,
    sellable,
)

API = "/wp-json/wc/v3"


@pytest.fixture
def described(
    open_door: Any, closing: Callable[[Any], Any], definitions: Definitions
) -> Callable[..., Rest]:
    """The example's shop, at the sandbox unless told otherwise."""

    def build(transport: Any, url: str = f"http://sandbox.test/woo{API}") -> Rest:
        keys = {"user": woocommerce.CONSUMER_KEY, "secret": woocommerce.CONSUMER_SECRET}
        given = example("woocommerce", url=url, **keys)
        made: Rest = closing(connector(given, open_door(transport), definitions))
        return made

    return build


# ---- capabilities ------------------------------------------------------------------------------


def test_a_connection_can_do_what_its_settings_describe_and_nothing_else(
    described: Callable[..., Rest], recorder: Any
) -> None:
    shop = described(recorder)
    for protocol in (Connector, PullsOrders, PushesStock):
        assert isinstance(shop, protocol)
    undescribed = (PullsListings, PullsStock, PullsShipments, PushesTracking)
    assert not isinstance(shop, (*undescribed, PushesFulfilmentOrders))
    jobs = {job.name for job in JOBS.values() if job.needs and job.suits(shop)}
    assert jobs == {"pull-orders", "push"}
    assert set(shop.info.pushes) == {"push_stock"}
    assert shop.info.definitions == {
        "orders": "woocommerce.orders",
        "push_stock": "woocommerce.stock",
    }


def test_the_registered_class_keeps_every_capability() -> None:
    assert CONNECTORS["rest"] is Rest
    for protocol in (PullsOrders, PullsListings, PushesStock, PushesFulfilmentOrders):
        assert issubclass(Rest, protocol)


@pytest.mark.parametrize("file", sorted(path.name for path in EXAMPLES.glob("*.toml")))
def test_an_example_loads_as_a_connection_file(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    for name in ("SHOP_CONSUMER_KEY", "SHOP_CONSUMER_SECRET", "SHIPBOB_TOKEN"):
        monkeypatch.setenv(name, "given by ops")
    (tmp_path / "settings.toml").write_text((EXAMPLES / file).read_text())
    (config,) = load(tmp_path / "settings.toml", CONNECTORS).configs.values()
    assert config.model_dump()["secret"].get_secret_value() == "given by ops"


# ---- orders in ---------------------------------------------------------------------------------


def test_orders_are_those_of_the_coded_connector(
    described: Callable[..., Rest],
    woo_shop: Shop,
    sandbox: Sandbox,
    clock: ManualClock,
    definitions: Definitions,
) -> None:
    clock.advance(20 * 3600)
    transport = sandbox.transport()
    theirs = list(woo_shop(transport).pull_orders(None, SINCE))
    ours = list(described(transport).pull_orders(None, SINCE))
    assert contents(ours) == contents(theirs)
    records = [record for page in ours for record in page.records]
    assert len(records) == 60
    assert any(record.body["refunds"] for record in records)
    mapped = [definitions["woocommerce.orders"].apply(record.body).record for record in records]
    assert {order.currency for order in mapped} >= {"EUR", "JPY", "KWD"}


def test_the_cursors_of_both_mean_the_same(
    described: Callable[..., Rest], woo_shop: Shop, sandbox: Sandbox, clock: ManualClock
) -> None:
    clock.advance(14 * 3600)
    coded, own = woo_shop(sandbox.transport()), described(sandbox.transport())
    cursor = list(own.pull_orders(None, SINCE))[-1].cursor
    assert cursor == list(coded.pull_orders(None, SINCE))[-1].cursor
    shop = sandbox.world.shop
    clock.advance(3600)
    changed = shop.orders[min(shop.orders)]
    shop.set_status(changed, "on-hold", clock.now())
    clock.advance(10)
    later = list(own.pull_orders(cursor, SINCE))
    assert ids(later) == [str(changed.id)]
    assert contents(later) == contents(coded.pull_orders(cursor, SINCE))


def test_the_requests_are_those_of_the_coded_connector(
    described: Callable[..., Rest], woo_shop: Shop, scripted: Any
) -> None:
    pages = [
        listing_reply([order_row(n) for n in range(1, 101)], 101),
        listing_reply([order_row(101)], 101),
    ]
    one, other = scripted(*pages), scripted(*pages)
    assert len(ids(list(described(one).pull_orders(None, SINCE)))) == 101
    list(woo_shop(other, "https://sandbox.test/woo").pull_orders(None, SINCE))
    sent = [sorted(request.url.params.multi_items()) for request in one.requests]
    assert sent == [sorted(request.url.params.multi_items()) for request in other.requests]
    assert one.requests[0].headers["authorization"] == other.requests[0].headers["authorization"]


# ---- stock out ---------------------------------------------------------------------------------


def test_stock_is_written_as_by_the_coded_connector(
    described: Callable[..., Rest], woo_shop: Shop, sandbox: Sandbox, recorder: Any
) -> None:
    shop = sandbox.world.shop
    coded = woo_shop(recorder).push_stock(sellable(shop, first=3))
    theirs = [(request.url.path, json.loads(request.content)) for request in recorder.requests]
    recorder.requests.clear()
    written = {number: product.stock for number, product in shop.products.items()}
    for product in shop.products.values():
        if product.kind != "variable":
            product.stock = 77
    own = described(recorder).push_stock(sellable(shop, first=3))
    assert own == coded
    assert {outcome.status for outcome in own} == {"applied"}
    assert {number: product.stock for number, product in shop.products.items()} == written
    ours = [(request.url.path, json.loads(request.content)) for request in recorder.requests]
    assert ours == theirs


def test_a_push_without_results_is_judged_by_its_status(
    open_door: Any, closing: Callable[[Any], Any], definitions: Definitions, scripted: Any
) -> None:
    push = {
        "definition": "woocommerce.tracking",
        "path": "/orders/{channel_order_id}/shipments",
        "method": "PUT",
        "wrap": "data.order",
        "context": {"meta_key": "_tracking"},
        "idempotency": "none",
    }
    given = {"url": "https://api.example", "pushes": {"tracking": push}}
    vendor = scripted(_reply({}), httpx.Response(409), httpx.Response(502))
    shop = closing(connector(given, open_door(vendor), definitions))
    notices = {"a": notice(7, "T1"), "b": notice(8, "T2"), "c": notice(9, "T3")}
    assert isinstance(shop, PushesTracking)
    found = {outcome.key: outcome.status for outcome in shop.push_tracking(notices)}
    assert found == {"a": "applied", "b": "rejected", "c": "unknown"}
    assert [request.url.path for request in vendor.requests] == [
        f"/orders/{number}/shipments" for number in (7, 8, 9)
    ]
    assert json.loads(vendor.requests[0].content)["data"]["order"]["id"] == 7


# ---- the whole way -----------------------------------------------------------------------------


def test_the_hub_takes_orders_in_through_a_described_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, clock: ManualClock
) -> None:
    text = (EXAMPLES / "woocommerce.toml").read_text()
    (tmp_path / "settings.toml").write_text(
        text.replace("https://shop.example", "http://sandbox.test/woo")
    )
    monkeypatch.setenv("SHOP_CONSUMER_KEY", woocommerce.CONSUMER_KEY)
    monkeypatch.setenv("SHOP_CONSUMER_SECRET", woocommerce.CONSUMER_SECRET)
    configuration = load(tmp_path / "settings.toml", CONNECTORS)
    store = app.open_store(configuration.settings)
    clock.advance(20 * 3600)
    now, shop = HubClock(clock.now()), sandbox.transport()
    with app.open_app(configuration, store, clock=now, transport=shop) as hub:
        app.set_up_streams(hub)
        assert {job.name for job in hub.jobs_of("shop-eu")} == {"pull-orders", "push"}
        runner = hub.runner("run")
        ended = runner.run_due(streams.key_of("pull-orders", "shop-eu"))
        with store.read() as conn:
            stored = conn.scalar(select(func.count()).select_from(t.sales_order))
    store.close()
    assert ended is not None
    assert stored == len(sandbox.world.shop.orders) == 60


def _reply(body: Any) -> httpx.Response:
    return httpx.Response(200, json=body)
