"""How ShipBob prints orders, shipments and stock (API 2026-01)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sandbox.catalogue import BY_CODE
from sandbox.vendors.shipbob_account import CENTERS, BobOrder, ShipBobAccount, Shipment
from sandbox.wire import Json, stamp

CHANNELS = {105111: "Crossdock", 105112: "ShipBob Dashboard"}
USER_ID = 417_002

_GRAMS_PER_OUNCE = 28.349523125


def order_json(account: ShipBobAccount, order: BobOrder, now: datetime) -> Json:
    """An order with its shipments."""
    body = order.body
    late = timedelta(seconds=account.quirks.shipments_late_s)
    told = replace(order, shipments=[one.told(late, now) for one in order.shipments])
    return {
        "id": order.id,
        "created_date": stamp(order.created),
        "purchase_date": body.get("purchase_date"),
        "reference_id": order.reference,
        "order_number": body.get("order_number"),
        "status": told.status,
        "type": body["type"],
        "channel": {"id": order.channel_id, "name": CHANNELS[order.channel_id]},
        "shipping_method": body["shipping_method"],
        "recipient": body["recipient"],
        "products": [_product(line) for line in body["products"]],
        "tags": body.get("tags") or [],
        "shipments": shipments_json(account, order, now),
        "gift_message": body.get("gift_message") or "",
        "shipping_terms": body.get("shipping_terms")
        or {"carrier_type": "Parcel", "payment_term": "Prepaid"},
        "financials": body.get("financials") or {"total_price": None},
    }


def _product(line: Json) -> Json:
    known = {
        name: line.get(name)
        for name in ("external_line_id", "gtin", "reference_id", "sku", "unit_price", "upc")
    }
    code = line.get("reference_id") or line.get("sku")
    sku = BY_CODE.get(str(code))
    return known | {
        "id": line.get("id") or (sku.inventory_id if sku else None),
        "quantity": line["quantity"],
        "quantity_unit_of_measure_code": line.get("quantity_unit_of_measure_code"),
    }


def shipments_json(account: ShipBobAccount, order: BobOrder, now: datetime) -> list[Json]:
    """Every parcel of an order, each twice where the account repeats itself."""
    rows = [shipment_json(account, order, shipment, now) for shipment in order.shipments]
    if account.quirks.repeats_shipments and rows:
        account.quirks.note("repeats_shipments", order.id)
        return [*rows, *rows]
    return rows


def shipment_json(
    account: ShipBobAccount, order: BobOrder, shipment: Shipment, now: datetime
) -> Json:
    """One parcel; it has no ``tracking`` until it left the building."""
    told = shipment.told(timedelta(seconds=account.quirks.shipments_late_s), now)
    if told is not shipment:
        account.quirks.note("shipments_late_s", shipment.id)
    shipment = told
    due = shipment.created + account.ship_after
    done = shipment.shipped is not None
    return {
        "id": shipment.id,
        "order_id": order.id,
        "reference_id": order.reference,
        "created_date": stamp(shipment.created),
        "last_update_at": stamp(shipment.updated),
        "last_tracking_update_at": stamp(shipment.shipped) if shipment.shipped else None,
        "status": shipment.status,
        "status_details": _status_details(shipment),
        "location": {"id": shipment.center, "name": CENTERS[shipment.center]},
        "estimated_fulfillment_date": stamp(due),
        "estimated_fulfillment_date_status": "FulfilledOnTime" if done else "PendingOnTime",
        "actual_fulfillment_date": stamp(shipment.shipped) if shipment.shipped else None,
        "delivery_date": None,
        "recipient": _recipient(order.body["recipient"]),
        "products": [_shipped_product(code, shipment) for code in shipment.quantities],
        "parent_cartons": [],
        "measurements": _measurements(shipment),
        "package_material_type": "Box",
        "require_signature": False,
        "gift_message": "",
        "insurance_value": None,
        "invoice_amount": 6.5 if done else None,
        "invoice_currency_code": "EUR" if done else None,
        "ship_option": order.body["shipping_method"],
        "is_tracking_uploaded": shipment.tracking_uploaded,
        **_tracking(shipment),
    }


def _recipient(recipient: Json) -> Json:
    return {
        "name": recipient["name"],
        "full_name": recipient["name"],
        "address": recipient["address"],
        "email": recipient.get("email"),
        "phone_number": recipient.get("phone_number"),
    }


def _status_details(shipment: Shipment) -> list[Json]:
    if shipment.status != "Exception":
        return []
    return [
        {
            "id": 101,
            "name": "OutOfStock",
            "description": "Not enough stock at the fulfillment center",
            "inventory_id": BY_CODE[min(shipment.quantities)].inventory_id,
            "exception_fulfillment_center_id": shipment.center,
            "extra_information": {"validation_messages": []},
        }
    ]


def _shipped_product(code: str, shipment: Shipment) -> Json:
    sku, quantity = BY_CODE[code], shipment.quantities[code]
    reserved = quantity if shipment.status in {"Processing", "Completed"} else 0
    return {
        "id": sku.inventory_id,
        "reference_id": code,
        "sku": code,
        "name": sku.title,
        "inventory_items": [
            {
                "id": sku.inventory_id,
                "name": sku.title,
                "quantity": quantity,
                "quantity_committed": reserved,
                "lot": None,
                "expiration_date": None,
                "is_dangerous_goods": False,
                "serial_numbers": [],
            }
        ],
    }


def _measurements(shipment: Shipment) -> Json:
    grams = sum(BY_CODE[code].weight_g * count for code, count in shipment.quantities.items())
    ounces = round(grams / _GRAMS_PER_OUNCE)
    return {"length_in": 12, "width_in": 9, "depth_in": 4, "total_weight_oz": ounces}


def _tracking(shipment: Shipment) -> Json:
    if shipment.tracking is None or shipment.shipped is None:
        return {}
    tracking = {
        "carrier": "DHL",
        "carrier_service": "DHL Parcel Connect",
        "tracking_number": shipment.tracking,
        "tracking_url": f"https://track.example.com/{shipment.tracking}",
        "shipping_date": stamp(shipment.shipped),
        "bol": None,
        "pro_number": None,
        "scac": None,
    }
    return {"tracking": tracking}
