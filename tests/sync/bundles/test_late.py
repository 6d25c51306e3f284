"""Bundles that leave too late, half, or too many: whole ones are booked, halves stop nothing."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from state import history, overshipments
from state import tables as t
from sync import allocation, drain
from tests.sync.bundles.setting import (
    counters,
    define,
    handed_over,
    held,
    ordered,
    parcel,
    report,
    reserved,
    told,
    work,
)
from tests.sync.bundles.test_orders import unreleased
from tests.sync.conftest import Bench

# What differs between the databases is in test_orders and test_hand_over.
pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


def rerouted(
    bench: Bench, lines: dict[str, int], *, askable: bool = False, planned: bool = False
) -> str:
    """The 3PL has taken the work and stops it, another location gets it; returns its reference.

    ``askable``: the other location is one that can be asked to stop, too. ``planned``: it does not
    know of its work yet.
    """
    late = handed_over(bench, lines)
    if planned:
        unreleased(bench)
    if askable:
        with bench.store.write() as conn:
            conn.execute(t.location.update().values(connection_id=bench.hub.links["bob"].id))
    for sku in "AB":
        bench.put(sku, "berlin", 20)
    report(bench, late, "c1", state="cancelled")
    bench.run(allocation.allocate)
    return late


def over(bench: Bench) -> dict[str, int]:
    """Pieces that left and that the order has no room for, by SKU."""
    with bench.store.read() as conn:
        found: dict[str, int] = {}
        for row in overshipments.of_order(conn, 1):
            found[row.sku] = found.get(row.sku, 0) + int(row.qty_over)
        return found


def on_hand(bench: Bench, place: str) -> dict[str, int]:
    level = t.inventory_level.c
    query = (
        select(t.sku.c.code, level.on_hand)
        .join(t.sku, t.sku.c.id == level.sku_id)
        .where(level.location_id == bench.places[place])
    )
    with bench.store.read() as conn:
        return {code: int(qty) for code, qty in conn.execute(query)}


def free(bench: Bench) -> None:
    with bench.store.write() as conn:
        history.release_holds(conn, 1, ["manual"], "a person", bench.clock.now())


def test_a_late_bundle_takes_its_replacement_back(bench: Bench) -> None:
    late = rerouted(bench, {"SET": 2})
    assert [one[:2] for one in work(bench)] == [("jersey", "cancelled"), ("berlin", "open")]
    report(bench, late, "s1", parcel("1Z1", A=4, B=2))
    assert [one[:2] for one in work(bench)] == [("jersey", "late_shipped"), ("berlin", "cancelled")]
    assert counters(bench) == {"SET": (0, 0, 2, 0)}
    assert (over(bench), held(bench), reserved(bench)) == ({}, {}, {"A": 0, "B": 0})
    assert on_hand(bench, "jersey") == {"A": 16, "B": 18}
    assert told(bench) == [("1Z1", [("SET", "101", 2)], True)]


def test_one_late_bundle_of_two_leaves_the_planned_replacement_of_the_other(bench: Bench) -> None:
    late = rerouted(bench, {"SET": 2}, planned=True)
    report(bench, late, "s1", parcel("1Z1", A=3, B=1))
    assert counters(bench) == {"SET": (1, 0, 1, 0)}
    assert work(bench)[-1] == ("berlin", "planned", {"A": 2, "B": 1})
    assert over(bench) == {"A": 1}
    assert held(bench)["manual"].reason.startswith("more left than the order is for: 1 x A")


def test_half_a_late_bundle_stops_no_replacement(bench: Bench) -> None:
    """A whole set is still to come from elsewhere, however often the order is looked at."""
    late = rerouted(bench, {"SET": 1}, askable=True)
    report(bench, late, "s1", parcel("1Z1", A=2))
    assert (over(bench), told(bench)) == ({"A": 2}, [])
    assert "2 x A from jersey" in held(bench)["manual"].reason
    free(bench)
    for _ in range(2):
        bench.run(allocation.allocate)
        bench.run(drain.push, "bob")
    assert bench.warehouse.cancelled == []
    assert work(bench)[-1][:2] == ("berlin", "in_progress")
    again = list(bench.warehouse.taken)[-1]
    report(bench, again, "s2", parcel("1Z2", A=2, B=1))
    assert counters(bench) == {"SET": (0, 0, 1, 0)}
    assert told(bench) == [("1Z2", [("SET", "101", 1)], True)]


def test_the_late_other_half_makes_the_replacement_superfluous(bench: Bench) -> None:
    late = rerouted(bench, {"SET": 1}, askable=True)
    bench.run(drain.push, "bob")
    report(bench, late, "s1", parcel("1Z1", A=2))
    report(bench, late, "s2", parcel("1Z2", B=1))
    bench.run(drain.push, "bob")
    assert len(bench.warehouse.cancelled) == 1
    bench.run(drain.push, "shop")
    assert counters(bench) == {"SET": (0, 0, 1, 0)}
    assert told(bench) == [("1Z2", [("SET", "101", 1)], True)]


@pytest.mark.parametrize(
    ("alone", "parcels"), [("A", ({"A": 2, "B": 1},)), ("B", ({"A": 2}, {"B": 1}))]
)
def test_late_parts_are_of_the_bundle_they_complete_before_they_are_of_their_own_line(
    bench: Bench, alone: str, parcels: tuple[dict[str, int], ...]
) -> None:
    late = rerouted(bench, {"SET": 1, alone: 1})
    for number, goods in enumerate(parcels):
        report(bench, late, f"s{number}", parcel(f"1Z{number}", **goods))
    assert over(bench) == {}
    assert counters(bench)["SET"] == (0, 0, 1, 0)
    free(bench)
    bench.run(allocation.allocate)
    assert {sku for sku, qty in reserved(bench).items() if qty} == {alone}, "what has not left"


def test_a_surplus_bundle_is_told_and_not_planned_when_more_is_ordered(bench: Bench) -> None:
    reference = handed_over(bench, {"SET": 1})
    report(bench, reference, "s1", parcel("1Z1", A=2, B=1))
    report(bench, reference, "s2", parcel("1Z2", A=2, B=1))
    assert (counters(bench), over(bench)) == ({"SET": (0, 0, 1, 0)}, {"A": 2, "B": 1})
    assert "2 x A from jersey" in held(bench)["manual"].reason
    assert [number for number, _, _ in told(bench)] == ["1Z1"]
    free(bench)
    ordered(bench, {"SET": 2}, date_modified_gmt="2026-11-02T07:30:00")
    bench.run(allocation.allocate)
    bench.run(drain.push, "shop")
    assert (counters(bench), over(bench)) == ({"SET": (0, 0, 2, 0)}, {})
    assert len(work(bench)) == 1, "what has left is never planned again"
    assert [number for number, _, _ in told(bench)] == ["1Z1", "1Z2"]


def test_a_surplus_bundle_takes_back_the_one_planned_elsewhere(bench: Bench) -> None:
    """Also where its parts were ordered by themselves, too, and these have left."""
    define(bench)
    bench.put("A", "jersey", 3)
    bench.put("B", "jersey", 1)
    ordered(bench, {"SET": 2, "A": 1})
    bench.run(allocation.allocate)
    bench.run(drain.push, "bob")
    unreleased(bench)
    bench.put("A", "berlin", 2)
    bench.put("B", "berlin", 1)
    bench.run(allocation.allocate)
    assert [one[:2] for one in work(bench)] == [("jersey", "in_progress"), ("berlin", "planned")]
    for sku in "AB":
        bench.put(sku, "jersey", 9)
    [reference] = bench.warehouse.taken
    report(bench, reference, "s1", parcel("1Z1", A=5, B=2))
    assert counters(bench) == {"SET": (0, 0, 2, 0), "A": (0, 0, 1, 0)}
    assert (over(bench), held(bench)) == ({}, {})
    assert work(bench)[-1][:2] == ("berlin", "cancelled")


def test_a_late_bundle_comes_back_as_shipped_when_the_channel_had_cancelled_it(
    bench: Bench,
) -> None:
    reference = handed_over(bench, {"SET": 2})
    report(bench, reference, "s1", parcel("1Z1", A=2, B=1))
    ordered(bench, {"SET": 2}, status="cancelled", date_modified_gmt="2026-11-02T07:30:00")
    bench.run(drain.push, "bob")
    assert counters(bench) == {"SET": (0, 0, 1, 1)}
    report(bench, reference, "s2", parcel("1Z2", A=2))
    assert (counters(bench), over(bench)) == ({"SET": (0, 0, 1, 1)}, {"A": 2})
    report(bench, reference, "s3", parcel("1Z3", B=1))
    assert (counters(bench), over(bench)) == ({"SET": (0, 0, 2, 0)}, {})
    assert held(bench)["manual"].reason.startswith("shipped after it was cancelled")


def test_of_an_edit_downwards_after_the_hand_over_whole_bundles_come_back(bench: Bench) -> None:
    reference = handed_over(bench, {"SET": 3})
    report(bench, reference, "s1", parcel("1Z1", A=4, B=1))
    ordered(bench, {"SET": 2}, date_modified_gmt="2026-11-02T07:30:00")
    assert counters(bench) == {"SET": (0, 2, 1, 0)}
    report(bench, reference, "c1", state="cancelled")
    assert counters(bench) == {"SET": (0, 0, 1, 1)}, "the channel wants one less"
    report(bench, reference, "s2", parcel("1Z2", B=2))
    bench.run(allocation.allocate)
    assert counters(bench) == {"SET": (0, 0, 2, 1)}
    assert over(bench) == {"B": 1}


def test_a_recalled_hand_over_is_written_anew_with_the_same_pieces(bench: Bench) -> None:
    define(bench)
    for sku in "AB":
        bench.put(sku, "jersey", 20)
    ordered(bench, {"SET": 2, "A": 1})
    bench.run(allocation.allocate)
    shipping = {
        "first_name": "New",
        "last_name": "Name",
        "address_1": "1 St",
        "city": "Jersey City",
    }
    shipping |= {"state": "NJ", "postcode": "07302", "country": "US"}
    before = counters(bench)
    ordered(
        bench,
        {"SET": 2, "A": 1},
        shipping=shipping,
        date_modified_gmt="2026-11-02T07:30:00",
    )
    bench.run(allocation.allocate)
    assert counters(bench) == before
    bench.run(drain.push, "bob")
    [request] = bench.warehouse.taken.values()
    assert sorted((one.sku, int(one.quantity)) for one in request.lines) == [
        ("A", 1),
        ("A", 4),
        ("B", 2),
    ]
    assert reserved(bench) == {"A": 5, "B": 2}
