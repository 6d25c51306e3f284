"""SP-API Listings Items 2021-08-01: search, get, patch. Stock is an absolute set."""

from __future__ import annotations

from typing import Any

from werkzeug.wrappers import Response

from sandbox.money import decimal_text, shelf_price
from sandbox.vendors.amazon_problem import sp_problem
from sandbox.vendors.amazon_seller import MARKETPLACES, SELLER_ID, Listing
from sandbox.wire import Call, Json, Route, reply, rows, stamp

_PAGE_MAX = 20
_AVAILABILITY_PATH = "/attributes/fulfillment_availability"


def item_json(listing: Listing, markets: list[str], included: list[str]) -> Json:
    """A listings item with the data sets asked for."""
    body: Json = {"sku": listing.sku}
    if "summaries" in included:
        body["summaries"] = [_summary(listing, market) for market in markets]
    if "attributes" in included:
        body["attributes"] = {"item_name": [{"value": listing.title}]}
    if "issues" in included:
        body["issues"] = []
    if "offers" in included:
        body["offers"] = [_offer(listing, market) for market in markets]
    if "fulfillmentAvailability" in included:
        body["fulfillmentAvailability"] = [
            {"fulfillmentChannelCode": "DEFAULT", "quantity": listing.quantity}
        ]
    if "productTypes" in included:
        body["productTypes"] = [
            {"marketplaceId": market, "productType": listing.product_type} for market in markets
        ]
    return body


def _summary(listing: Listing, market: str) -> Json:
    buyable = ["BUYABLE"] if listing.quantity > 0 else []
    return {
        "marketplaceId": market,
        "asin": listing.asin,
        "productType": listing.product_type,
        "conditionType": "new_new",
        "status": [*buyable, "DISCOVERABLE"],
        "itemName": listing.title,
        "createdDate": stamp(listing.created),
        "lastUpdatedDate": stamp(listing.modified),
    }


def _offer(listing: Listing, market: str) -> Json:
    currency = MARKETPLACES[market][2]
    amount = decimal_text(shelf_price(listing.price, currency), currency)
    return {
        "marketplaceId": market,
        "offerType": "B2C",
        "price": {"currencyCode": currency, "amount": amount},
    }


def _refusal(call: Call) -> Response | None:
    markets = call.listed("marketplaceIds")
    if not markets or not set(markets) <= set(MARKETPLACES):
        return sp_problem(400, "InvalidInput", "marketplaceIds is missing or unknown.")
    if call.path_args["seller_id"] != SELLER_ID:
        return sp_problem(403, "Unauthorized", "Access to requested resource is denied.")
    return None


def search(call: Call) -> Response:
    """At most 20 a page; the page token is a position and never expires here."""
    refusal = _refusal(call)
    if refusal is not None:
        return refusal
    size = call.query("pageSize") or "10"
    if not size.isdecimal() or not 1 <= int(size) <= _PAGE_MAX:
        return sp_problem(400, "InvalidInput", "pageSize must be between 1 and 20.")
    listings = _selected(call)
    token = call.query("pageToken") or "p-0"
    start = token.removeprefix("p-")
    if not start.isdecimal():
        return sp_problem(400, "InvalidInput", "pageToken is invalid.")
    first, last = int(start), int(start) + int(size)
    included = call.listed("includedData") or ["summaries"]
    markets = call.listed("marketplaceIds")
    body: Json = {
        "numberOfResults": len(listings),
        "items": [item_json(one, markets, included) for one in listings[first:last]],
    }
    pagination = {}
    if last < len(listings):
        pagination["nextToken"] = f"p-{last}"
    if first:
        pagination["previousToken"] = f"p-{max(0, first - int(size))}"
    if pagination:
        body["pagination"] = pagination
    return reply(body)


def _selected(call: Call) -> list[Listing]:
    listings = list(call.world.seller.listings.values())
    wanted = call.listed("identifiers")
    if wanted and call.query("identifiersType") == "SKU":
        listings = [one for one in listings if one.sku in wanted]
    if wanted and call.query("identifiersType") == "ASIN":
        listings = [one for one in listings if one.asin in wanted]
    by_sku = call.query("sortBy") == "sku"
    descending = (call.query("sortOrder") or "DESC") == "DESC"
    listings.sort(key=lambda one: (one.sku if by_sku else stamp(one.modified), one.sku))
    return listings[::-1] if descending else listings


def get_item(call: Call) -> Response:
    refusal = _refusal(call)
    if refusal is not None:
        return refusal
    listing = call.world.seller.listings.get(call.path_args["sku"])
    if listing is None:
        return sp_problem(404, "NOT_FOUND", f"SKU '{call.path_args['sku']}' not found.")
    included = call.listed("includedData") or ["summaries"]
    return reply(item_json(listing, call.listed("marketplaceIds"), included))


def patch_item(call: Call) -> Response:
    """ACCEPTED and applied at once, or INVALID with the issues; an unknown SKU is INVALID."""
    refusal = _refusal(call)
    if refusal is not None:
        return refusal
    sku, body = call.path_args["sku"], call.json()
    listing = call.world.seller.listings.get(sku)
    quantity, issues = None, []
    if not body.get("productType") or not body.get("patches"):
        return sp_problem(400, "InvalidInput", "productType and patches are required.")
    if listing is None:
        issues.append(_issue("13013", f"The SKU {sku} is not in your catalogue.", "sku"))
    for patch in rows(body, "patches"):
        quantity = quantity_of(patch)
        if quantity is None:
            issues.append(
                _issue("90004", "Only whole quantities of DEFAULT can be set.", patch.get("path"))
            )
    preview = call.query("mode") == "VALIDATION_PREVIEW"
    if not issues and quantity is not None and not preview:
        call.world.seller.write_quantity(sku, quantity, call.now.replace(microsecond=0), "patch")
    accepted = "VALID" if preview else "ACCEPTED"
    return reply(
        {
            "sku": sku,
            "status": "INVALID" if issues else accepted,
            "submissionId": f"sub-{call.world.seller.serial():012d}",
            "issues": issues,
        }
    )


def quantity_of(patch: Json) -> int | None:
    """The DEFAULT quantity a JSON patch sets; None when it sets anything else."""
    if (
        patch.get("op") not in ("replace", "add", "merge")
        or patch.get("path") != _AVAILABILITY_PATH
    ):
        return None
    return availability_of(patch.get("value"))


def availability_of(value: Any) -> int | None:
    """The quantity in a ``fulfillment_availability`` attribute, when it is a whole one."""
    for row in value if isinstance(value, list) else []:
        if not isinstance(row, dict):
            return None
        quantity = row.get("quantity")
        if not isinstance(quantity, int) or isinstance(quantity, bool) or quantity < 0:
            return None
        if row.get("fulfillment_channel_code") == "DEFAULT":
            return quantity
    return None


def _issue(code: str, message: str, attribute: str | None) -> Json:
    return {
        "code": code,
        "message": message,
        "severity": "ERROR",
        "attributeNames": [attribute or ""],
        "categories": ["INVALID_ATTRIBUTE"],
    }


ROUTES = (
    Route("searchListingsItems", "GET", "/listings/2021-08-01/items/<seller_id>", search),
    Route("getListingsItem", "GET", "/listings/2021-08-01/items/<seller_id>/<path:sku>", get_item),
    Route(
        "patchListingsItem",
        "PATCH",
        "/listings/2021-08-01/items/<seller_id>/<path:sku>",
        patch_item,
    ),
)
