"""Amazon stock out: PATCH by SKU, and feeds with their reports."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
import respx

from connectors.amazon import Amazon
from connectors.base import Outcome
from connectors.errors import Ambiguous, RateLimited, Unreachable
from connectors.http import Call
from mappings import MappingError
from mappings import canonical as c
from sandbox.app import Sandbox
from sandbox.clock import ManualClock
from sandbox.vendors.amazon_seller import AmazonSeller

SINCE = datetime(2026, 11, 1, tzinfo=UTC)
FEEDS = "/feeds/2021-06-30"
COLLIDING = ("stock:2758421:1", "stock:4394636:1")
Seller = Callable[..., Amazon]
Web = tuple[Amazon, respx.MockRouter]


def update(sku: str, quantity: int) -> c.StockUpdate:
    return c.StockUpdate(
        external_product_id=sku, external_variant_id=sku, external_sku=sku, quantity=quantity
    )


def updates(account: AmazonSeller) -> dict[str, c.StockUpdate]:
    return {f"stock:{n}:1": update(sku, n) for n, sku in enumerate(account.listings)}


# ---- stock by PATCH --------------------------------------------------------------------------


def test_few_skus_are_patched_one_by_one(
    amazon: Amazon, sandbox: Sandbox, calls: list[Call], recorder: Any
) -> None:
    account = sandbox.world.seller
    some = dict(list(updates(account).items())[:4])
    outcomes = amazon.push_stock(some)
    assert [(o.key, o.status) for o in outcomes] == [(key, "applied") for key in some]
    assert all(o.remote_id for o in outcomes)
    assert {account.listings[u.external_sku].quantity for u in some.values()} == {0, 1, 2, 3}
    assert [call.op for call in calls] == ["oauth_token", *["patchListingsItem"] * 4]
    assert json.loads(recorder.requests[-1].content) == {
        "productType": "PRODUCT",
        "patches": [
            {
                "op": "replace",
                "path": "/attributes/fulfillment_availability",
                "value": [{"fulfillment_channel_code": "DEFAULT", "quantity": 3}],
            }
        ],
    }


@pytest.mark.parametrize("sku", ["A/B", "50% off?", "ünï code", "a+b&c=d", "#1", "..x", "x;y"])
def test_a_sku_of_any_spelling_reaches_its_own_listing(web_seller: Web, sku: str) -> None:
    amazon, router = web_seller
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.raw_path.decode())
        body = {"sku": sku, "status": "ACCEPTED", "submissionId": "s1", "issues": []}
        return httpx.Response(200, json=body)

    router.patch(url__regex=".*/listings/.*").mock(side_effect=answer)
    assert [o.status for o in amazon.push_stock({"1": update(sku, 1)})] == ["applied"]
    path, _, query = seen[0].partition("?")
    assert path.count("/") == 5
    assert path.startswith("/listings/2021-08-01/items/A1SELLER/")
    assert query.startswith("marketplaceIds=")


def test_a_refused_sku_does_not_hold_up_the_others(amazon: Amazon, sandbox: Sandbox) -> None:
    sku = next(iter(sandbox.world.seller.listings))
    given = {"1": update("NO-SUCH-SKU", 1), "2": update("../orders", 1), "3": update(sku, 7)}
    found = {o.key: (o.status, o.code) for o in amazon.push_stock(given)}
    assert found == {"1": ("rejected", "13013"), "2": ("rejected", ""), "3": ("applied", "")}
    assert sandbox.world.seller.listings[sku].quantity == 7


@pytest.mark.parametrize("kind", ["timeout-after", "500-after", "truncated", "html", "empty"])
def test_a_lost_reply_to_a_patch_is_asked_again_since_it_is_absolute(
    amazon: Amazon, sandbox: Sandbox, kind: str
) -> None:
    sandbox.faults.add("amazon:patchListingsItem", kind, times=1)
    sku = next(iter(sandbox.world.seller.listings))
    assert [o.status for o in amazon.push_stock({"1": update(sku, 7)})] == ["applied"]
    assert sandbox.world.seller.listings[sku].quantity == 7


def test_a_limit_in_the_middle_keeps_what_was_done(
    amazon: Amazon, sandbox: Sandbox, limiter: Any
) -> None:
    some = dict(list(updates(sandbox.world.seller).items())[:4])
    sandbox.faults.add("amazon:patchListingsItem", "429", params={"retry_after": 60})
    with pytest.raises(RateLimited):
        amazon.push_stock(some)
    sandbox.faults.clear()
    amazon.push_stock({"1": some["stock:0:1"]})

    limiter.wait = 0.0
    limiter.wait_s = _third_call_waits(limiter)
    outcomes = amazon.push_stock(some)
    assert [(o.status, o.retry_after) for o in outcomes] == [
        ("applied", None),
        ("applied", None),
        ("retry", 60.0),
        ("retry", 60.0),
    ]


def _third_call_waits(limiter: Any) -> Callable[..., float]:
    asked: list[str] = []

    def wait_s(key: str, rate: Any, patience_s: float) -> float:
        asked.append(key)
        return 60.0 if len(asked) >= 3 else 0.0

    return wait_s


# ---- stock by feed ---------------------------------------------------------------------------


@pytest.fixture
def feeding(seller: Seller, recorder: Any) -> Amazon:
    """A connector that sends everything as feeds."""
    return seller(recorder, feed_threshold=1)


def test_many_skus_go_as_one_feed_and_its_report_is_read_back(
    feeding: Amazon, sandbox: Sandbox, clock: ManualClock, calls: list[Call]
) -> None:
    account = sandbox.world.seller
    given = {**updates(account), "gone": update("NO-SUCH-SKU", 1)}
    outcomes = feeding.push_stock(given)
    assert {(o.key, o.status) for o in outcomes} == {(key, "accepted") for key in given}
    (handle,) = {o.handle for o in outcomes}
    keys = list(given)
    assert feeding.poll_submission(handle, keys) is None
    clock.advance(61)
    assert feeding.poll_submission(handle, keys) is None
    clock.advance(120)
    results = feeding.poll_submission(handle, keys) or []
    assert [outcome.key for outcome in results] == keys
    (refused,) = [outcome for outcome in results if outcome.status != "applied"]
    assert (refused.key, refused.status) == ("gone", "rejected")
    assert refused.code
    for wanted in updates(account).values():
        assert account.listings[wanted.external_sku].quantity == wanted.quantity
    assert [call.op for call in calls] == [
        "oauth_token",
        "createFeedDocument",
        "uploadDocument",
        "createFeed",
        "getFeed",
        "getFeed",
        "getFeed",
        "getFeedDocument",
        "downloadDocument",
    ]


def test_below_the_threshold_nothing_is_fed_and_above_it_nothing_is_patched(
    seller: Seller, recorder: Any, sandbox: Sandbox, calls: list[Call]
) -> None:
    connector = seller(recorder, feed_threshold=5)
    all_of_them = updates(sandbox.world.seller)
    connector.push_stock(dict(list(all_of_them.items())[:4]))
    assert "createFeed" not in {call.op for call in calls}
    calls.clear()
    connector.push_stock(dict(list(all_of_them.items())[:5]))
    assert "patchListingsItem" not in {call.op for call in calls}


def test_an_item_whose_number_is_taken_waits_for_the_next_feed(
    feeding: Amazon, sandbox: Sandbox, recorder: Any, clock: ManualClock
) -> None:
    one, two, three = list(sandbox.world.seller.listings)[:3]
    # Found by search: both keys give the same number.
    given = {COLLIDING[0]: update(one, 1), "other": update(two, 2), COLLIDING[1]: update(three, 3)}
    found = {outcome.key: outcome for outcome in feeding.push_stock(given)}
    assert [found[key].status for key in given] == ["accepted", "accepted", "retry"]
    (upload,) = [r for r in recorder.requests if r.method == "PUT"]
    assert [m["sku"] for m in json.loads(upload.content)["messages"]] == [one, two]


def test_the_feed_is_one_amazons_schema_allows(
    feeding: Amazon, sandbox: Sandbox, specs: Path, recorder: Any
) -> None:
    feeding.push_stock(updates(sandbox.world.seller))
    (upload,) = [r for r in recorder.requests if r.method == "PUT"]
    schema = specs / "amazon-sp-api/schemas/feeds/listings-feed-schema-v2.json"
    feed = json.loads(upload.content)
    jsonschema.validate(feed, json.loads(schema.read_text()))
    assert len(feed["messages"]) == len(sandbox.world.seller.listings)
    assert "x-amz-access-token" not in upload.headers
    assert upload.headers["content-type"] == "application/json; charset=UTF-8"


def test_a_lost_reply_to_create_feed_is_ambiguous_for_the_whole_push(
    feeding: Amazon, sandbox: Sandbox
) -> None:
    sandbox.faults.add("amazon:createFeed", "timeout-after", times=1)
    with pytest.raises(Ambiguous):
        feeding.push_stock(updates(sandbox.world.seller))
    assert len(sandbox.world.seller.feeds) == 1


@pytest.mark.parametrize("operation", ["amazon:createFeedDocument", "amazon-documents:*"])
def test_trouble_before_the_feed_exists_is_mended_by_repeating(
    feeding: Amazon, sandbox: Sandbox, operation: str
) -> None:
    sandbox.faults.add(operation, "timeout-after", times=1)
    outcomes = feeding.push_stock(updates(sandbox.world.seller))
    assert {outcome.status for outcome in outcomes} == {"accepted"}
    assert len(sandbox.world.seller.feeds) == 1


def test_a_push_of_which_nothing_renders_sends_no_feed(
    feeding: Amazon, calls: list[Call], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> dict[str, Any]:
        raise MappingError("amazon.stock", [])

    monkeypatch.setattr(type(feeding._stock), "render", refuse)
    assert [o.status for o in feeding.push_stock({"a": update("X", 1)})] == ["rejected"]
    assert calls == []


def _feed(status: str, **more: Any) -> httpx.Response:
    body = {"feedId": "9", "feedType": "JSON_LISTINGS_FEED", "processingStatus": status}
    return httpx.Response(200, json={**body, "createdTime": "2026-11-02T08:00:00Z", **more})


@pytest.mark.parametrize("status", ["FATAL", "CANCELLED", "SOMETHING_NEW"])
def test_an_aborted_feed_is_retried_whole(web_seller: Web, status: str) -> None:
    amazon, router = web_seller
    router.get(f"{FEEDS}/feeds/9").mock(return_value=_feed(status))
    outcomes = amazon.poll_submission("9", ["a", "b"]) or []
    assert [(o.key, o.status, o.code) for o in outcomes] == [
        ("a", "retry", status),
        ("b", "retry", status),
    ]


def _reported(router: respx.MockRouter, content: bytes, **document: str) -> None:
    router.get(f"{FEEDS}/feeds/9").mock(return_value=_feed("DONE", resultFeedDocumentId="d1"))
    url = "https://tortuga-prod-eu.s3.amazonaws.com/report?X-Amz-Signature=abc"
    described = {"feedDocumentId": "d1", "url": url, **document}
    router.get(f"{FEEDS}/documents/d1").mock(return_value=httpx.Response(200, json=described))
    router.get(url).mock(return_value=httpx.Response(200, content=content))


def _number(key: str) -> int:
    return 1 + zlib.crc32(key.encode()) % (2**31 - 1)


def test_the_documented_report_is_understood(web_seller: Web, specs: Path) -> None:
    amazon, router = web_seller
    schemas = specs / "amazon-sp-api/schemas/feeds"
    example = schemas / "listings-feed-processing-report-schema-v2.example.json"
    report = json.loads(example.read_text())
    for issue in report["issues"]:
        issue["messageId"] = _number(f"key-{issue['messageId']}")
    _reported(router, gzip.compress(json.dumps(report).encode()), compressionAlgorithm="GZIP")
    outcomes = amazon.poll_submission("9", ["key-3", "key-4", "key-5"]) or []
    assert [(o.key, o.status, o.code) for o in outcomes] == [
        ("key-3", "applied", ""),
        ("key-4", "rejected", "90220"),
        ("key-5", "rejected", "99022"),
    ]
    assert "batteries_required" in outcomes[1].message
    assert "supplier_declared_dg_hz_regulation" in outcomes[1].message


def test_warnings_refuse_nothing_and_an_issue_of_no_message_refuses_all(web_seller: Web) -> None:
    amazon, router = web_seller
    warning = {"messageId": _number("a"), "severity": "WARNING", "code": "1", "message": "odd"}
    general = {"severity": "ERROR", "code": "4000001", "message": "bad header"}
    _reported(router, json.dumps({"issues": [warning]}).encode())
    assert amazon.poll_submission("9", ["a"]) == [Outcome("a", "applied")]
    _reported(router, json.dumps({"issues": [warning, general]}).encode())
    assert amazon.poll_submission("9", ["a"]) == [
        Outcome("a", "rejected", code="4000001", message="bad header")
    ]


REPORT = gzip.compress(json.dumps({"issues": [{"messageId": n} for n in range(999)]}).encode())
BOMB = gzip.compress(b" " * (65 * 1024 * 1024), compresslevel=1)


@pytest.mark.parametrize(
    ("content", "packing"),
    [(REPORT[:-20], "GZIP"), (b"not gzip", "GZIP"), (BOMB, "GZIP"), (b'{"issues": [', ""),
     (b"[]", ""), (b"", "")],
)  # fmt: skip
def test_a_report_that_is_cut_off_or_swollen_is_read_again_later(
    web_seller: Web, content: bytes, packing: str
) -> None:
    amazon, router = web_seller
    _reported(router, content, **({"compressionAlgorithm": packing} if packing else {}))
    with pytest.raises(Unreachable, match="processing report"):
        amazon.poll_submission("9", ["a"])


def test_a_feed_that_is_done_without_a_report_refused_nothing(web_seller: Web) -> None:
    amazon, router = web_seller
    router.get(f"{FEEDS}/feeds/9").mock(return_value=_feed("DONE"))
    assert amazon.poll_submission("9", ["a"]) == [Outcome("a", "applied")]


def test_a_document_elsewhere_is_not_fetched(web_seller: Web) -> None:
    amazon, router = web_seller
    router.get(f"{FEEDS}/feeds/9").mock(return_value=_feed("DONE", resultFeedDocumentId="d1"))
    described = {"feedDocumentId": "d1", "url": "http://169.254.169.254/latest/meta-data"}
    router.get(f"{FEEDS}/documents/d1").mock(return_value=httpx.Response(200, json=described))
    with pytest.raises(Unreachable, match="which is not allowed"):
        amazon.poll_submission("9", ["a"])
