"""ShipBob described in TOML and coded, side by side; and its requests, all within its contract.

What holds for either alone is in ``test_conformance_fulfilment``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.base import PullsOrders, PullsShipments, PushesFulfilmentOrders, PushesStock
from connectors.errors import Ambiguous, Unreachable
from connectors.rest import Rest
from connectors.shipbob import ShipBob, ShipBobConfig
from mappings import Definitions
from mappings import canonical as c
from sandbox.app import Sandbox
from sandbox.catalogue import SKUS
from sandbox.clock import ManualClock
from sandbox.vendors.shipbob import TOKEN
from sandbox.world import World
from tests.connectors.rest_words import connector, example, ids
from tests.connectors.test_shipbob_shipengine_contract import _checker

START = datetime(2026, 11, 2, 8, tzinfo=UTC)
PREFIX = "https://sandbox.test/shipbob"
TO = c.Address(name="Ann", street="Weg 1", city="Bonn", postcode="53111", country="DE")


@pytest.fixture
def sandbox(clock: ManualClock) -> Sandbox:
    """A ShipBob at which nobody else orders."""
    return Sandbox(World(7, clock, orders_per_channel=0))


@pytest.fixture
def described(
    open_door: Any, closing: Callable[[Any], Any], definitions: Definitions
) -> Callable[..., Rest]:
    def build(transport: httpx.BaseTransport) -> Rest:
        given = example("shipbob", url=f"{PREFIX}/2026-01", secret=TOKEN)
        made: Rest = closing(connector(given, open_door(transport), definitions))
        return made

    return build


@pytest.fixture
def bob(described: Callable[..., Rest], recorder: Any) -> Rest:
    return described(recorder)


@pytest.fixture
def coded(
    sandbox: Sandbox, open_door: Any, closing: Callable[[Any], Any], definitions: Definitions
) -> ShipBob:
    keys = {"url": PREFIX, "token": TOKEN, "channel_id": 105111, "location_id": 84}
    config = ShipBobConfig.model_validate(keys)
    made: ShipBob = closing(ShipBob(config, open_door(sandbox.transport()), definitions))
    return made


def request(reference: str, count: int = 2) -> c.FulfilmentRequest:
    lines = tuple(
        c.FulfilmentLine(line_reference=str(n), sku=sku.code, quantity=Decimal(n + 1))
        for n, sku in enumerate(SKUS[:count])
    )
    return c.FulfilmentRequest(
        reference=reference,
        order_name="#1",
        placed_at=START,
        currency="EUR",
        ship_to=TO,
        lines=lines,
    )


def test_it_can_do_what_the_example_describes(bob: Rest) -> None:
    assert isinstance(bob, PushesFulfilmentOrders)
    assert isinstance(bob, PullsShipments)
    assert not isinstance(bob, (PullsOrders, PushesStock))
    assert bob.info.kind == "fulfilment"
    assert bob.info.pushes["push_fulfilment_orders"].idempotency == "reference"


def test_orders_are_placed_once_and_found_by_our_reference(
    bob: Rest, coded: ShipBob, sandbox: Sandbox
) -> None:
    first = bob.push_fulfilment_orders({"k": request("FO-1")})
    assert first == bob.push_fulfilment_orders({"k": request("FO-1")}), "the second is adopted"
    assert first == coded.push_fulfilment_orders({"k": request("FO-1")})
    (order,) = sandbox.world.shipbob.orders.values()
    assert [(o.status, o.remote_id) for o in first] == [("applied", str(order.id))]
    assert bob.find_fulfilment_order("FO-1") == str(order.id)
    assert bob.find_fulfilment_order("FO-2") is None
    (other,) = bob.push_fulfilment_orders({"k": request("FO-1", count=1)})
    assert (other.status, other.code) == ("rejected", "duplicate_reference")


def test_the_order_is_the_one_of_the_coded_connector(
    bob: Rest, coded: ShipBob, sandbox: Sandbox
) -> None:
    bob.push_fulfilment_orders({"k": request("FO-1")})
    coded.push_fulfilment_orders({"k": request("FO-2")})
    own, theirs = (order.body for order in sandbox.world.shipbob.orders.values())
    assert own | {"reference_id": "FO-2"} == theirs


def test_a_look_up_that_makes_no_sense_finds_nothing_out(
    described: Callable[..., Rest], scripted: Any
) -> None:
    nobody = described(scripted(httpx.Response(200, json=[])))
    assert nobody.find_fulfilment_order("FO-1") is None
    twice = [{"id": n, "reference_id": "FO-1"} for n in (1, 2)]
    with pytest.raises(Ambiguous, match="1, 2"):
        described(scripted(httpx.Response(200, json=twice))).find_fulfilment_order("FO-1")
    unreadable: list[Any] = [{}, [{"reference_id": "FO-1"}]]
    for nonsense in unreadable:
        vendor = scripted(httpx.Response(200, json=nonsense))
        with pytest.raises(Unreachable):
            described(vendor).find_fulfilment_order("FO-1")


def test_shipments_are_those_of_the_coded_connector(
    bob: Rest, coded: ShipBob, sandbox: Sandbox, clock: ManualClock
) -> None:
    for sku in SKUS[:2]:
        sandbox.world.shipbob.receive(sku.code, 84, 100)
    for number in range(12):
        bob.push_fulfilment_orders({"k": request(f"FO-{number}")})
    waiting = list(bob.pull_shipments(None, START))
    assert waiting == list(coded.pull_shipments(None, START))
    clock.advance(timedelta(hours=5).total_seconds())
    shipped = list(bob.pull_shipments(waiting[-1].cursor, START))
    assert shipped == list(coded.pull_shipments(waiting[-1].cursor, START))
    assert len(set(ids(shipped))) > 12, "some are split"
    assert shipped[-1].cursor["watermark"] > waiting[-1].cursor["watermark"]


def test_every_request_is_in_the_contract(bob: Rest, recorder: Any, specs: Path) -> None:
    check = _checker(specs / "shipbob" / "openapi" / "openapi-2026-01.json", "/shipbob")
    for _ in range(2):
        bob.push_fulfilment_orders({"k": request("FO-1")})
    assert list(bob.pull_shipments(None, START))
    assert all(finding.ok for finding in bob.check())
    sent = [(r.method, r.url.path.removeprefix("/shipbob/2026-01")) for r in recorder.requests]
    assert set(sent) == {("POST", "/order"), ("GET", "/order"), ("GET", "/channel")}
    for one in recorder.requests:
        check(one)
