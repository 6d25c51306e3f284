"""What an Amazon order looks like in Orders API 2026-01-01, section by section.

Line arithmetic: ``proceedsTotal`` is the sum of its breakdowns; DISCOUNT carries a negative
subtotal. Prices of the German and Japanese marketplaces hold the tax already (no TAX row), the
British one shows it apart.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from datetime import timedelta

from sandbox.money import decimal_text
from sandbox.vendors.amazon_seller import MARKETPLACES, AmazonOrder, Item, Package
from sandbox.wire import Json, stamp

INCLUDED_DATA = (
    "BUYER",
    "RECIPIENT",
    "PROCEEDS",
    "EXPENSE",
    "PROMOTION",
    "CANCELLATION",
    "FULFILLMENT",
    "PACKAGES",
    "TAX",
    "PAYMENT",
    "FULFILLMENT_ORDERS",
)


def order_json(order: AmazonOrder, included: AbstractSet[str]) -> Json:
    """The order with the sections asked for. A pending order shows no address and no price."""
    name = MARKETPLACES[order.marketplace][0]
    pending = order.status == "PENDING"
    body: Json = {
        "orderId": order.order_id,
        "createdTime": stamp(order.created),
        "lastUpdatedTime": stamp(order.modified),
        "programs": [],
        "associatedOrders": [],
        "salesChannel": {
            "channelName": "AMAZON",
            "marketplaceId": order.marketplace,
            "marketplaceName": name,
        },
        "orderItems": [_item_json(order, item, included) for item in order.items],
    }
    if "BUYER" in included and not pending:
        body["buyer"] = order.buyer
    if "RECIPIENT" in included and not pending and order.recipient is not None:
        body["recipient"] = {"deliveryAddress": order.recipient}
    if "PROCEEDS" in included and not pending:
        body["proceeds"] = _order_proceeds(order)
    if "FULFILLMENT" in included:
        body["fulfillment"] = _fulfillment(order)
    if "PACKAGES" in included and order.packages:
        body["packages"] = [_package(package) for package in order.packages.values()]
    return body


def grand_total(order: AmazonOrder) -> int:
    """What the buyer pays, in minor units."""
    return sum(sum(item.breakdown.values()) for item in order.items)


def _item_json(order: AmazonOrder, item: Item, included: AbstractSet[str]) -> Json:
    pending = order.status == "PENDING"
    product: Json = {
        "asin": item.asin,
        "title": item.title,
        "sellerSku": item.sku,
        "condition": {"conditionType": "NEW", "conditionSubtype": "NEW"},
    }
    if not pending:
        product["price"] = {"unitPrice": _money(item.unit, order.currency)}
    body: Json = {
        "orderItemId": item.item_id,
        "quantityOrdered": item.quantity,
        "product": product,
    }
    if "PROCEEDS" in included and not pending:
        body["proceeds"] = _item_proceeds(item, order.currency)
    if "PROMOTION" in included and "DISCOUNT" in item.breakdown:
        body["promotion"] = {"breakdowns": [{"promotionId": "HERBST-2026"}]}
    if "CANCELLATION" in included and item.cancel_request is not None:
        request = {"requester": "BUYER", "cancelReason": item.cancel_request}
        body["cancellation"] = {"cancellationRequest": request}
    if "FULFILLMENT" in included:
        cancelled = order.status == "CANCELLED"
        body["fulfillment"] = {
            "quantityFulfilled": item.shipped,
            "quantityUnfulfilled": 0 if cancelled else item.quantity - item.shipped,
        }
    return body


def _item_proceeds(item: Item, currency: str) -> Json:
    rows: list[Json] = []
    for kind, amount in item.breakdown.items():
        row: Json = {"type": kind, "subtotal": _money(amount, currency)}
        parts = {"TAX": item.tax_parts, "DISCOUNT": {"ITEM": amount}}.get(kind)
        if parts:
            row["detailedBreakdowns"] = [
                {"subtype": part, "value": _money(value, currency)} for part, value in parts.items()
            ]
        rows.append(row)
    total = sum(item.breakdown.values())
    return {"proceedsTotal": _money(total, currency), "breakdowns": rows}


def _order_proceeds(order: AmazonOrder) -> Json:
    sums: dict[str, int] = {}
    for item in order.items:
        for kind, amount in item.breakdown.items():
            sums[kind] = sums.get(kind, 0) + amount
    return {
        "grandTotal": _money(grand_total(order), order.currency),
        "breakdowns": [
            {"type": kind, "subtotal": _money(amount, order.currency)}
            for kind, amount in sums.items()
        ],
    }


def _fulfillment(order: AmazonOrder) -> Json:
    ship_by, deliver_by = (order.created + timedelta(days=days) for days in (2, 6))
    return {
        "fulfillmentStatus": order.status,
        "fulfilledBy": order.fulfilled_by,
        "fulfillmentServiceLevel": "STANDARD",
        "shipByWindow": {
            "earliestDateTime": stamp(order.created),
            "latestDateTime": stamp(ship_by),
        },
        "deliverByWindow": {
            "earliestDateTime": stamp(ship_by),
            "latestDateTime": stamp(deliver_by),
        },
    }


def _package(package: Package) -> Json:
    return {
        "packageReferenceId": package.reference,
        "createdTime": stamp(package.created),
        "packageStatus": {"status": "SHIPPED", "detailedStatus": "SHIPPED"},
        "carrier": package.carrier,
        "shipTime": stamp(package.ship_time),
        "shippingService": package.service,
        "trackingNumber": package.tracking,
        "packageItems": [
            {"orderItemId": item_id, "quantity": quantity}
            for item_id, quantity in package.quantities.items()
        ],
    }


def _money(minor: int, currency: str) -> Json:
    return {"amount": decimal_text(minor, currency), "currencyCode": currency}
