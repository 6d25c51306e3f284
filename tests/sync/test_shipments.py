"""What a location reports: applied once, kept always, and told apart from other people's work."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from state import history, inbox, orders
from state import tables as t
from sync import allocation, drain, intake, invariants, parked, shipping
from tests.sync.conftest import Bench, woo_order


def reported(reference: str, key: str, tracking: str, sku: str, quantity: str) -> dict[str, Any]:
    return {
        "shipment_key": key,
        "shipment": {"reference": reference, "shipped_at": "2026-11-02T09:00:00Z"},
        "file": {"modified_at": "2026-11-02T09:00:00Z", "timezone": "UTC"},
        "packages": [
            {"tracking_number": tracking, "lines": [{"sku": sku, "quantity": quantity}]},
        ],
    }


def handed_over(bench: Bench) -> str:
    """Two of B at the 3PL; returns our reference."""
    bench.put("B", "jersey", 5)
    bench.shop.pages = [[woo_order(1, {"B": 2})]]
    bench.run(intake.pull_orders, "shop")
    bench.run(allocation.allocate)
    bench.run(drain.push, "bob")
    [reference] = bench.warehouse.taken
    return str(reference)


def states(bench: Bench) -> list[str]:
    with bench.store.read() as conn:
        assert invariants.check(conn) == []
        return list(conn.scalars(select(t.inbox.c.state).where(t.inbox.c.topic == "shipments")))


def test_a_shipment_is_applied_once_however_often_it_is_reported(bench: Bench) -> None:
    reference = handed_over(bench)
    bench.warehouse.shipments = [reported(reference, "s1", "1Z1", "B", "2")]
    assert bench.run(shipping.pull_shipments, "bob").counts["shipped"] == 1
    again = bench.run(shipping.pull_shipments, "bob")
    assert again.counts["unchanged"] == 1
    bench.run(drain.push, "shop")
    assert [notice.tracking_number for notice in bench.shop.notices] == ["1Z1"]
    assert states(bench) == ["mapped"]


def test_a_reference_that_is_not_ours_is_kept_counted_and_changes_nothing(bench: Bench) -> None:
    handed_over(bench)
    bench.warehouse.shipments = [reported("SOMEBODY-ELSE", "s9", "1Z9", "B", "2")]
    assert bench.run(shipping.pull_shipments, "bob").counts["not_ours"] == 1
    assert states(bench) == ["ignored"]


def test_a_tracking_number_that_comes_later_is_told_then(bench: Bench) -> None:
    reference = handed_over(bench)
    bench.warehouse.shipments = [reported(reference, "s1", "", "B", "2")]
    bench.run(shipping.pull_shipments, "bob")
    bench.run(drain.push, "shop")
    assert bench.shop.notices == []
    bench.warehouse.shipments = [reported(reference, "s1", "1Z1", "B", "2")]
    bench.run(shipping.pull_shipments, "bob")
    bench.run(drain.push, "shop")
    assert [notice.tracking_number for notice in bench.shop.notices] == ["1Z1"]
    assert bench.shop.notices[0].complete
    assert states(bench) == ["mapped", "mapped"]


@pytest.mark.parametrize("number", ["", "1ZMASTER"])
def test_parcels_of_one_shipment_may_have_one_number_or_none(bench: Bench, number: str) -> None:
    reference = handed_over(bench)
    bench.warehouse.shipments = [in_parcels(reference, number, number)]
    for again in (False, True):
        if again:
            # As it comes when the file was written once more: another payload, the same goods.
            bench.warehouse.shipments[0]["file"]["modified_at"] = "2026-11-02T09:30:00Z"
        assert bench.run(shipping.pull_shipments, "bob").counts["shipped"] == 1
        assert parcels(bench) == [(1, number), (2, number)]
        bench.run(drain.push, "shop")
    assert states(bench) == ["mapped", "mapped"]
    told = bench.shop.notices
    assert [one.tracking_number for one in told] == [number for _ in range(2) if number]
    assert len({one.package_reference for one in told}) == len(told)
    with bench.store.read() as conn:
        [level] = conn.execute(select(t.inventory_level.c.on_hand, t.inventory_level.c.reserved))
        assert tuple(level) == (3, 0)
        assert orders.lines(conn, [1])[1][0].qty_shipped == 2


@pytest.mark.parametrize(
    "numbers", [[("1Z1", "1Z1")], [("1Z1", ""), ("1Z1", "1Z1")], [("1Z1", ""), ("1Z1", "1Z2")]]
)
def test_parcels_without_a_number_get_theirs_later(
    bench: Bench, numbers: list[tuple[str, str]]
) -> None:
    reference = handed_over(bench)
    for pair in [("", ""), *numbers, numbers[-1]]:
        bench.warehouse.shipments.append(in_parcels(reference, *pair))
        bench.run(shipping.pull_shipments, "bob")
        bench.run(drain.push, "shop")
    assert [number for _, number in parcels(bench)] == [*numbers[-1]]
    told = bench.shop.notices
    assert [one.tracking_number for one in told] == [*numbers[-1]]
    assert len({one.package_reference for one in told}) == 2
    assert [one.complete for one in told][-1]
    with bench.store.read() as conn:
        assert history.open_holds(conn, [1]) == {}


def test_a_parcel_has_its_place_in_a_shipment_to_itself(bench: Bench) -> None:
    """Whatever reports a shipment twice, the database takes each of its parcels once."""
    reference = handed_over(bench)
    bench.warehouse.shipments = [in_parcels(reference, "1Z1", "1Z2")]
    bench.run(shipping.pull_shipments, "bob")
    twice = {"shipment_id": 1, "seq": 2, "package_reference": "9", "tracking_number": "1Z3"}
    with pytest.raises(IntegrityError), bench.store.write() as conn:
        conn.execute(insert(t.package).values(twice))


def in_parcels(reference: str, *numbers: str) -> dict[str, Any]:
    """One of B in each parcel."""
    body = reported(reference, "s1", "", "B", "1")
    [parcel] = body["packages"]
    body["packages"] = [{**parcel, "tracking_number": number} for number in numbers]
    return body


def parcels(bench: Bench) -> list[tuple[int, str]]:
    package = t.package.c
    with bench.store.read() as conn:
        rows = conn.execute(select(package.seq, package.tracking_number).order_by(package.id))
        return [(row.seq, row.tracking_number) for row in rows]


def test_a_report_that_cannot_be_read_is_parked_and_the_rest_goes_on(bench: Bench) -> None:
    reference = handed_over(bench)
    broken = reported(reference, "s0", "1Z0", "B", "many")
    bench.warehouse.shipments = [broken, reported(reference, "s1", "1Z1", "B", "2")]
    counts = bench.run(shipping.pull_shipments, "bob").counts
    assert (counts["parked"], counts["shipped"]) == (1, 1)
    assert sorted(states(bench)) == ["mapped", "parked"]


def test_a_report_that_cannot_be_booked_is_parked_and_the_others_go_on(bench: Bench) -> None:
    """The location ships what was cancelled, and what it took is reserved for somebody else."""
    bench.put("B", "jersey", 3)
    bench.shop.pages = [[woo_order(1, {"B": 2})]]
    bench.run(intake.pull_orders, "shop")
    bench.run(allocation.allocate)
    bench.run(drain.push, "bob")
    (first,) = bench.warehouse.taken
    gone = woo_order(1, {"B": 2}, status="cancelled", date_modified_gmt="2026-11-02T07:30:00")
    bench.shop.pages.append([gone, woo_order(2, {"B": 3})])
    bench.run(intake.pull_orders, "shop", cursor={"n": 1})
    for _ in range(2):
        bench.run(drain.push, "bob")
        bench.run(allocation.allocate)
    bench.run(drain.push, "bob")
    (second,) = set(bench.warehouse.taken) - {first}
    bench.warehouse.shipments = [
        reported(first, "s1", "1Z1", "B", "2"),
        reported(second, "s2", "1Z2", "B", "1"),
    ]
    run = bench.run(shipping.pull_shipments, "bob")
    assert (run.counts["parked"], run.counts["shipped"]) == (1, 1)
    with bench.store.read() as conn:
        (row,) = inbox.parked(conn, topic="shipments")
        assert "cannot be booked" in row.problems[0]["message"]
        assert invariants.check(conn) == []
    with bench.store.write() as conn:
        told, _ = parked.retry(conn, bench.hub, bench.hub.links["bob"])
    assert (told["records"], told["records_mapped"]) == (1, 0), "still parked, and nothing broke"
