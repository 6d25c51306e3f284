"""How ShipEngine behaves beyond its shapes: one live label per key, money, voids, lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from sandbox import truth
from sandbox.app import Sandbox
from sandbox.clock import ManualClock

Client = Callable[[Sandbox], httpx.Client]
ADDRESS = {
    "name": "Lager",
    "phone": "+49 221 5550100",
    "address_line1": "Hafenstraße 1",
    "city_locality": "Köln",
    "state_province": "NW",
    "postal_code": "50667",
    "country_code": "DE",
}


@pytest.fixture
def carrier(quiet: Sandbox, engine: Client) -> httpx.Client:
    return engine(quiet)


def buy(client: httpx.Client, external_id: str | None = None, **more: Any) -> httpx.Response:
    shipment = {
        "carrier_id": "se-287001",
        "service_code": "dpd_classic",
        "external_shipment_id": external_id,
        "ship_from": ADDRESS,
        "ship_to": ADDRESS,
        "packages": [{"weight": {"value": 1.0, "unit": "pound"}}],
        **more,
    }
    return client.post("/labels", json={"shipment": shipment})


def test_a_key_has_one_live_label_and_money_is_counted(
    carrier: httpx.Client, quiet: Sandbox
) -> None:
    first = buy(carrier, "FO-1").json()
    conflict = buy(carrier, "FO-1").json()["errors"][0]
    assert conflict["error_code"] == "identifier_conflict"
    assert conflict["field_name"] == "external_shipment_id"
    found = carrier.get("/labels/external_shipment_id/FO-1").json()
    assert found["label_id"] == first["label_id"]
    assert truth.labels(quiet.world) == {
        "FO-1": {"bought": 1, "live": 1, "charged": 480, "paid_back": 0}
    }


def test_after_a_void_the_key_is_free_and_the_money_back(
    carrier: httpx.Client, quiet: Sandbox
) -> None:
    first = buy(carrier, "FO-1").json()["label_id"]
    assert carrier.put(f"/labels/{first}/void").json()["approved"] is True
    assert carrier.get("/labels/external_shipment_id/FO-1").json()["status"] == "voided"
    second = buy(carrier, "FO-1").json()["label_id"]
    assert carrier.get("/labels/external_shipment_id/FO-1").json()["label_id"] == second
    assert truth.labels(quiet.world)["FO-1"] == {
        "bought": 2,
        "live": 1,
        "charged": 960,
        "paid_back": 480,
    }


def test_a_key_is_cut_at_fifty_characters(carrier: httpx.Client) -> None:
    long_id = "x" * 50
    assert buy(carrier, long_id + "-first").json()["external_shipment_id"] == long_id
    assert buy(carrier, long_id + "-second").status_code == 400


def test_without_a_key_nothing_stops_a_second_label(carrier: httpx.Client, quiet: Sandbox) -> None:
    assert [buy(carrier).status_code for _ in range(2)] == [200, 200]
    assert truth.labels(quiet.world)[""]["bought"] == 2


def test_an_old_label_cannot_be_voided(carrier: httpx.Client, clock: ManualClock) -> None:
    label = buy(carrier, "FO-1").json()["label_id"]
    clock.advance(29 * 24 * 3600)
    refused = carrier.put(f"/labels/{label}/void").json()
    assert refused["approved"] is False
    assert refused["reason_code"] == "label_not_found_within_void_period"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"carrier_id": "se-1"}, "invalid_identifier"),
        ({"service_code": "dpd_classic_europe"}, "invalid_field_value"),
        ({"packages": []}, "field_value_required"),
        ({"ship_from": None}, "field_value_required"),
        ({"ship_to": ADDRESS | {"country_code": "US"}}, "invalid_field_value"),
        ({"ship_to": ADDRESS | {"postal_code": ""}}, "field_value_required"),
    ],
)
def test_a_wrong_shipment_is_refused_and_costs_nothing(
    carrier: httpx.Client, quiet: Sandbox, change: dict[str, Any], code: str
) -> None:
    refused = buy(carrier, "FO-1", **change)
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["error_code"] == code
    assert truth.labels(quiet.world) == {}


@pytest.mark.parametrize(
    ("value", "unit", "cost"),
    [(1, "gram", 4.8), (1000, "gram", 4.8), (1001, "gram", 5.4), (2.5, "kilogram", 6.0)],
)
def test_every_started_kilogram_counts(
    carrier: httpx.Client, value: float, unit: str, cost: float
) -> None:
    label = buy(carrier, "FO-1", packages=[{"weight": {"value": value, "unit": unit}}]).json()
    assert label["shipment_cost"]["amount"] == cost


def test_labels_are_listed_newest_first_by_page(carrier: httpx.Client, clock: ManualClock) -> None:
    labels = []
    for number in range(3):
        labels.append(buy(carrier, f"FO-{number}").json()["label_id"])
        clock.advance(60)
    page = carrier.get("/labels", params={"page_size": "2"}).json()
    assert [label["label_id"] for label in page["labels"]] == labels[:0:-1]
    assert (page["total"], page["pages"], page["links"]["prev"]) == (3, 2, {})
    last = carrier.get(page["links"]["next"]["href"]).json()
    assert [label["label_id"] for label in last["labels"]] == labels[:1]
    since = {"created_at_start": "2026-11-02T06:01:00Z", "sort_dir": "asc"}
    found = carrier.get("/labels", params=since).json()["labels"]
    assert [label["label_id"] for label in found] == labels[1:]
    carrier.put(f"/labels/{labels[0]}/void")
    voided = carrier.get("/labels", params={"label_status": "voided"}).json()["labels"]
    assert [label["label_id"] for label in voided] == labels[:1]


def test_tracking_follows_the_clock(carrier: httpx.Client, clock: ManualClock) -> None:
    label = buy(carrier, "FO-1").json()["label_id"]
    seen = []
    for hours in (0, 5, 22):
        clock.advance(hours * 3600)
        log = carrier.get(f"/labels/{label}/track").json()
        seen.append((log["status_code"], len(log["events"])))
    assert seen == [("AC", 1), ("IT", 2), ("DE", 3)]
    assert carrier.get("/tracking", params={"carrier_code": "dpd", "tracking_number": "?"}).is_error


def test_the_key_is_needed(quiet: Sandbox, carrier: httpx.Client) -> None:
    refused = carrier.get("/carriers", headers={"API-Key": "wrong"})
    assert refused.status_code == 401
    assert refused.json()["errors"][0]["error_type"] == "security"
