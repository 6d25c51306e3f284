"""ShipEngine API v1: rates, labels, void, tracking, carriers, label files.

A label's ``external_shipment_id`` is the only natural key of a purchase. The contract names
``identifier_conflict`` but not when it comes; here a second label for a live one is refused with
it, and the id is free again after a void.
"""

from __future__ import annotations

from datetime import timedelta

from werkzeug.wrappers import Response

from sandbox.limits import Limit
from sandbox.vendors import shipengine_rates
from sandbox.vendors.shipengine_account import (
    BY_ID,
    CARRIERS,
    Carrier,
    Label,
    Service,
    origin_country,
    serves,
    target_country,
)
from sandbox.vendors.shipengine_body import label_json, tracking_json
from sandbox.vendors.shipengine_problem import engine_problem, request_id
from sandbox.vendors.shipengine_rates import unfit
from sandbox.wire import Call, Json, Route, Vendor, moment_of, part, reply

API_KEY = "TEST_sandbox"

VOID_WINDOW = timedelta(days=28)

# The smallest file every PDF reader opens: one empty A6 page.
_PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 298 420]>>endobj\n"
    b"trailer<</Root 1 0 R>>\n%%EOF\n"
)


def create_label(call: Call) -> Response:
    """Buys at once. 400 identifier_conflict for a second label of a live external id."""
    body = call.json()
    shipment = part(body, "shipment")
    problem = unfit(shipment)
    if problem is not None:
        return problem
    carrier = BY_ID.get(str(shipment.get("carrier_id")))
    if carrier is None:
        return engine_problem(
            400,
            "validation",
            "invalid_identifier",
            "The carrier_id is not connected.",
            "carrier_id",
        )
    target, origin = target_country(shipment), origin_country(shipment)
    for service in carrier.services:
        if service.code == shipment.get("service_code") and serves(service, origin, target):
            return _buy(call, shipment, carrier, service, body)
    return engine_problem(
        400,
        "validation",
        "invalid_field_value",
        f"The service does not go from {origin} to {target}.",
        "service_code",
    )


def create_label_from_rate(call: Call) -> Response:
    quoted = call.world.shipengine.rates.get(call.path_args["rate_id"])
    if quoted is None:
        return _not_found("rate", call.path_args["rate_id"])
    return _buy(call, *quoted, call.json())


def _buy(call: Call, shipment: Json, carrier: Carrier, service: Service, options: Json) -> Response:
    account = call.world.shipengine
    external_id = str(shipment.get("external_shipment_id") or "")[:50]
    taken = bool(external_id) and account.live_label(external_id) is not None
    if taken and account.quirks.unique_references:
        return engine_problem(
            400,
            "business_rules",
            "identifier_conflict",
            f"A shipment with external_shipment_id {external_id} already exists.",
            "external_shipment_id",
        )
    if taken:
        account.quirks.note("unique_references", external_id)
    label = account.buy(shipment, carrier, service, options, call.now.replace(microsecond=0))
    if external_id and account.quirks.draws("twins", external_id, account.quirks.twins_share):
        account.quirks.note("twins", external_id)
        account.buy(shipment, carrier, service, options, label.created, twin=label)
    return reply(label_json(label, call.now, call.origin))


def list_labels(call: Call) -> Response:
    """Newest first by default, 25 a page; beyond the end a page is empty."""
    size, page = call.whole("page_size", 25), call.whole("page", 1)
    if not size or not page:
        return engine_problem(
            400, "validation", "invalid_field_value", "page and page_size start at 1."
        )
    labels = [label for label in call.world.shipengine.labels.values() if _asked(call, label)]
    labels.sort(
        key=lambda label: (label.created, int(label.label_id.removeprefix("se-"))),
        reverse=(call.query("sort_dir") or "desc") == "desc",
    )
    pages = -(-len(labels) // size)
    here = f"{call.origin}/shipengine/v1/labels?page_size={size}&page="
    return reply(
        {
            "labels": [
                label_json(label, call.now, call.origin)
                for label in labels[(page - 1) * size : page * size]
            ],
            "total": len(labels),
            "page": page,
            "pages": pages,
            "links": {
                "first": {"href": f"{here}1"},
                "last": {"href": f"{here}{max(pages, 1)}"},
                "prev": {"href": f"{here}{page - 1}"} if page > 1 else {},
                "next": {"href": f"{here}{page + 1}"} if page < pages else {},
            },
        }
    )


def _asked(call: Call, label: Label) -> bool:
    status = "completed" if label.live else "voided"
    start, end = call.query("created_at_start"), call.query("created_at_end")
    return (
        call.query("label_status") in (None, status)
        and call.query("carrier_id") in (None, label.carrier.carrier_id)
        and call.query("tracking_number") in (None, label.tracking)
        and call.query("shipment_id") in (None, label.shipment_id)
        and (start is None or label.created >= moment_of(start))
        and (end is None or label.created <= moment_of(end))
    )


def get_label(call: Call) -> Response:
    label = call.world.shipengine.labels.get(call.path_args["label_id"])
    if label is None:
        return _not_found("label", call.path_args["label_id"])
    return reply(label_json(label, call.now, call.origin))


def get_label_by_external_id(call: Call) -> Response:
    label = call.world.shipengine.newest_label(call.path_args["external_id"])
    if label is None or call.world.quirks.unfound(label.external_id, label.created, call.now):
        return _not_found("external_shipment_id", call.path_args["external_id"])
    return reply(label_json(label, call.now, call.origin))


def void_label(call: Call) -> Response:
    """200 in any case; ``approved`` tells whether the money comes back."""
    label = call.world.shipengine.labels.get(call.path_args["label_id"])
    if label is None:
        return _not_found("label", call.path_args["label_id"])
    if not label.live:
        why = "This label was voided before."
        return reply({"approved": False, "message": why, "reason_code": "label_already_voided"})
    if call.now - label.created > VOID_WINDOW:
        why = "The label is too old to be voided."
        code = "label_not_found_within_void_period"
        return reply({"approved": False, "message": why, "reason_code": code})
    label.voided_at = call.now.replace(microsecond=0)
    return reply({"approved": True, "message": "Request for refund submitted."})


def track_label(call: Call) -> Response:
    label = call.world.shipengine.labels.get(call.path_args["label_id"])
    if label is None:
        return _not_found("label", call.path_args["label_id"])
    return reply(tracking_json(label, call.now))


def track(call: Call) -> Response:
    """By carrier code and tracking number."""
    number = call.query("tracking_number")
    for label in call.world.shipengine.labels.values():
        if label.tracking == number and label.carrier.code == call.query("carrier_code"):
            return reply(tracking_json(label, call.now))
    return _not_found("tracking number", str(number))


def list_carriers(_call: Call) -> Response:
    rows = [
        {
            "carrier_id": carrier.carrier_id,
            "carrier_code": carrier.code,
            "account_number": f"account_{carrier.number}",
            "requires_funded_amount": False,
            "balance": 0.0,
            "nickname": carrier.name,
            "friendly_name": carrier.name,
            "primary": carrier is CARRIERS[0],
            "has_multi_package_supporting_services": True,
            "services": [_service(carrier, service) for service in carrier.services],
            "packages": [],
            "options": [],
        }
        for carrier in CARRIERS
    ]
    # The contract wants the error envelope even where there is none.
    return reply({"carriers": rows, "request_id": request_id("carriers"), "errors": []})


def _service(carrier: Carrier, service: Service) -> Json:
    return {
        "carrier_id": carrier.carrier_id,
        "service_code": service.code,
        "name": service.name,
        "domestic": service.domestic,
        "international": service.international,
        "is_multi_package_supported": True,
    }


def download(call: Call) -> Response:
    """A label file: real PDF bytes, whatever the format asked for."""
    if call.path_args["label_id"] not in call.world.shipengine.labels:
        return engine_problem(404, "validation", "file_not_found", "The file does not exist.")
    return Response(_PDF, content_type="application/pdf")


def _not_found(what: str, key: str) -> Response:
    return engine_problem(404, "validation", "invalid_identifier", f"No {what} {key} was found.")


def guard(call: Call) -> Response | None:
    """401 unless the API-Key header is right; label files need none."""
    if call.request.headers.get("API-Key") == API_KEY or "/downloads/" in call.request.path:
        return None
    return engine_problem(401, "security", "unauthorized", "The API key is missing or invalid.")


VENDOR = Vendor(
    name="shipengine",
    prefix="/shipengine/v1",
    routes=(
        *shipengine_rates.ROUTES,
        Route("createLabel", "POST", "/labels", create_label),
        Route("createLabelFromRate", "POST", "/labels/rates/<rate_id>", create_label_from_rate),
        Route("listLabels", "GET", "/labels", list_labels),
        Route("getLabel", "GET", "/labels/<label_id>", get_label),
        Route(
            "getLabelByExternalId",
            "GET",
            "/labels/external_shipment_id/<path:external_id>",
            get_label_by_external_id,
        ),
        Route("voidLabel", "PUT", "/labels/<label_id>/void", void_label),
        Route("trackLabel", "GET", "/labels/<label_id>/track", track_label),
        Route("track", "GET", "/tracking", track),
        Route("listCarriers", "GET", "/carriers", list_carriers),
        Route("downloadLabel", "GET", "/downloads/<dir>/<label_id>/<filename>", download),
    ),
    guard=guard,
    # ShipEngine counts a minute for the whole account.
    limit=lambda _: Limit("shipengine", burst=200, window=60.0),
    problem=lambda status, message: engine_problem(
        status,
        "system" if status >= 500 or status == 429 else "validation",
        "rate_limit_exceeded" if status == 429 else "unspecified",
        message,
    ),
)
