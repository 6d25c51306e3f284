"""ShipEngine: the cheapest label, bought once per reference, found again, voided and tracked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import respx
from pydantic import ValidationError

from connectors.base import BuysLabels, Connector, Effect, EstimatesRates, Tracks
from connectors.errors import Ambiguous, ConfigProblem, Rejected, Unreachable
from connectors.shipengine import ShipEngine, ShipEngineConfig
from mappings import Definitions
from mappings import canonical as c
from sandbox.app import Sandbox
from sandbox.clock import ManualClock
from sandbox.server import serve
from sandbox.vendors.shipengine import API_KEY
from sandbox.world import World

START = datetime(2026, 11, 2, 8, tzinfo=UTC)
URL = "https://sandbox.test/shipengine"
V1 = "https://engine.test/v1"
HOME = c.Address(
    name="Lager",
    street="Hafenstraße 1",
    city="Köln",
    postcode="50667",
    country="DE",
    phone="0221 1",
)
ADA = c.Address(name="عائشة 🎁", street="Weg 1", city="Bonn", postcode="53111", country="DE")
RATE = {
    "carrier_id": "se-1",
    "carrier_code": "dpd",
    "service_code": "dpd_classic",
    "shipping_amount": {"currency": "eur", "amount": 4.1},
    "insurance_amount": {"currency": "eur", "amount": 0.2},
    "confirmation_amount": {"currency": "eur", "amount": 0.3},
    "other_amount": {"currency": "eur", "amount": 0},
    "tax_amount": {"currency": "eur", "amount": 0.87},
    "error_messages": [],
}
LABEL = {
    "label_id": "se-900",
    "status": "completed",
    "shipment_id": "se-800",
    "external_shipment_id": "FO-1",
    "tracking_number": "T1",
    "carrier_code": "dpd",
    "service_code": "dpd_classic",
    "shipment_cost": {"currency": "eur", "amount": 4.1},
    "insurance_cost": {"currency": "eur", "amount": 0.2},
    "voided": False,
}
Build = Callable[..., ShipEngine]


@pytest.fixture
def sandbox(clock: ManualClock) -> Sandbox:
    """A ShipEngine that nobody else uses."""
    return Sandbox(World(7, clock, orders_per_channel=0))


@pytest.fixture
def build(
    open_door: Callable[..., Any], closing: Callable[[Any], Any], definitions: Definitions
) -> Build:
    def make(transport: httpx.BaseTransport | None, **settings: Any) -> ShipEngine:
        given = {"url": URL, "api_key": API_KEY, "carrier_ids": ["se-287001", "se-287002"]}
        config = ShipEngineConfig.model_validate(given | settings)
        connector: ShipEngine = closing(ShipEngine(config, open_door(transport), definitions))
        return connector

    return make


@pytest.fixture
def engine(build: Build, sandbox: Sandbox) -> ShipEngine:
    return build(sandbox.transport())


@pytest.fixture
def vendor() -> Iterator[respx.MockRouter]:
    """A ShipEngine of our own making at ``https://engine.test``."""
    with respx.mock(assert_all_called=False) as router:
        router.post(f"{V1}/rates").respond(json={"rate_response": {"rates": [RATE]}})
        yield router


@pytest.fixture
def stub(build: Build, vendor: respx.MockRouter) -> ShipEngine:
    return build(None, url="https://engine.test")


def parcel(reference: str = "FO-1", **changes: Any) -> c.LabelRequest:
    fields: dict[str, Any] = {
        "reference": reference,
        "ship_from": HOME,
        "ship_to": ADA,
        "weight_g": 1200,
        "currency": "EUR",
    }
    return c.LabelRequest(**fields | changes)


def abroad(reference: str = "FO-1") -> c.LabelRequest:
    london = c.Address(name="Jo", street="1 Road", city="London", postcode="N1 1AA", country="GB")
    return parcel(reference, ship_to=london, customs_value=2500)


def test_it_has_the_capabilities_it_names(engine: ShipEngine) -> None:
    for protocol in (Connector, BuysLabels, EstimatesRates, Tracks):
        assert isinstance(engine, protocol), protocol
    assert engine.info.pushes["buy_labels"].idempotency == "lookup"
    assert engine.info.pushes["buy_labels"].lookup_lag_s > 0


def test_the_limit_fits_into_any_minute() -> None:
    rate = ShipEngine.info.limits["*"]
    assert rate.per_second * 60 + rate.burst <= 200


# ---- rates -------------------------------------------------------------------------------------


def test_rates_come_cheapest_first_in_minor_units(engine: ShipEngine) -> None:
    quotes = engine.quote_rates(parcel())
    assert [(quote.service_code, quote.amount, quote.currency) for quote in quotes] == [
        ("dpd_classic", 540, "EUR"),
        ("dhl_express_domestic", 1490, "EUR"),
    ]
    assert quotes[0].carrier_id == "se-287001"
    assert quotes[0].delivery_days == 2


def test_a_rate_is_the_sum_of_everything_it_costs(stub: ShipEngine) -> None:
    assert [quote.amount for quote in stub.quote_rates(parcel())] == [547]


def test_offers_with_errors_and_services_that_are_not_allowed_are_left_out(
    build: Build, vendor: respx.MockRouter
) -> None:
    rates = [
        RATE | {"service_code": "broken", "error_messages": ["no"]},
        RATE | {"service_code": "dear", "shipping_amount": {"currency": "eur", "amount": 99}},
        RATE,
    ]
    route = vendor.post(f"{V1}/rates").respond(json={"rate_response": {"rates": rates}})
    engine = build(None, url="https://engine.test", service_codes=["dear", "broken"])
    assert [quote.service_code for quote in engine.quote_rates(parcel())] == ["dear"]
    assert b'"service_codes":["dear","broken"]' in route.calls.last.request.content


def test_offers_in_another_currency_are_not_taken_for_cheaper(
    stub: ShipEngine, vendor: respx.MockRouter
) -> None:
    yen = {"currency": "jpy", "amount": 400}
    nothing = {"currency": "jpy", "amount": 0}
    foreign = RATE | dict.fromkeys(
        ("insurance_amount", "confirmation_amount", "other_amount", "tax_amount"), nothing
    )
    rates = [foreign | {"shipping_amount": yen}, RATE]
    vendor.post(f"{V1}/rates").respond(json={"rate_response": {"rates": rates}})
    assert [(q.currency, q.amount) for q in stub.quote_rates(parcel())] == [
        ("EUR", 547),
        ("JPY", 400),
    ]


def test_asking_for_rates_does_not_take_the_reference(
    stub: ShipEngine, vendor: respx.MockRouter
) -> None:
    stub.quote_rates(parcel("FO-77"))
    assert b"FO-77" not in vendor.calls.last.request.content


# ---- labels ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "service"), [(parcel(), "dpd_classic"), (abroad(), "dpd_classic_europe")]
)
def test_the_cheapest_label_is_bought_under_the_reference(
    engine: ShipEngine, sandbox: Sandbox, order: c.LabelRequest, service: str
) -> None:
    (outcome,) = engine.buy_labels({"k": order})

    (label,) = sandbox.world.shipengine.labels.values()
    assert (outcome.status, outcome.remote_id) == ("applied", label.label_id)
    assert isinstance(outcome.result, c.Label)
    assert outcome.result.cost == label.cost
    assert outcome.result.service_code == label.service.code == service
    assert outcome.result.tracking_number == label.tracking
    assert outcome.result.label_url.endswith(".pdf")
    assert label.external_id == "FO-1"
    assert engine.find_label("FO-1") == outcome.result


def test_a_parcel_that_crosses_a_border_carries_its_customs_value(
    engine: ShipEngine, sandbox: Sandbox
) -> None:
    engine.buy_labels({"home": parcel("FO-1"), "abroad": abroad("FO-2")})
    home, away = (label.shipment for label in sandbox.world.shipengine.labels.values())
    assert "customs" not in home
    assert "products" not in home["packages"][0]
    assert away["customs"] == {"contents": "merchandise", "non_delivery": "return_to_sender"}
    assert away["packages"][0]["products"] == [
        {"description": "Merchandise", "quantity": 1, "value": {"amount": 25.0, "currency": "eur"}}
    ]


def test_a_repeat_adopts_the_label_and_charges_nothing(
    engine: ShipEngine, sandbox: Sandbox
) -> None:
    first = engine.buy_labels({"k": parcel()})
    assert engine.buy_labels({"k": parcel()}) == first
    assert len(sandbox.world.shipengine.labels) == 1


@pytest.mark.parametrize("kind", ["timeout-after", "500-after", "truncated", "html", "empty"])
def test_a_lost_reply_is_unknown_and_the_label_is_found(
    engine: ShipEngine, sandbox: Sandbox, kind: str
) -> None:
    sandbox.faults.add("shipengine:createLabel", kind, times=1)
    (outcome,) = engine.buy_labels({"k": parcel()})
    assert outcome.status == "unknown"
    (bought,) = sandbox.world.shipengine.labels.values()
    found = engine.find_label("FO-1")
    assert found is not None
    assert found.external_id == bought.label_id


def test_a_request_that_never_arrived_is_simply_sent_again(
    engine: ShipEngine, sandbox: Sandbox
) -> None:
    sandbox.faults.add("shipengine:createLabel", "timeout-before", times=1)
    (outcome,) = engine.buy_labels({"k": parcel()})
    assert outcome.status == "applied"
    assert len(sandbox.world.shipengine.labels) == 1


def test_a_bought_label_that_cannot_be_read_is_unknown_not_refused(
    stub: ShipEngine, vendor: respx.MockRouter
) -> None:
    for reply in (
        LABEL | {"shipment_cost": {"currency": "xxx", "amount": 1}},
        LABEL | {"external_shipment_id": "FO-2"},
        LABEL | {"status": "processing"},
    ):
        vendor.post(f"{V1}/labels").respond(json=reply)
        (outcome,) = stub.buy_labels({"k": parcel()})
        assert outcome.status == "unknown", reply


def test_refusals_are_refusals(stub: ShipEngine, vendor: respx.MockRouter) -> None:
    vendor.post(f"{V1}/labels").respond(json=LABEL | {"status": "error"})
    assert [o.status for o in stub.buy_labels({"k": parcel()})] == ["rejected"]

    error = {"error_code": "invalid_address", "message": "No such street"}
    vendor.post(f"{V1}/labels").respond(400, json={"errors": [error]})
    vendor.get(f"{V1}/labels/external_shipment_id/FO-1").respond(
        404, json={"errors": [{"error_code": "invalid_identifier", "message": "none"}]}
    )
    (outcome,) = stub.buy_labels({"k": parcel()})
    assert (outcome.status, outcome.code) == ("rejected", "invalid_address")
    assert "No such street" in outcome.message

    vendor.post(f"{V1}/rates").respond(json={"rate_response": {"rates": []}})
    (outcome,) = stub.buy_labels({"k": parcel()})
    assert (outcome.status, outcome.code) == ("rejected", "no_rates_returned")


def test_a_reference_that_would_be_cut_is_refused_before_anything_is_bought(
    engine: ShipEngine, sandbox: Sandbox
) -> None:
    outcomes = engine.buy_labels({"long": parcel("F" * 51), "fits": parcel("F" * 50)})
    assert [o.status for o in outcomes] == ["rejected", "applied"]
    assert len(sandbox.world.shipengine.labels) == 1


# ---- finding -----------------------------------------------------------------------------------


def test_the_earliest_label_may_be_void_and_a_later_one_live(
    stub: ShipEngine, vendor: respx.MockRouter
) -> None:
    earliest = LABEL | {"voided": True, "status": "voided"}
    vendor.get(f"{V1}/labels/external_shipment_id/FO-1").respond(json=earliest)
    listing = vendor.get(f"{V1}/labels")
    listing.respond(json={"labels": [LABEL | {"label_id": "se-901"}, earliest]})
    found = stub.find_label("FO-1")
    assert found is not None
    assert (found.external_id, found.cost, found.currency) == ("se-901", 430, "EUR")
    assert listing.calls.last.request.url.params["shipment_id"] == "se-800"

    listing.respond(json={"labels": [earliest]})
    assert stub.find_label("FO-1") is None


def test_two_live_labels_are_for_a_person(stub: ShipEngine, vendor: respx.MockRouter) -> None:
    vendor.get(f"{V1}/labels/external_shipment_id/FO-1").respond(json=LABEL)
    vendor.get(f"{V1}/labels").respond(json={"labels": [LABEL, LABEL | {"label_id": "se-901"}]})
    with pytest.raises(Ambiguous, match="se-900, se-901"):
        stub.find_label("FO-1")


def test_no_label_is_none_and_a_failed_look_up_is_not(
    engine: ShipEngine, stub: ShipEngine, vendor: respx.MockRouter
) -> None:
    assert engine.find_label("FO-1") is None
    vendor.get(f"{V1}/labels/external_shipment_id/FO-1").respond(400, json={"errors": []})
    with pytest.raises(Rejected):
        stub.find_label("FO-1")


@pytest.mark.parametrize("gone", ["tracking_number", "shipment_cost"])
def test_fault_row_33_a_label_that_cannot_be_read_is_asked_for_again(
    stub: ShipEngine, vendor: respx.MockRouter, gone: str
) -> None:
    """It was a bug of ours to the engine, and to a purchase a refusal with a label there."""
    unreadable = {name: value for name, value in LABEL.items() if name != gone}
    vendor.get(f"{V1}/labels/external_shipment_id/FO-1").respond(json=unreadable)
    vendor.get(f"{V1}/labels").respond(json={"labels": [unreadable], "pages": 1})
    with pytest.raises(Unreachable, match="cannot be read"):
        stub.find_label("FO-1")
    vendor.post(f"{V1}/rates").respond(json={"rate_response": {"rates": [RATE]}})
    conflict = [{"error_code": "identifier_conflict", "message": "it is taken"}]
    vendor.post(f"{V1}/labels").respond(400, json={"errors": conflict})
    (outcome,) = stub.buy_labels({"k": parcel()})
    assert outcome.status == "unknown"
    assert "it is taken" in outcome.message


def test_fault_row_33_a_label_without_a_name_is_no_second_label(
    stub: ShipEngine, vendor: respx.MockRouter
) -> None:
    """Null was taken for the label called None, and the one that was bought waited for a person."""
    vendor.get(f"{V1}/labels/external_shipment_id/FO-1").respond(json=LABEL)
    vendor.get(f"{V1}/labels").respond(json={"labels": [LABEL | {"label_id": None}], "pages": 1})
    with pytest.raises(Unreachable):
        stub.find_label("FO-1")


@pytest.mark.parametrize(
    ("odd", "price"),
    [
        ({"tracking_number": None}, (430, "EUR")),
        ({"tracking_number": "", "trackable": False}, (430, "EUR")),
        ({"status": "processing", "tracking_number": None}, (430, "EUR")),
        ({"voided": None, "insurance_cost": None}, (410, "EUR")),
        ({"shipment_cost": None}, (None, "")),
        ({"shipment_cost": {"currency": "eur", "amount": None}}, (None, "")),
        ({"shipment_cost": {"currency": "eur", "amount": 4.125}}, (None, "")),
        ({"shipment_cost": {"currency": "xxx", "amount": 4.1}}, (None, "")),
        ({"insurance_cost": 5}, (None, "")),
    ],
)
def test_a_label_that_nobody_could_ship_with_is_listed_and_hides_no_other(
    stub: ShipEngine, vendor: respx.MockRouter, odd: dict[str, Any], price: tuple[Any, str]
) -> None:
    good = LABEL | {"created_at": "2026-11-02T08:00:00Z"}
    labels = [good | {"label_id": "se-1"} | odd, good]
    vendor.get(f"{V1}/labels").respond(json={"labels": labels, "pages": 1})
    (first, second) = listed(stub)
    assert (first.external_id, first.reference, first.live) == ("se-1", "FO-1", True)
    assert (first.cost, first.currency) == price
    assert (second.external_id, second.cost, second.placed_at) == ("se-900", 430, START)


@pytest.mark.parametrize("gone", ["label_id", "created_at"])
def test_a_label_without_id_or_time_is_not_passed_over(
    stub: ShipEngine, vendor: respx.MockRouter, gone: str
) -> None:
    label = LABEL | {"created_at": "2026-11-02T08:00:00Z"} | {gone: None}
    vendor.get(f"{V1}/labels").respond(json={"labels": [label], "pages": 1})
    with pytest.raises(Unreachable):
        listed(stub)


def listed(engine: ShipEngine) -> list[Effect]:
    pages = engine.list_effects(START, START + timedelta(days=1))
    return [effect for page in pages for effect in page]


# ---- void, track, check ------------------------------------------------------------------------


def test_a_label_is_voided_once_and_a_repeat_is_done(
    engine: ShipEngine, clock: ManualClock
) -> None:
    (outcome,) = engine.buy_labels({"k": parcel()})
    for _ in range(2):
        assert engine.void_label(outcome.remote_id).status == "applied"
    assert engine.find_label("FO-1") is None

    (old,) = engine.buy_labels({"k": parcel("FO-2")})
    clock.advance(timedelta(days=29).total_seconds())
    refused = engine.void_label(old.remote_id)
    assert (refused.status, refused.code) == ("rejected", "label_not_found_within_void_period")
    assert refused.message


def test_events_come_oldest_first(engine: ShipEngine, clock: ManualClock) -> None:
    (outcome,) = engine.buy_labels({"k": parcel()})
    clock.advance(timedelta(hours=27).total_seconds())
    events = engine.track(outcome.remote_id).events
    assert [event.code for event in events] == ["label_created", "in_transit", "delivered"]
    assert [event.occurred_at - START for event in events] == [
        timedelta(0),
        timedelta(hours=4),
        timedelta(hours=26),
    ]
    assert events[-1].place == "Bonn DE"


@pytest.mark.parametrize(
    ("unreadable", "why"),
    [
        ({"status_code": "ZZ", "occurred_at": "2026-11-02T08:00:00Z"}, "ZZ"),
        ({"status_code": "IT", "occurred_at": None}, "occurred_at"),
        (None, "not an object"),
    ],
)
def test_an_event_that_cannot_be_read_is_told_and_not_guessed_and_the_others_count(
    stub: ShipEngine, vendor: respx.MockRouter, unreadable: Any, why: str
) -> None:
    good = {"status_code": "DE", "occurred_at": "2026-11-02T09:00:00Z"}
    vendor.get(f"{V1}/labels/se-1/track").respond(json={"events": [unreadable, good]})
    told = stub.track("se-1")
    assert [event.code for event in told.events] == ["delivered"]
    (finding,) = told.findings
    assert (finding.ok, finding.subject) == (False, "an event of label se-1")
    assert why in finding.detail


def test_events_that_are_no_list_are_no_answer(stub: ShipEngine, vendor: respx.MockRouter) -> None:
    vendor.get(f"{V1}/labels/se-1/track").respond(json={"events": 5})
    with pytest.raises(Unreachable):
        stub.track("se-1")


@pytest.mark.parametrize(
    ("status", "code"), [(404, "invalid_identifier"), (400, "tracking_not_supported")]
)
def test_a_parcel_that_cannot_be_followed_is_refused(
    stub: ShipEngine, vendor: respx.MockRouter, status: int, code: str
) -> None:
    errors = [{"error_code": code, "message": "no"}]
    vendor.get(f"{V1}/labels/se-1/track").respond(status, json={"errors": errors})
    with pytest.raises(Rejected) as caught:
        stub.track("se-1")
    assert caught.value.code == code


def test_check_names_the_carriers_that_are_connected(build: Build, sandbox: Sandbox) -> None:
    assert all(finding.ok for finding in build(sandbox.transport()).check())
    findings = build(sandbox.transport(), carrier_ids=["se-287001", "se-9"]).check()
    (bad,) = [finding for finding in findings if not finding.ok]
    assert "se-9 is not connected" in bad.detail
    assert "se-287002 (DHL Express)" in bad.remedy


def test_settings_and_credentials_are_checked(build: Build, sandbox: Sandbox) -> None:
    with pytest.raises(ValidationError, match="carrier_ids"):
        build(sandbox.transport(), carrier_ids=[])
    engine = build(sandbox.transport(), api_key="TEST_wrong_key")
    with pytest.raises(ConfigProblem) as caught:
        engine.check()
    assert "TEST_wrong_key" not in f"{caught.value!r} {engine!r} {vars(engine)!r}"


def test_the_whole_way_over_a_real_socket(build: Build, sandbox: Sandbox) -> None:
    with serve(sandbox) as base:
        engine = build(None, url=f"{base}/shipengine")
        (outcome,) = engine.buy_labels({"k": parcel()})
        assert isinstance(outcome.result, c.Label)
        label = httpx.get(outcome.result.label_url)
        events = engine.track(outcome.remote_id).events
        voided = engine.void_label(outcome.remote_id)
        engine.close()
    assert label.content.startswith(b"%PDF")
    assert [event.code for event in events] == ["label_created"]
    assert voided.status == "applied"
