"""Habits of vendors: off by default, drawn from the seed, counted when they happen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from sandbox import truth
from sandbox.app import Sandbox
from sandbox.clock import ManualClock
from sandbox.quirks import Quirks
from sandbox.vendors import lwa
from sandbox.world import World
from tests.sandbox.conftest import START
from tests.sandbox.test_faults import ORDER

Client = Callable[[Sandbox], httpx.Client]
SEARCH = {"marketplaceIds": "A1PA6795UKMFR9", "lastUpdatedAfter": "2026-11-01T00:00:00Z"}


def crowd(admin: httpx.Client, clock: ManualClock, count: int, channel: str = "woo") -> list[Any]:
    """So many orders, ten seconds apart."""
    ids = []
    for _ in range(count):
        placed = admin.post(f"/{channel}/orders", json={"lines": {"MUG-BLUE": 1}})
        ids.append(placed.json()["id"])
        clock.advance(10)
    return ids


def listed(shop: httpx.Client, **params: str) -> list[int]:
    rows = shop.get("/orders", params={"orderby": "id", "order": "asc", **params}).json()
    return [row["id"] for row in rows]


def searched(spapi: httpx.Client, **params: str) -> tuple[list[str], str | None]:
    body = spapi.get("/orders/2026-01-01/orders", params=SEARCH | params).json()
    token = body.get("pagination", {}).get("nextToken")
    return [order["orderId"] for order in body["orders"]], token


def test_nothing_is_odd_unless_it_is_switched_on(sandbox: Sandbox, clock: ManualClock) -> None:
    clock.advance(12 * 3600)
    sandbox.world.advance_to(clock.now())
    assert sandbox.world.shop.orders
    assert not sandbox.world.quirks.struck
    assert sandbox.world.quirks.settings() == Quirks().settings()


def test_quirks_are_switched_and_counted_from_outside(quiet: Sandbox, admin: Client) -> None:
    client = admin(quiet)
    changed = client.post("/quirks", json={"late_share": 0.5, "missing_skus": ["MUG-BLUE"]}).json()
    assert (changed["late_share"], changed["missing_skus"]) == (0.5, ["MUG-BLUE"])
    assert client.get("/quirks").json() == changed
    for wrong in ({"no_such": 1}, {"unsorted": 3}, {"coarse_s": True}, {"missing_skus": 5}):
        assert client.post("/quirks", json=wrong).status_code == 400
    quiet.world.quirks.note("late", 1)
    assert client.get("/faults/struck").json() == {"late": 1}


def test_changes_show_late_and_to_a_share_only(
    quiet: Sandbox, clock: ManualClock, admin: Client, woo: Client
) -> None:
    quiet.world.quirks.change(late_share=0.5, late_s=120.0)
    ids = crowd(admin(quiet), clock, 8)
    early = listed(woo(quiet))
    assert 0 < len(early) < 8
    clock.advance(120)
    assert listed(woo(quiet)) == ids
    assert quiet.world.quirks.struck == {"late": 8 - len(early)}
    # The same seed hides the same orders.
    other = Sandbox(World(7, ManualClock(START), orders_per_channel=0))
    other.world.quirks.change(late_share=0.5, late_s=120.0)
    assert [one for one in ids if not other.world.quirks.draws("late", one, 0.5)] == early


def test_an_order_vanishes_and_returns(
    quiet: Sandbox, clock: ManualClock, admin: Client, woo: Client, amazon: Client
) -> None:
    quiet.world.quirks.change(vanishing_share=1.0, vanishes_after_s=600.0, vanishes_for_s=300.0)
    ids, seen = crowd(admin(quiet), clock, 1), []
    names = crowd(admin(quiet), clock, 1, "amazon")
    shop, spapi = woo(quiet), amazon(quiet)
    for wait in (300, 320, 300):
        clock.advance(wait)
        by_id = shop.get(f"/orders/{ids[0]}").status_code
        there = spapi.get(f"/orders/2026-01-01/orders/{names[0]}").status_code
        seen.append((listed(shop) == ids, by_id, there))
    assert seen == [(True, 200, 200), (False, 404, 404), (True, 200, 200)]


def test_times_of_change_are_coarse(
    quiet: Sandbox, clock: ManualClock, admin: Client, woo: Client, amazon: Client
) -> None:
    quiet.world.quirks.change(coarse_s=60)
    crowd(admin(quiet), clock, 5)
    rows = woo(quiet).get("/orders").json()
    assert {row["date_modified_gmt"] for row in rows} == {"2026-11-02T06:00:00"}
    inside = {"modified_after": "2026-11-02T06:00:05", "dates_are_gmt": "true"}
    assert listed(woo(quiet), **inside) == []


def test_listings_come_unsorted_but_whole(
    quiet: Sandbox, clock: ManualClock, admin: Client, woo: Client, amazon: Client
) -> None:
    quiet.world.quirks.change(unsorted=True)
    ids = crowd(admin(quiet), clock, 6)
    pages = [listed(woo(quiet), per_page="3", page=str(n)) for n in (1, 2)]
    found = [*pages[0], *pages[1]]
    assert sorted(found) == ids != found
    names = crowd(admin(quiet), clock, 6, "amazon")
    clock.advance(300)
    first, token = searched(amazon(quiet), maxResultsPerPage="4")
    assert token
    rest, token = searched(amazon(quiet), maxResultsPerPage="4", paginationToken=token)
    assert token is None
    assert sorted(first + rest) == sorted(names) != first + rest


def test_pages_are_empty_endless_or_forgotten(
    quiet: Sandbox, clock: ManualClock, admin: Client, woo: Client, amazon: Client, bob: Client
) -> None:
    names = crowd(admin(quiet), clock, 3, "amazon")
    clock.advance(300)
    spapi, quirks = amazon(quiet), quiet.world.quirks
    quirks.change(empty_pages=2)
    found, token = searched(spapi)
    more, token = searched(spapi, paginationToken=str(token))
    assert found == more == []
    assert searched(spapi, paginationToken=str(token))[0] == names
    quirks.change(empty_pages=0, endless=True, page_token_s=60.0)
    found, token = searched(spapi)
    again, other = searched(spapi, paginationToken=str(token))
    assert found == again == names
    assert token != other
    clock.advance(60)
    expired = spapi.get(
        "/orders/2026-01-01/orders", params=SEARCH | {"paginationToken": str(other)}
    )
    assert expired.status_code == 400
    crowd(admin(quiet), clock, 2)
    for page in ("1", "2", "9"):
        answer = woo(quiet).get("/orders", params={"per_page": "2", "page": page})
        assert len(answer.json()) == 2
        assert int(answer.headers["X-WP-TotalPages"]) > int(page)
    bob(quiet).post("/order", json=ORDER)
    assert len(bob(quiet).get("/order", params={"Limit": "5"}).json()) == 5
    assert {"empty_pages", "endless", "page_token_s"} <= set(quirks.struck)


def test_orders_change_and_go_while_they_are_paged(
    quiet: Sandbox, clock: ManualClock, admin: Client, woo: Client
) -> None:
    client = admin(quiet)
    ids = crowd(client, clock, 6)
    client.post(f"/woo/orders/{ids[1]}/cancel")
    quiet.world.quirks.change(edits_while_paging=1, deletes_while_paging=1)
    clock.advance(60)
    listed(woo(quiet), per_page="4", page="1")
    assert quiet.world.shop.orders[ids[0]].modified == clock.now().replace(microsecond=0)
    assert [order["id"] for order in truth.deleted_orders(quiet.world)] == [str(ids[1])]
    assert quiet.world.quirks.struck == {"edits_while_paging": 1, "deletes_while_paging": 1}


def test_tokens_die_early_and_refresh_tokens_rotate(
    quiet: Sandbox, clock: ManualClock, amazon: Client
) -> None:
    quiet.world.quirks.change(access_token_s=60.0, rotates_refresh_tokens=True)
    spapi = amazon(quiet)
    assert searched(spapi) == ([], None)
    clock.advance(60)
    assert spapi.get("/orders/2026-01-01/orders", params=SEARCH).status_code == 403
    form = {
        "grant_type": "refresh_token",
        "client_id": lwa.CLIENT_ID,
        "client_secret": lwa.CLIENT_SECRET,
        "refresh_token": lwa.REFRESH_TOKEN,
    }
    url = "http://sandbox.test/lwa/auth/o2/token"
    assert spapi.post(url, data=form).status_code == 400
    fresh = quiet.world.logins.refresh_token
    assert spapi.post(url, data=form | {"refresh_token": fresh}).status_code == 200


def test_references_are_found_late_taken_twice_and_doubled(
    quiet: Sandbox, clock: ManualClock, bob: Client
) -> None:
    client, quirks = bob(quiet), quiet.world.quirks
    quirks.change(index_lag_s=300.0)
    client.post("/order", json=ORDER)
    asked = {"ReferenceIds": "FO-1"}
    assert client.get("/order", params=asked).json() == []
    assert client.post("/order", json=ORDER).status_code == 422
    clock.advance(300)
    assert len(client.get("/order", params=asked).json()) == 1
    quirks.change(unique_references=False, index_lag_s=0.0)
    assert client.post("/order", json=ORDER).status_code == 201
    quirks.change(unique_references=True, twins_share=1.0)
    client.post("/order", json=ORDER | {"reference_id": "FO-2"})
    assert truth.shipbob_orders(quiet.world)["FO-1"]["orders"] == 2
    assert truth.shipbob_orders(quiet.world)["FO-2"]["orders"] == 2
    assert {"index_lag", "unique_references", "twins"} <= set(quirks.struck)


def test_the_3pl_ships_what_it_confirmed_as_cancelled(
    quiet: Sandbox, clock: ManualClock, bob: Client
) -> None:
    quiet.world.quirks.change(ships_cancelled_share=1.0)
    client = bob(quiet)
    number = client.post("/order", json=ORDER).json()["id"]
    assert client.post(f"/order/{number}:cancel").json()["status"] == "Success"
    clock.advance(4 * 3600)
    assert client.get(f"/order/{number}").json()["status"] == "Fulfilled"
    assert quiet.world.quirks.struck == {"ships_cancelled": 1}
    assert truth.shipbob_orders(quiet.world)["FO-1"]["shipped"] == {"TIN-250": 1}


def test_shipments_are_told_late_and_twice(quiet: Sandbox, clock: ManualClock, bob: Client) -> None:
    quiet.world.quirks.change(shipments_late_s=3600.0, repeats_shipments=True)
    client = bob(quiet)
    number = client.post("/order", json=ORDER).json()["id"]
    clock.advance(3 * 3600 + 60)
    row = client.get(f"/order/{number}").json()
    assert row["status"] == "Processing"
    assert [s["status"] for s in row["shipments"]] == ["Processing"] * 2
    clock.advance(3600)
    row = client.get(f"/order/{number}").json()
    left = (START + timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert (row["status"], row["shipments"][0]["actual_fulfillment_date"]) == ("Fulfilled", left)


def test_stock_listings_leave_out_and_exaggerate(quiet: Sandbox, bob: Client) -> None:
    whole = bob(quiet).get("/inventory-level", params={"PageSize": "250"}).json()["items"]
    quiet.world.quirks.change(missing_skus=["MUG-BLUE"], odd_levels={"TIN-250": -5})
    items = bob(quiet).get("/inventory-level", params={"PageSize": "250"}).json()["items"]
    assert {row["sku"] for row in whole} - {row["sku"] for row in items} == {"MUG-BLUE"}
    assert [r["total_on_hand_quantity"] for r in items if r["sku"] == "TIN-250"] == [-5]


def test_items_are_refused_singly(quiet: Sandbox, woo: Client) -> None:
    shop = quiet.world.shop
    rows = [{"id": shop.listed(sku).id, "stock_quantity": 3} for sku in ("TIN-250", "CUP-TRAVEL")]
    quiet.world.quirks.change(refused_items=["TIN-250"])
    told = woo(quiet).post("/products/batch", json={"update": rows}).json()["update"]
    assert ["error" in row for row in told] == [True, False]
    assert shop.listed("CUP-TRAVEL").stock == 3


def test_a_wrong_switch_is_refused() -> None:
    with pytest.raises(ValueError, match="no quirk 'flood'"):
        Quirks().change(flood=True)
