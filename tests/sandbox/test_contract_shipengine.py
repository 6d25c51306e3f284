"""Every kind of answer of the ShipEngine sandbox is one ShipEngine's contract allows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

from sandbox.app import Sandbox
from sandbox.clock import ManualClock

Client = Callable[[Sandbox], httpx.Client]
Check = Callable[[httpx.Response], None]

HOME = {
    "name": "Lager Köln",
    "phone": "+49 221 5550100",
    "address_line1": "Hafenstraße 1",
    "city_locality": "Köln",
    "state_province": "NW",
    "postal_code": "50667",
    "country_code": "DE",
}


def shipment(external_id: str, country: str = "DE", **more: Any) -> dict[str, Any]:
    service = "dpd_classic" if country == "DE" else "dpd_classic_europe"
    return {
        "carrier_id": "se-287001",
        "service_code": service,
        "external_shipment_id": external_id,
        "ship_from": HOME,
        "ship_to": HOME | {"name": "محمد", "country_code": country},
        "packages": [{"weight": {"value": 1200, "unit": "gram"}}],
        **more,
    }


def test_a_label_validates_from_purchase_to_delivery_and_void(
    quiet: Sandbox, clock: ManualClock, engine: Client, shipengine_contract: Check
) -> None:
    client = engine(quiet)
    bought = client.post("/labels", json={"shipment": shipment("FO-1")})
    shipengine_contract(bought)
    label = bought.json()
    assert label["shipment_cost"] == {"currency": "eur", "amount": 5.4}
    for path in (
        "/labels",
        f"/labels/{label['label_id']}",
        "/labels/external_shipment_id/FO-1",
        f"/labels/{label['label_id']}/track",
    ):
        shipengine_contract(client.get(path))
    clock.advance(27 * 3600)
    tracked = client.get(
        "/tracking", params={"carrier_code": "dpd", "tracking_number": label["tracking_number"]}
    )
    shipengine_contract(tracked)
    assert tracked.json()["status_code"] == "DE"
    for approved in (True, False):
        void = client.put(f"/labels/{label['label_id']}/void")
        shipengine_contract(void)
        assert void.json()["approved"] is approved
    shipengine_contract(client.get(f"/labels/{label['label_id']}"))


def test_rates_validate_and_a_quoted_rate_can_be_bought(
    quiet: Sandbox, engine: Client, shipengine_contract: Check
) -> None:
    client = engine(quiet)
    quoted = client.post("/rates", json={"shipment": shipment("FO-1", "FR"), "rate_options": {}})
    shipengine_contract(quoted)
    rates = quoted.json()["rate_response"]["rates"]
    assert [rate["service_code"] for rate in rates] == [
        "dpd_classic_europe",
        "dhl_express_worldwide",
    ]
    bought = client.post(f"/labels/rates/{rates[0]['rate_id']}", json={})
    shipengine_contract(bought)
    assert bought.json()["shipment_cost"] == rates[0]["shipping_amount"]
    assert bought.json()["is_international"] is True


ESTIMATE: dict[str, Any] = {
    "carrier_ids": ["se-287001"],
    "from_country_code": "DE",
    "from_postal_code": "50667",
    "from_city_locality": "Köln",
    "from_state_province": "NW",
    "to_country_code": "DE",
    "to_postal_code": "10115",
    "to_city_locality": "Berlin",
    "to_state_province": "BE",
    "weight": {"value": 2.5, "unit": "kilogram"},
    "ship_date": "2026-11-02T10:00:00Z",
}


def test_estimates_and_carriers_validate(
    quiet: Sandbox, engine: Client, shipengine_contract: Check
) -> None:
    client = engine(quiet)
    estimated = client.post("/rates/estimate", json=ESTIMATE)
    shipengine_contract(estimated)
    carriers = client.get("/carriers")
    shipengine_contract(carriers)
    assert [rate["shipping_amount"]["amount"] for rate in estimated.json()] == [6.0]
    assert len(carriers.json()["carriers"]) == 2


def test_estimates_of_envelopes_far_countries_and_nobody_validate(
    quiet: Sandbox, engine: Client, shipengine_contract: Check
) -> None:
    client = engine(quiet)
    both = {"carrier_ids": ["se-287001", "se-287002"], "to_country_code": "US"}
    for change, told in (
        (both, [(4, "package", 77.44), (4, "envelope", 14.45)]),
        ({"to_country_code": "US"}, []),
    ):
        reply = client.post("/rates/estimate", json=ESTIMATE | change)
        shipengine_contract(reply)
        assert [
            (rate["zone"], rate["package_type"], rate["shipping_amount"]["amount"])
            for rate in reply.json()
        ] == told


def test_an_estimate_lacks_nothing_that_the_contract_requires(
    quiet: Sandbox, engine: Client, shipengine_contract: Check
) -> None:
    client = engine(quiet)
    for name in ESTIMATE.keys() - {"carrier_ids"}:
        reply = client.post("/rates/estimate", json=ESTIMATE | {name: None})
        shipengine_contract(reply)
        assert reply.status_code == 400
        assert reply.json()["errors"][0]["field_name"] == name


def test_refusals_validate(quiet: Sandbox, engine: Client, shipengine_contract: Check) -> None:
    client = engine(quiet)
    client.post("/labels", json={"shipment": shipment("FO-1")})
    nameless = shipment("FO-2") | {"ship_to": {}}
    for reply, status, code in (
        (client.post("/labels", json={"shipment": shipment("FO-1")}), 400, "identifier_conflict"),
        (client.post("/labels", json={"shipment": nameless}), 400, "field_value_required"),
        (client.post("/rates", json={"shipment": nameless}), 400, "field_value_required"),
        (client.get("/labels/se-1"), 404, "invalid_identifier"),
        (client.get("/labels/external_shipment_id/FO-2"), 404, "invalid_identifier"),
    ):
        shipengine_contract(reply)
        assert reply.status_code == status
        assert reply.json()["errors"][0]["error_code"] == code


def test_the_label_file_is_a_pdf(quiet: Sandbox, engine: Client) -> None:
    client = engine(quiet)
    label = client.post("/labels", json={"shipment": shipment("FO-1")}).json()
    file = client.get(label["label_download"]["pdf"])
    assert file.headers["content-type"] == "application/pdf"
    assert file.content.startswith(b"%PDF-1.4")
