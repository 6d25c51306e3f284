"""Orders for bundles, from the channel to the channel: components in work, bundles in the order."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from pathlib import Path

import httpx
from sqlalchemy import select

from mappings import Definitions
from mappings import canonical as c
from state import fulfilment, history
from state import tables as t
from sync import allocation, drain
from tests.connectors import test_shipbob_shipengine_contract as contracts
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
from tests.sync.conftest import Bench


def asked_of_3pl(bench: Bench) -> list[tuple[str, str, int, int]]:
    [request] = bench.warehouse.taken.values()
    return [(line.sku, line.title, int(line.quantity), line.unit_price) for line in request.lines]


def test_the_story_of_an_order_for_a_bundle_and_one_of_its_components(
    bench: Bench, specs: Path, definitions: Definitions
) -> None:
    reference = handed_over(bench, {"SET": 2, "A": 1})
    assert counters(bench) == {"SET": (0, 2, 0, 0), "A": (0, 1, 0, 0)}
    assert reserved(bench) == {"A": 5, "B": 2}
    # A bundle for 10.00 of three pieces: 3.33 each.
    assert asked_of_3pl(bench) == [
        ("A", "Thing A", 1, 1000),
        ("A", "Thing A", 4, 333),
        ("B", "Thing B", 2, 333),
    ]
    [request] = bench.warehouse.taken.values()
    in_contract(specs, definitions, request)

    report(bench, reference, "s1", parcel("1Z1", A=3, B=1))
    # A whole set first, then what was ordered by itself.
    assert counters(bench) == {"SET": (0, 1, 1, 0), "A": (0, 0, 1, 0)}
    report(bench, reference, "s2", parcel("1Z2", A=2, B=1))
    assert counters(bench) == {"SET": (0, 0, 2, 0), "A": (0, 0, 1, 0)}
    assert told(bench) == [
        ("1Z1", [("SET", "101", 1), ("A", "102", 1)], False),
        ("1Z2", [("SET", "101", 1)], True),
    ]
    assert reserved(bench) == {"A": 0, "B": 0}
    with bench.store.read() as conn:
        assert conn.scalar(select(t.sales_order.c.intake_state)) == "closed"


def in_contract(specs: Path, definitions: Definitions, request: c.FulfilmentRequest) -> None:
    check = contracts._checker(specs / "shipbob/openapi/openapi-2026-01.json", "/shipbob")
    context = {"shipping_method": "Standard", "location_id": None}
    body = definitions["shipbob.fulfilment_orders"].render(request, context)
    assert [(one["reference_id"], one["quantity"]) for one in body["products"]] == [
        ("A", 1),
        ("A", 4),
        ("B", 2),
    ]
    url = "https://sandbox.test/shipbob/2026-01/order"
    headers = {"shipbob_channel_id": "1", "Authorization": "Bearer x"}
    check(httpx.Request("POST", url, json=body, headers=headers))


def test_a_bundle_counts_with_the_parcel_that_completes_it(bench: Bench) -> None:
    reference = handed_over(bench, {"SET": 2})
    report(bench, reference, "s1", parcel("1Z1", A=4))
    assert counters(bench) == {"SET": (0, 2, 0, 0)}
    assert told(bench) == [], "the channel knows no half sets"
    assert work(bench) == [("jersey", "part_shipped", {"A": 0, "B": 2})]
    report(bench, reference, "s2", parcel("1Z2", B=1))
    assert counters(bench) == {"SET": (0, 1, 1, 0)}
    report(bench, reference, "s2", parcel("1Z2", B=1))
    assert counters(bench) == {"SET": (0, 1, 1, 0)}, "a repeat changes nothing"
    report(bench, reference, "s3", parcel("1Z3", B=1))
    assert counters(bench) == {"SET": (0, 0, 2, 0)}
    assert told(bench) == [
        ("1Z2", [("SET", "101", 1)], False),
        ("1Z3", [("SET", "101", 1)], True),
    ]


def test_a_location_may_report_the_bundle_by_its_own_sku_or_tell_no_contents(bench: Bench) -> None:
    reference = handed_over(bench, {"SET": 2, "A": 1})
    report(bench, reference, "s1", parcel("1Z1", SET=1))
    assert counters(bench) == {"SET": (0, 1, 1, 0), "A": (0, 1, 0, 0)}
    report(bench, reference, "s2", parcel("1Z2"))
    assert counters(bench) == {"SET": (0, 0, 2, 0), "A": (0, 0, 1, 0)}


def test_a_label_is_bought_for_the_weight_of_the_parts_and_the_price_of_the_bundle(
    bench: Bench,
) -> None:
    define(bench)
    for sku in "AB":
        bench.put(sku, "berlin", 9)
    ordered(bench, {"SET": 2, "A": 1})
    bench.run(allocation.allocate)
    with bench.store.read() as conn:
        body = conn.scalar(select(t.intent.c.body).where(t.intent.c.kind == "label"))
    assert body is not None
    assert (body["weight_g"], body["customs_value"]) == (7 * 200, 3 * 1000)
    bench.run(drain.push, "labels")
    bench.run(drain.push, "shop")
    assert counters(bench) == {"SET": (0, 0, 2, 0), "A": (0, 0, 1, 0)}
    assert told(bench) == [("TRACK1", [("SET", "101", 2), ("A", "102", 1)], True)]


def test_faults_row_72_with_a_component_short_nothing_of_the_bundle_is_planned(
    bench: Bench,
) -> None:
    define(bench)
    bench.put("A", "berlin", 9)
    bench.put("B", "jersey", 9)
    ordered(bench, {"SET": 1})
    bench.run(allocation.allocate)
    assert work(bench) == []
    assert reserved(bench) == {"A": 0, "B": 0}
    bench.put("B", "berlin", 1)
    bench.run(allocation.allocate)
    assert [(place, left) for place, _, left in work(bench)] == [("berlin", {"A": 2, "B": 1})]
    assert counters(bench) == {"SET": (0, 1, 0, 0)}


def test_lessons_row_6_a_bundle_and_a_line_for_its_component_share_what_there_is(
    bench: Bench,
) -> None:
    """Either alone could be served: the set takes two of A, the line two, and there are three."""
    define(bench)
    bench.put("A", "jersey", 3)
    bench.put("B", "jersey", 9)
    ordered(bench, {"SET": 1, "A": 2})
    bench.run(allocation.allocate)
    assert reserved(bench)["A"] <= 3
    assert sorted(counters(bench).values()) in (
        [(0, 0, 0, 0), (0, 2, 0, 0)],
        [(0, 1, 0, 0), (0, 1, 0, 0)],
    )


def unreleased(bench: Bench) -> None:
    bench.hub = dataclasses.replace(
        bench.hub, policy=dataclasses.replace(bench.hub.policy, release_after_s=3600)
    )


def test_an_edit_takes_whole_bundles_out_of_planned_work(bench: Bench) -> None:
    define(bench)
    unreleased(bench)
    for sku in "AB":
        bench.put(sku, "jersey", 20)
    ordered(bench, {"SET": 3, "A": 1})
    bench.run(allocation.allocate)
    assert counters(bench) == {"SET": (3, 0, 0, 0), "A": (1, 0, 0, 0)}
    ordered(bench, {"SET": 1, "A": 1}, date_modified_gmt="2026-11-02T07:30:00")
    assert counters(bench) == {"SET": (1, 0, 0, 0), "A": (1, 0, 0, 0)}
    assert work(bench) == [("jersey", "planned", {"A": 3, "B": 1})]
    assert reserved(bench) == {"A": 3, "B": 1}


def test_a_cancelled_order_gives_all_components_back(bench: Bench) -> None:
    handed_over(bench, {"SET": 2, "A": 1})
    ordered(bench, {"SET": 2, "A": 1}, status="cancelled", date_modified_gmt="2026-11-02T07:30:00")
    bench.run(drain.push, "bob")
    assert counters(bench) == {"SET": (0, 0, 0, 2), "A": (0, 0, 0, 1)}
    assert reserved(bench) == {"A": 0, "B": 0}


def test_a_cancellation_after_part_has_left_cancels_the_whole_bundles_that_have_not(
    bench: Bench,
) -> None:
    reference = handed_over(bench, {"SET": 3})
    report(bench, reference, "s1", parcel("1Z1", A=2, B=1))
    ordered(bench, {"SET": 3}, status="cancelled", date_modified_gmt="2026-11-02T07:30:00")
    bench.run(drain.push, "bob")
    assert counters(bench) == {"SET": (0, 0, 1, 2)}
    assert reserved(bench) == {"A": 0, "B": 0}


def test_a_refused_bundle_goes_to_another_location_whole(bench: Bench) -> None:
    define(bench)
    for sku in "AB":
        bench.put(sku, "jersey", 4)
    ordered(bench, {"SET": 1})
    bench.run(allocation.allocate)
    for sku in "AB":
        bench.put(sku, "berlin", 4)
    bench.warehouse.answers = [{"status": "rejected", "message": "full"}]
    bench.run(drain.push, "bob")
    assert reserved(bench) == {"A": 0, "B": 0}
    bench.run(allocation.allocate)
    assert [(place, left) for place, _, left in work(bench)][-1] == ("berlin", {"A": 2, "B": 1})
    assert counters(bench) == {"SET": (0, 1, 0, 0)}


def test_a_short_pick_has_whole_bundles_planned_anew(bench: Bench) -> None:
    reference = handed_over(bench, {"SET": 3})
    for sku in "AB":
        bench.put(sku, "berlin", 9)
    report(bench, reference, "s1", parcel("1Z1", A=4, B=2))
    report(bench, reference, "x", state="cancelled")
    assert counters(bench) == {"SET": (0, 0, 2, 0)}
    assert held(bench) == {}
    bench.run(allocation.allocate)
    assert work(bench)[-1][0::2] == ("berlin", {"A": 2, "B": 1})
    bench.run(drain.push, "labels")
    bench.run(drain.push, "shop")
    assert counters(bench) == {"SET": (0, 0, 3, 0)}
    assert sum(lines[0][2] for _, lines, _ in told(bench)) == 3


def test_a_bundle_of_which_a_part_has_left_alone_waits_for_a_person(bench: Bench) -> None:
    reference = handed_over(bench, {"SET": 2})
    for sku in "AB":
        bench.put(sku, "berlin", 9)
    report(bench, reference, "s1", parcel("1Z1", A=4, B=1))
    report(bench, reference, "x", state="cancelled")
    assert counters(bench) == {"SET": (0, 0, 1, 0)}
    assert held(bench)["manual"].reason == (
        f"{reference} has sent 2 A of SET without the rest of the bundle"
    )
    bench.run(allocation.allocate)
    assert len(work(bench)) == 1, "nothing is planned before somebody has looked"
    with bench.store.write() as conn:
        history.release_holds(conn, 1, ["manual"], "a person", bench.clock.now())
    bench.run(allocation.allocate)
    assert work(bench)[-1][0::2] == ("berlin", {"A": 2, "B": 1})
    bench.run(drain.push, "labels")
    assert counters(bench) == {"SET": (0, 0, 2, 0)}


def test_the_missing_part_may_still_come_after_the_work_was_ended(bench: Bench) -> None:
    reference = handed_over(bench, {"SET": 1})
    report(bench, reference, "s1", parcel("1Z1", A=2))
    report(bench, reference, "x", state="cancelled")
    assert "manual" in held(bench)
    report(bench, reference, "s2", parcel("1Z2", B=1))
    assert counters(bench) == {"SET": (0, 0, 1, 0)}
    assert told(bench) == [("1Z2", [("SET", "101", 1)], True)]


def test_work_keeps_the_components_it_was_planned_with(bench: Bench) -> None:
    reference = handed_over(bench, {"SET": 2})
    define(bench, A=1, C=5)
    report(bench, reference, "s1", parcel("1Z1", A=2, B=1))
    assert counters(bench) == {"SET": (0, 1, 1, 0)}
    report(bench, reference, "s2", parcel("1Z2", A=2, B=1))
    assert counters(bench) == {"SET": (0, 0, 2, 0)}
    with bench.store.read() as conn:
        [(_, lines)] = fulfilment.lines_of(conn, [1]).items()
    assert {line.sku: line.per_bundle for line in lines} == {"A": Decimal(2), "B": Decimal(1)}
