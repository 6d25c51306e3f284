"""SP-API Orders 2026-01-01 (searchOrders, getOrder) and confirmShipment of Orders v0."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from werkzeug.wrappers import Response

from sandbox.quirks import shuffled
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
Place = tuple[str, str]

_PAGE_MAX = 100
_MARKETPLACES_MAX = 50
_WINDOWS = (("createdAfter", "createdBefore"), ("lastUpdatedAfter", "lastUpdatedBefore"))
# A page token is bound to the query it came from, but for these two and itself.
_FREE_PARAMETERS = frozenset({"maxResultsPerPage", "includedData", "paginationToken"})


@dataclass(frozen=True)
class _Spot:
    """Where a page begins: behind ``passed``, in the window up to ``end``."""

    passed: Place | None
    end: datetime
    empty_pages: int = 0


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
    end = call.now - HORIZON
    until = call.query(before)
    if until is not None and moment_of(until) > end:
        why = f"{before} must be no later than two minutes before the request."
        return sp_problem(400, "InvalidInput", why)
    if until is not None:
        end = moment_of(until)
    quirks = call.world.quirks
    spot = _Spot(None, end, quirks.empty_pages)
    page_token = call.query("paginationToken")
    if page_token is not None:
        resumed = _resume(call, page_token)
        if isinstance(resumed, Response):
            return resumed
        spot = resumed
    by_creation = after == "createdAfter"
    orders = _matching(call, moment_of(call.query(after) or ""), spot.end, by_creation)
    # Pages go on behind the last order shown, not at a number: an order that changes meanwhile
    # leaves the window and pushes no other one over a page's edge.
    left = [one for one in orders if _place(call, one, by_creation) > (spot.passed or ("", ""))]
    page, following = _page(call, left, spot, size, by_creation)
    if quirks.endless and following is None and page:
        following = spot
        quirks.note("endless", "searchOrders")
    body: Json = {"orders": [order_json(order, included) for order in page]}
    body[before] = stamp(spot.end)
    if following is not None:
        body["pagination"] = {"nextToken": _token(call, following)}
        _meddle(call, page)
    return reply(body)


def _page(
    call: Call, left: list[AmazonOrder], spot: _Spot, size: int, by_creation: bool
) -> tuple[list[AmazonOrder], _Spot | None]:
    """The orders of this page, and where the next one begins."""
    quirks = call.world.quirks
    if spot.empty_pages and left:
        quirks.note("empty_pages", f"{call.now}:{spot}")
        return [], replace(spot, empty_pages=spot.empty_pages - 1)
    if len(left) <= size:
        return left, None
    page = left[:size]
    return page, _Spot(_place(call, page[-1], by_creation), spot.end, quirks.empty_pages)


def _matching(call: Call, since: datetime, end: datetime, by_creation: bool) -> list[AmazonOrder]:
    statuses = call.listed("fulfillmentStatuses")
    markets = call.listed("marketplaceIds")
    fulfillers = call.listed("fulfilledBy")
    quirks = call.world.quirks

    found = [
        order
        for order in call.world.seller.orders.values()
        if since <= _moment(call, order, by_creation) <= end
        and order.marketplace in markets
        and (not statuses or order.status in statuses)
        and (not fulfillers or order.fulfilled_by in fulfillers)
        and not quirks.unlisted(order.order_id, order.created, order.modified, call.now)
    ]
    return sorted(found, key=lambda order: _place(call, order, by_creation))


def _moment(call: Call, order: AmazonOrder, by_creation: bool) -> datetime:
    return order.created if by_creation else call.world.quirks.stamped(order.modified)


def _place(call: Call, order: AmazonOrder, by_creation: bool) -> Place:
    if call.world.quirks.unsorted:
        call.world.quirks.note("unsorted", order.order_id)
        return (shuffled(order.order_id), order.order_id)
    return (stamp(_moment(call, order, by_creation)), order.order_id)


def _meddle(call: Call, page: list[AmazonOrder]) -> None:
    """What becomes of the orders of a page while the next one is asked for."""
    at, quirks = call.now.replace(microsecond=0), call.world.quirks
    for order in [one for one in page if one.modified < at][: quirks.edits_while_paging]:
        order.modified = at
        quirks.note("edits_while_paging", order.order_id)


def _bound_parameters(call: Call) -> list[list[str]]:
    pairs = call.request.args.items(multi=True)
    return sorted([name, value] for name, value in pairs if name not in _FREE_PARAMETERS)


def _token(call: Call, spot: _Spot) -> str:
    life = call.world.quirks.page_token_s
    tokens = call.world.seller.page_tokens
    token = f"2YgYW55IGNhcm5hbCBwbGVhc3VyZS4-{len(tokens) + 1}"
    tokens[token] = {
        "spot": spot,
        "expires": call.now + (TOKEN_LIFETIME if life is None else timedelta(seconds=life)),
        "query": _bound_parameters(call),
    }
    return token


def _resume(call: Call, token: str) -> _Spot | Response:
    kept = call.world.seller.page_tokens.get(token)
    if kept is None or call.now >= kept["expires"]:
        call.world.quirks.note("page_token_s", token)
        return sp_problem(400, "InvalidInput", "The pagination token is invalid or has expired.")
    if kept["query"] != _bound_parameters(call):
        return sp_problem(
            400, "InvalidInput", "Parameters must be the ones the pagination token was given for."
        )
    spot: _Spot = kept["spot"]
    return spot


def _known(call: Call) -> AmazonOrder | None:
    order = call.world.seller.orders.get(call.path_args["order_id"])
    gone = order is not None and call.world.quirks.gone(order.order_id, order.created, call.now)
    return None if gone else order


def get_order(call: Call) -> Response:
    order = _known(call)
    if order is None:
        return sp_problem(404, "NotFound", "The order was not found.")
    return reply({"order": order_json(order, set(call.listed("includedData")))})


def confirm_shipment(call: Call) -> Response:
    """204 and no body; the same packageReferenceId edits the package booked before."""
    order = _known(call)
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
