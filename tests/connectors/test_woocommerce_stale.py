"""Replies that look right, and are not: to an older question, or of another shape."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
import respx

from connectors.errors import Retryable
from connectors.woocommerce import WooCommerce
from sandbox.clock import ManualClock
from tests.connectors.conftest import START


def listed(*changes: str) -> httpx.Response:
    rows: list[dict[str, Any]] = [
        {"id": number, "date_modified_gmt": told} for number, told in enumerate(changes, 1)
    ]
    return httpx.Response(200, json=rows, headers={"X-WP-Total": str(len(rows))})


def test_fault_row_13_a_stale_page_as_long_as_the_right_one_moves_no_watermark(
    web_shop: tuple[WooCommerce, respx.MockRouter], clock: ManualClock
) -> None:
    """Found by ``crossdock simulate --seed 8 --days 1``: a new order was never read."""
    shop, router = web_shop
    router.get("/orders").mock(return_value=listed("2026-11-02T07:50:00"))
    (first,) = shop.pull_orders(None, START - timedelta(hours=1))
    clock.advance(3 * 3600)
    with pytest.raises(Retryable, match="was not asked for"):
        list(shop.pull_orders(first.cursor, START))


@pytest.mark.parametrize(
    "told",
    [
        *("2026-11-02T07:50:00", "", "not a time", "2026-11-02T08:00:01"),
        # No page waits for the day to come, or for the one that never was.
        *(
            "9999-12-31T23:59:59",
            "2031-01-01T00:00:00",
            "0001-01-01T00:00:00",
            "1970-01-01T00:00:00",
        ),
    ],
)
def test_what_was_asked_for_is_taken_and_so_is_a_time_that_cannot_be_read(
    web_shop: tuple[WooCommerce, respx.MockRouter], clock: ManualClock, told: str
) -> None:
    shop, router = web_shop
    router.get("/orders").mock(return_value=listed(told))
    clock.advance(6)
    (page,) = shop.pull_orders(None, START - timedelta(hours=1))
    assert len(page.records) == 1


@pytest.mark.parametrize("told", ["unheard-of", "", "12a", "٣", "9" * 30])
def test_fault_row_33_an_id_that_is_no_number_makes_no_new_order(
    web_shop: tuple[WooCommerce, respx.MockRouter], clock: ManualClock, told: str
) -> None:
    """Found by ``crossdock simulate --seed 203 --days 2``: an order was known twice, once under
    an id that the shop never gave, and would have been shipped twice."""
    shop, router = web_shop
    clock.advance(6)
    good = {"id": "7", "date_modified_gmt": "2026-11-02T07:50:00"}
    headers = {"X-WP-Total": "2"}
    rows = [good, {**good, "id": told}]
    router.get("/orders").mock(return_value=httpx.Response(200, json=rows, headers=headers))
    with pytest.raises(Retryable, match="an order that is none"):
        list(shop.pull_orders(None, START - timedelta(hours=1)))
    rows[1]["id"] = "8"
    router.get("/orders").mock(return_value=httpx.Response(200, json=rows, headers=headers))
    (page,) = shop.pull_orders(None, START - timedelta(hours=1))
    assert [one.external_id for one in page.records] == ["7", "8"]
