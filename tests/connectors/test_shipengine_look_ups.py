"""Is a label there already? What ShipEngine, or a cache before it, answers to another question does
not tell, nor does a refusal of the question."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from connectors.errors import Unreadable
from connectors.shipengine import ShipEngine, ShipEngineConfig
from mappings import Definitions
from mappings import canonical as c
from sandbox.app import Sandbox
from sandbox.clock import ManualClock
from sandbox.vendors.shipengine import API_KEY
from sandbox.world import World

BERLIN = c.Address(
    name="A", street="Weg 1", city="Berlin", postcode="10115", country="DE", phone="030 1"
)
PARCEL = c.LabelRequest(
    reference="FO-1", ship_from=BERLIN, ship_to=BERLIN, weight_g=500, currency="EUR"
)


@pytest.fixture
def sandbox(clock: ManualClock) -> Sandbox:
    """A ShipEngine that nobody else uses."""
    return Sandbox(World(7, clock, orders_per_channel=0))


@pytest.fixture
def engine(
    sandbox: Sandbox,
    open_door: Callable[..., Any],
    closing: Callable[[Any], Any],
    definitions: Definitions,
) -> ShipEngine:
    given = {"url": "https://sandbox.test/shipengine", "api_key": API_KEY}
    config = ShipEngineConfig.model_validate(given | {"carrier_ids": ["se-287001", "se-287002"]})
    made: ShipEngine = closing(ShipEngine(config, open_door(sandbox.transport()), definitions))
    return made


@pytest.mark.parametrize("refused", ["getLabelByExternalId", "listLabels"])
def test_fault_row_56_a_refusal_is_not_believed_while_the_look_up_is_refused(
    engine: ShipEngine, sandbox: Sandbox, refused: str
) -> None:
    """Found by ``crossdock simulate --seed 23 --days 4``: a label was there, and its parcel was
    handed over to another location."""
    engine.buy_labels({"k": PARCEL})
    sandbox.faults.add(f"shipengine:{refused}", "410", times=1)
    (outcome,) = engine.buy_labels({"k": PARCEL})
    assert outcome.status == "unknown"
    (outcome,) = engine.buy_labels({"k": PARCEL})
    assert outcome.status == "applied"


@pytest.mark.parametrize("stale", ["getLabelByExternalId", "listLabels"])
def test_fault_row_13_an_answer_about_another_label_is_no_proof_of_absence(
    engine: ShipEngine, sandbox: Sandbox, stale: str
) -> None:
    engine.buy_labels({"k": PARCEL})
    engine.buy_labels({"other": msgspec.structs.replace(PARCEL, reference="FO-2")})
    assert engine.find_label("FO-2")
    sandbox.faults.add(f"shipengine:{stale}", "stale-page", times=9, params={"ago": 1})
    with pytest.raises(Unreadable):
        engine.find_label("FO-1")
