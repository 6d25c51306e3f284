"""Tracking: every parcel is asked for, whatever becomes of the question about another one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from connectors.base import Finding, Tracked
from connectors.errors import Rejected, Retryable, Unreachable, VendorDown
from mappings import canonical as c
from state import tables as t
from sync import allocation, drain, intake, tracking
from tests.sync.conftest import T0, Bench, JobRun, woo_order

DELIVERED = c.TrackingEvent(code="delivered", occurred_at=T0 + timedelta(hours=1))


class Carrier:
    """Three parcels on their way, and what asking for each ends with; else it is delivered."""

    def __init__(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        self.trouble: dict[str, Exception] = {}
        self.told: dict[str, Tracked] = {}
        self.asked: list[str] = []
        monkeypatch.setattr(bench.carrier, "track", self.track, raising=False)

    def track(self, external_id: str) -> Tracked:
        self.asked.append(external_id)
        if external_id in self.trouble:
            raise self.trouble[external_id]
        return self.told.get(external_id, Tracked([DELIVERED]))


@pytest.fixture
def carrier(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Carrier:
    bench.put("A", "berlin", 9)
    bench.shop.pages.append([woo_order(n, {"A": 1}) for n in (1, 2, 3)])
    bench.run(intake.pull_orders, "shop")
    bench.run(allocation.allocate)
    bench.run(drain.push, "labels")
    return Carrier(bench, monkeypatch)


def delivered(bench: Bench) -> list[str]:
    of = select(t.shipment.c.external_id).where(t.shipment.c.state == "delivered")
    with bench.store.read() as conn:
        return sorted(conn.scalars(of))


def broken_off(bench: Bench, trouble: type[Retryable], run: JobRun) -> JobRun:
    with pytest.raises(trouble):
        tracking.track(bench.hub, run)
    return run


def test_a_parcel_that_cannot_be_followed_is_told_and_the_others_go_on(
    bench: Bench, carrier: Carrier
) -> None:
    carrier.trouble["L1"] = Rejected("answered 404 (not found): gone", "invalid_identifier", 404)
    with capture_logs() as logs:
        run = bench.run(tracking.track, "labels")
    assert delivered(bench) == ["L2", "L3"]
    assert run.counts == {"untracked": 1, "events": 2}
    (line,) = [line for line in logs if line["event"] == "parcel not tracked"]
    assert line["subject"] == "label L1"
    assert "gone" in line["detail"]


def test_an_event_that_cannot_be_read_is_told_and_the_others_count(
    bench: Bench, carrier: Carrier
) -> None:
    unread = Finding("an event of label L1", False, "occurred_at: missing", "look")
    carrier.told["L1"] = Tracked([DELIVERED], [unread])
    with capture_logs() as logs:
        run = bench.run(tracking.track, "labels")
    assert delivered(bench) == ["L1", "L2", "L3"]
    assert run.counts["unreadable"] == 1
    assert [line["detail"] for line in logs if line["event"] == "could not be read"] == [
        "occurred_at: missing"
    ]


def test_a_vendor_out_of_reach_ends_the_run_and_the_next_begins_behind_it(
    bench: Bench, carrier: Carrier
) -> None:
    carrier.trouble["L1"] = Unreachable("no answer")
    run = broken_off(bench, Unreachable, JobRun(bench.store, "labels"))
    assert carrier.asked == ["L1"]
    broken_off(bench, Unreachable, JobRun(bench.store, "labels", cursor=run.cursor))
    assert carrier.asked == ["L1", "L2", "L3", "L1"]
    assert delivered(bench) == ["L2", "L3"]


def test_what_was_not_asked_at_all_keeps_its_turn(bench: Bench, carrier: Carrier) -> None:
    carrier.trouble["L2"] = VendorDown("labels", T0, 300.0)
    run = broken_off(bench, VendorDown, JobRun(bench.store, "labels"))
    carrier.trouble.clear()
    bench.run(tracking.track, "labels", cursor=run.cursor)
    assert carrier.asked == ["L1", "L2", "L2", "L3"]
