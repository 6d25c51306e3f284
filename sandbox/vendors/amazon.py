"""The Selling Partner API as one vendor: token check, usage plans, routes.

Rates and bursts are the default usage plans printed in Amazon's API models.
"""

from __future__ import annotations

from werkzeug.wrappers import Response

from sandbox.limits import Limit, Verdict
from sandbox.vendors import amazon_feeds, amazon_listings, amazon_orders
from sandbox.vendors.amazon_problem import sp_problem
from sandbox.wire import Call, Vendor

USAGE_PLANS: dict[str, tuple[float, int]] = {
    "searchOrders": (0.0056, 20),
    "getOrder": (0.5, 30),
    "confirmShipment": (2.0, 10),
    "searchListingsItems": (5.0, 5),
    "getListingsItem": (5.0, 10),
    "patchListingsItem": (5.0, 5),
    "createFeedDocument": (0.5, 15),
    "createFeed": (0.0083, 15),
    "getFeed": (2.0, 15),
    "getFeedDocument": (0.0222, 10),
}

_CODES = {400: "InvalidInput", 404: "NotFound", 405: "InvalidInput", 429: "QuotaExceeded"}


def guard(call: Call) -> Response | None:
    """403 for an absent and for an expired access token alike."""
    token = call.request.headers.get("x-amz-access-token", "")
    if call.world.logins.valid(token, call.now):
        return None
    if not token:
        return sp_problem(403, "Unauthorized", "Access to requested resource is denied.")
    return sp_problem(403, "Unauthorized", "The access token you provided has expired.")


def limit(operation: str) -> Limit | None:
    """A token bucket per operation of the one selling account."""
    rate, burst = USAGE_PLANS[operation]
    return Limit(f"amazon:{operation}", burst=burst, rate=rate)


def quota(limit: Limit, _verdict: Verdict) -> dict[str, str]:
    """The header tells the rate only, never what is left."""
    return {"x-amzn-RateLimit-Limit": str(limit.rate)}


def throttled(_vendor: Vendor, limit: Limit, verdict: Verdict) -> Response:
    """429 without any hint how long to wait."""
    response = sp_problem(
        429, "QuotaExceeded", "You exceeded your quota for the requested resource."
    )
    response.headers.update(quota(limit, verdict))
    return response


VENDOR = Vendor(
    name="amazon",
    prefix="/amazon",
    routes=(*amazon_orders.ROUTES, *amazon_listings.ROUTES, *amazon_feeds.ROUTES),
    guard=guard,
    limit=limit,
    problem=lambda status, message: sp_problem(
        status, _CODES.get(status, "InternalFailure"), message
    ),
    quota=quota,
    throttled=throttled,
)
