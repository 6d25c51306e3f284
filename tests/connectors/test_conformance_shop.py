"""One shop, two connectors: the coded one and its description in TOML, held to the same tests.

Nothing here speaks of a vendor's own connector: only of the contract, of what the shop was asked
and of what it holds afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import httpx
import pytest

from connectors.base import Connector, Cursor, Page, PullsOrders, PushesStock
from connectors.errors import ConfigProblem, CrossdockError, Retryable, Unreachable
from mappings import Definitions
from mappings import canonical as c
from sandbox.app import Sandbox
from sandbox.clock import ManualClock
from sandbox.server import serve
from sandbox.vendors import woocommerce
from tests.connectors.rest_words import connector, example
from tests.connectors.woo_words import SINCE, Shop, ids, listing_reply, order_row, sellable, update

API = "/wp-json/wc/v3"
LOST = ["timeout-after", "500-after", "truncated", "html"]


class AShop(Connector, PullsOrders, PushesStock, Protocol):
    """What both are taken for."""

    def close(self) -> None: ...


Build = Callable[..., AShop]


@pytest.fixture(params=["coded", "described"])
def build(
    request: pytest.FixtureRequest,
    woo_shop: Shop,
    open_door: Any,
    closing: Callable[[Any], Any],
    definitions: Definitions,
    monkeypatch: pytest.MonkeyPatch,
) -> Build:
    """A connector to a shop: a transport or none, its address, how many orders a page holds."""

    def coded(
        transport: httpx.BaseTransport | None = None,
        url: str = "https://sandbox.test/woo",
        page_size: int = 100,
        secret: str = woocommerce.CONSUMER_SECRET,
    ) -> AShop:
        monkeypatch.setattr("connectors.woocommerce.PER_PAGE", page_size)
        return woo_shop(transport, url, secret)

    def described(
        transport: httpx.BaseTransport | None = None,
        url: str = "https://sandbox.test/woo",
        page_size: int = 100,
        secret: str = woocommerce.CONSUMER_SECRET,
    ) -> AShop:
        keys = {"user": woocommerce.CONSUMER_KEY, "secret": secret}
        given = example("woocommerce", url=f"{url}{API}", **keys)
        given["streams"]["orders"]["paging"]["size"] = page_size
        made: AShop = closing(connector(given, open_door(transport), definitions))
        return made

    return {"coded": coded, "described": described}[request.param]


@pytest.fixture
def shop(build: Build, recorder: Any) -> AShop:
    """A connector to the sandbox's shop."""
    return build(recorder)


def pulled(shop: AShop, cursor: Cursor | None = None) -> list[Page]:
    return list(shop.pull_orders(cursor, SINCE))


def asked(recorder: Any, ending: str) -> list[httpx.Request]:
    """The requests to one path."""
    return [one for one in recorder.requests if one.url.path.endswith(ending)]


def statuses(outcomes: Any) -> set[str]:
    return {outcome.status for outcome in outcomes}


def text_update(product: str, variant: str) -> c.StockUpdate:
    """An update whose ids are none of a shop's."""
    return c.StockUpdate(
        external_product_id=product, external_variant_id=variant, external_sku="", quantity=5
    )


# ---- what it is --------------------------------------------------------------------------------


def test_it_reads_orders_and_sets_stock(shop: AShop, definitions: Definitions) -> None:
    for capability in (Connector, PullsOrders, PushesStock):
        assert isinstance(shop, capability)
    assert shop.info.kind == "channel"
    assert set(shop.info.definitions.values()) <= set(definitions)
    assert shop.info.pushes["push_stock"].idempotency == "absolute"
    assert shop.info.pushes["push_stock"].batch_max == 100


def test_check_finds_a_well_shop(shop: AShop) -> None:
    findings = shop.check()
    assert len(findings) >= 2
    assert all(finding.ok for finding in findings)


def test_a_wrong_secret_is_a_matter_of_configuration_and_is_not_told(
    build: Build, recorder: Any
) -> None:
    with pytest.raises(ConfigProblem, match="Consumer secret is invalid") as caught:
        build(recorder, secret="cs_WRONG_ONE").check()
    assert "Check the credentials" in str(caught.value)
    assert "cs_WRONG_ONE" not in str(caught.value)


def test_a_shop_that_is_not_there_is_unreachable(build: Build) -> None:
    with pytest.raises(Unreachable, match="cannot be reached"):
        build(None, "http://127.0.0.1:9").check()


def test_plain_http_to_the_internet_is_refused(build: Build) -> None:
    with pytest.raises(CrossdockError, match="clear text"):
        build(None, "http://shop.example")


# ---- orders in: windows and cursors ------------------------------------------------------------


def test_a_day_of_orders_comes_in_one_page_with_its_cursor(
    shop: AShop, sandbox: Sandbox, clock: ManualClock, recorder: Any
) -> None:
    clock.advance(13 * 3600)
    (page,) = pulled(shop)
    assert ids([page]) == [str(number) for number in sorted(sandbox.world.shop.orders)]
    assert page.total == len(page.records) == 60
    assert page.cursor == {"v": 1, "watermark": "2026-11-02T20:59:55+00:00"}
    assert len(asked(recorder, "/orders")) == 1


def test_every_order_of_the_day_becomes_canonical(
    shop: AShop, clock: ManualClock, definitions: Definitions
) -> None:
    clock.advance(20 * 3600)
    records = [record for page in pulled(shop) for record in page.records]
    mapping = definitions[shop.info.definitions["orders"]]
    orders = [mapping.apply(record.text).record for record in records]
    assert len(orders) == 60
    assert {order.status for order in orders} >= {"ready", "cancelled", "pending"}
    assert {order.currency for order in orders} >= {"EUR", "JPY", "KWD"}


def test_a_second_pull_brings_what_changed_and_little_else(
    shop: AShop, sandbox: Sandbox, clock: ManualClock
) -> None:
    clock.advance(14 * 3600)
    cursor = pulled(shop)[-1].cursor
    clock.advance(3600)
    assert ids(pulled(shop, cursor)) == []
    changed = sandbox.world.shop.orders[min(sandbox.world.shop.orders)]
    sandbox.world.shop.set_status(changed, "on-hold", clock.now())
    clock.advance(10)
    later = pulled(shop, cursor)
    assert ids(later) == [str(changed.id)]
    assert later[-1].cursor["watermark"] > cursor["watermark"]


def test_the_newest_seconds_wait_for_the_next_pull(
    shop: AShop, sandbox: Sandbox, clock: ManualClock
) -> None:
    clock.advance(14 * 3600)
    first = pulled(shop)
    changed = sandbox.world.shop.orders[max(sandbox.world.shop.orders)]
    sandbox.world.shop.set_status(changed, "on-hold", clock.now())
    second = pulled(shop, first[-1].cursor)
    assert str(changed.id) not in ids(second)
    clock.advance(6)
    assert ids(pulled(shop, second[-1].cursor)) == [str(changed.id)]


def test_times_are_asked_for_in_gmt_with_an_overlap(
    shop: AShop, recorder: Any, clock: ManualClock
) -> None:
    cursor = pulled(shop)[-1].cursor
    clock.advance(60)
    pulled(shop, cursor)
    first, second = (request.url.params for request in recorder.requests)
    assert dict(first) == {
        "modified_after": "2026-10-31T23:55:00",
        "modified_before": "2026-11-02T07:59:55",
        "dates_are_gmt": "true",
        "orderby": "id",
        "order": "asc",
        "per_page": "100",
        "page": "1",
    }
    assert second["modified_after"] == "2026-11-02T07:54:55"
    assert second["modified_before"] == "2026-11-02T08:00:55"


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/New_York", "UTC"])
def test_the_sites_time_zone_changes_nothing(
    shop: AShop, clock: ManualClock, sandbox: Sandbox, zone: str
) -> None:
    sandbox.world.shop.zone = ZoneInfo(zone)
    clock.advance(13 * 3600)
    assert len(ids(pulled(shop))) == 60


def test_a_watermark_never_moves_back(shop: AShop, clock: ManualClock) -> None:
    cursor = {"v": 1, "watermark": (clock.now() + timedelta(hours=1)).isoformat()}
    assert pulled(shop, cursor)[-1].cursor == cursor


def test_a_walk_cut_off_in_the_middle_goes_on_from_its_cursor(
    build: Build, clock: ManualClock, recorder: Any
) -> None:
    shop = build(recorder, page_size=10)
    clock.advance(13 * 3600)
    walk = shop.pull_orders(None, SINCE)
    came = [next(walk), next(walk)]
    cursor = json.loads(json.dumps(came[-1].cursor))
    assert (cursor["page"], cursor["total"]) == (3, 60)
    clock.advance(300)
    came += pulled(shop, cursor)
    assert len(set(ids(came))) == len(ids(came)) == 60
    lists = asked(recorder, "/orders")
    assert lists[2].url.params["page"] == "3"
    assert {request.url.params["modified_before"] for request in lists} == {"2026-11-02T20:59:55"}


# ---- orders in: pages that change, caches, nonsense, trouble -----------------------------------


def test_orders_that_leave_the_window_while_it_is_read_hide_no_others(
    build: Build, recorder: Any, sandbox: Sandbox, clock: ManualClock
) -> None:
    clock.advance(13 * 3600)
    sandbox.world.advance_to(clock.now())
    theirs = sandbox.world.shop
    untouched = {str(number) for number in theirs.orders}
    came: list[str] = []
    for page in build(recorder, page_size=7).pull_orders(None, SINCE):
        came += ids([page])
        first = theirs.orders[int(came[0]) if len(came) < 8 else int(came[len(came) // 2])]
        theirs.set_status(first, "completed", clock.now())
        untouched.discard(str(first.id))
    assert set(came) >= untouched
    assert len(untouched) > 30


def test_a_page_from_a_cache_is_noticed(build: Build, scripted: Any) -> None:
    vendor = scripted(listing_reply([order_row(number) for number in range(100)], total=150))
    with pytest.raises(Retryable, match="only 100 of 150 records came, twice"):
        pulled(build(vendor))
    assert len(vendor.requests) == 4


def test_a_shop_that_hides_the_total_is_told_what_to_mend(build: Build, scripted: Any) -> None:
    with pytest.raises(ConfigProblem, match="header X-WP-Total: without it lost records"):
        pulled(build(scripted(httpx.Response(200, json=[order_row(1)]))))


@pytest.mark.parametrize("body", [{"orders": []}, ["text"], [1], [{"number": 7}], [None], "text"])
def test_a_list_of_nonsense_is_no_page(build: Build, scripted: Any, body: Any) -> None:
    reply = httpx.Response(200, json=body, headers={"X-WP-Total": "1"})
    with pytest.raises(Unreachable):
        pulled(build(scripted(reply)))


@pytest.mark.parametrize("kind", ["html", "truncated", "empty", "500", "503", "timeout-after"])
def test_passing_trouble_costs_a_call_and_nothing_else(
    shop: AShop, sandbox: Sandbox, clock: ManualClock, recorder: Any, kind: str
) -> None:
    clock.advance(13 * 3600)
    sandbox.faults.add("woocommerce:listOrders", kind, times=1)
    assert len(ids(pulled(shop))) == 60
    assert len(asked(recorder, "/orders")) == 2


def test_lasting_html_is_explained(shop: AShop, sandbox: Sandbox) -> None:
    sandbox.faults.add("woocommerce:listOrders", "html")
    with pytest.raises(Unreachable, match="HTML instead of JSON: often a maintenance page"):
        pulled(shop)


# ---- refunds -----------------------------------------------------------------------------------


def test_refunded_orders_carry_their_refunds_as_full_objects(
    shop: AShop, sandbox: Sandbox, clock: ManualClock, recorder: Any, definitions: Definitions
) -> None:
    clock.advance(20 * 3600)
    records = [record for page in pulled(shop) for record in page.records]
    refunded = [record for record in records if record.body["refunds"]]
    expected = {str(o.id) for o in sandbox.world.shop.orders.values() if o.refunds}
    assert {record.external_id for record in refunded} == expected
    assert expected
    assert len(asked(recorder, "/refunds")) == len(expected)
    mapping = definitions[shop.info.definitions["orders"]]
    for record in refunded:
        order = mapping.apply(record.text).record
        assert order.refunds
        # The date is in the full object only.
        assert all(refund.refunded_at is not None for refund in order.refunds)


@pytest.mark.parametrize("kind", ["500", "html", "truncated", "empty"])
def test_a_failed_refund_call_fails_the_page_and_never_empties_it(
    shop: AShop, sandbox: Sandbox, clock: ManualClock, kind: str
) -> None:
    clock.advance(20 * 3600)
    sandbox.faults.add("woocommerce:listRefunds", kind)
    with pytest.raises(Unreachable):
        pulled(shop)
    sandbox.faults.clear()
    assert len(ids(pulled(shop))) == 60


def test_an_order_whose_refunds_do_not_all_come_fails_the_page(build: Build, scripted: Any) -> None:
    listed = [{"id": 5, "reason": "", "total": "-1.00"}, {"id": 6, "reason": "", "total": "-2.00"}]
    orders = listing_reply([order_row(1, refunds=listed)])
    with pytest.raises(Retryable, match="1"):
        pulled(build(scripted(orders, httpx.Response(200, json=[{"id": 5, "amount": "1.00"}]))))


# ---- stock out ---------------------------------------------------------------------------------


def test_stock_goes_in_one_call_per_parent(shop: AShop, sandbox: Sandbox, recorder: Any) -> None:
    updates = sellable(sandbox.world.shop)
    outcomes = shop.push_stock(updates)
    assert {(o.key, o.status) for o in outcomes} == {(key, "applied") for key in updates}
    for wanted in updates.values():
        stored = sandbox.world.shop.products[int(wanted.external_variant_id)]
        assert stored.stock == wanted.quantity
    parents = {u.external_product_id for u in updates.values()} - {
        u.external_variant_id for u in updates.values()
    }
    assert len(recorder.requests) == 1 + len(parents)


def test_a_refused_item_does_not_hold_up_the_batch(shop: AShop, sandbox: Sandbox) -> None:
    simple = next(p for p in sandbox.world.shop.products.values() if p.kind == "simple")
    outcomes = shop.push_stock(
        {
            "good": update(simple.id, simple.id, 5),
            "gone": update(999_999, 999_999, 5),
            "odd": update(0, 0, 5),
            "text": text_update("abc", "abc"),
        }
    )
    found = {outcome.key: (outcome.status, outcome.code) for outcome in outcomes}
    assert found["good"] == ("applied", "")
    assert found["gone"] == ("rejected", "woocommerce_rest_product_invalid_id")
    assert found["text"][0] == "rejected"
    assert len(found) == 4
    assert simple.stock == 5


def test_a_negative_promise_is_sent_as_nothing_left(shop: AShop, sandbox: Sandbox) -> None:
    simple = next(p for p in sandbox.world.shop.products.values() if p.kind == "simple")
    assert statuses(shop.push_stock({"k": update(simple.id, simple.id, -3)})) == {"applied"}
    assert simple.stock == 0


@pytest.mark.parametrize("kind", LOST)
def test_a_lost_reply_is_asked_again_since_quantities_are_absolute(
    shop: AShop, sandbox: Sandbox, kind: str
) -> None:
    sandbox.faults.add("woocommerce:batchProducts", kind, times=1)
    assert statuses(shop.push_stock(sellable(sandbox.world.shop))) == {"applied"}


def test_what_the_shop_takes_and_ignores_is_not_applied(build: Build, scripted: Any) -> None:
    row = {"id": 7, "manage_stock": False, "stock_quantity": None}
    shop = build(scripted(httpx.Response(200, json={"update": [row]})))
    (outcome,) = shop.push_stock({"k": update(7, 7, 5)})
    assert outcome.status == "rejected"
    assert outcome.code
    assert outcome.message


def test_more_than_a_hundred_go_in_batches_of_a_hundred(build: Build) -> None:
    sizes: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        rows = json.loads(request.content)["update"]
        sizes.append(len(rows))
        return httpx.Response(200, json={"update": [{**row, "manage_stock": True} for row in rows]})

    shop = build(httpx.MockTransport(answer))
    outcomes = shop.push_stock({str(n): update(n, n, n) for n in range(1, 251)})
    assert sizes == [100, 100, 50]
    assert [outcome.status for outcome in outcomes] == ["applied"] * 250


@pytest.mark.parametrize("body", [{}, {"update": None}, {"update": []}, {"update": [{"id": 8}]}])
def test_an_item_the_reply_does_not_mention_is_not_called_done(
    build: Build, scripted: Any, body: Any
) -> None:
    shop = build(scripted(httpx.Response(200, json=body)))
    try:
        found = statuses(shop.push_stock({"k": update(7, 7, 5)}))
    except Unreachable:
        found = {"retry"}
    assert found <= {"unknown", "retry"}


def test_an_item_missing_from_the_reply_is_unknown_and_the_others_are_done(
    build: Build, scripted: Any
) -> None:
    row = {"id": 1, "manage_stock": True}
    shop = build(scripted(httpx.Response(200, json={"update": [row]})))
    outcomes = shop.push_stock({"a": update(1, 1, 5), "b": update(2, 2, 5)})
    assert [(o.key, o.status) for o in outcomes] == [("a", "applied"), ("b", "unknown")]


# ---- sockets -----------------------------------------------------------------------------------


def test_the_whole_way_over_a_real_socket(
    build: Build, sandbox: Sandbox, clock: ManualClock
) -> None:
    clock.advance(13 * 3600)
    with serve(sandbox) as url:
        shop = build(None, f"{url}/woo")
        assert all(finding.ok for finding in shop.check())
        assert len(ids(pulled(shop))) == 60
        sandbox.faults.add("woocommerce:batchProducts", "timeout-after", times=1)
        updates = sellable(sandbox.world.shop, first=2)
        assert statuses(shop.push_stock(updates)) == {"applied"}
        shop.close()
    stocks = {str(p.id): p.stock for p in sandbox.world.shop.products.values()}
    assert {u.external_variant_id: u.quantity for u in updates.values()}.items() <= stocks.items()
