"""ShipEngine API v1: rates for a shipment, estimates from postcodes, and what makes one fit."""

from __future__ import annotations

from werkzeug.wrappers import Response

from sandbox.vendors.shipengine_account import (
    BY_ID,
    CARRIERS,
    GRAMS,
    Carrier,
    Service,
    origin_country,
    serves,
    shipment_zone,
    target_country,
    weight_g,
    zone_of,
)
from sandbox.vendors.shipengine_body import money, quoted_shipment, rate_json
from sandbox.vendors.shipengine_problem import engine_problem
from sandbox.wire import Call, Json, Route, entries, part, reply, rows

_ADDRESS = (
    "name",
    "address_line1",
    "city_locality",
    "state_province",
    "postal_code",
    "country_code",
)


_PLACE = ("country_code", "postal_code", "city_locality", "state_province")
_ESTIMATED = (
    *(f"from_{name}" for name in _PLACE),
    *(f"to_{name}" for name in _PLACE),
    "weight",
    "ship_date",
)


def calculate_rates(call: Call) -> Response:
    """Rates of the carriers asked for; a rate id can be bought by POST /labels/rates/{id}."""
    body = call.json()
    shipment = part(body, "shipment")
    problem = unfit(shipment)
    if problem is not None:
        return problem
    account = call.world.shipengine
    asked = entries(part(body, "rate_options"), "carrier_ids") or list(BY_ID)
    shipment_id, rates = account.new_id(), []
    for carrier, service in _offers(asked, origin_country(shipment), target_country(shipment)):
        rate_id = account.new_id()
        account.rates[rate_id] = (shipment, carrier, service)
        zone = shipment_zone(shipment)
        rates.append(rate_json(rate_id, carrier, service, weight_g(shipment), zone, call.now))
    response = {
        "rates": rates,
        "invalid_rates": [],
        "rate_request_id": account.new_id(),
        "shipment_id": shipment_id,
        "status": "completed",
        "errors": [],
    }
    return reply(quoted_shipment(shipment, shipment_id, call.now) | {"rate_response": response})


def estimate_rates(call: Call) -> Response:
    """Rates between two places: an array without rate ids, empty where nobody goes.

    A service that takes envelopes is listed once more for them, whatever the weight.
    """
    body = call.json()
    asked = entries(body, "carrier_ids") or [body.get("carrier_id")]
    for name in _ESTIMATED:
        if not body.get(name):
            return _required(name)
    if not _weighs(part(body, "weight")):
        return _required("weight")
    grams = weight_g({"packages": [{"weight": body["weight"]}]})
    origin, target = str(body["from_country_code"]), str(body["to_country_code"])
    rates = []
    for carrier, service in _offers(asked, origin, target):
        rate = rate_json(None, carrier, service, grams, zone_of(origin, target), call.now)
        rates.append(rate)
        if carrier.code == "dhl_express":
            envelope = {"package_type": "envelope", "shipping_amount": money(service.base // 2)}
            rates.append(rate | envelope)
    return reply(rates)


def _offers(asked: list[str], origin: str, target: str) -> list[tuple[Carrier, Service]]:
    return [
        (carrier, service)
        for carrier in CARRIERS
        if carrier.carrier_id in asked
        for service in carrier.services
        if serves(service, origin, target)
    ]


def unfit(shipment: Json) -> Response | None:
    """The refusal of a shipment that lacks an address, an origin or a weight."""
    packages = rows(shipment, "packages")
    weights = [part(row, "weight") for row in packages]
    if not weights or not all(_weighs(weight) for weight in weights):
        return _required("packages[0].weight")
    target = part(shipment, "ship_to")
    for name in _ADDRESS:
        if not target.get(name):
            return _required(f"ship_to.{name}")
    origin = part(shipment, "ship_from")
    if not origin and not shipment.get("warehouse_id"):
        return _required("ship_from")
    for name in (*_ADDRESS, "phone") if origin else ():
        if not origin.get(name):
            return _required(f"ship_from.{name}")
    return None


def _weighs(weight: Json) -> bool:
    value = weight.get("value")
    return isinstance(value, int | float) and value > 0 and str(weight.get("unit")) in GRAMS


def _required(name: str) -> Response:
    return engine_problem(400, "validation", "field_value_required", f"{name} is required.", name)


ROUTES = (
    Route("calculateRates", "POST", "/rates", calculate_rates),
    Route("estimateRates", "POST", "/rates/estimate", estimate_rates),
)
