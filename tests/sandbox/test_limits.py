"""Rate limits as the vendors enforce them, on the sandbox clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
from hypothesis import given
from hypothesis import strategies as st

from sandbox.app import Sandbox
from sandbox.clock import ManualClock
from sandbox.limits import Limit, Limiter

Client = Callable[[Sandbox], httpx.Client]
START = datetime(2026, 11, 2, 6, 0, tzinfo=UTC)


@given(
    burst=st.integers(1, 20),
    rate=st.sampled_from([0.0056, 0.5, 2.0, 5.0]),
    gaps=st.lists(st.floats(0, 400), max_size=60),
)
def test_a_bucket_never_gives_more_than_burst_and_refill(
    burst: int, rate: float, gaps: list[float]
) -> None:
    limiter, limit = Limiter(), Limit("x", burst=burst, rate=rate)
    now, passed = START, 0
    for gap in gaps:
        now += timedelta(seconds=gap)
        verdict = limiter.draw(limit, now)
        passed += not verdict.wait
        if verdict.wait:
            assert limiter.draw(limit, now + timedelta(seconds=verdict.wait + 0.001)).wait == 0
            passed += 1
            now += timedelta(seconds=verdict.wait + 0.001)
    assert passed <= burst + (now - START).total_seconds() * rate + 1e-6


@given(gaps=st.lists(st.floats(0, 30), max_size=80))
def test_a_sliding_window_never_holds_more_than_its_size(gaps: list[float]) -> None:
    limiter, limit = Limiter(), Limit("x", burst=5, window=60.0)
    now, passed = START, []
    for gap in gaps:
        now += timedelta(seconds=gap)
        if not limiter.draw(limit, now).wait:
            passed.append(now)
    for at in passed:
        assert sum(at - timedelta(seconds=60) < other <= at for other in passed) <= 5


def test_amazon_gives_a_burst_then_one_call_in_179_seconds(
    quiet: Sandbox,
    clock: ManualClock,
    amazon: Client,
    amazon_contract: Callable[[str], Callable[[httpx.Response], None]],
) -> None:
    client = amazon(quiet)
    params = {"marketplaceIds": "A1PA6795UKMFR9", "createdAfter": "2026-11-01T00:00:00Z"}

    def status() -> int:
        return client.get("/orders/2026-01-01/orders", params=params).status_code

    assert [status() for _ in range(21)] == [200] * 20 + [429]
    clock.advance(170)
    refused = client.get("/orders/2026-01-01/orders", params=params)
    amazon_contract("orders_2026-01-01")(refused)
    assert refused.json()["errors"][0]["code"] == "QuotaExceeded"
    assert refused.headers["x-amzn-RateLimit-Limit"] == "0.0056"
    assert "Retry-After" not in refused.headers
    clock.advance(9)
    assert [status(), status()] == [200, 429]
    # Each operation draws from its own bucket.
    assert client.get("/orders/2026-01-01/orders/1").status_code == 404


def test_amazon_takes_five_feeds_in_five_minutes(
    quiet: Sandbox, clock: ManualClock, amazon: Client
) -> None:
    client = amazon(quiet)
    document = client.post("/feeds/2021-06-30/documents", json={"contentType": "x"}).json()
    client.put(document["url"], content=b"{}")
    spec = {
        "feedType": "JSON_LISTINGS_FEED",
        "marketplaceIds": ["A1PA6795UKMFR9"],
        "inputFeedDocumentId": document["feedDocumentId"],
    }
    statuses = [client.post("/feeds/2021-06-30/feeds", json=spec).status_code for _ in range(6)]
    assert statuses == [202] * 5 + [429]
    clock.advance(300)
    assert client.post("/feeds/2021-06-30/feeds", json=spec).status_code == 202


def test_shipbob_counts_a_sliding_minute_over_all_operations(
    quiet: Sandbox, clock: ManualClock, bob: Client
) -> None:
    client = bob(quiet)
    for number in range(150):
        path = "/channel" if number % 2 else "/location"
        assert client.get(path).status_code == 200
        clock.advance(0.2)
    refused = client.get("/channel")
    assert (refused.status_code, refused.headers["x-retry-after"]) == (429, "30")
    assert refused.headers["x-remaining-calls"] == "0"
    clock.advance(30)
    assert client.get("/channel").headers["x-remaining-calls"] == "0"


def test_shipengine_says_when_to_come_back(quiet: Sandbox, engine: Client) -> None:
    client = engine(quiet)
    assert {client.get("/carriers").status_code for _ in range(200)} == {200}
    refused = client.get("/carriers")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "60")
    assert refused.json()["errors"][0]["error_code"] == "rate_limit_exceeded"


def test_a_wrong_credential_costs_no_quota_and_limits_can_be_switched_off(
    quiet: Sandbox, engine: Client, admin: Client
) -> None:
    client = engine(quiet)
    for _ in range(250):
        assert client.get("/carriers", headers={"API-Key": "wrong"}).status_code == 401
    assert client.get("/carriers").status_code == 200
    assert admin(quiet).post("/limits", json={"enforced": False}).json() == {"enforced": False}
    assert {client.get("/carriers").status_code for _ in range(250)} == {200}
