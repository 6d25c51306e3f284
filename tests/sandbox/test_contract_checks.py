"""The checks themselves: a contract that accepts anything would prove nothing."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from openapi_core.exceptions import OpenAPIError

Check = Callable[[httpx.Response], None]


def answered(method: str, url: str, body: object, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=body, request=httpx.Request(method, url))


def test_amazon_refuses_an_order_without_its_channel(
    amazon_contract: Callable[[str], Check],
) -> None:
    order = {"orderId": "1", "createdTime": "2026-11-02T06:00:00Z"}
    wrong = answered("GET", "http://x/amazon/orders/2026-01-01/orders/1", {"order": order})
    with pytest.raises(OpenAPIError):
        amazon_contract("orders_2026-01-01")(wrong)


@pytest.mark.parametrize("order", [{"id": "one"}, {"status": "Lost"}, {"surprise": 1}])
def test_shipbob_refuses_a_wrong_type_an_unknown_status_and_an_unknown_field(
    shipbob_contract: Check, order: dict[str, object]
) -> None:
    with pytest.raises(OpenAPIError):
        shipbob_contract(answered("GET", "http://x/shipbob/2026-01/order", [order]))


@pytest.mark.parametrize("body", [{}, {"approved": "yes", "message": ""}])
def test_shipengine_refuses_a_void_without_its_answer(
    shipengine_contract: Check, body: dict[str, object]
) -> None:
    with pytest.raises(OpenAPIError):
        shipengine_contract(answered("PUT", "http://x/shipengine/v1/labels/se-1/void", body))
