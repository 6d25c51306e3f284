"""ShipEngine has no rate for a parcel: is it refused, or could a carrier not be asked now?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import respx

from connectors.errors import Unreachable
from connectors.shipengine import ShipEngine, ShipEngineConfig
from mappings import Definitions
from mappings import canonical as c

V1 = "https://engine.test/v1"
BERLIN = c.Address(name="A", street="Weg 1", city="Berlin", postcode="10115", country="DE")
PARCEL = c.LabelRequest(
    reference="FO-1", ship_from=BERLIN, ship_to=BERLIN, weight_g=500, currency="EUR"
)
RATE = {
    "carrier_id": "se-2",
    "carrier_code": "dpd",
    "service_code": "dpd_classic",
    "shipping_amount": {"currency": "eur", "amount": 4.1},
    "error_messages": [],
}
REFUSED = RATE | {"error_messages": ["It is too heavy."]}


def trouble(kind: str, code: str) -> dict[str, str]:
    """An error as the contract has it (``error``)."""
    source = {"error_source": "carrier", "carrier_id": "se-1"}
    return source | {"error_type": kind, "error_code": code, "message": f"dpd: {code}"}


TIMED_OUT = trouble("system", "unspecified")
NOT_THERE = trouble("business_rules", "invalid_address")


@pytest.fixture
def vendor() -> Iterator[respx.MockRouter]:
    """Nothing but rates: a call that would buy a label fails the test."""
    with respx.mock(assert_all_called=False) as router:
        yield router


@pytest.fixture
def engine(
    open_door: Callable[..., Any], closing: Callable[[Any], Any], definitions: Definitions
) -> ShipEngine:
    given = {"url": "https://engine.test", "api_key": "TEST_key", "carrier_ids": ["se-1"]}
    config = ShipEngineConfig.model_validate(given | {"service_codes": ["dpd_classic"]})
    made: ShipEngine = closing(ShipEngine(config, open_door(None), definitions))
    return made


def answer(vendor: respx.MockRouter, **said: Any) -> None:
    response = {"rates": [], "invalid_rates": [], "status": "completed", "errors": []} | said
    vendor.post(f"{V1}/rates").respond(json={"rate_response": response})


@pytest.mark.parametrize(
    "said",
    [
        {"status": "working"},
        {"status": "error", "errors": [TIMED_OUT]},
        {"status": "partial", "errors": [NOT_THERE, TIMED_OUT], "invalid_rates": [REFUSED]},
        {"status": "partial", "errors": [TIMED_OUT], "rates": [RATE | {"service_code": "other"}]},
        {"status": "error", "errors": [trouble("business_rules", "rate_limit_exceeded")]},
    ],
)
def test_carriers_that_could_not_be_asked_are_asked_later(
    engine: ShipEngine, vendor: respx.MockRouter, said: dict[str, Any]
) -> None:
    """It was a refusal, and every order of the minutes in which a carrier was down moved away."""
    answer(vendor, **said)
    with pytest.raises(Unreachable) as caught:
        engine.buy_labels({"k": PARCEL})
    for error in said.get("errors", []):
        assert error["message"] in str(caught.value)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, "no carrier says why"),
        ({"errors": None}, "no carrier says why"),
        ({"status": "error", "errors": [NOT_THERE]}, "dpd: invalid_address"),
        ({"status": "partial", "invalid_rates": [REFUSED]}, "It is too heavy."),
        ({"rates": [REFUSED, REFUSED]}, "It is too heavy."),
    ],
)
def test_a_parcel_that_no_carrier_takes_is_refused_in_their_words(
    engine: ShipEngine, vendor: respx.MockRouter, said: dict[str, Any], words: str
) -> None:
    answer(vendor, **said)
    (outcome,) = engine.buy_labels({"k": PARCEL})
    assert (outcome.status, outcome.code) == ("rejected", "no_rates_returned")
    assert outcome.message.endswith(f"has no rate for this parcel: {words.rstrip('.')}.")


@pytest.mark.parametrize("errors", [["late"], 5])
def test_errors_that_are_none_say_nothing_of_the_parcel(
    engine: ShipEngine, vendor: respx.MockRouter, errors: Any
) -> None:
    answer(vendor, status="error", errors=errors)
    with pytest.raises(Unreachable):
        engine.buy_labels({"k": PARCEL})


def test_what_can_be_bought_is_bought_although_another_carrier_has_trouble(
    engine: ShipEngine, vendor: respx.MockRouter
) -> None:
    answer(vendor, status="partial", rates=[RATE], errors=[TIMED_OUT])
    assert [quote.amount for quote in engine.quote_rates(PARCEL)] == [410]
