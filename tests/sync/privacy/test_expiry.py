"""Personal data goes by itself when its time is over, and not before."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from mappings import canonical as c
from state import inbox
from state import tables as t
from state.personal import retention
from state.personal.places import ADDRESS
from state.personal.retention import Keep
from sync import invariants
from sync.privacy import expiry
from tests.sync.conftest import Bench
from tests.sync.privacy.buyers import canaries, order_of, shipped, take

ON_SQLITE = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
KEEP = Keep(timedelta(days=30), timedelta(days=60))


@pytest.fixture
def kept(bench: Bench) -> Bench:
    """The shop's vendor lets us keep personal data for 30 days after delivery."""
    bench.hub = replace(bench.hub, keeps={bench.hub.links["shop"].id: KEEP})
    return bench


def delivered(bench: Bench, number: int, at: datetime) -> None:
    ffo = select(t.fulfilment_order.c.id).where(t.fulfilment_order.c.order_id == number)
    with bench.store.write() as conn:
        conn.execute(
            update(t.shipment)
            .where(t.shipment.c.ffo_id.in_(ffo))
            .values(state="delivered", delivered_at=at)
        )


def after(bench: Bench, days: float) -> Any:
    """Let so many days pass and run the job; what it counted."""
    bench.clock.advance(timedelta(days=days).total_seconds())
    return bench.run(expiry.expire).counts


def late(bench: Bench) -> list[str]:
    with bench.store.read() as conn:
        link = bench.hub.links["shop"]
        found = expiry.violations(conn, {link.id: KEEP}, bench.clock.now())
        return [violation.detail for violation in found]


def test_threat_t23_thirty_days_after_delivery_it_is_gone_and_not_a_day_before(kept: Bench) -> None:
    shipped(kept, 1, 2)
    delivered(kept, 1, kept.clock.now())
    assert after(kept, 29) == {}
    assert canaries(kept.store, 1)
    assert after(kept, 2) == {"orders": 1}
    assert canaries(kept.store, 1) == []
    assert canaries(kept.store, 2), "it was never delivered: 60 days after its last change"
    assert after(kept, 28) == {}
    assert after(kept, 2) == {"orders": 1}
    assert canaries(kept.store, 1, 2) == []
    with kept.store.read() as conn:
        assert invariants.check(conn) == []
        actions = list(conn.scalars(select(t.audit_event.c.action)))
    assert actions == ["expire_personal_data"] * 2
    assert after(kept, 100) == {}, "once is enough"


@ON_SQLITE
def test_one_parcel_that_is_still_under_way_keeps_the_address(kept: Bench) -> None:
    shipped(kept, 1)
    with kept.store.write() as conn:
        row = conn.execute(select(t.shipment)).one()
        second = {**row._mapping, "id": row.id + 1, "external_id": "L2"}
        conn.execute(t.shipment.insert().values(second))
        conn.execute(
            update(t.shipment)
            .where(t.shipment.c.id == row.id)
            .values(delivered_at=kept.clock.now(), state="delivered")
        )
    assert after(kept, 31) == {}
    assert after(kept, 30) == {"orders": 1}


@ON_SQLITE
def test_an_open_order_keeps_its_address_and_is_told_of(kept: Bench) -> None:
    take(kept, order_of(1, {"A": 1}))
    assert after(kept, 62) == {"still_open": 1}
    assert canaries(kept.store, 1)
    assert "not yet shipped" in late(kept)[0]


@ON_SQLITE
def test_the_audit_finds_what_the_job_has_left(kept: Bench) -> None:
    shipped(kept, 1)
    delivered(kept, 1, kept.clock.now())
    kept.clock.advance(timedelta(days=30, hours=23).total_seconds())
    assert late(kept) == [], "the job runs once a day"
    kept.clock.advance(timedelta(hours=2).total_seconds())
    assert late(kept) == ["its personal data was to go by 2026-12-02: nothing needs it any more"]
    after(kept, 0)
    assert late(kept) == []


@ON_SQLITE
def test_without_a_bound_everything_stays(bench: Bench) -> None:
    shipped(bench, 1)
    delivered(bench, 1, bench.clock.now())
    assert after(bench, 4000) == {}
    assert canaries(bench.store, 1)


@ON_SQLITE
def test_a_dry_run_counts_and_erases_nothing(kept: Bench) -> None:
    shipped(kept, 1)
    kept.clock.advance(timedelta(days=61).total_seconds())
    with kept.store.read() as conn:
        [one] = retention.held(conn, kept.hub.links["shop"].id, KEEP, kept.clock.now())
    assert one.order_id == 1
    assert canaries(kept.store, 1)


def test_payloads_that_never_became_orders_go_too_but_parked_ones_wait(kept: Bench) -> None:
    take(kept, order_of(1, {"A": 1}, total="many"), order_of(2, {"A": 1}, total="many"))
    with kept.store.write() as conn:
        inbox.settle(conn, [1], "ignored")
    assert after(kept, 59) == {}
    assert after(kept, 2) == {"payloads": 1}
    assert canaries(kept.store, 1) == []
    assert canaries(kept.store, 2), "somebody has to look at it first"
    with kept.store.read() as conn:
        assert conn.scalar(select(func.count()).where(t.inbox.c.state == "parked")) == 1


@ON_SQLITE
def test_what_was_erased_is_counted_apart(kept: Bench) -> None:
    shipped(kept, 1, 2)
    delivered(kept, 1, kept.clock.now())
    link = kept.hub.links["shop"]
    with kept.store.read() as conn:
        coming = retention.next_until(conn, link.id, KEEP, kept.clock.now())
    assert coming == kept.clock.now() + KEEP.after_delivery
    after(kept, 31)
    with kept.store.read() as conn:
        assert retention.count(conn) == {link.id: (1, 1)}


@ON_SQLITE
def test_what_was_old_when_it_came_does_not_stay_as_if_it_were_new(kept: Bench) -> None:
    old = {"date_modified_gmt": "2026-08-01T07:00:00", "date_created_gmt": "2026-08-01T07:00:00"}
    take(kept, order_of(1, {"A": 1}, status="completed", **old))
    assert after(kept, 0) == {"orders": 1}


def test_every_field_of_an_address_but_the_country_is_personal() -> None:
    assert {*ADDRESS, "country"} == {*c.Address.__struct_fields__}
