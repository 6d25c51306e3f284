"""Whatever a client sends, the sandbox answers as a vendor would: never by falling over."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.app import Sandbox
from sandbox.clock import ManualClock
from sandbox.vendors import lwa, shipbob, shipengine, woocommerce
from sandbox.world import World

WOO = "/woo/wp-json/wc/v3"
MARKET = "marketplaceIds=A1PA6795UKMFR9"
WRITES = (
    ("PUT", f"{WOO}/orders/1069"),
    ("POST", f"{WOO}/orders/batch"),
    ("POST", f"{WOO}/products/batch"),
    ("POST", "/lwa/auth/o2/token"),
    ("PATCH", f"/amazon/listings/2021-08-01/items/A2SANDBOXSELLER/MUG-BLUE?{MARKET}"),
    ("POST", "/amazon/feeds/2021-06-30/documents"),
    ("POST", "/amazon/feeds/2021-06-30/feeds"),
    ("POST", "/shipbob/2026-01/order"),
    ("POST", "/shipbob/2026-01/shipment:batchUpdateTrackingUpload"),
    ("POST", "/shipengine/v1/rates"),
    ("POST", "/shipengine/v1/rates/estimate"),
    ("POST", "/shipengine/v1/labels"),
)
# The names that occur in requests, so that what is sent comes near to something that is meant.
NAMES = (
    *("status", "meta_data", "key", "value", "id", "update", "delete", "stock_quantity"),
    *("grant_type", "productType", "patches", "op", "path", "contentType", "feedType"),
    *("marketplaceIds", "inputFeedDocumentId", "type", "reference_id", "products", "quantity"),
    *("recipient", "name", "address", "shipping_method", "shipment_ids", "shipment", "packages"),
    *("weight", "unit", "ship_to", "ship_from", "carrier_id", "service_code", "rate_options"),
    *("carrier_ids", "packageDetail", "orderItems", "packageReferenceId", "shipDate"),
)
scalars = st.none() | st.booleans() | st.integers(-5, 10**6) | st.sampled_from(["", "x", "1069"])
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=12,
)
bodies = st.dictionaries(st.sampled_from(NAMES), values, max_size=6) | values


@pytest.fixture(scope="module")
def client() -> Any:
    world = World(7, ManualClock(datetime(2026, 11, 3, 6, tzinfo=UTC)))
    world.limiter.enforced = False
    sandbox = Sandbox(world)
    headers = {
        "API-Key": shipengine.API_KEY,
        "shipbob_channel_id": "105111",
        "x-amz-access-token": world.logins.issue(world.now),
    }
    with httpx.Client(
        transport=sandbox.transport(), base_url="http://sandbox.test", headers=headers
    ) as opened:
        yield opened


def credentials(path: str) -> Any:
    if path.startswith("/woo"):
        return httpx.BasicAuth(woocommerce.CONSUMER_KEY, woocommerce.CONSUMER_SECRET)
    return None


@pytest.mark.parametrize(("method", "path"), WRITES, ids=[path for _, path in WRITES])
@given(body=bodies)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_json_is_answered(client: httpx.Client, method: str, path: str, body: Any) -> None:
    headers = {"Authorization": f"Bearer {shipbob.TOKEN}"} if "shipbob" in path else {}
    reply = client.request(method, path, json=body, headers=headers, auth=credentials(path))
    assert reply.status_code < 500
    assert reply.json() is not None


READS = {
    f"{WOO}/orders": ("page", "per_page", "after", "modified_after", "include", "status", "offset"),
    f"{WOO}/products": ("page", "per_page", "order"),
    "/amazon/orders/2026-01-01/orders": ("createdAfter", "maxResultsPerPage", "paginationToken"),
    "/amazon/listings/2021-08-01/items/A2SANDBOXSELLER": ("pageSize", "pageToken", "sortBy"),
    "/shipbob/2026-01/order": ("Page", "Limit", "IDs", "LastUpdateStartDate", "HasTracking"),
    "/shipbob/2026-01/inventory-level": ("PageSize", "cursor", "InventoryIds"),
    "/shipengine/v1/labels": ("page", "page_size", "created_at_start"),
}


@pytest.mark.parametrize("path", READS)
@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_query_is_answered(client: httpx.Client, path: str, data: st.DataObject) -> None:
    texts = st.sampled_from(
        ["", "0", "1", "-1", "²", "abc", "999999999999", "2026-11-02T06:00:00Z"]
    )
    params = data.draw(st.dictionaries(st.sampled_from(READS[path]), texts))
    params["marketplaceIds"] = "A1PA6795UKMFR9"
    headers = {"Authorization": f"Bearer {shipbob.TOKEN}"} if "shipbob" in path else {}
    reply = client.get(path, params=params, headers=headers, auth=credentials(path))
    assert reply.status_code in {200, 400}
    assert reply.json() is not None


def test_the_token_endpoint_needs_its_secret(client: httpx.Client) -> None:
    body = {"grant_type": "refresh_token", "client_id": lwa.CLIENT_ID}
    assert client.post("/lwa/auth/o2/token", json=body).status_code == 401
