"""The WooCommerce connector against the sandbox, hand-made replies and Woo's documentation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
import respx
from pydantic import SecretStr, ValidationError

from connectors.base import (
    Connector,
    PullsListings,
    PullsOrders,
    PushesStock,
    PushesTracking,
)
from connectors.errors import ConfigProblem, Retryable, Unreachable
from connectors.http import Call
from connectors.woocommerce import WooCommerce, WooConfig
from mappings import Definitions, MappingError
from mappings import canonical as c
from sandbox.app import Sandbox
from sandbox.clock import ManualClock
from tests.connectors.woo_words import (
    SINCE,
    Shop,
    ids,
    listing_reply,
    order_row,
    pulled,
)

# ---- the class -------------------------------------------------------------------------------


def test_it_has_the_capabilities_it_declares(woo: WooCommerce, definitions: Definitions) -> None:
    for capability in (Connector, PullsOrders, PullsListings, PushesStock, PushesTracking):
        assert isinstance(woo, capability)
    assert set(woo.info.definitions.values()) <= set(definitions)
    assert all(hasattr(woo, push) for push in woo.info.pushes)


def test_settings_refuse_what_they_do_not_know() -> None:
    with pytest.raises(ValidationError, match="consumer_sekret"):
        WooConfig.model_validate({"url": "https://x", "consumer_key": "k", "consumer_sekret": "s"})


def test_no_secret_shows_in_the_settings() -> None:
    config = WooConfig(
        url="https://x", consumer_key=SecretStr("ck_CANARY"), consumer_secret=SecretStr("cs_CANARY")
    )
    assert "CANARY" not in f"{config!r} {config}"


# ---- check -----------------------------------------------------------------------------------


def test_check_finds_a_well_shop(woo_shop: Shop, recorder: Any) -> None:
    findings = woo_shop(recorder, currency="EUR", timezone="Europe/Berlin").check()
    assert [(f.subject, f.ok) for f in findings] == [
        ("credentials", True),
        ("clock", True),
        ("currency", True),
        ("timezone", True),
    ]


def test_check_says_what_differs(woo_shop: Shop, recorder: Any) -> None:
    wrong = [f for f in woo_shop(recorder, currency="USD").check() if not f.ok]
    assert [(f.subject, f.detail) for f in wrong] == [("currency", "the shop runs in EUR")]
    assert wrong[0].remedy


def test_check_with_a_wrong_secret_tells_what_to_mend_and_not_the_secret(
    woo_shop: Shop, recorder: Any
) -> None:
    with pytest.raises(ConfigProblem, match="Consumer secret is invalid") as caught:
        woo_shop(recorder, secret="cs_WRONG_ONE").check()
    assert "Check the credentials" in str(caught.value)
    assert "cs_WRONG_ONE" not in str(caught.value)


def test_check_notices_a_skewed_clock(web_shop: tuple[WooCommerce, respx.MockRouter]) -> None:
    woo, router = web_shop
    reply = listing_reply([])
    reply.headers["Date"] = "Mon, 02 Nov 2026 08:10:00 GMT"
    router.get("/orders").mock(return_value=reply)
    (clock,) = [f for f in woo.check() if f.subject == "clock"]
    assert (clock.ok, clock.detail) == (False, "their clock is 600 s ahead of ours")


# ---- orders in -------------------------------------------------------------------------------


def test_a_day_of_orders_comes_in_one_page_with_its_cursor(
    woo: WooCommerce, sandbox: Sandbox, clock: ManualClock, calls: list[Call]
) -> None:
    clock.advance(13 * 3600)
    (page,) = pulled(woo)
    assert ids([page]) == [str(number) for number in sorted(sandbox.world.shop.orders)]
    assert page.total == len(page.records) == 60
    assert page.cursor == {"v": 1, "watermark": "2026-11-02T20:59:55+00:00"}
    assert [call.op for call in calls].count("listOrders") == 1


def test_every_order_of_the_day_becomes_canonical(
    woo: WooCommerce, clock: ManualClock, definitions: Definitions
) -> None:
    clock.advance(20 * 3600)
    records = [record for page in pulled(woo) for record in page.records]
    orders = [definitions["woocommerce.orders"].apply(record.body).record for record in records]
    assert len(orders) == 60
    assert {order.status for order in orders} >= {"ready", "cancelled", "pending"}
    assert {order.currency for order in orders} >= {"EUR", "JPY", "KWD"}


def test_a_second_pull_brings_what_changed_and_little_else(
    woo: WooCommerce, sandbox: Sandbox, clock: ManualClock
) -> None:
    clock.advance(14 * 3600)
    cursor = pulled(woo)[-1].cursor
    clock.advance(3600)
    assert ids(pulled(woo, cursor)) == []
    shop = sandbox.world.shop
    changed = shop.orders[min(shop.orders)]
    shop.set_status(changed, "on-hold", clock.now())
    clock.advance(10)
    later = pulled(woo, cursor)
    assert ids(later) == [str(changed.id)]
    assert later[-1].cursor["watermark"] > cursor["watermark"]


def test_the_newest_seconds_wait_for_the_next_pull(
    woo: WooCommerce, sandbox: Sandbox, clock: ManualClock
) -> None:
    clock.advance(14 * 3600)
    first = pulled(woo)
    shop = sandbox.world.shop
    changed = shop.orders[max(shop.orders)]
    shop.set_status(changed, "on-hold", clock.now())
    second = pulled(woo, first[-1].cursor)
    assert str(changed.id) not in ids(second)
    clock.advance(6)
    assert ids(pulled(woo, second[-1].cursor)) == [str(changed.id)]


def test_times_are_asked_for_in_gmt_and_without_an_offset(
    woo: WooCommerce, recorder: Any, clock: ManualClock
) -> None:
    cursor = pulled(woo)[-1].cursor
    clock.advance(60)
    pulled(woo, cursor)
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
    woo_shop: Shop, clock: ManualClock, recorder: Any, sandbox: Sandbox, zone: str
) -> None:
    sandbox.world.shop.zone = ZoneInfo(zone)
    clock.advance(13 * 3600)
    assert len(ids(pulled(woo_shop(recorder)))) == 60


def test_refunded_orders_carry_their_refunds_as_full_objects(
    woo: WooCommerce,
    sandbox: Sandbox,
    clock: ManualClock,
    calls: list[Call],
    definitions: Definitions,
) -> None:
    clock.advance(20 * 3600)
    records = [record for page in pulled(woo) for record in page.records]
    refunded = [record for record in records if record.body["refunds"]]
    expected = {str(o.id) for o in sandbox.world.shop.orders.values() if o.refunds}
    assert {record.external_id for record in refunded} == expected
    assert expected
    assert [call.op for call in calls].count("listRefunds") == len(expected)
    for record in refunded:
        order = definitions["woocommerce.orders"].apply(record.body).record
        assert order.refunds
        # The date is in the full object only.
        assert all(refund.refunded_at is not None for refund in order.refunds)


@pytest.mark.parametrize("kind", ["500", "html", "truncated", "empty"])
def test_a_failed_refund_call_fails_the_page_and_never_empties_it(
    woo: WooCommerce, sandbox: Sandbox, clock: ManualClock, kind: str
) -> None:
    clock.advance(20 * 3600)
    sandbox.faults.add("woocommerce:listRefunds", kind)
    with pytest.raises(Unreachable):
        pulled(woo)
    sandbox.faults.clear()
    assert len(ids(pulled(woo))) == 60


def test_an_order_whose_refunds_do_not_all_come_fails_the_page(
    web_shop: tuple[WooCommerce, respx.MockRouter],
) -> None:
    woo, router = web_shop
    listed = [{"id": 5, "reason": "", "total": "-1.00"}, {"id": 6, "reason": "", "total": "-2.00"}]
    router.get("/orders").mock(return_value=listing_reply([order_row(1, refunds=listed)]))
    router.get("/orders/1/refunds").mock(return_value=httpx.Response(200, json=[{"id": 5}]))
    with pytest.raises(Retryable, match=r"refunds \{6\}"):
        pulled(woo)


def test_orders_that_leave_the_window_while_it_is_read_hide_no_others(
    woo: WooCommerce, sandbox: Sandbox, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.woocommerce.PER_PAGE", 7)
    clock.advance(13 * 3600)
    sandbox.world.advance_to(clock.now())
    shop = sandbox.world.shop
    untouched = {str(number) for number in shop.orders}
    came = []
    for page in woo.pull_orders(None, SINCE):
        came += ids([page])
        first = shop.orders[int(came[0]) if len(came) < 8 else int(came[len(came) // 2])]
        shop.set_status(first, "completed", clock.now())
        untouched.discard(str(first.id))
    assert set(came) >= untouched
    assert len(untouched) > 30


def test_a_walk_cut_off_in_the_middle_goes_on_from_its_cursor(
    woo: WooCommerce, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, recorder: Any
) -> None:
    monkeypatch.setattr("connectors.woocommerce.PER_PAGE", 10)
    clock.advance(13 * 3600)
    walk = woo.pull_orders(None, SINCE)
    came = [next(walk), next(walk)]
    cursor = json.loads(json.dumps(came[-1].cursor))
    assert (cursor["page"], cursor["total"]) == (3, 60)
    clock.advance(300)
    came += pulled(woo, cursor)
    assert len(set(ids(came))) == len(ids(came)) == 60
    assert recorder.requests[2].url.params["page"] == "3"
    assert {request.url.params["modified_before"] for request in recorder.requests} == {
        "2026-11-02T20:59:55"
    }


def test_a_shop_that_hides_the_total_is_told_what_to_mend(
    web_shop: tuple[WooCommerce, respx.MockRouter],
) -> None:
    woo, router = web_shop
    router.get("/orders").mock(return_value=httpx.Response(200, json=[order_row(1)]))
    with pytest.raises(ConfigProblem, match="X-WP-Total"):
        pulled(woo)


@pytest.mark.parametrize("rows", [["text"], [{"no": "id"}], [None]])
def test_a_list_of_nonsense_is_no_page(
    web_shop: tuple[WooCommerce, respx.MockRouter], rows: list[Any]
) -> None:
    woo, router = web_shop
    router.get("/orders").mock(return_value=listing_reply(rows))
    with pytest.raises(Unreachable):
        pulled(woo)


def test_a_page_from_a_cache_is_noticed(
    web_shop: tuple[WooCommerce, respx.MockRouter],
) -> None:
    woo, router = web_shop
    first = [order_row(number) for number in range(100)]
    route = router.get("/orders").mock(return_value=listing_reply(first, total=150))
    with pytest.raises(Retryable, match="only 100 of 150 records came, twice"):
        pulled(woo)
    assert route.call_count == 4


@pytest.mark.parametrize("kind", ["html", "truncated", "empty", "500", "503", "timeout-after"])
def test_passing_trouble_costs_a_call_and_nothing_else(
    woo: WooCommerce, sandbox: Sandbox, clock: ManualClock, calls: list[Call], kind: str
) -> None:
    clock.advance(13 * 3600)
    sandbox.faults.add("woocommerce:listOrders", kind, times=1)
    assert len(ids(pulled(woo))) == 60
    assert [call.op for call in calls].count("listOrders") == 2


def test_lasting_html_is_explained(woo: WooCommerce, sandbox: Sandbox, clock: ManualClock) -> None:
    sandbox.faults.add("woocommerce:listOrders", "html")
    with pytest.raises(Unreachable, match="HTML instead of JSON: often a maintenance page"):
        pulled(woo)


# ---- listings in -----------------------------------------------------------------------------


def test_every_variant_is_listed_once_and_maps(
    woo: WooCommerce, sandbox: Sandbox, definitions: Definitions, calls: list[Call]
) -> None:
    records = [record for page in woo.pull_listings() for record in page.records]
    products = sandbox.world.shop.products.values()
    sellable = {str(p.id): p for p in products if p.kind != "variable"}
    assert {record.external_id for record in records} == set(sellable)
    assert len(records) == len(sellable)
    listings = [definitions["woocommerce.listings"].apply(record.body).record for record in records]
    for listing in listings:
        product = sellable[listing.external_variant_id]
        parent = product.parent_id or product.id
        assert listing.external_product_id == str(parent)
        assert (listing.external_sku, listing.gtin) == (product.sku, product.gtin)
        assert (listing.quantity, listing.status) == (product.stock, "live")
    variable = sum(product.kind == "variable" for product in products)
    assert len(calls) == 1 + variable


def test_listings_of_the_documentation_and_of_the_field_map(
    definitions: Definitions, specs: Path
) -> None:
    known = _known_products(specs)
    mapped: list[c.Listing] = []
    unmapped: list[str] = []
    for name, body in known:
        try:
            mapped.append(definitions["woocommerce.listings"].apply(body).record)
        except MappingError as error:
            unmapped.append(f"{name}: {error.problems[0].field}")
    # Documentation of a product that never was: its status is `true`.
    assert unmapped == ["product-variations.json: status"]
    assert len(mapped) >= 40
    assert any(listing.quantity == 16 for listing in mapped), "a fraction is rounded down"
    assert any(not listing.quantity_managed for listing in mapped)


def _known_products(specs: Path) -> list[tuple[str, dict[str, Any]]]:
    files = [
        *(specs / "woocommerce" / "payloads").glob("product*.json"),
        *(specs / "woocommerce" / "recorded-responses").glob("product*.json"),
    ]
    found: list[tuple[str, dict[str, Any]]] = []

    def search(name: str, node: Any) -> None:
        if isinstance(node, list):
            for part in node:
                search(name, part)
        elif isinstance(node, dict):
            if {"id", "stock_quantity", "manage_stock", "status", "tax_class"} <= set(node):
                found.append((name, node))
            else:
                search(name, list(node.values()))

    for file in sorted(files):
        search(file.name, json.loads(file.read_text()))
    return found
