"""Replies of ShipBob that are about something else than what was asked."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from connectors.base import TAKEN, Page
from connectors.errors import Ambiguous, Unreachable, Unreadable
from connectors.shipbob import ShipBob, ShipBobConfig
from mappings import Definitions
from sandbox.app import Sandbox
from sandbox.clock import ManualClock
from sandbox.vendors.shipbob import TOKEN
from sandbox.world import World
from tests.connectors.conftest import START
from tests.connectors.warehouse_words import ordered

ACCOUNT = {"channel_id": 105111, "location_id": 84}


@pytest.fixture
def sandbox(clock: ManualClock) -> Sandbox:
    return Sandbox(World(7, clock, orders_per_channel=0))


@pytest.fixture
def bob(
    sandbox: Sandbox,
    open_door: Callable[..., Any],
    closing: Callable[[Any], Any],
    definitions: Definitions,
) -> ShipBob:
    settings = {"url": "https://sandbox.test/shipbob", "token": TOKEN}
    config = ShipBobConfig.model_validate(settings | ACCOUNT)
    connector: ShipBob = closing(ShipBob(config, open_door(sandbox.transport()), definitions))
    return connector


def test_fault_row_13_another_orders_reply_says_nothing_of_what_was_asked_for(
    bob: ShipBob, sandbox: Sandbox
) -> None:
    """Found by ``crossdock simulate --seed 109 --days 2``: an order was filed under the id of
    another, and a cancellation would have stopped the wrong one."""
    bob.push_fulfilment_orders({"first": ordered("FO-1")})
    sandbox.faults.add("shipbob:createOrder", "stale-page", times=1, params={"ago": 1})
    (told,) = bob.push_fulfilment_orders({"second": ordered("FO-2")})
    assert told.status == "unknown"
    assert len(sandbox.world.shipbob.orders) == 2
    made = [one.id for one in sandbox.world.shipbob.orders.values() if one.reference == "FO-2"]
    assert bob.find_fulfilment_order("FO-2") == str(made[0])


def test_fault_row_13_another_orders_cancellation_cancels_nothing(
    open_door: Callable[..., Any],
    closing: Callable[[Any], Any],
    definitions: Definitions,
    scripted: Callable[..., Any],
) -> None:
    other = httpx.Response(200, json={"id": 8, "status": "Cancelled"})
    vendor = scripted(httpx.Response(422, json={"errors": ["too late"]}), *[other] * 9)
    config = ShipBobConfig.model_validate({"url": "https://bob.test", "token": TOKEN} | ACCOUNT)
    with pytest.raises(Unreachable, match="order 8 instead of 7"):
        closing(ShipBob(config, open_door(vendor), definitions)).cancel_fulfilment_orders(
            {"c": "7"}
        )


def test_fault_row_13_another_orders_look_up_is_no_proof_of_absence(
    bob: ShipBob, sandbox: Sandbox
) -> None:
    """Found by ``crossdock simulate --seed 17 --days 7``: it was sent again, refused, and taken
    elsewhere while the first one left."""
    bob.push_fulfilment_orders({"first": ordered("FO-1"), "second": ordered("FO-2")})
    assert bob.find_fulfilment_order("FO-1")
    sandbox.faults.add("shipbob:listOrders", "stale-page", times=9, params={"ago": 1})
    with pytest.raises(Unreadable):
        bob.find_fulfilment_order("FO-2")


@pytest.mark.parametrize("kind", ["new-enum", "type-change"])
def test_fault_row_33_an_id_that_is_none_is_nobodys(
    bob: ShipBob, sandbox: Sandbox, kind: str
) -> None:
    drift = sandbox.faults.add(
        "shipbob:*Order*", kind, params={"field": "id", "value": "unheard-of"}
    )
    outcomes = bob.push_fulfilment_orders({f"k{n}": ordered(f"FO-{n}") for n in range(8)})
    ids = {str(number) for number in sandbox.world.shipbob.orders}
    assert drift.struck >= 8
    assert {one.remote_id for one in outcomes if one.status == "applied"} <= ids
    for number in range(8):
        try:
            found = bob.find_fulfilment_order(f"FO-{number}")
        except (Ambiguous, Unreachable):
            continue
        assert found is None or found in ids


@pytest.mark.parametrize("kind", ["missing-field", "type-change"])
@pytest.mark.parametrize("field", ["quantity", "reference_id", "products"])
def test_fault_row_54_goods_that_cannot_be_read_are_not_other_goods(
    bob: ShipBob, sandbox: Sandbox, field: str, kind: str
) -> None:
    """Found by ``crossdock simulate --seed 22 --days 2``: a bug of ours ended the push."""
    bob.push_fulfilment_orders({"first": ordered("FO-1")})
    drift = sandbox.faults.add("shipbob:listOrders", kind, params={"field": field})
    for _ in range(8):
        with contextlib.suppress(Unreachable):
            (told,) = bob.push_fulfilment_orders({"again": ordered("FO-1")})
            assert told.code != TAKEN
    assert drift.struck >= 8
    assert len(sandbox.world.shipbob.orders) == 1


@pytest.mark.parametrize("kind", ["new-enum", "missing-field", "type-change"])
def test_fault_row_33_what_was_placed_is_not_listed_under_an_id_that_is_none(
    bob: ShipBob, sandbox: Sandbox, clock: ManualClock, kind: str
) -> None:
    """Found by ``crossdock simulate --seed 20 --days 5``: a stray that nobody had made."""
    bob.push_fulfilment_orders({f"k{n}": ordered(f"FO-{n}") for n in range(3)})
    ids = {str(number) for number in sandbox.world.shipbob.orders}
    window = (clock.now() - timedelta(days=1), clock.now() + timedelta(days=1))
    drift = sandbox.faults.add("shipbob:listOrders", kind, params={"field": "id", "value": "odd"})
    for _ in range(12):
        with contextlib.suppress(Unreachable):
            listed = [one for page in bob.list_effects(*window) for one in page]
            assert {one.external_id for one in listed} <= ids
    assert drift.struck == 12


def test_fault_row_33_a_shipment_whose_id_is_none_is_not_taken_in(
    bob: ShipBob, sandbox: Sandbox
) -> None:
    bob.push_fulfilment_orders({"k": ordered()})
    number = next(iter(sandbox.world.shipbob.orders.values())).shipments[0].id

    def pages() -> Iterator[Page]:
        return bob.pull_shipments(None, START)

    assert [one.external_id for page in pages() for one in page.records] == [str(number)]
    sandbox.faults.add("shipbob:listOrders", "new-enum", params={"field": "id", "value": "odd"})
    seen: set[str] = set()
    for _ in range(12):
        try:
            seen |= {one.external_id for page in pages() for one in page.records}
        except Unreachable:
            continue
    assert seen <= {str(number)}
