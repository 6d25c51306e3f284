"""One 3PL, two connectors: the coded one and its description in TOML, held to the same tests.

Nothing here speaks of a vendor's own connector: only of the contract, of what the 3PL was asked and
of what it holds afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any, Protocol

import httpx
import pytest

from connectors.base import (
    CancelsFulfilmentOrders,
    Connector,
    Cursor,
    PullsShipments,
    PushesFulfilmentOrders,
)
from connectors.errors import Ambiguous, ConfigProblem, Retryable, Unreachable, Unreadable
from connectors.shipbob import ShipBob, ShipBobConfig
from mappings import Definitions
from mappings import canonical as c
from sandbox.app import Sandbox
from sandbox.catalogue import SKUS
from sandbox.clock import ManualClock
from sandbox.server import serve
from sandbox.vendors.shipbob import TOKEN
from sandbox.world import World
from tests.connectors.rest_words import connector, example
from tests.connectors.warehouse_words import START, ordered

LOST = ["timeout-after", "500-after", "truncated", "html", "empty"]


class AWarehouse(
    Connector, PushesFulfilmentOrders, CancelsFulfilmentOrders, PullsShipments, Protocol
):
    """What both are taken for."""

    def close(self) -> None: ...


Build = Callable[..., AWarehouse]


@pytest.fixture
def sandbox(clock: ManualClock) -> Sandbox:
    """A 3PL at which nobody else orders."""
    return Sandbox(World(7, clock, orders_per_channel=0))


@pytest.fixture(params=["coded", "described"])
def build(
    request: pytest.FixtureRequest,
    open_door: Any,
    closing: Callable[[Any], Any],
    definitions: Definitions,
    monkeypatch: pytest.MonkeyPatch,
) -> Build:
    """A connector to a 3PL: a transport or none, its address, how many orders a page holds."""

    def coded(
        transport: httpx.BaseTransport | None = None,
        url: str = "https://sandbox.test/shipbob",
        page_size: int = 250,
        token: str = TOKEN,
    ) -> AWarehouse:
        monkeypatch.setattr("connectors.shipbob_feeds.PER_PAGE", page_size)
        keys = {"url": url, "token": token, "channel_id": 105111, "location_id": 84}
        config = ShipBobConfig.model_validate(keys)
        made: AWarehouse = closing(ShipBob(config, open_door(transport), definitions))
        return made

    def described(
        transport: httpx.BaseTransport | None = None,
        url: str = "https://sandbox.test/shipbob",
        page_size: int = 250,
        token: str = TOKEN,
    ) -> AWarehouse:
        given = example("shipbob", url=f"{url}/2026-01", secret=token)
        given["streams"]["shipments"]["paging"]["size"] = page_size
        made: AWarehouse = closing(connector(given, open_door(transport), definitions))
        return made

    return {"coded": coded, "described": described}[request.param]


@pytest.fixture
def bob(build: Build, recorder: Any) -> AWarehouse:
    """A connector to the sandbox's 3PL."""
    return build(recorder)


def their_order(number: int = 1, **changes: Any) -> dict[str, Any]:
    """An order as the 3PL prints it, as far as a connector looks at it."""
    products = [
        {"reference_id": SKUS[0].code, "quantity": 2},
        {"reference_id": SKUS[1].code, "quantity": 1},
    ]
    body = {"id": number, "reference_id": "FO-1", "status": "Processing", "products": products}
    return body | {"created_date": "2026-11-02T08:00:00Z", "shipments": []} | changes


def says(body: Any, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=body)


def shipments(
    bob: AWarehouse, definitions: Definitions, cursor: Cursor | None = None
) -> tuple[list[c.Shipment], Cursor]:
    pages = list(bob.pull_shipments(cursor, START))
    mapping = definitions[bob.info.definitions["shipments"]]
    mapped = [mapping.apply(record.text).record for page in pages for record in page.records]
    return mapped, pages[-1].cursor


# ---- what it is --------------------------------------------------------------------------------


def test_it_ships_and_says_how_each_push_may_be_repeated(bob: AWarehouse) -> None:
    for capability in (
        Connector,
        PushesFulfilmentOrders,
        CancelsFulfilmentOrders,
        PullsShipments,
    ):
        assert isinstance(bob, capability)
    assert bob.info.kind == "fulfilment"
    assert bob.info.pushes["push_fulfilment_orders"].idempotency == "reference"
    assert bob.info.pushes["cancel_fulfilment_orders"].idempotency == "natural"


def test_the_limit_fits_into_any_minute(bob: AWarehouse) -> None:
    rate = bob.info.limits["*"]
    assert rate.per_second * 60 + rate.burst <= 150


def test_check_finds_a_well_account(bob: AWarehouse) -> None:
    findings = bob.check()
    assert findings
    assert all(finding.ok for finding in findings)


def test_a_wrong_token_is_a_matter_of_configuration_and_is_never_shown(
    build: Build, recorder: Any
) -> None:
    bob = build(recorder, token="pat-wrong-secret")
    with pytest.raises(ConfigProblem) as caught:
        bob.check()
    assert "pat-wrong-secret" not in f"{caught.value!r} {bob!r} {vars(bob)!r}"


# ---- orders out --------------------------------------------------------------------------------


def test_an_order_is_placed_with_our_reference_and_found_by_it(
    bob: AWarehouse, sandbox: Sandbox
) -> None:
    (outcome,) = bob.push_fulfilment_orders({"k": ordered()})
    (order,) = sandbox.world.shipbob.orders.values()
    assert (outcome.key, outcome.status, outcome.remote_id) == ("k", "applied", str(order.id))
    assert order.body["reference_id"] == "FO-1"
    assert order.body["location_id"] == 84
    assert order.body["shipping_method"] == "Standard"
    assert order.body["recipient"]["address"] == {
        "address1": "Weg 1",
        "address2": "c/o",
        "city": "Bonn",
        "zip_code": "53111",
        "country": "DE",
    }
    assert bob.find_fulfilment_order("FO-1") == str(order.id)
    assert bob.find_fulfilment_order("FO-2") is None


def test_a_repeat_adopts_the_order_that_is_there(bob: AWarehouse, sandbox: Sandbox) -> None:
    first = bob.push_fulfilment_orders({"k": ordered()})
    assert bob.push_fulfilment_orders({"k": ordered()}) == first
    assert len(sandbox.world.shipbob.orders) == 1


def test_a_repeat_with_other_goods_is_refused(bob: AWarehouse, sandbox: Sandbox) -> None:
    bob.push_fulfilment_orders({"k": ordered()})
    (outcome,) = bob.push_fulfilment_orders({"k": ordered(lines=ordered().lines[:1])})
    assert (outcome.status, outcome.code) == ("rejected", "duplicate_reference")
    assert len(sandbox.world.shipbob.orders) == 1


@pytest.mark.parametrize("kind", LOST)
def test_a_lost_reply_is_unknown_and_never_doubles_the_order(
    bob: AWarehouse, sandbox: Sandbox, kind: str
) -> None:
    sandbox.faults.add("shipbob:createOrder", kind, times=1)
    (outcome,) = bob.push_fulfilment_orders({"k": ordered()})
    assert outcome.status == "unknown"
    assert len(sandbox.world.shipbob.orders) == 1, "nothing was sent twice"
    (repeat,) = bob.push_fulfilment_orders({"k": ordered()})
    assert (repeat.status, repeat.remote_id) == ("applied", bob.find_fulfilment_order("FO-1"))
    assert len(sandbox.world.shipbob.orders) == 1


def test_one_bad_order_does_not_hold_up_the_others(bob: AWarehouse, sandbox: Sandbox) -> None:
    strange = c.FulfilmentLine(line_reference="1", sku="NO-SUCH", quantity=Decimal(1))
    half = c.FulfilmentLine(line_reference="1", sku=SKUS[0].code, quantity=Decimal("0.5"))
    outcomes = bob.push_fulfilment_orders(
        {
            "unknown": ordered("FO-1", lines=(strange,)),
            "half": ordered("FO-2", lines=(half,)),
            "good": ordered("FO-3"),
        }
    )
    assert [o.status for o in outcomes] == ["rejected", "rejected", "applied"]
    assert "NO-SUCH" in outcomes[0].message
    assert "quantity" in outcomes[1].message
    assert [order.reference for order in sandbox.world.shipbob.orders.values()] == ["FO-3"]


def test_a_reply_without_the_new_id_is_unknown(build: Build, scripted: Any) -> None:
    (outcome,) = build(scripted(says({"status": "ok"}))).push_fulfilment_orders({"k": ordered()})
    assert outcome.status == "unknown"


def test_a_refusal_is_not_believed_while_the_look_up_fails(build: Build, scripted: Any) -> None:
    vendor = scripted(says({"errors": ["duplicate"]}, 422), says({"errors": ["no"]}, 400))
    (outcome,) = build(vendor).push_fulfilment_orders({"k": ordered()})
    assert outcome.status == "unknown"
    assert "duplicate" in outcome.message


def test_an_answer_about_others_proves_nothing(build: Build, scripted: Any) -> None:
    # A filter that is ignored, or a cache's answer to an earlier question.
    others = says([their_order(reference_id="FO-10")])
    with pytest.raises(Unreadable):
        build(scripted(others)).find_fulfilment_order("FO-1")
    vendor = scripted(says({"errors": ["duplicate"]}, 422), others)
    (outcome,) = build(vendor).push_fulfilment_orders({"k": ordered()})
    assert outcome.status == "unknown"


def test_two_orders_under_one_reference_are_for_a_person(build: Build, scripted: Any) -> None:
    with pytest.raises(Ambiguous, match="1, 2"):
        build(scripted(says([their_order(1), their_order(2)]))).find_fulfilment_order("FO-1")


def test_a_look_up_that_makes_no_sense_finds_nothing_out(build: Build, scripted: Any) -> None:
    with pytest.raises(Unreachable):
        build(scripted(says({}))).find_fulfilment_order("FO-1")


# ---- cancellation ------------------------------------------------------------------------------


def test_an_order_is_cancelled_until_it_is_picked_and_a_repeat_is_done(
    bob: AWarehouse, clock: ManualClock
) -> None:
    (early,) = bob.push_fulfilment_orders({"k": ordered("FO-1")})
    for _ in range(2):
        (done,) = bob.cancel_fulfilment_orders({"c": early.remote_id})
        assert (done.status, done.remote_id) == ("applied", early.remote_id)
    (late,) = bob.push_fulfilment_orders({"k": ordered("FO-2")})
    clock.advance(timedelta(hours=1).total_seconds())
    (refused,) = bob.cancel_fulfilment_orders({"c": late.remote_id})
    assert refused.status == "rejected"
    assert "cannot be cancelled" in refused.message


def test_cancelling_what_does_not_exist_is_refused_alone(bob: AWarehouse) -> None:
    (placed,) = bob.push_fulfilment_orders({"k": ordered()})
    outcomes = bob.cancel_fulfilment_orders({"gone": "999", "there": placed.remote_id})
    assert {o.key: o.status for o in outcomes} == {"gone": "rejected", "there": "applied"}


def test_a_refused_repeat_of_a_cancellation_is_done(build: Build, scripted: Any) -> None:
    vendor = scripted(
        says({"errors": ["nothing to cancel"]}, 422), says(their_order(7, status="Cancelled"))
    )
    (outcome,) = build(vendor).cancel_fulfilment_orders({"c": "7"})
    assert outcome.status == "applied"
    assert [request.url.path.rpartition("/order")[2] for request in vendor.requests] == [
        "/7:cancel",
        "/7",
    ]


def test_a_part_that_ships_all_the_same_is_named(build: Build, scripted: Any) -> None:
    results = [
        {"shipment_id": 11, "is_success": True, "reason": None},
        {"shipment_id": 12, "is_success": False, "reason": "picked"},
    ]
    body = {"order_id": 7, "status": "PartialSuccess", "canceled_shipment_results": results}
    (outcome,) = build(scripted(says(body))).cancel_fulfilment_orders({"c": "7"})
    assert (outcome.status, outcome.code) == ("rejected", "PartialSuccess")
    assert "12: picked" in outcome.message
    assert "11" not in outcome.message


@pytest.mark.parametrize("kind", ["timeout-after", "500-after", "truncated"])
def test_a_lost_reply_to_a_cancellation_is_asked_again(
    bob: AWarehouse, sandbox: Sandbox, kind: str
) -> None:
    (placed,) = bob.push_fulfilment_orders({"k": ordered()})
    sandbox.faults.add("shipbob:cancelOrder", kind, times=1)
    (outcome,) = bob.cancel_fulfilment_orders({"c": placed.remote_id})
    assert outcome.status == "applied"


# ---- shipments in ------------------------------------------------------------------------------


def test_shipments_come_with_tracking_and_goods(
    bob: AWarehouse, sandbox: Sandbox, clock: ManualClock, definitions: Definitions
) -> None:
    for sku in SKUS[:2]:
        sandbox.world.shipbob.receive(sku.code, 84, 100)
    for number in range(12):
        bob.push_fulfilment_orders({"k": ordered(f"FO-{number}")})
    waiting, cursor = shipments(bob, definitions)
    assert {shipment.state for shipment in waiting} == {"processing"}
    assert all(shipment.packages == () for shipment in waiting)

    clock.advance(timedelta(hours=5).total_seconds())
    shipped, _ = shipments(bob, definitions, cursor)
    assert {shipment.state for shipment in shipped} == {"shipped"}
    orders = sandbox.world.shipbob.orders.values()
    assert len(shipped) == sum(len(order.shipments) for order in orders) > 12, "some are split"
    sent: dict[str, dict[str, Decimal]] = {}
    for shipment in shipped:
        (package,) = shipment.packages
        assert package.tracking_number.startswith("SB")
        assert shipment.shipped_at is not None
        for line in package.lines:
            goods = sent.setdefault(shipment.reference, {})
            goods[line.sku] = goods.get(line.sku, Decimal(0)) + line.quantity
    wanted = {SKUS[0].code: Decimal(2), SKUS[1].code: Decimal(1)}
    assert sent == {f"FO-{number}": wanted for number in range(12)}


def test_the_watermark_is_the_latest_change_seen_and_is_read_again_with_an_overlap(
    bob: AWarehouse, clock: ManualClock, definitions: Definitions
) -> None:
    bob.push_fulfilment_orders({"k": ordered("FO-1")})
    clock.advance(200)
    bob.push_fulfilment_orders({"k": ordered("FO-2")})
    clock.advance(60)
    _, cursor = shipments(bob, definitions)
    assert cursor["watermark"] == (START + timedelta(seconds=200)).isoformat()
    again, _ = shipments(bob, definitions, cursor)
    assert {shipment.reference for shipment in again} == {"FO-1", "FO-2"}, "200 s before it"

    clock.advance(3600)
    bob.push_fulfilment_orders({"k": ordered("FO-3")})
    _, cursor = shipments(bob, definitions, cursor)
    again, same = shipments(bob, definitions, cursor)
    assert {shipment.reference for shipment in again} == {"FO-3"}
    assert same == cursor, "nothing new: the cursor stays"


def test_pages_are_walked_to_the_end_and_only_then_the_watermark_moves(
    build: Build, recorder: Any
) -> None:
    bob = build(recorder, page_size=3)
    for number in range(7):
        bob.push_fulfilment_orders({"k": ordered(f"FO-{number}")})
    since = START - timedelta(days=1)
    pages = list(bob.pull_shipments(None, since))
    found = [record.body["order"]["reference_id"] for page in pages for record in page.records]
    assert set(found) == {f"FO-{number}" for number in range(7)}
    marks = [since.isoformat()] * 2 + [START.isoformat()]
    assert [page.cursor["watermark"] for page in pages] == marks


def test_a_page_that_comes_twice_stops_the_walk(build: Build, scripted: Any) -> None:
    vendor = scripted(says([their_order(number) for number in range(250)]))
    with pytest.raises(Retryable, match="repeats a page"):
        list(build(vendor).pull_shipments(None, START))


def test_a_change_in_the_future_does_not_hide_the_changes_until_then(
    build: Build, scripted: Any
) -> None:
    shipment = {"id": 5, "status": "Processing", "last_update_at": "9999-12-31T00:00:00Z"}
    vendor = scripted(says([their_order(shipments=[shipment])]))
    (page,) = build(vendor).pull_shipments(None, START)
    assert page.cursor["watermark"] == START.isoformat()


def test_an_order_without_a_shipment_is_reported_by_its_own_status(
    build: Build, scripted: Any, definitions: Definitions
) -> None:
    bob = build(scripted(says([their_order(9, status="Cancelled")])))
    (shipment,), _ = shipments(bob, definitions)
    assert (shipment.reference, shipment.external_id, shipment.state) == ("FO-1", "9", "cancelled")


# ---- sockets -----------------------------------------------------------------------------------


def test_the_whole_way_over_a_real_socket(
    build: Build, sandbox: Sandbox, clock: ManualClock, definitions: Definitions
) -> None:
    with serve(sandbox) as base:
        bob = build(None, f"{base}/shipbob")
        (outcome,) = bob.push_fulfilment_orders({"k": ordered()})
        clock.advance(timedelta(hours=5).total_seconds())
        shipped, _ = shipments(bob, definitions)
        bob.close()
    assert outcome.status == "applied"
    assert {shipment.state for shipment in shipped} == {"shipped"}
