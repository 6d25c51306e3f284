"""Amazon orders and listings in: the sandbox's seller account, and replies made by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import respx
from pydantic import SecretStr, ValidationError

from connectors.amazon import Amazon, AmazonConfig
from connectors.base import (
    Connector,
    Page,
    PollsSubmissions,
    PullsListings,
    PullsOrders,
    PushesStock,
    PushesTracking,
)
from connectors.errors import ConfigProblem, RateLimited, Rejected, Retryable, Unreachable
from connectors.http import Call
from mappings import Definitions
from sandbox.app import Sandbox
from sandbox.clock import ManualClock

SINCE = datetime(2026, 11, 1, tzinfo=UTC)
Seller = Callable[..., Amazon]
Web = tuple[Amazon, respx.MockRouter]


def pulled(connector: Amazon, cursor: dict[str, Any] | None = None) -> list[Page]:
    return list(connector.pull_orders(cursor, SINCE))


def ids(pages: list[Page]) -> list[str]:
    return [record.external_id for page in pages for record in page.records]


def orders_reply(numbers: range, token: str | None = None, **more: Any) -> httpx.Response:
    body: dict[str, Any] = {"orders": [{"orderId": str(number)} for number in numbers], **more}
    if token:
        body["pagination"] = {"nextToken": token}
    return httpx.Response(200, json=body)


# ---- the class -------------------------------------------------------------------------------


def test_it_has_the_capabilities_it_declares(amazon: Amazon, definitions: Definitions) -> None:
    for capability in (
        Connector, PullsOrders, PullsListings, PushesStock, PushesTracking, PollsSubmissions,
    ):  # fmt: skip
        assert isinstance(amazon, capability)
    assert set(amazon.info.definitions.values()) <= set(definitions)
    assert all(hasattr(amazon, push) for push in amazon.info.pushes)


def test_settings_refuse_what_they_do_not_know_and_want_a_marketplace() -> None:
    given = {
        "seller_id": "A1", "marketplace_ids": [], "client_id": "c", "client_secret": "s",
        "refresh_token": "r", "regoin": "eu",
    }  # fmt: skip
    with pytest.raises(ValidationError) as caught:
        AmazonConfig.model_validate(given)
    assert {error["loc"][0] for error in caught.value.errors()} == {"marketplace_ids", "regoin"}


# ---- check and credentials -------------------------------------------------------------------


def test_check_proves_token_seller_and_marketplaces(amazon: Amazon, calls: list[Call]) -> None:
    assert [(f.subject, f.ok) for f in amazon.check()] == [("credentials", True), ("clock", True)]
    assert [call.op for call in calls] == ["oauth_token", "searchListingsItems"]


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"client_secret": SecretStr("amzn1.WRONG")}, "invalid_client"),
        ({"refresh_token": SecretStr("Atzr|WRONG")}, "authorise test at the vendor again"),
        ({"seller_id": "A0SOMEBODYELSE"}, "Unauthorized"),
    ],
)
def test_check_with_wrong_settings_tells_what_to_mend(
    seller: Seller, recorder: Any, wrong: dict[str, Any], word: str
) -> None:
    with pytest.raises(ConfigProblem) as caught:
        seller(recorder, **wrong).check()
    assert word in str(caught.value)
    assert "WRONG" not in str(caught.value)


def test_a_token_is_asked_for_once_an_hour_at_most(
    amazon: Amazon, clock: ManualClock, calls: list[Call]
) -> None:
    for _ in range(24):
        pulled(amazon)
        clock.advance(600)
    assert [call.op for call in calls].count("oauth_token") <= 6
    assert {call.status for call in calls} == {200}


# ---- orders in -------------------------------------------------------------------------------


def test_a_day_of_orders_comes_in_one_page_up_to_the_horizon(
    amazon: Amazon, sandbox: Sandbox, clock: ManualClock, calls: list[Call]
) -> None:
    clock.advance(20 * 3600)
    (page,) = pulled(amazon)
    assert set(ids([page])) == set(sandbox.world.seller.orders)
    assert page.cursor == {"v": 1, "watermark": "2026-11-03T03:58:00Z"}
    assert [call.op for call in calls].count("searchOrders") == 1


def test_every_order_of_the_day_becomes_canonical(
    amazon: Amazon, clock: ManualClock, definitions: Definitions
) -> None:
    clock.advance(20 * 3600)
    records = [record for page in pulled(amazon) for record in page.records]
    orders = [definitions["amazon.orders"].apply(record.body).record for record in records]
    assert {order.status for order in orders} >= {"ready", "ignored", "cancelled"}
    assert {order.currency for order in orders} >= {"EUR", "GBP", "JPY"}
    assert all(order.lines for order in orders)


def test_what_happens_inside_the_horizon_comes_with_a_later_pull(
    amazon: Amazon, sandbox: Sandbox, clock: ManualClock
) -> None:
    clock.advance(20 * 3600)
    first = pulled(amazon)
    late = next(o for o in sandbox.world.seller.orders.values() if o.status == "UNSHIPPED")
    sandbox.world.seller.ask_to_cancel(late, "BUYER_CANCELED", clock.now())
    second = pulled(amazon, first[-1].cursor)
    assert late.order_id not in ids(second)
    clock.advance(121)
    third = pulled(amazon, second[-1].cursor)
    assert ids(third) == [late.order_id]
    assert first[-1].cursor["watermark"] <= second[-1].cursor["watermark"]


def test_nothing_is_lost_or_read_over_and_over_in_a_day_of_short_pulls(
    amazon: Amazon, sandbox: Sandbox, clock: ManualClock, recorder: Any
) -> None:
    cursor, came = None, {}
    for _ in range(24 * 6):
        clock.advance(600)
        for page in pulled(amazon, cursor):
            for record in page.records:
                came[record.external_id] = record.body["lastUpdatedTime"]
            cursor = page.cursor
    truth = sandbox.world.seller.orders.values()
    assert came == {o.order_id: o.modified.strftime("%Y-%m-%dT%H:%M:%SZ") for o in truth}
    asked = [r for r in recorder.requests if r.url.path.endswith("/orders/2026-01-01/orders")]
    assert {len(r.url.params["lastUpdatedAfter"]) for r in asked} == {20}


def test_the_horizon_is_the_one_amazon_names(web_seller: Web) -> None:
    amazon, router = web_seller
    answer = orders_reply(range(3), lastUpdatedBefore="2026-11-02T07:40:00Z")
    router.get("/orders/2026-01-01/orders").mock(return_value=answer)
    (page,) = pulled(amazon)
    assert page.cursor == {"v": 1, "watermark": "2026-11-02T07:40:00Z"}


def test_of_several_pages_the_first_names_the_horizon(web_seller: Web) -> None:
    amazon, router = web_seller
    router.get("/orders/2026-01-01/orders").side_effect = [
        orders_reply(range(3), token="t1", lastUpdatedBefore="2026-11-02T07:40:00Z"),
        orders_reply(range(3, 6), lastUpdatedBefore="2026-11-02T07:55:00Z"),
    ]
    assert pulled(amazon)[-1].cursor == {"v": 1, "watermark": "2026-11-02T07:40:00Z"}


def test_orders_that_became_visible_late_are_caught_by_the_overlap(
    amazon: Amazon, sandbox: Sandbox, clock: ManualClock
) -> None:
    clock.advance(20 * 3600)
    cursor = pulled(amazon)[-1].cursor
    late = next(iter(sandbox.world.seller.orders.values()))
    late.modified = datetime.fromisoformat(cursor["watermark"]) - timedelta(minutes=4)
    clock.advance(60)
    assert late.order_id in ids(pulled(amazon, cursor))


def test_without_an_echo_the_horizon_is_two_minutes_back(web_seller: Web) -> None:
    amazon, router = web_seller
    router.get("/orders/2026-01-01/orders").mock(return_value=orders_reply(range(3)))
    (page,) = pulled(amazon)
    assert page.cursor == {"v": 1, "watermark": "2026-11-02T07:58:00Z"}


def test_a_watermark_never_moves_back(web_seller: Web) -> None:
    amazon, router = web_seller
    answer = orders_reply(range(3), lastUpdatedBefore="2026-11-02T07:40:00Z")
    router.get("/orders/2026-01-01/orders").mock(return_value=answer)
    cursor = {"v": 1, "watermark": "2026-11-02T07:58:00Z"}
    assert pulled(amazon, cursor)[-1].cursor == cursor


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.amazon_orders.PAGE_SIZE", 9)


@pytest.mark.usefixtures("small_pages")
def test_pages_are_walked_by_token_with_the_other_parameters_unchanged(
    amazon: Amazon, clock: ManualClock, recorder: Any
) -> None:
    clock.advance(20 * 3600)
    pages = pulled(amazon)
    assert len(set(ids(pages))) == len(ids(pages)) == 60
    assert [len(page.records) for page in pages] == [9, 9, 9, 9, 9, 9, 6]
    asked = [dict(r.url.params) for r in recorder.requests if "2026-01-01" in r.url.path]
    tokens = [params.pop("paginationToken", None) for params in asked]
    assert all(params == asked[0] for params in asked)
    assert tokens[0] is None
    assert None not in tokens[1:]


@pytest.mark.usefixtures("small_pages")
def test_a_walk_cut_off_in_the_middle_goes_on_with_its_token(
    amazon: Amazon, clock: ManualClock, calls: list[Call]
) -> None:
    clock.advance(20 * 3600)
    walk = amazon.pull_orders(None, SINCE)
    came = [next(walk), next(walk)]
    cursor = json.loads(json.dumps(came[-1].cursor))
    clock.advance(3600)
    came += pulled(amazon, cursor)
    assert len(set(ids(came))) == len(ids(came)) == 60
    assert came[-1].cursor == {"v": 1, "watermark": "2026-11-03T03:58:00Z"}
    assert [call.op for call in calls].count("searchOrders") == 7


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("hours", [22.9, 23, 30, 240])
def test_a_token_that_has_died_falls_back_to_the_watermark(
    amazon: Amazon, clock: ManualClock, hours: float, calls: list[Call]
) -> None:
    clock.advance(20 * 3600)
    cursor = pulled(amazon)[-1].cursor
    clock.advance(3600)
    walk = amazon.pull_orders({**cursor, "watermark": "2026-11-01T00:00:00Z"}, SINCE)
    token_cursor = next(walk).cursor
    clock.advance(hours * 3600)
    pages = pulled(amazon, token_cursor)
    assert len(ids(pages)) == (51 if hours < 23 else 60)
    assert {call.status for call in calls} == {200}


@pytest.mark.usefixtures("small_pages")
def test_a_token_amazon_does_not_know_falls_back_once_to_the_watermark(
    amazon: Amazon, clock: ManualClock, calls: list[Call]
) -> None:
    clock.advance(20 * 3600)
    cursor = {
        "v": 1, "watermark": "2026-11-01T00:00:00Z", "after": "2026-10-31T23:55:00Z",
        "until": "2026-11-02T23:00:00Z", "token": "unknown", "token_at": "2026-11-03T03:00:00Z",
    }  # fmt: skip
    assert len(ids(pulled(amazon, cursor))) == 60
    statuses = [call.status for call in calls if call.op == "searchOrders"]
    assert statuses == [400, 200, 200, 200, 200, 200, 200, 200]


def test_a_refusal_without_a_token_is_not_asked_again(web_seller: Web) -> None:
    amazon, router = web_seller
    error = {"errors": [{"code": "InvalidInput", "message": "bad marketplace"}]}
    route = router.get("/orders/2026-01-01/orders").mock(
        return_value=httpx.Response(400, json=error)
    )
    with pytest.raises(Rejected, match="bad marketplace"):
        pulled(amazon)
    assert route.call_count == 1


def test_a_token_that_repeats_stops_the_walk(web_seller: Web) -> None:
    amazon, router = web_seller
    route = router.get("/orders/2026-01-01/orders")
    route.mock(return_value=orders_reply(range(3), token="again"))
    with pytest.raises(Retryable, match="repeats a page"):
        pulled(amazon)
    assert route.call_count == 2


def test_an_empty_page_with_a_token_is_followed(web_seller: Web) -> None:
    amazon, router = web_seller
    router.get("/orders/2026-01-01/orders").side_effect = [
        orders_reply(range(0), token="t1"), orders_reply(range(0), token="t2"),
        orders_reply(range(5), lastUpdatedBefore="2026-11-02T07:40:00Z"),
    ]  # fmt: skip
    assert len(ids(pulled(amazon))) == 5


def test_used_up_quota_keeps_the_place_for_later(
    amazon: Amazon, limiter: Any, clock: ManualClock
) -> None:
    clock.advance(20 * 3600)
    limiter.wait = 179.0
    with pytest.raises(RateLimited) as caught:
        amazon.check()
    assert caught.value.retry_after == 179.0


@pytest.mark.parametrize("kind", ["html", "truncated", "empty", "500", "503", "timeout-after"])
def test_passing_trouble_costs_a_call_and_nothing_else(
    amazon: Amazon, sandbox: Sandbox, clock: ManualClock, calls: list[Call], kind: str
) -> None:
    clock.advance(20 * 3600)
    sandbox.faults.add("amazon:searchOrders", kind, times=1)
    assert len(ids(pulled(amazon))) == 60
    assert [call.op for call in calls].count("searchOrders") == 2


@pytest.mark.parametrize("body", [{}, {"orders": None}, {"errors": []}, []])
def test_a_reply_without_orders_is_no_empty_page(web_seller: Web, body: Any) -> None:
    amazon, router = web_seller
    router.get("/orders/2026-01-01/orders").mock(return_value=httpx.Response(200, json=body))
    with pytest.raises(Unreachable):
        pulled(amazon)


# ---- listings in -----------------------------------------------------------------------------


def test_every_listing_comes_once_and_maps(
    amazon: Amazon, sandbox: Sandbox, definitions: Definitions, calls: list[Call]
) -> None:
    records = [record for page in amazon.pull_listings() for record in page.records]
    truth = sandbox.world.seller.listings
    listings = [definitions["amazon.listings"].apply(record.body).record for record in records]
    assert {listing.external_variant_id for listing in listings} == set(truth)
    assert len(listings) == len(truth)
    for listing in listings:
        there = truth[listing.external_sku]
        assert (listing.asin, listing.title) == (there.asin, there.title)
        assert (listing.quantity, listing.product_type) == (there.quantity, there.product_type)
        assert (listing.status, listing.fulfilment_flag) == ("live", "merchant")
    pages = [call for call in calls if call.op == "searchListingsItems"]
    assert len(pages) == -(-len(truth) // 20)


def test_official_listings_map(definitions: Definitions, specs: Any) -> None:
    pairs = json.loads(
        (specs / "amazon-sp-api/sandbox-pairs/listingsItems_2021-08-01.json").read_text()
    )
    bodies = [pair.get("response") or pair.get("example") or {} for pair in pairs]
    items = [item for body in bodies for item in body.get("items", [body]) if "summaries" in item]
    listings = [definitions["amazon.listings"].apply(item).record for item in items]
    assert len(listings) == 4
    assert {listing.external_sku for listing in listings} == {"GM-ZDPI-9B4E"}


def test_a_listing_amazon_stocks_and_a_suppressed_one_are_told_apart(
    definitions: Definitions,
) -> None:
    item: dict[str, Any] = {"sku": "A", "summaries": [{"asin": "B1", "status": []}]}
    own = {"fulfillmentChannelCode": "DEFAULT", "quantity": 3}
    fba = {"fulfillmentChannelCode": "AMAZON_EU", "quantity": 90}
    seen = []
    for availability in ([], [own], [fba], [own, fba]):
        mapped = definitions["amazon.listings"].apply(
            {**item, "fulfillmentAvailability": availability}
        )
        seen.append((mapped.record.fulfilment_flag, mapped.record.quantity, mapped.record.status))
    assert seen == [
        ("merchant", None, "blocked"),
        ("merchant", 3, "blocked"),
        ("marketplace", None, "blocked"),
        ("marketplace", 3, "blocked"),
    ]


class Catalogue:
    """``searchListingsItems`` with its reach of 1,000, over listings created a minute apart."""

    def __init__(self, listings: int, apart: timedelta = timedelta(minutes=1)) -> None:
        began = datetime(2025, 1, 1, tzinfo=UTC)
        self.created = [(f"SKU-{n:05d}", began + apart * n) for n in range(listings)]
        self.calls = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        params = request.url.params
        after = datetime.fromisoformat(params.get("createdAfter", "2000-01-01T00:00:00Z"))
        found = [(sku, at) for sku, at in self.created if at >= after][:1000]
        start = int(params.get("pageToken", 0))
        end = start + int(params["pageSize"])
        items = [
            {"sku": sku, "summaries": [{"createdDate": at.isoformat()}]}
            for sku, at in found[start:end]
        ]
        body: dict[str, Any] = {"numberOfResults": len(found), "items": items}
        if end < len(found):
            body["pagination"] = {"nextToken": str(end)}
        return httpx.Response(200, json=body)


@pytest.mark.parametrize("listings", [0, 20, 999, 1000, 1001, 2500])
def test_listings_beyond_a_thousand_are_reached(web_seller: Web, listings: int) -> None:
    amazon, router = web_seller
    catalogue = Catalogue(listings)
    router.get("/listings/2021-08-01/items/A1SELLER").mock(side_effect=catalogue)
    came = [record.external_id for page in amazon.pull_listings() for record in page.records]
    assert set(came) == {sku for sku, _ in catalogue.created}
    assert len(came) - len(set(came)) <= listings // 1000


def test_a_thousand_listings_of_one_moment_are_not_passed_over_in_silence(web_seller: Web) -> None:
    amazon, router = web_seller
    catalogue = Catalogue(1500, apart=timedelta(0))
    router.get("/listings/2021-08-01/items/A1SELLER").mock(side_effect=catalogue)
    with pytest.raises(Retryable, match="lists no more than 1000"):
        list(amazon.pull_listings())
    assert catalogue.calls == 100
