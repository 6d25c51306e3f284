"""How ShipEngine prints labels, rates and tracking."""

from __future__ import annotations

from datetime import datetime, timedelta

from sandbox.vendors.shipengine_account import (
    CURRENCY,
    DELIVERED_AFTER,
    IN_TRANSIT_AFTER,
    Carrier,
    Label,
    Service,
    price,
    ship_date,
    weight_g,
)
from sandbox.wire import Json, stamp

_MILESTONES = (
    (timedelta(0), "AC", "ELEC_ADVICE_RECD_BY_CARRIER", "Label created", "Venlo"),
    (IN_TRANSIT_AFTER, "IT", "IN_TRANSIT", "In transit", "Neuss"),
    (DELIVERED_AFTER, "DE", "DELIVERED", "Delivered", ""),
)
_STATUS = {"AC": "unknown", "IT": "in_transit", "DE": "delivered"}


def money(cents: int) -> Json:
    """A monetary value: ShipEngine prints JSON numbers and lower-case currency codes."""
    return {"currency": CURRENCY, "amount": cents / 100}


def label_json(label: Label, now: datetime, origin: str) -> Json:
    """A label; links lead back to the sandbox."""
    files = f"{origin}/shipengine/v1/downloads/10/{label.label_id}/label"
    href = f"{files}.{label.label_format}"
    body: Json = {
        "label_id": label.label_id,
        "status": "completed" if label.live else "voided",
        "shipment_id": label.shipment_id,
        "external_shipment_id": label.external_id,
        "external_order_id": label.shipment.get("external_order_id"),
        "ship_date": label.ship_date,
        "created_at": stamp(label.created),
        "shipment_cost": money(label.cost),
        "insurance_cost": money(0),
        "tracking_number": label.tracking,
        "is_return_label": False,
        "rma_number": None,
        "is_international": not label.service.domestic,
        "batch_id": "se-0",
        "carrier_id": label.carrier.carrier_id,
        "charge_event": "carrier_default",
        "service_code": label.service.code,
        "package_code": "package",
        "voided": not label.live,
        "label_format": label.label_format,
        "label_layout": label.label_layout,
        "display_scheme": "label",
        "trackable": True,
        "label_image_id": "img_default",
        "carrier_code": label.carrier.code,
        "tracking_status": _STATUS[_reached(label, now)[-1][1]],
        "label_download": {"href": href, label.label_format: href},
        "form_download": {"href": f"{files}-form.pdf"},
        "qr_code_download": {},
        "paperless_download": {"href": href, "instructions": None, "handoff_code": None},
        "insurance_claim": {"href": f"{origin}/shipengine/v1/labels/{label.label_id}/claim"},
        "packages": [_package(label, row, n) for n, row in enumerate(label.shipment["packages"])],
        "ship_to": label.shipment["ship_to"],
    }
    if label.voided_at is not None:
        body["voided_at"] = stamp(label.voided_at)
    return body


def _package(label: Label, row: Json, place: int) -> Json:
    printed = {
        "package_id": place + 1,
        "package_code": row.get("package_code") or "package",
        "weight": row["weight"],
        "insured_value": row.get("insured_value") or money(0),
        "tracking_number": label.tracking,
        "label_messages": {"reference1": None, "reference2": None, "reference3": None},
        "sequence": place + 1,
    }
    return printed | ({"dimensions": row["dimensions"]} if row.get("dimensions") else {})


def rate_json(
    rate_id: str | None, carrier: Carrier, service: Service, grams: int, zone: int, at: datetime
) -> Json:
    """One rate; an estimate (no shipment behind it) has no ``rate_id``."""
    arrival = stamp(at + timedelta(days=service.days))
    body: Json = {
        "rate_type": "shipment" if rate_id else "check",
        "carrier_id": carrier.carrier_id,
        "shipping_amount": money(price(service, grams, zone)),
        "insurance_amount": money(0),
        "confirmation_amount": money(0),
        "other_amount": money(0),
        "zone": zone,
        "package_type": "package",
        "delivery_days": service.days,
        "guaranteed_service": False,
        "estimated_delivery_date": arrival,
        "carrier_delivery_days": str(service.days),
        "ship_date": stamp(at),
        "negotiated_rate": True,
        "service_type": service.name,
        "service_code": service.code,
        "trackable": True,
        "carrier_code": carrier.code,
        "carrier_nickname": carrier.name,
        "carrier_friendly_name": carrier.name,
        "validation_status": "valid",
        "warning_messages": [],
        "error_messages": [],
    }
    return body | ({"rate_id": rate_id} if rate_id else {})


def quoted_shipment(shipment: Json, shipment_id: str, at: datetime) -> Json:
    """The shipment a rate request made, as ShipEngine echoes it."""
    ship_from = shipment.get("ship_from") or {}
    return {
        "shipment_id": shipment_id,
        "external_shipment_id": shipment.get("external_shipment_id"),
        "ship_date": ship_date(shipment, at),
        "created_at": stamp(at),
        "modified_at": stamp(at),
        "shipment_status": "pending",
        "ship_to": shipment["ship_to"],
        "ship_from": ship_from,
        "return_to": shipment.get("return_to") or ship_from,
        "confirmation": shipment.get("confirmation") or "none",
        "customs": {"contents": "merchandise", "non_delivery": "return_to_sender"},
        "advanced_options": shipment.get("advanced_options") or {},
        "insurance_provider": "none",
        "tags": [],
        "packages": shipment["packages"],
        "total_weight": {"value": float(weight_g(shipment)), "unit": "gram"},
    }


def tracking_json(label: Label, now: datetime) -> Json:
    """The tracking log: newest event first."""
    reached = _reached(label, now)
    _, code, detail, text, _ = reached[-1]
    target = label.shipment["ship_to"]
    body: Json = {
        "tracking_number": label.tracking,
        "tracking_url": f"https://track.example.com/{label.tracking}",
        "status_code": code,
        "status_detail_code": detail,
        "status_description": text,
        "carrier_code": label.carrier.code,
        "carrier_id": label.carrier.number,
        "carrier_status_code": code,
        "carrier_detail_code": detail,
        "carrier_status_description": text,
        "ship_date": stamp(label.created),
        "events": [
            {
                "occurred_at": stamp(label.created + after),
                "description": words,
                "city_locality": place or target["city_locality"],
                "state_province": target.get("state_province") or "--",
                "postal_code": target["postal_code"],
                "country_code": target["country_code"],
                "carrier_detail_code": step,
                "status_code": status,
                "status_description": words,
                "carrier_status_code": status,
                "carrier_status_description": words,
            }
            for after, status, step, words, place in reversed(reached)
        ],
    }
    if code == "DE":
        body["actual_delivery_date"] = stamp(label.created + DELIVERED_AFTER)
    return body


def _reached(label: Label, now: datetime) -> list[tuple[timedelta, str, str, str, str]]:
    return [step for step in _MILESTONES if step[0] <= now - label.created] or [_MILESTONES[0]]
