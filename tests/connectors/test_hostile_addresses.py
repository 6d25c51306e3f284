"""Row 97: what buyers call themselves and where they live, in every request about their parcels."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from connectors.shipbob import ShipBob
from connectors.shipengine import ShipEngine
from mappings import canonical as c
from sandbox.app import Sandbox
from sandbox.clock import ManualClock
from sandbox.world import World
from tests.connectors.test_shipbob_shipengine_contract import (
    FULL,
    START,
    WAREHOUSE,
    Check,
    fulfilment,
    shipbob_contract,
    shipengine_contract,
)

__all__ = ["shipbob_contract", "shipengine_contract"]

WORDS = {
    "full-width": "Ｔａｎａｋａ　１２３",
    "emoji of several parts": "Ana 👩‍👩‍👧‍👦🏳️‍🌈",
    "four bytes": "𠮷野 𝔊𝔯𝔢𝔱𝔞",
    "right to left": "محمد الأحمد",
    "turned around": "Eve \u202egpj.exe\u202c Doe",
    "decomposed": "Zoe\u0308 Mu\u0308ller",
    "Turkish": "İıIi ŞĞ",
    "control characters": "Ann\r\nX-Evil: 1\t\x1b[2J\x07",
    "nothing to see": "\u200b\u200d\ufeff",
    "marks without end": "Z" + "\u0301" * 200,
    "very long": "Maximilian " * 60,
    "one long word": "Donaudampfschiff" * 40,
    "quotes and brackets": 'O\'Brien "<script>" & {{7*7}} %s ${x}',
}


def address(word: str) -> c.Address:
    """The word in every field that a buyer writes."""
    return msgspec.structs.replace(
        FULL,
        name=word,
        company=word,
        street=word,
        street2=word,
        street3=word,
        city=word,
        region=word,
        postcode=word,
        phone=word,
        country="JP",
    )


@pytest.fixture
def sandbox(clock: ManualClock) -> Sandbox:
    return Sandbox(World(7, clock, orders_per_channel=0))


@pytest.mark.parametrize("kind", WORDS)
def test_fault_row_97_every_word_fits_shipbob(
    kind: str,
    shipbob_contract: Check,
    recorder: Any,
    shipbob_account: Callable[..., ShipBob],
) -> None:
    bob = shipbob_account()
    wanted = msgspec.structs.replace(
        fulfilment("FO-1", address(WORDS[kind])), order_name=WORDS[kind]
    )
    (placed,) = bob.push_fulfilment_orders({"k": wanted})
    for request in recorder.requests:
        shipbob_contract(request)
    assert placed.status == "applied"
    body = json.loads(next(r.content for r in recorder.requests if r.method == "POST"))
    assert WORDS[kind].startswith(body["recipient"]["name"])
    assert body["recipient"]["address"]["city"] == WORDS[kind]


@pytest.mark.parametrize("kind", WORDS)
def test_fault_row_97_every_word_fits_shipengine(
    kind: str,
    shipengine_contract: Check,
    recorder: Any,
    shipengine_account: ShipEngine,
) -> None:
    to = msgspec.structs.replace(address(WORDS[kind]), country="DE")
    parcel = c.LabelRequest(
        reference="FO-1", ship_from=WAREHOUSE, ship_to=to, weight_g=1, currency="EUR"
    )
    (bought,) = shipengine_account.buy_labels({"k": parcel})
    priced = c.RateRequest(
        ship_from=WAREHOUSE, ship_to=to, weight_g=2000, ship_at=START + timedelta(days=1)
    )
    shipengine_account.estimate_rates(priced)
    for request in recorder.requests:
        shipengine_contract(request)
    body = json.loads(next(r.content for r in recorder.requests if r.url.path.endswith("/labels")))
    assert body["shipment"]["ship_to"]["city_locality"] == WORDS[kind]
    assert bought.status in ("applied", "rejected")
