"""What locations report of an order goes with it, whatever they call it or became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from state import inbox
from state import tables as t
from state.personal import erasing, people, places, reports
from state.personal.retention import Keep
from sync import allocation, drain, invariants, shipping
from sync.privacy import expiry
from sync.privacy.dossier import dossier
from sync.privacy.erasure import Asked, Erased, erase
from tests.sync.conftest import Bench
from tests.sync.privacy.buyers import address_of, canaries, email_of, order_of, take
from tests.sync.privacy.test_encryption import encrypt
from tests.sync.test_shipments import reported

ON_SQLITE = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
MONTH = Keep(timedelta(days=30), timedelta(days=30))
STRANGER = 7
"""The buyer of an order that others gave the location."""


@pytest.fixture
def kept(bench: Bench) -> Bench:
    """Everybody's personal data may stay for 30 days."""
    return keeping(bench, "shop", "bob", "labels")


def keeping(bench: Bench, *names: str) -> Bench:
    bench.hub = replace(bench.hub, keeps={bench.hub.links[name].id: MONTH for name in names})
    return bench


def handed_over(bench: Bench, *numbers: int) -> list[str]:
    """Orders of two A each at the 3PL; our references."""
    bench.put("A", "jersey", 2 * len(numbers))
    take(bench, *(order_of(number, {"A": 2}) for number in numbers))
    bench.run(allocation.allocate)
    bench.run(drain.push, "bob")
    return list(bench.warehouse.taken)


def cancelled(bench: Bench, number: int) -> None:
    later = {"status": "cancelled", "date_modified_gmt": "2026-11-02T07:30:00"}
    take(bench, order_of(number, {"A": 2}, **later))
    bench.run(drain.push, "bob")


def report(reference: str, key: str, state: str, number: int, quantity: str = "2") -> Any:
    """As a 3PL passes on whom it sends to."""
    found = reported(reference, key, f"T-{key}", "A", quantity)
    found["shipment"] |= {"state": state, "recipient": address_of(number)}
    return found


def tell(bench: Bench, *told: Any) -> Any:
    bench.warehouse.shipments = list(told)
    return bench.run(shipping.pull_shipments, "bob").counts


def shipped(bench: Bench) -> None:
    """An order whose reports came under four names, one of which became a shipment."""
    [reference] = handed_over(bench, 1)
    counts = tell(
        bench,
        report(reference, "K-1", "processing", 1),
        report(reference, "K-2", "exception", 1),
        report(reference, "K-3", "shipped", 1),
        report(reference, "K-4", "shipped", 1, "many"),
    )
    assert counts["parked"] == 1, "the last one cannot be read"
    bench.run(drain.push, "shop")


def after(bench: Bench, days: float) -> Any:
    bench.clock.advance(timedelta(days=days).total_seconds())
    return bench.run(expiry.expire).counts


def late(bench: Bench) -> list[str]:
    with bench.store.read() as conn:
        assert invariants.check(conn) == []
        found = expiry.violations(conn, bench.hub.keeps, bench.clock.now())
        return [f"{one.subject}: {one.detail.partition(' were to go')[0]}" for one in found]


def held(bench: Bench) -> Sequence[str]:
    """The reports whose content is still there."""
    row = t.inbox.c
    with bench.store.read() as conn:
        rows = conn.execute(select(t.inbox).where(row.topic == "shipments").order_by(row.id))
        return [one.external_id for one in rows if not inbox.is_erased(one)]


def erased(bench: Bench, number: int) -> Erased:
    asked = Asked(email_of(number), "ops", "asked by mail")
    with bench.store.write() as conn:
        done = erase(conn, people.find(conn, asked.email), asked, bench.clock.now())
    assert bench.store.wipe_traces()
    return done


def erased_of_old(bench: Bench) -> None:
    """As versions before this one erased an order: its reports by their names alone."""
    with bench.store.write() as conn:
        [order] = people.of_ids(conn, [1])
        assert len(places.payloads(conn, order)) < 5
        erasing.erase_order(conn, order, bench.clock.now(), "ops")


def test_threat_t23_reports_of_work_that_was_cancelled_expire_with_the_order(kept: Bench) -> None:
    """As ShipBob names them: by a shipment that never was one of ours."""
    [reference] = handed_over(kept, 1)
    tell(kept, report(reference, "88001", "processing", 1))
    cancelled(kept, 1)
    tell(kept, report(reference, "88001", "cancelled", 1))
    assert after(kept, 29) == {}
    assert held(kept) == ["88001", "88001"]
    assert after(kept, 2) == {"orders": 1, "payloads": 2}
    assert canaries(kept.store, 1) == []
    assert late(kept) == []
    assert after(kept, 30) == {}, "once is enough"


def test_threat_t23_every_report_of_a_shipped_order_expires_with_it(kept: Bench) -> None:
    shipped(kept)
    after(kept, 31)
    assert held(kept) == []
    assert canaries(kept.store, 1) == []
    assert late(kept) == []


def test_an_erased_report_that_comes_again_is_kept_without_its_content(kept: Bench) -> None:
    shipped(kept)
    after(kept, 31)
    counts = tell(kept, *(report("", f"K-{n}", "new to us", 1) for n in (1, 2, 3, 4)))
    assert counts["parked"] == 4, "nothing but their names tell whose they are"
    assert kept.store.wipe_traces()
    assert canaries(kept.store, 1) == []


def test_a_report_that_only_its_text_knows_after_the_erasure_goes_in_the_next_run(
    kept: Bench,
) -> None:
    [reference] = handed_over(kept, 1)
    tell(kept, report(reference, "K-1", "shipped", 1))
    kept.run(drain.push, "shop")
    after(kept, 31)
    tell(kept, report(reference, "K-9", "new to us", 1))
    assert late(kept) == [], "the job runs once a day"
    kept.clock.advance(timedelta(days=2).total_seconds())
    assert late(kept) == ["connection 2: 1 reports of orders that were erased"]
    assert after(kept, 0) == {"payloads": 1}
    assert late(kept) == []
    assert canaries(kept.store, 1) == []


def test_what_an_erasure_has_left_is_told_and_goes_even_without_any_bound(bench: Bench) -> None:
    shipped(bench)
    erased_of_old(bench)
    assert held(bench) == ["K-1", "K-2", "K-4"]
    bench.clock.advance(timedelta(days=2).total_seconds())
    assert late(bench) == ["connection 2: 3 reports of orders that were erased"]
    assert after(bench, 0) == {"payloads": 3}
    assert late(bench) == []
    assert canaries(bench.store, 1) == []


def test_reports_of_an_open_order_stay_and_its_channel_says_how_long(bench: Bench) -> None:
    keeping(bench, "bob")
    first, _ = handed_over(bench, 1, 2)
    tell(bench, report(first, "K-1", "shipped", 1))
    tell(bench, *(report(name, f"P-{name}", "processing", 2) for name in bench.warehouse.taken))
    bench.run(drain.push, "shop")
    assert after(bench, 400) == {}
    assert len(held(bench)) == 3
    assert late(bench) == [], "the shop has no bound, and order 2 is still open"
    keeping(bench, "shop", "bob")
    assert after(bench, 0)["orders"] == 1
    assert held(bench) == [f"P-{bench.warehouse.taken.popitem()[0]}"]


def test_reports_of_nobodys_work_stay_for_as_long_as_the_locations_data_may(kept: Bench) -> None:
    tell(
        kept,
        report("NOT-OURS-1", "K-77", "shipped", STRANGER),
        report("NOT-OURS-2", "K-78", "new to us", STRANGER),
    )
    assert after(kept, 29) == {}
    kept.clock.advance(timedelta(days=1.5).total_seconds())
    assert late(kept) == [], "the job runs once a day"
    kept.clock.advance(timedelta(days=1).total_seconds())
    assert late(kept) == ["connection 2: 1 reports of no order of ours"]
    assert after(kept, 0) == {"payloads": 1}
    assert late(kept) == []
    assert held(kept) == ["K-78"], "it is parked: somebody has to look at it first"


@ON_SQLITE
def test_without_a_bound_of_the_location_nobodys_reports_stay(bench: Bench) -> None:
    keeping(bench, "shop")
    tell(bench, report("NOT-OURS-1", "K-77", "shipped", STRANGER))
    assert after(bench, 4000) == {}
    assert held(bench) == ["K-77"]


@ON_SQLITE
def test_the_audit_finds_payloads_that_became_no_order(kept: Bench) -> None:
    take(kept, order_of(1, {"A": 1}, total="many"))
    with kept.store.write() as conn:
        inbox.settle(conn, [1], "ignored")
    kept.clock.advance(timedelta(days=32).total_seconds())
    assert late(kept) == ["connection 1: 1 payloads that became no order"]
    assert after(kept, 0) == {"payloads": 1}
    assert late(kept) == []


@pytest.mark.parametrize("encrypted", [False, True], ids=["in clear", "encrypted"])
def test_on_request_every_report_is_exported_and_erased(bench: Bench, *, encrypted: bool) -> None:
    if encrypted:
        encrypt(bench)
    shipped(bench)
    tell(bench, report("NOT-OURS-1", "K-77", "shipped", STRANGER))
    with bench.store.read() as conn:
        told = dossier(conn, email_of(1))
    assert told["records"] == []
    taken = [row["external_id"] for row in told["orders"][0]["data"]["inbox"]]
    assert sorted(taken) == ["1", "K-1", "K-2", "K-3", "K-4"]
    text = msgspec.json.encode(told["orders"][0]["data"]["inbox"]).decode()
    assert text.count(address_of(1)["address_1"]) == 6, "two in the order, one in each report"
    assert erased(bench, 1).places["inbox"] == 5
    assert held(bench) == ["K-77"]
    assert canaries(bench.store, 1) == []
    assert not erased(bench, 1).anything


def test_on_request_reports_of_an_order_that_is_open_stay(bench: Bench) -> None:
    [reference] = handed_over(bench, 1)
    told = report(reference, "K-1", "processing", 1)
    told["shipment"]["recipient"]["email"] = email_of(1)
    tell(bench, told)
    assert not erased(bench, 1).anything
    assert held(bench) == ["K-1"]


@pytest.mark.parametrize(
    "text",
    [
        "1001-0a1b2c3d-1",
        '{"order": {"reference_id": "1001-0a1b2c3d-1"}}',
        "ACME 1001-0a1b2c3d-1/88001",
        "ACME-1001-0a1b2c3d-1",
        "1001-0a1b2c3d-1-2",
        "x" * 100 + "-1001-0a1b2c3d-1",
        "7-12345678-12345678 1001-0a1b2c3d-1",
    ],
)
def test_a_reference_is_found_wherever_it_stands(text: str) -> None:
    assert "1001-0a1b2c3d-1" in reports.named(text)


def test_a_reference_is_found_whatever_the_channel_calls_its_order() -> None:
    for name in (
        "7-12345678-12345678-1",
        "-0a1b2c3d-12",
        "a-b-c-0a1b2c3d-3",
        "x" * 29 + "-0a1b2c3d-1",
    ):
        assert name in reports.named(f'"{name}"')


def test_what_is_no_reference_is_none() -> None:
    for text in (
        "",
        "1001",
        "1001-0A1B2C3D-1",
        "0f8fad5b-d9cb-469f-a165-70867728950e",
        "2026-11-02",
    ):
        assert reports.named(text) == set()
