"""ShipEngine's prices for a parcel that is no shipment yet."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import respx

from connectors.errors import Rejected, Retryable
from connectors.shipengine import ShipEngine, ShipEngineConfig
from mappings import Definitions
from mappings import canonical as c
from sandbox.app import Sandbox
from sandbox.clock import ManualClock
from sandbox.server import serve
from sandbox.vendors.shipengine import API_KEY
from sandbox.world import World

V1 = "https://engine.test/v1"
SHIP_AT = datetime(2026, 11, 3, 13, tzinfo=UTC)
BERLIN = c.Address(city="Berlin", postcode="10115", country="DE")
OFFER = {
    "carrier_id": "se-1",
    "carrier_code": "dpd",
    "service_code": "dpd_classic",
    "package_type": "package",
    "shipping_amount": {"currency": "eur", "amount": 4.1},
    "insurance_amount": {"currency": "eur", "amount": 0.2},
    "confirmation_amount": {"currency": "eur", "amount": 0.3},
    "other_amount": {"currency": "eur", "amount": 0.01},
    "delivery_days": 2,
    "error_messages": [],
}
Build = Callable[..., ShipEngine]


@pytest.fixture
def build(
    open_door: Callable[..., Any], closing: Callable[[Any], Any], definitions: Definitions
) -> Build:
    def make(transport: httpx.BaseTransport | None, url: str, **settings: Any) -> ShipEngine:
        given = {"url": url, "api_key": API_KEY, "carrier_ids": ["se-287001", "se-287002"]}
        config = ShipEngineConfig.model_validate(given | settings)
        connector: ShipEngine = closing(ShipEngine(config, open_door(transport), definitions))
        return connector

    return make


@pytest.fixture
def sandbox(clock: ManualClock) -> Sandbox:
    return Sandbox(World(7, clock, orders_per_channel=0))


@pytest.fixture
def vendor() -> Iterator[respx.MockRouter]:
    with respx.mock(assert_all_called=False) as router:
        yield router


def answers(vendor: respx.MockRouter, *offers: dict[str, Any]) -> respx.Route:
    return vendor.post(f"{V1}/rates/estimate").respond(json=list(offers))


def parcel(weight_g: int = 1000, **to: str) -> c.RateRequest:
    place = {"city": "München", "postcode": "80331", "country": "DE", **to}
    return c.RateRequest(
        ship_from=BERLIN, ship_to=c.Address(**place), weight_g=weight_g, ship_at=SHIP_AT
    )


def test_estimates_come_over_a_socket_cheapest_first_by_zone_and_weight(
    build: Build, sandbox: Sandbox
) -> None:
    with serve(sandbox) as base:
        engine = build(None, f"{base}/shipengine")
        told = {
            (country, weight_g): [
                (quote.service_code, quote.amount, quote.delivery_days)
                for quote in engine.estimate_rates(parcel(weight_g, country=country))
            ]
            for country in ("DE", "FR", "ES", "US")
            for weight_g in (1000, 1001)
        }
        engine.close()
    assert told["DE", 1000] == [("dpd_classic", 480, 2), ("dhl_express_domestic", 1340, 1)]
    assert told["DE", 1001] == [("dpd_classic", 540, 2), ("dhl_express_domestic", 1490, 1)]
    assert [one[1] for one in told["FR", 1000]] == [1170, 3540]
    assert [one[1] for one in told["ES", 1000]] == [1462, 4425]
    assert told["US", 1000] == [("dhl_express_worldwide", 5664, 3)]
    assert sandbox.world.shipengine.rates == {}, "no shipment was made"


def test_only_the_place_and_the_weight_are_told(build: Build, vendor: respx.MockRouter) -> None:
    route = answers(vendor, OFFER)
    ada = {"name": "Ada", "street": "Weg 1", "phone": "1", "email": "ada@example.org"}
    build(None, "https://engine.test").estimate_rates(parcel(1500, **ada))
    assert json.loads(route.calls.last.request.content) == {
        "carrier_ids": ["se-287001", "se-287002"],
        "from_country_code": "DE",
        "from_postal_code": "10115",
        "from_city_locality": "Berlin",
        "from_state_province": "Berlin",
        "to_country_code": "DE",
        "to_postal_code": "80331",
        "to_city_locality": "München",
        "to_state_province": "München",
        "weight": {"value": 1500, "unit": "gram"},
        "ship_date": "2026-11-03T13:00:00Z",
    }


def test_a_place_without_a_city_is_told_by_its_postcode(
    build: Build, vendor: respx.MockRouter
) -> None:
    route = answers(vendor, OFFER)
    build(None, "https://engine.test").estimate_rates(parcel(city=""))
    body = json.loads(route.calls.last.request.content)
    assert (body["to_city_locality"], body["to_state_province"]) == ("80331", "80331")


def test_everything_an_offer_costs_is_added_up_in_minor_units(
    build: Build, vendor: respx.MockRouter
) -> None:
    taxed = {"service_code": "taxed", "tax_amount": {"currency": "eur", "amount": 0.87}}
    yen = {name: {"currency": "jpy", "amount": 400} for name in OFFER if name.endswith("_amount")}
    answers(vendor, OFFER | taxed, OFFER | yen | {"delivery_days": None}, OFFER)
    found = build(None, "https://engine.test").estimate_rates(parcel())
    assert [(one.service_code, one.amount, one.currency, one.delivery_days) for one in found] == [
        ("dpd_classic", 461, "EUR", 2),
        ("taxed", 548, "EUR", 2),
        ("dpd_classic", 1600, "JPY", None),
    ]


def test_envelopes_errors_and_services_not_allowed_are_left_out(
    build: Build, vendor: respx.MockRouter
) -> None:
    answers(
        vendor,
        OFFER | {"package_type": "flat_rate_envelope"},
        OFFER | {"error_messages": ["no"]},
        OFFER | {"service_code": "other"},
        OFFER | {"package_type": None, "service_code": "plain"},
    )
    engine = build(None, "https://engine.test", service_codes=["dpd_classic", "plain"])
    assert [one.service_code for one in engine.estimate_rates(parcel())] == ["plain"]


def test_nobody_goes_there_is_an_answer(build: Build, sandbox: Sandbox) -> None:
    engine = build(
        sandbox.transport(), "https://sandbox.test/shipengine", carrier_ids=["se-287001"]
    )
    assert list(engine.estimate_rates(parcel(country="US"))) == []


def test_a_refusal_is_about_the_parcel_and_a_silence_may_be_repeated(
    build: Build, vendor: respx.MockRouter
) -> None:
    route = vendor.post(f"{V1}/rates/estimate")
    engine = build(None, "https://engine.test")
    error = {"error_code": "invalid_postal_code", "message": "There is no such postcode."}
    route.respond(400, json={"errors": [error]})
    with pytest.raises(Rejected, match="There is no such postcode"):
        engine.estimate_rates(parcel())
    for answer in (httpx.Response(503), httpx.Response(200, json={"rates": []})):
        route.mock(return_value=answer)
        with pytest.raises(Retryable):
            engine.estimate_rates(parcel())
