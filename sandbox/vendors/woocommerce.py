"""WooCommerce REST API v3: orders and refunds. Facts: woocommerce-rest-api-docs, wp-api-v3.

Quirks kept on purpose: ``orderby`` knows no modified date; dates without ``dates_are_gmt`` are the
site's; after/before are exclusive and whole seconds; a write of meta data alone does not move
``date_modified``; an order number is no guarantee of order in time.
"""

from __future__ import annotations

from datetime import UTC, datetime

from werkzeug.wrappers import Response

from sandbox.hooks import woo_row
from sandbox.quirks import shuffled
from sandbox.vendors import woo_products
from sandbox.vendors.woo_pages import invalid_param, page_of, woo_problem
from sandbox.vendors.woo_shop import WooOrder, WooShop
from sandbox.wire import (
    Call,
    Json,
    Malformed,
    Route,
    Vendor,
    entries,
    number_in,
    reply,
    rows,
    unlimited,
)

CONSUMER_KEY = "ck_sandbox"
CONSUMER_SECRET = "cs_sandbox"

_STATUSES = (
    "pending",
    "processing",
    "on-hold",
    "completed",
    "cancelled",
    "refunded",
    "failed",
    "trash",
)
_ORDERBY = ("date", "id", "include", "title", "slug")
_BATCH_MAX = 100


def _local(shop: WooShop, moment: datetime | None) -> str | None:
    return moment.astimezone(shop.zone).strftime("%Y-%m-%dT%H:%M:%S") if moment else None


def _gmt(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S") if moment else None


def _dates(shop: WooShop, name: str, moment: datetime | None) -> Json:
    return {name: _local(shop, moment), f"{name}_gmt": _gmt(moment)}


def order_json(shop: WooShop, order: WooOrder, origin: str) -> Json:
    """An order as the API prints it."""
    collection = f"{origin}/woo/wp-json/wc/v3/orders"
    return {
        "id": order.id,
        "number": str(order.id),
        "status": order.status,
        **order.body,
        **_dates(shop, "date_created", order.created),
        **_dates(shop, "date_modified", shop.quirks.stamped(order.modified)),
        **_dates(shop, "date_paid", order.paid),
        **_dates(shop, "date_completed", order.completed),
        "is_editable": order.status in {"pending", "on-hold"},
        "needs_payment": order.status in {"pending", "failed"},
        "needs_processing": order.status == "processing",
        "payment_url": f"{origin}/woo/checkout/order-pay/{order.id}/",
        "refunds": [
            {"id": refund["id"], "reason": refund["reason"], "total": f"-{refund['amount']}"}
            for refund in order.refunds
        ],
        "_links": {
            "self": [{"href": f"{collection}/{order.id}"}],
            "collection": [{"href": collection}],
        },
    }


def _refund_json(shop: WooShop, order: WooOrder, refund: Json, origin: str) -> Json:
    up = f"{origin}/woo/wp-json/wc/v3/orders/{order.id}"
    return {
        "id": refund["id"],
        **_dates(shop, "date_created", refund["created"]),
        "amount": refund["amount"],
        "reason": refund["reason"],
        "refunded_by": 1,
        "refunded_payment": True,
        "meta_data": [],
        "line_items": refund["line_items"],
        "_links": {
            "self": [{"href": f"{up}/refunds/{refund['id']}"}],
            "collection": [{"href": f"{up}/refunds"}],
            "up": [{"href": up}],
        },
    }


def list_orders(call: Call) -> Response:
    shop = call.world.shop
    orderby = call.query("orderby") or "date"
    if orderby not in _ORDERBY:
        return invalid_param("orderby", f"orderby is not one of {', '.join(_ORDERBY)}.")
    wanted = call.listed("status") or ["any"]
    for status in wanted:
        if status not in (*_STATUSES, "any"):
            return invalid_param("status", f"status[0] is not one of any, {', '.join(_STATUSES)}.")
    orders = [order for order in _dated(call, shop) if "any" in wanted or order.status in wanted]
    included = {int(number) for number in call.listed("include") if number.isdecimal()}
    if included:
        orders = [order for order in orders if order.id in included]
    newest_first = (call.query("order") or "desc") == "desc"
    orders.sort(key=lambda order: order.id, reverse=newest_first)
    if orderby == "date":
        orders.sort(key=lambda order: order.created, reverse=newest_first)
    if shop.quirks.unsorted:
        orders.sort(key=lambda order: shuffled(order.id))
        shop.quirks.note("unsorted", call.request.url)
    return page_of(
        call,
        orders,
        lambda order: order_json(shop, order, call.origin),
        lambda page: shop.meddle(page, call.now.replace(microsecond=0)),
    )


def _dated(call: Call, shop: WooShop) -> list[WooOrder]:
    gmt = (call.query("dates_are_gmt") or "false") in {"true", "1"}
    orders = [
        order
        for order in shop.orders.values()
        if not shop.quirks.unlisted(order.id, order.created, order.modified, call.now)
    ]
    for name, field, later in (
        ("after", "created", True),
        ("before", "created", False),
        ("modified_after", "modified", True),
        ("modified_before", "modified", False),
    ):
        text = call.query(name)
        if text is None:
            continue
        bound = _site_moment(text, shop, gmt)
        orders = [o for o in orders if _beyond(_stamp_of(shop, o, field), bound, later)]
    return orders


def _stamp_of(shop: WooShop, order: WooOrder, field: str) -> datetime:
    return order.created if field == "created" else shop.quirks.stamped(order.modified)


def _beyond(moment: datetime, bound: datetime, later: bool) -> bool:
    whole = moment.replace(microsecond=0)
    return whole > bound if later else whole < bound


def _site_moment(text: str, shop: WooShop, gmt: bool) -> datetime:
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError as error:
        raise Malformed("Invalid date.") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC if gmt else shop.zone)
    return moment.astimezone(UTC)


def get_order(call: Call) -> Response:
    order = _found(call)
    if order is None:
        return _no_order()
    return reply(order_json(call.world.shop, order, call.origin))


def update_order(call: Call) -> Response:
    order = _found(call)
    if order is None:
        return _no_order()
    refused = _apply(call, order, call.json())
    return refused or reply(order_json(call.world.shop, order, call.origin))


def batch_orders(call: Call) -> Response:
    """Only updates: a hub never creates or deletes a shop's orders."""
    body = call.json()
    if sum(len(entries(body, name)) for name in ("create", "update", "delete")) > _BATCH_MAX:
        return woo_products.too_many()
    shop = call.world.shop
    results: list[Json] = []
    for change in rows(body, "update"):
        order = shop.orders.get(number_in(change, "id"))
        if order is None or shop.quirks.refuses(str(order.id)):
            refused: Response | None = _no_order()
        else:
            refused = _apply(call, order, change)
        if refused is not None:
            results.append({"id": change.get("id"), "error": refused.get_json()})
        elif order is not None:
            results.append(order_json(shop, order, call.origin))
    return reply({"update": results})


def list_refunds(call: Call) -> Response:
    order = _found(call)
    if order is None:
        return _no_order()
    shop = call.world.shop
    newest = list(reversed(order.refunds))
    return page_of(call, newest, lambda refund: _refund_json(shop, order, refund, call.origin))


def _found(call: Call) -> WooOrder | None:
    shop = call.world.shop
    order = shop.orders.get(int(call.path_args["order_id"]))
    gone = order is not None and shop.quirks.gone(order.id, order.created, call.now)
    return None if gone else order


def _no_order() -> Response:
    return woo_problem(404, "woocommerce_rest_shop_order_invalid_id", "Invalid ID.")


def _apply(call: Call, order: WooOrder, change: Json) -> Response | None:
    status = change.get("status")
    if status is not None and status not in _STATUSES:
        return invalid_param("status", f"status is not one of {', '.join(_STATUSES)}.")
    _merge_meta(call.world.shop, order, rows(change, "meta_data"))
    at = call.now.replace(microsecond=0)
    if status == "cancelled":
        call.world.shop.cancel(order, at)
    if status is not None and status != order.status:
        call.world.shop.set_status(order, status, at)
    return None


def _merge_meta(shop: WooShop, order: WooOrder, changes: list[Json]) -> None:
    """Meta is matched by id, else by key; a null value deletes the entry."""
    kept: list[Json] = order.body["meta_data"]
    for change in changes:
        match = [
            row
            for row in kept
            if (row["id"] == change["id"] if "id" in change else row["key"] == change.get("key"))
        ]
        if match and change.get("value") is None:
            kept.remove(match[0])
        elif match:
            match[0]["value"] = change["value"]
        elif change.get("value") is not None and change.get("key"):
            kept.append({"id": shop.new_id(), "key": change["key"], "value": change["value"]})


def list_webhooks(call: Call) -> Response:
    mine = [one for one in call.world.hooks.subscriptions if one.vendor == "woocommerce"]
    return page_of(call, mine, lambda one: woo_row(one, call.world.opened))


def guard(call: Call) -> Response | None:
    """HTTP Basic with the consumer key and secret."""
    credentials = call.request.authorization
    if credentials is None or credentials.type != "basic":
        return woo_problem(401, "woocommerce_rest_cannot_view", "Sorry, you cannot list resources.")
    if credentials.username != CONSUMER_KEY:
        return woo_problem(401, "woocommerce_rest_authentication_error", "Consumer key is invalid.")
    if credentials.password != CONSUMER_SECRET:
        return woo_problem(
            401, "woocommerce_rest_authentication_error", "Consumer secret is invalid."
        )
    return None


VENDOR = Vendor(
    name="woocommerce",
    prefix="/woo/wp-json/wc/v3",
    routes=(
        Route("index", "GET", "/", woo_products.index),
        Route("systemStatus", "GET", "/system_status", woo_products.system_status),
        Route("listOrders", "GET", "/orders", list_orders),
        Route("getOrder", "GET", "/orders/<int:order_id>", get_order),
        Route("updateOrder", "PUT", "/orders/<int:order_id>", update_order),
        Route("batchOrders", "POST", "/orders/batch", batch_orders),
        Route("listRefunds", "GET", "/orders/<int:order_id>/refunds", list_refunds),
        Route("listWebhooks", "GET", "/webhooks", list_webhooks),
        *woo_products.ROUTES,
    ),
    guard=guard,
    limit=unlimited,
    problem=lambda status, message: woo_problem(
        status, "rest_no_route" if status == 404 else "rest_error", message
    ),
)
