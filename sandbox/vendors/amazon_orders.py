"""SP-API Orders 2026-01-01 (searchOrders, getOrder) and confirmShipment of Orders v0."""

from __future__ import annotations

from datetime import datetime, timedelta

from werkzeug.wrappers import Response

from sandbox.vendors.amazon_body import INCLUDED_DATA, order_json
from sandbox.vendors.amazon_problem import sp_problem
from sandbox.vendors.amazon_seller import AmazonOrder, Package
from sandbox.wire import (
    Call,
    Json,
    Malformed,
    Route,
    moment_of,
    number_in,
    part,
    reply,
    rows,
    stamp,
)

HORIZON = timedelta(minutes=2)
TOKEN_LIFETIME = timedelta(hours=24)

# Where an order stands in a listing: the date filtered on, then its id.
Place = tuple[datetime, str]

_PAGE_MAX = 100
_MARKETPLACES_MAX = 50
_WINDOWS = (("createdAfter", "createdBefore"), ("lastUpdatedAfter", "lastUpdatedBefore"))
# A page token is bound to the query it came from, but for these two and itself.
_FREE_PARAMETERS = frozenset({"maxResultsPerPage", "includedData", "paginationToken"})


def search_orders(call: Call) -> Response:
    """Oldest first by the date filtered on; ``*Before`` must lie two minutes back."""
    included = set(call.listed("includedData"))
    if not included <= set(INCLUDED_DATA):
        return sp_problem(400, "InvalidInput", "includedData holds an unknown data set.")
    if not 1 <= len(call.listed("marketplaceIds")) <= _MARKETPLACES_MAX:
        return sp_problem(400, "InvalidInput", "marketplaceIds must name 1 to 50 marketplaces.")
    size = call.query("maxResultsPerPage") or str(_PAGE_MAX)
    if not size.isdecimal() or not 1 <= int(size) <= _PAGE_MAX:
        return sp_problem(400, "InvalidInput", "maxResultsPerPage must be between 1 and 100.")
    asked = [pair for pair in _WINDOWS if call.query(pair[0])]
    if len(asked) != 1:
        return sp_problem(
            400, "InvalidInput", "Provide exactly one of createdAfter and lastUpdatedAfter."
        )
    return _search(call, asked[0], included, int(size))


def _search(call: Call, window: tuple[str, str], included: set[str], size: int) -> Response:
    after, before = window
    passed, end = None, call.now - HORIZON
    until = call.query(before)
    if until is not None and moment_of(until) > end:
        why = f"{before} must be no later than two minutes before the request."
        return sp_problem(400, "InvalidInput", why)
    if until is not None:
        end = moment_of(until)
    page_token = call.query("paginationToken")
    if page_token is not None:
        resumed = _resume(call, page_token)
        if isinstance(resumed, Response):
            return resumed
        passed, end = resumed
    by_creation = after == "createdAfter"
    orders = _matching(call, moment_of(call.query(after) or ""), end, by_creation)
    # Pages go on behind the last order shown, not at a number: an order that changes meanwhile
    # leaves the window and pushes no other one over a page's edge.
    orders = [order for order in orders if passed is None or _place(order, by_creation) > passed]
    page = orders[:size]
    body: Json = {"orders": [order_json(order, included) for order in page]}
    body[before] = stamp(end)
    if len(orders) > size:
        body["pagination"] = {"nextToken": _token(call, _place(page[-1], by_creation), end)}
    return reply(body)


def _matching(call: Call, since: datetime, end: datetime, by_creation: bool) -> list[AmazonOrder]:
    statuses = call.listed("fulfillmentStatuses")
    markets = call.listed("marketplaceIds")
    fulfillers = call.listed("fulfilledBy")

    found = [
        order
        for order in call.world.seller.orders.values()
        if since <= _place(order, by_creation)[0] <= end
        and order.marketplace in markets
        and (not statuses or order.status in statuses)
        and (not fulfillers or order.fulfilled_by in fulfillers)
    ]
    return sorted(found, key=lambda order: _place(order, by_creation))


def _place(order: AmazonOrder, by_creation: bool) -> Place:
    return (order.created if by_creation else order.modified, order.order_id)


def _bound_parameters(call: Call) -> list[list[str]]:
    pairs = call.request.args.items(multi=True)
    return sorted([name, value] for name, value in pairs if name not in _FREE_PARAMETERS)


def _token(call: Call, passed: Place, end: datetime) -> str:
    tokens = call.world.seller.page_tokens
    token = f"2YgYW55IGNhcm5hbCBwbGVhc3VyZS4-{len(tokens) + 1}"
    tokens[token] = {
        "passed": passed,
        "end": end,
        "expires": call.now + TOKEN_LIFETIME,
        "query": _bound_parameters(call),
    }
    return token


def _resume(call: Call, token: str) -> tuple[Place, datetime] | Response:
    kept = call.world.seller.page_tokens.get(token)
    if kept is None or call.now >= kept["expires"]:
        return sp_problem(400, "InvalidInput", "The pagination token is invalid or has expired.")
    if kept["query"] != _bound_parameters(call):
        return sp_problem(
            400, "InvalidInput", "Parameters must be the ones the pagination token was given for."
        )
    return kept["passed"], kept["end"]


def get_order(call: Call) -> Response:
    order = call.world.seller.orders.get(call.path_args["order_id"])
    if order is None:
        return sp_problem(404, "NotFound", "The order was not found.")
    return reply({"order": order_json(order, set(call.listed("includedData")))})


def confirm_shipment(call: Call) -> Response:
    """204 and no body; the same packageReferenceId edits the package booked before."""
    order = call.world.seller.orders.get(call.path_args["order_id"])
    if order is None:
        return sp_problem(404, "NotFound", "The order was not found.")
    body = call.json()
    try:
        package = _package_of(part(body, "packageDetail"), call.now.replace(microsecond=0))
    except KeyError as missing:
        return sp_problem(400, "InvalidInput", f"packageDetail lacks {missing.args[0]}.")
    if body.get("marketplaceId") != order.marketplace:
        return sp_problem(400, "InvalidInput", "marketplaceId is not the order's.")
    if not package.reference.isdecimal() or int(package.reference) < 1:
        return sp_problem(400, "InvalidInput", "packageReferenceId must be a positive number.")
    if order.fulfilled_by != "MERCHANT":
        return sp_problem(400, "InvalidInput", "Amazon fulfils this order.")
    refusal = call.world.seller.confirm(order, package, call.now.replace(microsecond=0))
    if refusal is not None:
        return sp_problem(400, "InvalidInput", refusal)
    return Response(status=204)


def _package_of(detail: Json, now: datetime) -> Package:
    quantities: dict[str, int] = {}
    for row in rows(detail, "orderItems"):
        if number_in(row, "quantity") < 1:
            raise Malformed("quantity must be at least 1")
        item_id = str(row["orderItemId"])
        quantities[item_id] = quantities.get(item_id, 0) + row["quantity"]
    other = detail["carrierCode"] == "Other"
    return Package(
        reference=str(detail["packageReferenceId"]),
        carrier=detail["carrierName"] if other else detail["carrierCode"],
        service=detail.get("shippingMethod", ""),
        tracking=detail["trackingNumber"],
        ship_time=moment_of(str(detail["shipDate"])),
        created=now,
        quantities=quantities,
    )


ROUTES = (
    Route("searchOrders", "GET", "/orders/2026-01-01/orders", search_orders),
    Route("getOrder", "GET", "/orders/2026-01-01/orders/<order_id>", get_order),
    Route(
        "confirmShipment",
        "POST",
        "/orders/v0/orders/<order_id>/shipmentConfirmation",
        confirm_shipment,
    ),
)
