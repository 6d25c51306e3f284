"""What ShipBob and ShipEngine list as placed in a time, with what a sweep needs of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from connectors.base import Effect, ListsEffects
from connectors.shipbob import ShipBob, ShipBobConfig
from connectors.shipengine import ShipEngine, ShipEngineConfig
from mappings import Definitions
from mappings import canonical as c
from sandbox.app import Sandbox
from sandbox.catalogue import SKUS
from sandbox.clock import ManualClock
from sandbox.vendors import shipbob, shipengine
from sandbox.world import World

START = datetime(2026, 11, 2, 8, tzinfo=UTC)
TO = c.Address(
    name="Ann", street="Weg 1", city="Bonn", postcode="53111", country="DE", phone="+493012345678"
)
DAY = timedelta(days=1)
OTHERS = DAY + timedelta(hours=2)


@pytest.fixture
def sandbox(clock: ManualClock) -> Sandbox:
    return Sandbox(World(7, clock, orders_per_channel=0))


@pytest.fixture
def bob(
    sandbox: Sandbox, open_door: Any, closing: Callable[[Any], Any], definitions: Definitions
) -> ShipBob:
    keys = {"url": "https://sandbox.test/shipbob", "token": shipbob.TOKEN, "channel_id": 105111}
    config = ShipBobConfig.model_validate({**keys, "location_id": 84})
    made: ShipBob = closing(ShipBob(config, open_door(sandbox.transport()), definitions))
    return made


@pytest.fixture
def engine(
    sandbox: Sandbox, open_door: Any, closing: Callable[[Any], Any], definitions: Definitions
) -> ShipEngine:
    keys = {"url": "https://sandbox.test/shipengine", "api_key": shipengine.API_KEY}
    config = ShipEngineConfig.model_validate({**keys, "carrier_ids": ["se-287001"]})
    made: ShipEngine = closing(ShipEngine(config, open_door(sandbox.transport()), definitions))
    return made


def listed(connector: ListsEffects, begin: datetime = START) -> list[Effect]:
    pages = connector.list_effects(begin, begin + DAY)
    return [effect for page in pages for effect in page]


def test_shipbob_lists_its_orders_live_and_cancelled(bob: ShipBob, clock: ManualClock) -> None:
    for reference in ("a", "b"):
        line = c.FulfilmentLine(line_reference="1", sku=SKUS[0].code, quantity=Decimal(1))
        request = c.FulfilmentRequest(
            reference=reference,
            order_name="#1",
            placed_at=START,
            currency="EUR",
            ship_to=TO,
            lines=(line,),
        )
        (outcome,) = bob.push_fulfilment_orders({reference: request})
        clock.advance(60)
    bob.cancel_fulfilment_orders({"b": outcome.remote_id})
    effects = listed(bob)
    assert [(one.reference, one.live, one.kind) for one in effects] == [
        ("a", True, "fulfilment_order"),
        ("b", False, "fulfilment_order"),
    ]
    assert effects[1].external_id == outcome.remote_id
    assert effects[0].remedy.startswith("cancel ShipBob order")
    assert listed(bob, START + OTHERS) == []


def label(reference: str) -> c.LabelRequest:
    return c.LabelRequest(
        reference=reference, ship_from=TO, ship_to=TO, weight_g=500, currency="EUR", customs_value=1
    )


def test_shipengine_lists_its_labels_with_their_prices_page_by_page(
    engine: ShipEngine, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.shipengine.PAGE_SIZE", 2)
    bought = []
    for reference in "abc":
        (outcome,) = engine.buy_labels({reference: label(reference)})
        bought.append(outcome.remote_id)
        clock.advance(60)
    assert all(bought), bought
    engine.void_label(bought[1])
    effects = listed(engine)
    assert [(one.reference, one.external_id, one.live) for one in effects] == [
        ("a", bought[0], True),
        ("b", bought[1], False),
        ("c", bought[2], True),
    ]
    assert {(one.currency, one.cost) for one in effects} == {("EUR", effects[0].cost)}
    assert (effects[0].cost or 0) > 0
    assert bought[0] in effects[0].remedy
    assert listed(engine, START + OTHERS) == []
