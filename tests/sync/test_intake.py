"""Orders come in at least once and in any order; the store is the same in the end."""

from __future__ import annotations

import copy
from contextlib import contextmanager
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import func, select

from state import history, inbox, orders
from state import tables as t
from state.errors import Overtaken
from state.store import Store
from sync import allocation, drain, intake, invariants, outcomes, parked
from tests.sync.conftest import Bench, JobRun, woo_order

CLOCKLESS = ("id", "raw_id", "recorded_at", "edit_version", "bill_to_id", "ship_to_id")


def picture(store: Store) -> list[dict[str, Any]]:
    """Everything the channel reported, without our own numbers and times."""
    found = []
    with store.read() as conn:
        for row in conn.execute(select(t.sales_order).order_by(t.sales_order.c.channel_order_id)):
            lines = orders.lines(conn, [row.id]).get(row.id, [])
            order = {k: v for k, v in row._mapping.items() if k not in CLOCKLESS}
            order["lines"] = [
                {k: v for k, v in line._mapping.items() if k not in ("id", "order_id", "line_no")}
                for line in sorted(lines, key=lambda line: line.channel_line_id)
            ]
            order["money"] = [
                sorted(
                    (r.external_id, r.amount)
                    for r in conn.execute(select(t.refund).where(t.refund.c.order_id == row.id))
                ),
                sorted(
                    (r.kind, r.amount)
                    for r in conn.execute(
                        select(t.order_adjustment).where(t.order_adjustment.c.order_id == row.id)
                    )
                ),
            ]
            found.append(order)
    return found


def take(bench: Bench, *pages: list[dict[str, Any]]) -> JobRun:
    bench.shop.pages = list(pages)
    return bench.run(intake.pull_orders, "shop")


def versions() -> list[dict[str, Any]]:
    """Three reports of one order: placed, edited, partly refunded."""
    refunded = {"id": 7, "amount": "10.00", "reason": "damaged", "line_items": []}
    return [
        woo_order(1, {"A": 2}),
        woo_order(1, {"A": 2, "B": 1}, date_modified_gmt="2026-11-02T07:10:00"),
        woo_order(1, {"A": 1, "B": 1}, date_modified_gmt="2026-11-02T07:20:00", refunds=[refunded]),
    ]


def test_the_same_data_twice_changes_nothing(bench: Bench) -> None:
    page = [woo_order(1, {"A": 2}), woo_order(2, {"B": 1})]
    take(bench, page)
    before = picture(bench.store)
    run = take(bench, page)
    assert picture(bench.store) == before
    assert run.counts == {"read": 2, "unchanged": 2}


@pytest.mark.parametrize("sequence", list(permutations(range(3))))
def test_reports_in_any_order_give_the_same_store(bench: Bench, sequence: Any) -> None:
    reports = versions()
    for index in sequence:
        take(bench, [reports[index]])
    final = picture(bench.store)
    assert len(final) == 1
    open_lines = {
        line["channel_sku"]: line["qty_ordered"] - line["qty_cancelled"]
        for line in final[0]["lines"]
    }
    assert open_lines == {"A": 1, "B": 1}
    assert final[0]["money"][0] == [("7", 1000)]
    assert final[0]["grand_total"] == 2500


def test_several_reports_of_one_order_on_one_page_end_with_the_newest(bench: Bench) -> None:
    take(bench, versions())
    assert [line["qty_ordered"] for line in picture(bench.store)[0]["lines"]] == [1, 1]


def test_an_older_report_is_kept_and_changes_nothing(bench: Bench) -> None:
    old, new, _ = versions()
    take(bench, [new])
    before = picture(bench.store)
    run = take(bench, [old])
    assert picture(bench.store) == before
    assert run.counts["stale"] == 1
    with bench.store.read() as conn:
        assert set(conn.scalars(select(t.inbox.c.state))) == {"mapped", "stale"}


def test_a_payload_is_kept_exactly_as_it_came(bench: Bench) -> None:
    order = woo_order(1, {"A": 2}, customer_note="Ähm ☕ \u202eשלום")
    take(bench, [order])
    with bench.store.read() as conn:
        assert inbox.payload(conn, conn.execute(select(t.inbox)).one()) == order


def test_an_unmapped_line_is_parked_alone_and_freed_by_an_alias(bench: Bench) -> None:
    take(bench, [woo_order(1, {"A": 1, "LEGACY-1": 1})])
    with bench.store.read() as conn:
        [line] = orders.parked_lines(conn)
        assert conn.scalar(select(t.sales_order.c.intake_state)) == "accepted"
    assert line.park_reason == "unmapped"
    assert "crossdock sku link LEGACY-1" in line.park_detail
    with bench.store.write() as conn:
        conn.execute(
            t.sku_alias.insert().values(
                sku_id=bench.skus["B"], scheme="channel_sku", value="LEGACY-1", qty_per=1
            )
        )
    with bench.store.write() as conn:
        counts, wake = parked.retry(conn, bench.hub, bench.hub.links["shop"])
    assert counts["lines_unparked"] == 1
    assert "allocate" in wake
    with bench.store.read() as conn:
        assert orders.parked_lines(conn) == []
        assert orders.awaiting_allocation(conn) == [1]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"line_items": [], "total": "5.00"}, "no_lines"),
        ({"total": "1.00"}, "total_variance"),
        ({"shipping": {}, "billing": {"first_name": "Ada"}}, "address"),
    ],
)
def test_an_order_that_cannot_ship_is_parked_with_reason_and_remedy(
    bench: Bench, change: dict[str, Any], kind: str
) -> None:
    take(bench, [woo_order(1, {"A": 1}, **change)])
    with bench.store.read() as conn:
        [hold] = orders.held_orders(conn)
        assert conn.scalar(select(t.sales_order.c.intake_state)) == "parked"
        assert orders.awaiting_allocation(conn) == []
    assert hold.kind == kind
    assert hold.remedy


def test_a_negative_quantity_parks_its_line(bench: Bench) -> None:
    take(bench, [woo_order(1, {"A": 1, "B": -2})])
    with bench.store.read() as conn:
        [line] = orders.parked_lines(conn)
    assert (line.channel_sku, line.park_reason) == ("B", "bad_qty")


def test_an_unknown_currency_parks_the_record_and_loses_nothing(bench: Bench) -> None:
    broken = woo_order(1, {"A": 1}, currency="XXQ")
    take(bench, [broken, woo_order(2, {"A": 1})])
    with bench.store.read() as conn:
        [row] = inbox.parked(conn)
        assert inbox.payload(conn, row) == broken
        [shown] = [p for p in parked.listing(conn, bench.hub) if p.what == "record"]
        assert len(conn.execute(select(t.sales_order)).all()) == 1
    assert "XXQ" in shown.detail
    assert "crossdock retry" in shown.remedy
    take(bench, [woo_order(1, {"A": 1}, date_modified_gmt="2026-11-02T07:30:00")])
    with bench.store.read() as conn:
        assert inbox.parked(conn) == [], "the mended record needs nobody any more"


def test_an_edit_before_release_is_planned_anew(bench: Bench) -> None:
    bench.put("A", "berlin", 9)
    take(bench, [woo_order(1, {"A": 3})])
    object.__setattr__(bench.hub.policy, "release_after_s", 3600)
    bench.run(allocation.allocate)
    take(bench, [woo_order(1, {"A": 1}, date_modified_gmt="2026-11-02T07:30:00")])
    bench.run(allocation.allocate)
    with bench.store.read() as conn:
        level = conn.execute(select(t.inventory_level)).one()
        assert level.reserved == 1
        assert invariants.check(conn) == []


def test_an_edit_after_release_holds_the_order_and_keeps_the_work(bench: Bench) -> None:
    bench.put("B", "jersey", 9)
    take(bench, [woo_order(1, {"B": 3})])
    bench.run(allocation.allocate)
    bench.run(drain.push, "bob")
    take(bench, [woo_order(1, {"B": 1}, date_modified_gmt="2026-11-02T07:30:00")])
    with bench.store.read() as conn:
        [hold] = orders.held_orders(conn)
        assert hold.kind == "edited_after_release"
        assert invariants.check(conn) == []


def test_an_ignored_order_stays_out_of_everything(bench: Bench) -> None:
    take(bench, [woo_order(1, {"A": 1}, status="checkout-draft")])
    with bench.store.read() as conn:
        assert conn.scalar(select(t.sales_order.c.intake_state)) == "ignored"
        assert orders.awaiting_allocation(conn) == []


def test_the_business_date_is_the_channels_own(bench: Bench) -> None:
    take(bench, [woo_order(1, {"A": 1}, date_created_gmt="2026-11-01T23:30:00")])
    with bench.store.read() as conn:
        date = conn.scalar(select(t.sales_order.c.business_date))
    assert date is not None
    assert date.isoformat() == "2026-11-02", "00:30 in Berlin"


def test_a_dry_run_writes_nothing(bench: Bench) -> None:
    bench.shop.pages = [[woo_order(1, {"A": 1})]]

    class DryRun(JobRun):
        def commit(self) -> Any:
            @contextmanager
            def rolled_back() -> Any:
                with self.store.write() as conn:
                    yield conn
                    conn.rollback()

            return rolled_back()

    run = DryRun(bench.store, "shop", dry_run=True)
    intake.pull_orders(bench.hub, run)
    assert run.counts["accepted"] == 1
    assert picture(bench.store) == []


def test_a_line_that_the_channel_removed_is_cancelled_and_costs_nothing(bench: Bench) -> None:
    take(bench, [woo_order(1, {"A": 1, "B": -2})])
    take(bench, [woo_order(1, {"A": 1}, date_modified_gmt="2026-11-02T07:30:00")])
    with bench.store.read() as conn:
        kept, removed = orders.lines(conn, [1])[1]
        assert (kept.channel_sku, kept.line_total) == ("A", 1000)
        assert (removed.qty_ordered, removed.line_total, removed.park_reason) == (0, 0, None)
        assert invariants.check(conn) == []


def test_a_refund_while_a_line_was_parked_keeps_its_goods_here(bench: Bench) -> None:
    refund = {
        "id": 9,
        "amount": "10.00",
        "line_items": [
            {
                "id": 1,
                "quantity": -1,
                "total": "-10.00",
                "total_tax": "0.00",
                "meta_data": [{"key": "_refunded_item_id", "value": "101"}],
            }
        ],
    }
    take(bench, [woo_order(1, {"LEGACY-1": 3}, refunds=[refund])])
    with bench.store.write() as conn:
        conn.execute(
            t.sku_alias.insert().values(
                sku_id=bench.skus["B"], scheme="channel_sku", value="LEGACY-1", qty_per=1
            )
        )
        parked.retry(conn, bench.hub, bench.hub.links["shop"])
        [line] = orders.lines(conn, [1])[1]
    assert (line.qty_ordered, line.qty_cancelled) == (3, 1)


def test_an_order_that_arrives_cancelled_is_the_one_that_was_cancelled_later(bench: Bench) -> None:
    """MODEL invariant 9: whether its first message was missed makes no difference."""
    gone = {"status": "cancelled", "date_modified_gmt": "2026-11-02T07:30:00"}
    bench.shop.pages = [
        [woo_order(1, {"A": 2})],
        [woo_order(1, {"A": 2}, **gone), woo_order(2, {"A": 2}, **gone)],
    ]
    bench.run(intake.pull_orders, "shop")
    with bench.store.read() as conn:
        told, missed = (lines[0] for lines in orders.lines(conn, [1, 2]).values())
    assert (told.qty_ordered, told.qty_cancelled) == (2, 2)
    assert (missed.qty_ordered, missed.qty_cancelled) == (2, 2)


def test_records_that_two_runs_read_at_once_are_taken_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pull and a second look far back: each looks up what is known before the other commits."""
    page = [woo_order(1, {"A": 1}), woo_order(2, {"A": 1})]
    known, looks = inbox.known, iter((True, False))

    def meanwhile(*given: Any) -> set[tuple[str, bytes]]:
        found = known(*given)
        if next(looks, False):
            bench.shop.pages = [page]
            bench.run(intake.pull_orders, "shop")
        return found

    monkeypatch.setattr(inbox, "known", meanwhile)
    bench.shop.pages = [page]
    with pytest.raises(Overtaken) as overtaken:
        bench.run(intake.pull_orders, "shop")
    verdict = outcomes.classify(overtaken.value)
    assert (verdict.kind, verdict.message) == (
        "retry",
        "another run has just stored the same records",
    )
    bench.shop.pages = [page]
    run = bench.run(intake.pull_orders, "shop")
    assert run.counts == {"read": 2, "unchanged": 2}
    with bench.store.read() as conn:
        assert conn.scalar(select(func.count()).select_from(t.sales_order)) == 2
        assert conn.scalar(select(func.count()).select_from(t.inbox)) == 2


def holds(bench: Bench) -> list[str]:
    with bench.store.read() as conn:
        (order_id,) = conn.scalars(select(t.sales_order.c.id))
        return sorted(history.open_holds(conn, [order_id]).get(order_id, {}))


def test_fault_row_33_a_known_order_needs_nobody_after_a_report_that_does_not_map(
    bench: Bench,
) -> None:
    sound = woo_order(1, {"A": 2})
    garbled = {**sound, "date_modified_gmt": "unheard-of"}
    take(bench, [sound])
    take(bench, [garbled])
    assert holds(bench) == ["mapping"]
    assert take(bench, [sound]).counts["unchanged"] == 1, "it may be an older answer"
    assert holds(bench) == ["mapping"]
    bench.clock.advance(intake.SETTLED.total_seconds())
    assert take(bench, [garbled]).counts["unchanged"] == 1
    assert holds(bench) == ["mapping"]
    assert take(bench, [sound]).counts["changed"] == 1
    with bench.store.read() as conn:
        assert inbox.parked(conn) == []
    assert holds(bench) == []
    assert take(bench, [sound]).counts == {"read": 1, "unchanged": 1}
    with bench.store.read() as conn:
        assert invariants.check(conn) == []


def test_fault_row_33_an_older_report_says_nothing_of_a_newer_one_that_cannot_be_read(
    bench: Bench,
) -> None:
    placed, edited, _ = versions()
    take(bench, [placed])
    take(bench, [edited])
    take(bench, [{**edited, "line_items": "unheard-of"}])
    bench.clock.advance(intake.SETTLED.total_seconds())
    assert take(bench, [placed]).counts["unchanged"] == 1
    assert holds(bench) == ["mapping"]


def _without_lines(order: dict[str, Any]) -> None:
    del order["line_items"]


def _without_a_count(order: dict[str, Any]) -> None:
    order["line_items"][1]["quantity"] = {"value": 1}


def _with_another_total(order: dict[str, Any]) -> None:
    order["total"] = "1.00"


@pytest.mark.parametrize("spoil", [_without_lines, _without_a_count, _with_another_total])
def test_fault_row_33_an_order_shown_again_as_it_was_ships_after_a_garbled_report(
    bench: Bench, spoil: Any
) -> None:
    sound = woo_order(1, {"A": 2, "B": 1})
    garbled = copy.deepcopy(sound)
    spoil(garbled)
    take(bench, [sound])
    take(bench, [garbled])
    assert take(bench, [sound]).counts["unchanged"] == 1, "it may be an older answer"
    bench.clock.advance(intake.SETTLED.total_seconds())
    assert take(bench, [garbled]).counts["unchanged"] == 1
    assert take(bench, [garbled, sound]).counts["unchanged"] == 2, "which is the last word?"
    assert take(bench, [sound]).counts["changed"] == 1
    assert take(bench, [sound]).counts["unchanged"] == 1
    assert holds(bench) == []
    with bench.store.read() as conn:
        ((_, lines),) = orders.lines(conn, conn.scalars(select(t.sales_order.c.id)).all()).items()
        open_units = [(row.channel_sku, row.qty_ordered - row.qty_cancelled) for row in lines]
        assert open_units == [("A", 2), ("B", 1)]
        assert invariants.check(conn) == []
        # What a replay maps anew is what the order was made of.
        of_record, _ = inbox.newest(
            conn, bench.hub.links["shop"].id, "orders", since=None, after=0, limit=9
        )
        assert [row.id for row in of_record] == list(conn.scalars(select(t.sales_order.c.raw_id)))


def test_fault_row_33_an_older_report_does_not_fill_a_line_of_a_newer_one(bench: Bench) -> None:
    placed, edited, _ = versions()
    edited["line_items"][1]["quantity"] = {"value": 1}
    take(bench, [placed])
    take(bench, [edited])
    bench.clock.advance(intake.SETTLED.total_seconds())
    assert take(bench, [placed]).counts["stale"] == 1
    with bench.store.read() as conn:
        assert [row.park_reason for row in orders.parked_lines(conn)] == ["mapping"]
    assert take(bench, [placed]).counts["unchanged"] == 1
