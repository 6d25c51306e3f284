"""WooCommerce and its description in TOML side by side: one shop, the same records and writes."""

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
from connectors.errors import ConfigProblem, Retryable, Unreachable
from connectors.registry import CONNECTORS
from connectors.rest import Rest
from jobs import app
from jobs.catalogue import JOBS
from jobs.clock import ManualClock as HubClock
from jobs.settings_loader import load
from mappings import Definitions
from mappings import canonical as c
from sandbox.app import Sandbox
from sandbox.clock import ManualClock
from sandbox.server import serve
from sandbox.vendors import woocommerce
from sandbox.vendors.woo_shop import WooShop
from state import streams
from state import tables as t
from tests.connectors.rest_words import EXAMPLES, SINCE, connector, example, ids
from tests.connectors.woo_words import Shop, contents, listing_reply, notice, order_row, update

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


def sellable(shop: WooShop, first: int = 0) -> dict[str, c.StockUpdate]:
    return {
        f"key-{p.id}": update(p.parent_id or p.id, p.id, number)
        for number, p in enumerate(shop.products.values(), start=first)
        if p.kind != "variable"
    }


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


def test_a_walk_cut_off_in_the_middle_goes_on_from_its_cursor(
    described: Callable[..., Rest], scripted: Any
) -> None:
    full = listing_reply([order_row(n) for n in range(1, 101)], 101)
    first = next(described(scripted(full)).pull_orders(None, SINCE))
    assert first.cursor["page"] == 2
    rest = scripted(listing_reply([order_row(101)], 101))
    (last,) = described(rest).pull_orders(first.cursor, SINCE)
    assert ids([last]) == ["101"]
    assert rest.requests[0].url.params["page"] == "2"
    assert set(last.cursor) == {"v", "watermark"}


def test_an_order_whose_refunds_do_not_all_come_fails_the_page(
    described: Callable[..., Rest], scripted: Any
) -> None:
    short = [{"id": 5, "total": "-1.00"}, {"id": 6, "total": "-1.00"}]
    vendor = scripted(
        listing_reply([order_row(1, refunds=short)]), listing_reply([{"id": 5, "amount": "1.00"}])
    )
    with pytest.raises(Retryable, match="record 1 has 2, only 1 could be read"):
        list(described(vendor).pull_orders(None, SINCE))


def test_a_shop_that_hides_the_total_is_told_what_to_mend(
    described: Callable[..., Rest], scripted: Any
) -> None:
    reply = listing_reply([])
    del reply.headers["X-WP-Total"]
    with pytest.raises(ConfigProblem, match="header X-WP-Total: without it lost records"):
        list(described(scripted(reply)).pull_orders(None, SINCE))


@pytest.mark.parametrize("body", [{"orders": []}, [1], [{"number": 7}], [{"id": None}], "text"])
def test_a_list_of_nonsense_is_no_page(
    described: Callable[..., Rest], scripted: Any, body: Any
) -> None:
    reply = httpx.Response(200, json=body, headers={"X-WP-Total": "1"})
    with pytest.raises(Unreachable, match="answered"):
        list(described(scripted(reply)).pull_orders(None, SINCE))


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


def test_a_refused_item_does_not_hold_up_the_batch(
    described: Callable[..., Rest], woo_shop: Shop, sandbox: Sandbox, recorder: Any
) -> None:
    simple = next(p for p in sandbox.world.shop.products.values() if p.kind == "simple")
    updates = {
        "good": update(simple.id, simple.id, 5),
        "gone": update(999_999, 999_999, 5),
        "text": c.StockUpdate(
            external_product_id="abc", external_variant_id="abc", external_sku="", quantity=1
        ),
        "path": c.StockUpdate(
            external_product_id="..", external_variant_id="1", external_sku="", quantity=1
        ),
    }
    found = {o.key: (o.status, o.code) for o in described(recorder).push_stock(updates)}
    assert found["good"] == ("applied", "")
    assert found["gone"] == ("rejected", "woocommerce_rest_product_invalid_id")
    assert found["text"][0] == found["path"][0] == "rejected"
    assert simple.stock == 5


def test_what_the_shop_takes_and_ignores_is_not_applied(
    described: Callable[..., Rest], scripted: Any
) -> None:
    row = {"id": 7, "manage_stock": False, "stock_quantity": None}
    shop = described(scripted(_reply({"update": [row]})))
    (outcome,) = shop.push_stock({"k": update(7, 7, 5)})
    assert (outcome.status, outcome.code) == ("rejected", "not_applied")


@pytest.mark.parametrize("body", [{}, {"update": None}, {"update": []}, {"update": [{"id": 8}]}])
def test_an_item_the_reply_does_not_mention_is_not_called_done(
    described: Callable[..., Rest], scripted: Any, body: Any
) -> None:
    shop = described(scripted(_reply(body)))
    try:
        statuses = {outcome.status for outcome in shop.push_stock({"k": update(7, 7, 5)})}
    except Unreachable:
        statuses = {"retry"}
    assert statuses <= {"unknown", "retry"}


@pytest.mark.parametrize("kind", ["timeout-after", "500-after", "truncated", "html"])
def test_a_lost_reply_is_asked_again_since_quantities_are_absolute(
    described: Callable[..., Rest], sandbox: Sandbox, recorder: Any, kind: str
) -> None:
    sandbox.faults.add("woocommerce:batchProducts", kind, times=1)
    outcomes = described(recorder).push_stock(sellable(sandbox.world.shop))
    assert {outcome.status for outcome in outcomes} == {"applied"}


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


# ---- over real sockets -------------------------------------------------------------------------


def test_the_description_works_over_a_real_socket(
    described: Callable[..., Rest], woo_shop: Shop, sandbox: Sandbox, clock: ManualClock
) -> None:
    clock.advance(20 * 3600)
    with serve(sandbox) as url:
        shop, coded = described(None, f"{url}/woo{API}"), woo_shop(None, f"{url}/woo")
        assert all(finding.ok for finding in shop.check())
        own, theirs = shop.pull_orders(None, SINCE), coded.pull_orders(None, SINCE)
        assert contents(own) == contents(theirs)
        sandbox.faults.add("woocommerce:batchProducts", "timeout-after", times=1)
        updates = sellable(sandbox.world.shop, first=2)
        assert {o.status for o in shop.push_stock(updates)} == {"applied"}
        shop.close()
        coded.close()
    stocks = {str(p.id): p.stock for p in sandbox.world.shop.products.values()}
    assert {u.external_variant_id: u.quantity for u in updates.values()}.items() <= stocks.items()


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
