"""ShipBob Developer API 2026-01: orders, shipments, cancellation, tracking acknowledgement."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import cycle, islice

from werkzeug.wrappers import Response

from sandbox.catalogue import SKUS
from sandbox.hooks import bob_row
from sandbox.limits import Limit, Verdict
from sandbox.quirks import shuffled
from sandbox.vendors import shipbob_stock
from sandbox.vendors.shipbob_account import CENTERS, HOME_CENTER, BobOrder, ShipBobAccount, Shipment
from sandbox.vendors.shipbob_body import CHANNELS, order_json, shipment_json, shipments_json
from sandbox.wire import (
    Call,
    Json,
    Route,
    Vendor,
    entries,
    moment_of,
    number_in,
    part,
    reply,
    rows,
)

TOKEN = "sandbox-pat"

_PAGE_MAX = 250
_BY_INVENTORY_ID = {sku.inventory_id: sku.code for sku in SKUS}
_CODES = frozenset(sku.code for sku in SKUS)
_ADDRESS = ("address1", "city", "country")
_REQUIRED = ("products", "recipient", "reference_id", "shipping_method", "type")


def create_order(call: Call) -> Response:
    """201 with the order; 422 when the reference id was ever used, 400 when a field is missing."""
    channel = call.request.headers.get("shipbob_channel_id", "")
    if not channel.isdecimal() or int(channel) not in CHANNELS:
        return _refused(400, {"shipbob_channel_id": ["The channel id is missing or unknown."]})
    body = call.json()
    missing = [name for name in _REQUIRED if not body.get(name)]
    if missing:
        return _refused(400, {name: [f"The {name} field is required."] for name in missing})
    recipient = part(body, "recipient")
    address = part(recipient, "address")
    if not recipient.get("name") or not all(address.get(name) for name in _ADDRESS):
        return _refused(400, {"recipient": ["Name, address1, city and country are required."]})
    account = call.world.shipbob
    taken = str(body["reference_id"]) in account.by_reference
    if taken and account.quirks.unique_references:
        return _refused(422, {"errors": ["An order with this reference id already exists."]})
    if (number_in(body, "location_id") or HOME_CENTER) not in CENTERS:
        return _refused(422, {"errors": ["The location does not exist."]})
    wanted = _wanted(rows(body, "products"))
    if isinstance(wanted, Response):
        return wanted
    if taken:
        account.quirks.note("unique_references", body["reference_id"])
    order = account.accept(call.world, body, wanted, int(channel))
    if account.quirks.draws("twins", order.reference, account.quirks.twins_share):
        account.quirks.note("twins", order.reference)
        account.accept(call.world, body, wanted, int(channel))
    return reply(order_json(account, order, call.now), 201)


def _wanted(products: Iterable[Json]) -> dict[str, int] | Response:
    wanted: dict[str, int] = {}
    for line in products:
        code = _BY_INVENTORY_ID.get(number_in(line, "id")) or str(line.get("reference_id"))
        # ShipBob would make a product without stock out of an unknown one. Refused here, so that
        # a wrong SKU shows at once.
        if code not in _CODES:
            return _refused(422, {"errors": [f"Product {code} does not exist."]})
        quantity = number_in(line, "quantity")
        if quantity < 1:
            return _refused(400, {"products": ["The quantity must be at least 1."]})
        wanted[code] = wanted.get(code, 0) + quantity
    return wanted


def list_orders(call: Call) -> Response:
    """A plain array, newest first unless ``SortOrder=Oldest``; there is no total."""
    limit, page = call.query("Limit") or "50", call.query("Page") or "1"
    if not limit.isdecimal() or not 1 <= int(limit) <= _PAGE_MAX:
        return _refused(400, {"Limit": ["The field Limit must be between 1 and 250."]})
    if not page.isdecimal() or int(page) < 1:
        return _refused(400, {"Page": ["The field Page must be at least 1."]})
    account = call.world.shipbob
    orders = [order for order in account.orders.values() if _wanted_by(call, order)]
    oldest = (call.query("SortOrder") or "Newest").lower() == "oldest"
    orders.sort(key=lambda order: order.id, reverse=not oldest)
    if account.quirks.unsorted:
        orders.sort(key=lambda order: shuffled(order.id))
    start = (int(page) - 1) * int(limit)
    if account.quirks.endless and orders and start + int(limit) >= len(orders):
        orders, start = list(islice(cycle(orders[start:] or orders), int(limit))), 0
        account.quirks.note("endless", "listOrders")
    shown = orders[start : start + int(limit)]
    return reply([order_json(account, order, call.now) for order in shown])


def _wanted_by(call: Call, order: BobOrder) -> bool:
    ids, references = call.listed("IDs"), call.listed("ReferenceIds")
    if (ids and str(order.id) not in ids) or (references and order.reference not in references):
        return False
    quirks = call.world.quirks
    if references and quirks.unfound(order.reference, order.created, call.now):
        return False
    if not references and quirks.unlisted(order.id, order.created, order.updated, call.now):
        return False
    tracked = any(shipment.tracking for shipment in order.shipments)
    uploaded = tracked and all(s.tracking_uploaded for s in order.shipments if s.tracking)
    for name, truth in (("HasTracking", tracked), ("IsTrackingUploaded", uploaded)):
        text = call.query(name)
        if text is not None and (text.lower() == "true") != truth:
            return False
    shipped = [shipment.shipped for shipment in order.shipments if shipment.shipped]
    for prefix, moment in (
        ("", order.created),
        ("LastUpdate", order.updated),
        ("LastTrackingUpdate", max(shipped, default=None)),
    ):
        for suffix in ("StartDate", "EndDate"):
            bound = call.query(prefix + suffix)
            if bound is None:
                continue
            if moment is None:
                return False
            limit = moment_of(bound)
            if (suffix == "StartDate" and moment < limit) or (
                suffix == "EndDate" and moment > limit
            ):
                return False
    return True


def get_order(call: Call) -> Response:
    order = _order(call)
    if order is None:
        return Response(status=404)
    return reply(order_json(call.world.shipbob, order, call.now))


def list_shipments(call: Call) -> Response:
    order = _order(call)
    if order is None:
        return Response(status=404)
    account = call.world.shipbob
    return reply(shipments_json(account, order, call.now))


def get_shipment(call: Call) -> Response:
    found = _shipment(call.world.shipbob, int(call.path_args["shipment_id"]))
    if found is None:
        return Response(status=404)
    return reply(shipment_json(call.world.shipbob, *found, call.now))


def cancel_order(call: Call) -> Response:
    """200 Success when everything could be cancelled, 200 PartialSuccess, or 422 when nothing."""
    order = _order(call)
    if order is None:
        return Response(status=404)
    account = call.world.shipbob
    results = account.cancel(order, call.now.replace(microsecond=0))
    if not any(results.values()):
        return _refused(422, {"errors": ["The order is being processed: it cannot be cancelled."]})
    rows = [
        {
            "shipment_id": shipment_id,
            "action": "Cancel",
            "is_success": done,
            "reason": None if done else "The shipment is being processed.",
        }
        for shipment_id, done in results.items()
    ]
    return reply(
        {
            "order_id": order.id,
            "order": order_json(account, order, call.now),
            "status": "Success" if all(results.values()) else "PartialSuccess",
            "canceled_shipment_results": rows,
        }
    )


def cancel_shipment(call: Call) -> Response:
    account = call.world.shipbob
    found = _shipment(account, int(call.path_args["shipment_id"]))
    if found is None:
        return Response(status=404)
    if not account.cancel_shipment(*found, call.now.replace(microsecond=0)):
        return _refused(422, {"errors": ["The shipment is being processed."]})
    return reply(shipment_json(account, *found, call.now))


def acknowledge_tracking(call: Call) -> Response:
    """Mark tracking as taken over by the sales channel, shipment by shipment."""
    body, account = call.json(), call.world.shipbob
    results: list[Json] = []
    for shipment_id in entries(body, "shipment_ids"):
        found = _shipment(account, shipment_id)
        if found is not None:
            found[1].tracking_uploaded = bool(body.get("is_tracking_uploaded"))
        missing = {"code": "NotFound", "message": "The shipment does not exist."}
        results.append(
            {"shipmentId": shipment_id, "isSuccess": found is not None}
            | ({} if found else {"error": missing})
        )
    done = sum(row["isSuccess"] for row in results)
    summary = {"total": len(results), "successful": done, "failed": len(results) - done}
    return reply({"results": results, "summary": summary})


def list_webhooks(call: Call) -> Response:
    mine = [one for one in call.world.hooks.subscriptions if one.vendor == "shipbob"]
    return reply({"items": [bob_row(one, call.world.opened) for one in mine]})


def _order(call: Call) -> BobOrder | None:
    return call.world.shipbob.orders.get(int(call.path_args["order_id"]))


def _shipment(account: ShipBobAccount, shipment_id: int) -> tuple[BobOrder, Shipment] | None:
    for order in account.orders.values():
        for shipment in order.shipments:
            if shipment.id == shipment_id:
                return order, shipment
    return None


def _refused(status: int, errors: dict[str, list[str]]) -> Response:
    return reply(errors, status)


def guard(call: Call) -> Response | None:
    """401 without a body, as the contract says."""
    if call.request.headers.get("Authorization") == f"Bearer {TOKEN}":
        return None
    return Response(status=401)


def quota(_limit: Limit, verdict: Verdict) -> dict[str, str]:
    """Calls left in the window."""
    return {"x-remaining-calls": str(verdict.left)}


def throttled(_vendor: Vendor, _limit: Limit, verdict: Verdict) -> Response:
    """429 with the seconds to wait in ShipBob's own header."""
    response = _refused(429, {"errors": ["Rate limit is exceeded."]})
    response.headers["x-remaining-calls"] = "0"
    response.headers["x-retry-after"] = str(max(1, math.ceil(verdict.wait)))
    return response


VENDOR = Vendor(
    name="shipbob",
    prefix="/shipbob/2026-01",
    routes=(
        Route("createOrder", "POST", "/order", create_order),
        Route("listOrders", "GET", "/order", list_orders),
        Route("getOrder", "GET", "/order/<int:order_id>", get_order),
        Route("cancelOrder", "POST", "/order/<int:order_id>:cancel", cancel_order),
        Route("listShipments", "GET", "/order/<int:order_id>/shipment", list_shipments),
        Route("getShipment", "GET", "/shipment/<int:shipment_id>", get_shipment),
        Route("cancelShipment", "POST", "/shipment/<int:shipment_id>:cancel", cancel_shipment),
        Route(
            "acknowledgeTracking",
            "POST",
            "/shipment:batchUpdateTrackingUpload",
            acknowledge_tracking,
        ),
        Route("listWebhooks", "GET", "/webhook", list_webhooks),
        *shipbob_stock.ROUTES,
    ),
    guard=guard,
    # One sliding minute for the whole token, whatever the operation.
    limit=lambda _: Limit("shipbob", burst=150, window=60.0),
    problem=lambda status, message: _refused(status, {"errors": [message]}),
    quota=quota,
    throttled=throttled,
)
