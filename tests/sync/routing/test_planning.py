"""Decisions in the store: what they hold, what they reserve, and what they wait for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import Row, insert, select, update

from state import fulfilment, history, orders, stock
from state import tables as t
from state.errors import OutOfStock
from sync import allocation, drain, handover, intake, invariants, parked, planning
from sync.explain import explain
from sync.routing import trace
from sync.routing.rules import Objective, Rate, Rule, When
from tests.sync.conftest import Bench, woo_order
from tests.sync.routing.scenes import rule, rules


def take(bench: Bench, *payloads: dict[str, Any]) -> None:
    bench.shop.pages = [list(payloads)]
    bench.run(intake.pull_orders, "shop")


def use(bench: Bench, *given: Rule, **more: Any) -> None:
    bench.hub = replace(bench.hub, routing=rules(*given, **more))


def describe(bench: Bench, place: str, **columns: Any) -> None:
    with bench.store.write() as conn:
        where = t.location.c.id == bench.places[place]
        conn.execute(update(t.location).where(where).values(columns))


def decisions(bench: Bench, order_id: int = 1) -> list[Row[Any]]:
    with bench.store.read() as conn:
        return fulfilment.decisions(conn, order_id)


def work(bench: Bench, order_id: int = 1) -> list[tuple[str, str]]:
    """(location, work state), in the order planned; and nothing is broken."""
    with bench.store.read() as conn:
        assert invariants.check(conn) == []
        return [(one.location, one.work_state) for one in fulfilment.of_order(conn, order_id)]


def said(bench: Bench) -> list[list[str]]:
    """What is told of each decision about the first order."""
    with bench.store.read() as conn:
        return [one["said"] for one in explain(conn, orders.find(conn, "1")[0])["decisions"]]


def holds(bench: Bench) -> dict[str, str]:
    with bench.store.read() as conn:
        return {kind: row.reason for kind, row in history.open_holds(conn, [1]).get(1, {}).items()}


def release(bench: Bench) -> list[str]:
    with bench.store.write() as conn:
        return parked.release(conn, 1, "ada", "looked", bench.clock.now())


def test_a_decision_keeps_its_inputs_its_rules_and_its_stock(bench: Bench) -> None:
    bench.put("A", "berlin", 5)
    bench.put("A", "jersey", 5)
    take(bench, woo_order(1, {"A": 2}))
    bench.run(allocation.allocate)
    [row] = decisions(bench)
    assert (row.policy_version, row.rules_name) == ("rules/1", "default.toml")
    assert row.rules_version == bench.hub.routing.version()
    with bench.store.read() as conn:
        newest = conn.scalars(select(t.inventory_ledger.c.id).order_by(t.inventory_ledger.c.id))
        assert row.stock_version == list(newest)[1], "the two counts, before the reservation"
        assert trace.recompute(conn, row).stored() == trace.stored(row).stored()
    assert [one["code"] for one in row.candidates] == ["berlin", "jersey"]
    assert "Lovelace" not in str(row.inputs)


def test_an_old_decision_is_made_again_with_the_rules_of_then(bench: Bench) -> None:
    bench.put("A", "berlin", 5)
    bench.put("A", "jersey", 5)
    take(bench, woo_order(1, {"A": 1}), woo_order(2, {"A": 1}))
    with bench.store.write() as conn:
        planning.plan_order(conn, bench.hub, 1)
    use(bench, rule("abroad", locations=("jersey",)))
    with bench.store.write() as conn:
        planning.plan_order(conn, bench.hub, 2)
    [[before], [after]] = decisions(bench, 1), decisions(bench, 2)
    assert before.rules_version != after.rules_version
    with bench.store.read() as conn:
        for row, place in ((before, "berlin"), (after, "jersey")):
            again = trace.recompute(conn, row)
            assert again.stored() == trace.stored(row).stored()
            assert again.shares[0].location_id == bench.places[place]


def test_a_decision_of_before_rule_files_is_still_told(bench: Bench) -> None:
    take(bench, woo_order(1, {"A": 1}))
    old = [
        {"location": "berlin", "km": 31, "dropped_because": ""},
        {"location": "jersey", "km": 6399, "dropped_because": "has none of the goods"},
    ]
    with bench.store.write() as conn:
        fulfilment.add_decision(
            conn, order_id=1, decided_at=bench.clock.now(), candidates=old, chosen=[], inputs={},
            policy_version="fewest-splits-then-nearest/1", inputs_hash="x",
        )  # fmt: skip
    assert said(bench) == [
        ["berlin (31 km): ships", "jersey (6399 km): not used: has none of the goods"]
    ]
    with bench.store.read() as conn, pytest.raises(ValueError, match="was made by fewest-splits"):
        trace.recompute(conn, decisions(bench)[0])


def test_a_decision_is_told_as_a_person_would_say_it(bench: Bench) -> None:
    bench.put("A", "berlin", 5)
    bench.put("B", "berlin", 5)
    bench.put("A", "jersey", 5)
    use(bench, rule("gold", priority=3), rates=(Rate(parcel=450, per_kg=100, days=1),))
    take(bench, woo_order(1, {"A": 2, "B": 1}))
    bench.run(allocation.allocate)
    [[ships, not_used, ruled]] = said(bench)
    assert ships.startswith("berlin ships both lines, the only one with everything in stock (")
    assert "4.50 parcel + 0.60 weight + " in ships
    assert not_used == "jersey was not used: has no B"
    assert ruled == "rule 'gold': priority = 3"


def test_lessons_row_8_an_order_is_split_over_locations_that_have_the_goods(bench: Bench) -> None:
    bench.put("A", "berlin", 1)
    bench.put("A", "jersey", 2)
    take(bench, woo_order(1, {"A": 3}))
    bench.run(allocation.allocate)
    assert work(bench) == [("berlin", "open"), ("jersey", "open")]
    told = said(bench)[0]
    assert told[0].startswith("berlin ships 1 of 3 x A (")
    assert told[2].startswith("2 parcels, 3.00 for the split: ")


def test_lessons_row_9_work_consumes_the_reservation_of_its_own_location(bench: Bench) -> None:
    bench.put("A", "berlin", 5)
    bench.put("A", "jersey", 5)
    take(bench, woo_order(1, {"A": 2}))
    bench.run(allocation.allocate)
    bench.run(drain.push, "labels")
    with bench.store.read() as conn:
        left = {
            level.location_id: (level.on_hand, level.reserved)
            for level in stock.levels(conn, [bench.skus["A"]])
        }
    assert left == {bench.places["berlin"]: (3, 0), bench.places["jersey"]: (5, 0)}
    assert work(bench) == [("berlin", "shipped")]


def test_lessons_row_k10_the_reservation_is_made_where_the_goods_are(bench: Bench) -> None:
    bench.put("A", "jersey", 2)
    take(bench, woo_order(1, {"A": 2}))
    bench.run(allocation.allocate)
    with bench.store.read() as conn:
        [held] = conn.execute(select(t.reservation))
    assert (held.location_id, held.qty) == (bench.places["jersey"], 2)


def test_why_an_order_waits_is_kept_once_and_again_when_it_changes(bench: Bench) -> None:
    bench.put("A", "berlin", 1)
    use(bench, rule("whole", ship_complete=True))
    take(bench, woo_order(1, {"A": 3}))
    for _ in range(3):
        bench.clock.advance(60)
        bench.run(allocation.allocate)
    assert said(bench) == [
        [
            "berlin was not used: has 1 of 3 A",
            "jersey was not used: has none of the goods",
            "not shipped yet: 3 x A, since only 1 of 3 A can be had",
            "rule 'whole': ship_complete = yes",
        ]
    ]
    for units in (2, 1, 2, 1):
        bench.clock.advance(60)
        bench.put("A", "berlin", units)
        bench.run(allocation.allocate)
    assert len(decisions(bench)) == 1, "that numbers change is nothing new"
    bench.put("A", "jersey", 1)
    bench.run(allocation.allocate)
    assert len(decisions(bench)) == 2


def test_what_nobody_has_is_told_once_and_not_looked_at_again(bench: Bench) -> None:
    take(bench, woo_order(1, {"A": 1}))
    for _ in range(3):
        bench.run(allocation.allocate)
    assert len(decisions(bench)) == 1
    bench.put("A", "berlin", 2)
    bench.run(allocation.allocate)
    assert work(bench) == [("berlin", "open")]


def test_an_order_that_ships_whole_waits_for_its_parked_line(bench: Bench) -> None:
    bench.put("A", "berlin", 5)
    use(bench, rule("whole", ship_complete=True))
    take(bench, woo_order(1, {"A": 1, "UNKNOWN": 1}))
    bench.run(allocation.allocate)
    assert work(bench) == []
    why = "nothing is planned: a line is parked, and the order ships whole (rule whole)"
    assert said(bench)[0][0] == why
    use(bench, rule("parts", ship_complete=False))
    bench.run(allocation.allocate)
    assert work(bench) == [("berlin", "open")]


def test_what_waits_is_told_when_it_is_expected(bench: Bench) -> None:
    with bench.store.write() as conn:
        for reference, qty, day in (("PO-1", 2, 1), ("PO-2", 2, 8)):
            conn.execute(
                insert(t.consignment).values(
                    reference=reference,
                    sku_id=bench.skus["A"],
                    to_location_id=bench.places["berlin"],
                    qty=qty,
                    sent_at=bench.clock.now(),
                    due_on=date(2026, 12, day),
                )
            )
    early = {"date_created_gmt": "2026-11-01T07:00:00"}
    take(bench, woo_order(1, {"A": 2}), woo_order(2, {"A": 1}, **early))
    bench.run(allocation.allocate)
    assert said(bench)[0][-1].endswith("; expected on 2026-12-08")
    [row] = decisions(bench, 2)
    assert trace.stored(row).unfilled[0].expected_on == date(2026, 12, 1)


def test_a_rule_may_name_the_tags_of_skus(bench: Bench) -> None:
    bench.put("A", "berlin", 5)
    bench.put("A", "jersey", 5)
    with bench.store.write() as conn:
        conn.execute(insert(t.sku_tag).values(sku_id=bench.skus["A"], tag="fragile"))
    use(bench, rule("by hand", When(tag=("fragile",)), locations=("jersey",)))
    take(bench, woo_order(1, {"A": 1}))
    bench.run(allocation.allocate)
    assert work(bench) == [("jersey", "open")]


def test_an_unpaid_order_is_held_until_the_payment_is_reported(bench: Bench) -> None:
    bench.put("A", "berlin", 5)
    use(bench, rule("paid first", payment="captured"))
    take(bench, woo_order(1, {"A": 1}, date_paid_gmt=None, transaction_id=""))
    with bench.store.write() as conn:
        conn.execute(update(t.payment).values(state="authorised", amount_captured=0))
    bench.run(allocation.allocate)
    assert holds(bench) == {"payment": "the payment is not captured (rule paid first)"}
    bench.run(allocation.allocate)
    assert (work(bench), len(decisions(bench))) == ([], 1)
    with bench.store.write() as conn:
        conn.execute(update(t.payment).values(state="captured"))
    assert bench.run(allocation.allocate).counts["paid"] == 1
    assert (holds(bench), work(bench)) == ({}, [("berlin", "open")])


def test_an_unpaid_order_that_is_cancelled_waits_for_nothing(bench: Bench) -> None:
    use(bench, rule("paid first", payment="captured"))
    take(bench, woo_order(1, {"A": 1}, date_paid_gmt=None, transaction_id=""))
    with bench.store.write() as conn:
        conn.execute(update(t.payment).values(state="authorised", amount_captured=0))
    bench.run(allocation.allocate)
    assert list(holds(bench)) == ["payment"]
    cancelled = {"status": "cancelled", "date_modified_gmt": "2026-11-02T07:30:00"}
    take(bench, woo_order(1, {"A": 1}, **cancelled))
    assert holds(bench) == {}


def test_a_paid_order_of_which_nothing_is_left_to_ship_is_not_held_any_more(bench: Bench) -> None:
    use(bench, rule("paid first", payment="captured"))
    take(bench, woo_order(1, {"A": 1}))
    with bench.store.write() as conn:
        conn.execute(update(t.payment).values(state="authorised", amount_captured=0))
    bench.run(allocation.allocate)
    with bench.store.write() as conn:
        conn.execute(update(t.payment).values(state="captured"))
        conn.execute(update(t.order_line).values(requires_shipping=False))
    bench.run(allocation.allocate)
    assert (holds(bench), work(bench)) == ({}, [])


def test_a_rules_hold_is_for_a_person_and_asked_once(bench: Bench) -> None:
    bench.put("A", "berlin", 5)
    use(bench, rule("new buyers", When(earlier_orders_below=1, value_from=1000), hold="fraud?"))
    take(bench, woo_order(1, {"A": 1}))
    bench.run(allocation.allocate)
    assert holds(bench) == {"manual": "fraud? (rule new buyers)"}
    assert said(bench)[0][0] == "nothing is planned: fraud? (rule new buyers)"
    assert release(bench) == ["manual"]
    bench.run(allocation.allocate)
    assert (holds(bench), work(bench)) == ({}, [("berlin", "open")])


def test_a_buyer_is_known_by_the_orders_before(bench: Bench) -> None:
    bench.put("A", "berlin", 5)
    use(bench, rule("new buyers", When(earlier_orders_below=1), hold="fraud?"))
    early = {"date_created_gmt": "2026-11-01T07:00:00"}
    take(bench, woo_order(1, {"A": 1}, **early), woo_order(2, {"A": 1}))
    bench.run(allocation.allocate)
    assert holds(bench) != {}
    assert work(bench, 2) == [("berlin", "open")]


def test_a_location_takes_no_more_than_its_day_holds(bench: Bench) -> None:
    bench.put("A", "berlin", 9)
    describe(bench, "berlin", daily_orders=2, calendar={"timezone": "Europe/Berlin"})
    take(bench, *(woo_order(number, {"A": 1}) for number in (1, 2, 3)))
    bench.run(allocation.allocate)
    assert [len(work(bench, number)) for number in (1, 2, 3)] == [1, 1, 0]
    # Eight in the morning in UTC is nine in Berlin: its day ends at eleven in the evening.
    bench.clock.advance(14.9 * 3600)
    bench.run(allocation.allocate)
    assert work(bench, 3) == []
    bench.clock.advance(0.2 * 3600)
    bench.run(allocation.allocate)
    assert work(bench, 3) == [("berlin", "open")]


def test_a_collected_order_buys_no_label(bench: Bench) -> None:
    bench.put("A", "berlin", 5)
    bench.put("A", "jersey", 5)
    describe(bench, "jersey", picks_up=True, ships=False)
    use(bench, rule("collect", When(service=("dhl",)), pickup="jersey"))
    take(bench, woo_order(1, {"A": 1}))
    bench.run(allocation.allocate)
    bench.run(drain.push, "bob")
    assert work(bench) == [("jersey", "in_progress")]
    assert said(bench)[0][0].startswith("jersey ships the line, where the buyer collects (")


def test_where_labels_are_bought_a_collected_order_waits_for_a_person(bench: Bench) -> None:
    bench.put("A", "berlin", 5)
    describe(bench, "berlin", picks_up=True)
    use(bench, rule("collect", pickup="berlin"))
    take(bench, woo_order(1, {"A": 1}))
    bench.run(allocation.allocate)
    bench.run(drain.push, "labels")
    assert (work(bench), bench.carrier.bought) == ([("berlin", "planned")], 0)
    assert "the buyer collects" in holds(bench)["manual"]


def test_a_vendor_ships_for_us_where_the_rules_allow_it(bench: Bench) -> None:
    bench.put("A", "berlin", 5)
    bench.put("A", "jersey", 5)
    describe(bench, "berlin", kind="vendor")
    use(bench, rule("no drop-ship abroad", When(country=("DE",)), kinds=("warehouse",)))
    take(bench, woo_order(1, {"A": 1}))
    bench.run(allocation.allocate)
    assert work(bench) == [("jersey", "open")]
    assert "is a vendor, which rule no drop-ship abroad does not allow" in said(bench)[0][1]


def test_a_lost_race_is_run_again_at_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.put("A", "berlin", 5)
    bench.put("A", "jersey", 5)
    take(bench, woo_order(1, {"A": 2}))
    reserve = stock.reserve
    lost: list[int] = []

    def beaten_once(conn: Any, **given: Any) -> int:
        if not lost:
            lost.append(given["location_id"])
            raise OutOfStock("somebody was faster")
        return reserve(conn, **given)

    monkeypatch.setattr(stock, "reserve", beaten_once)
    bench.run(allocation.allocate)
    assert lost == [bench.places["berlin"]]
    assert work(bench) == [("berlin", "open")]
    assert len(decisions(bench)) == 1, "of a decision that could not be carried out nothing is kept"


def test_when_a_parcel_leaves_is_by_the_locations_own_calendar(bench: Bench) -> None:
    bench.put("A", "berlin", 5)
    # Nine o'clock on a Monday in Berlin; Tuesday it is closed.
    hours = {"timezone": "Europe/Berlin", "cutoff": {"0": "08:30:00", "2": "14:00:00"}}
    describe(bench, "berlin", calendar={**hours, "closed": ["2026-11-03"]})
    take(bench, woo_order(1, {"A": 1}))
    bench.run(allocation.allocate)
    [row] = decisions(bench)
    assert trace.inputs_of(row).sites[0].ready_at == datetime(2026, 11, 4, 13, tzinfo=UTC)


def test_a_location_that_is_too_late_gives_way(bench: Bench) -> None:
    bench.put("A", "berlin", 5)
    bench.put("A", "jersey", 5)
    use(bench, rule("fast", promise_days=2), objective=Objective(per_day_late=5000))
    describe(bench, "berlin", calendar={"timezone": "Europe/Berlin", "workdays": [3]})
    take(bench, woo_order(1, {"A": 1}))
    bench.run(allocation.allocate)
    assert work(bench) == [("jersey", "open")]


@pytest.mark.parametrize("status", ["completed", "on-hold"])
def test_planned_work_does_not_leave_once_the_channel_says_stop(bench: Bench, status: str) -> None:
    bench.hub = replace(bench.hub, policy=replace(bench.hub.policy, release_after_s=3600))
    bench.put("B", "jersey", 5)
    take(bench, woo_order(1, {"B": 2}))
    bench.run(allocation.allocate)
    changed = woo_order(1, {"B": 2}, status=status, date_modified_gmt="2026-11-02T07:30:00")
    bench.shop.pages = [[changed]]
    bench.run(intake.pull_orders, "shop")
    bench.clock.advance(7200)
    bench.run(allocation.allocate)
    bench.run(drain.push, "bob")
    assert bench.warehouse.taken == {}
    with bench.store.read() as conn:
        assert [row.reserved for row in stock.levels(conn, [bench.skus["B"]])] == [0]


def test_a_hold_placed_after_the_look_keeps_the_work(bench: Bench) -> None:
    bench.hub = replace(bench.hub, policy=replace(bench.hub.policy, release_after_s=3600))
    bench.put("B", "jersey", 5)
    take(bench, woo_order(1, {"B": 2}))
    bench.run(allocation.allocate)
    with bench.store.write() as conn:
        (ffo,) = fulfilment.of_order(conn, 1)
        history.place_hold(conn, 1, "manual", "fraud?", "look", bench.clock.now())
        assert handover.release(conn, bench.hub, ffo.id) == []
        assert fulfilment.get(conn, ffo.id).work_state == "planned"
