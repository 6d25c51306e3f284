"""A replay touches what reads differently now, hands nothing over twice, and else is a no-op."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from mappings import Definitions
from mappings.library import SHIPPED
from state import catalogue, history, intents, orders
from state import tables as t
from state.store import Store
from sync import allocation, drain, intake, invariants, parked
from sync.replay import Replay, Replayed
from tests.sync.conftest import Bench, woo_order

Mend = Callable[..., None]


def everything(store: Store) -> dict[str, list[Any]]:
    """Every row of every table."""
    with store.read() as conn:
        return {
            table.name: sorted(map(repr, conn.execute(select(table))))
            for table in t.metadata.sorted_tables
        }


def replay(bench: Bench, *, dry_run: bool = False, since: datetime | None = None) -> list[Replayed]:
    return list(Replay(bench.hub, bench.hub.links["shop"], since, dry_run, "ops").run())


def take(bench: Bench, *payloads: dict[str, Any]) -> None:
    bench.shop.pages = [list(payloads)]
    bench.run(intake.pull_orders, "shop")


def only_order(bench: Bench) -> Any:
    with bench.store.read() as conn:
        return conn.execute(select(t.sales_order)).one()


def lines_of(bench: Bench) -> list[Any]:
    with bench.store.read() as conn:
        return list(conn.execute(select(t.order_line).order_by(t.order_line.c.id)))


def kinds_of_events(bench: Bench) -> list[str]:
    with bench.store.read() as conn:
        return list(conn.scalars(select(t.order_event.c.kind).distinct()))


def sound(bench: Bench) -> bool:
    with bench.store.read() as conn:
        return invariants.check(conn) == []


@pytest.fixture
def mend(bench: Bench, tmp_path: Path) -> Mend:
    """Puts another definition for orders in force: the shipped one with texts replaced."""

    def put(*replacements: tuple[str, str]) -> None:
        text = (SHIPPED / "woocommerce.orders.toml").read_text(encoding="utf-8")
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        file = tmp_path / "woocommerce.orders.toml"
        file.write_text(text, encoding="utf-8")
        changed = {**bench.hub.definitions, **Definitions.of([file])}
        bench.hub = replace(bench.hub, definitions=Definitions(changed))

    return put


# ---- nothing changes while definitions do not --------------------------------------------------


def ship(bench: Bench) -> None:
    bench.run(allocation.allocate)
    for name in ("labels", "bob", "shop"):
        bench.run(drain.push, name)


def later(number: int, lines: dict[str, int], minutes: int, **given: Any) -> dict[str, Any]:
    stamp = f"2026-11-02T07:{minutes:02}:00"
    return woo_order(number, lines, date_modified_gmt=stamp, **given)


REFUND = {
    "id": 7,
    "amount": "10.00",
    "reason": "damaged",
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


def pending(bench: Bench) -> None:
    take(bench, woo_order(1, {"A": 2}, status="pending"), woo_order(2, {}, status="draft"))


def edited(bench: Bench) -> None:
    take(bench, woo_order(1, {"A": 2}))
    take(bench, later(1, {"B": 1}, 10))


def refunded(bench: Bench) -> None:
    take(bench, woo_order(1, {"A": 2}))
    take(bench, later(1, {"A": 2}, 10, refunds=[REFUND]))


def shipped(bench: Bench) -> None:
    bench.put("A", "berlin", 5)
    take(bench, woo_order(1, {"A": 2}))
    ship(bench)
    assert only_order(bench).intake_state == "closed"


def refunded_after_shipping(bench: Bench) -> None:
    shipped(bench)
    take(bench, later(1, {"A": 2}, 10, refunds=[REFUND]))


def cancelled(bench: Bench) -> None:
    take(bench, woo_order(1, {"A": 2}))
    take(bench, later(1, {"A": 2}, 10, status="cancelled"))
    assert only_order(bench).cancelled_at is not None


def completed_elsewhere(bench: Bench) -> None:
    take(bench, woo_order(1, {"A": 2}, status="completed", refunds=[REFUND]))


def handed_over(bench: Bench) -> None:
    """With the 3PL, which has not shipped yet."""
    bench.put("A", "jersey", 5)
    take(bench, woo_order(1, {"A": 3}))
    bench.run(allocation.allocate)
    bench.run(drain.push, "bob")
    assert len(bench.warehouse.taken) == 1


def edited_after_hand_over(bench: Bench) -> None:
    handed_over(bench)
    take(bench, later(1, {"A": 1}, 10))
    take(bench, later(1, {"B": 1}, 20))
    with bench.store.write() as conn:
        order = only_order(bench)
        assert parked.release(conn, order.id, "ops", "settled", bench.clock.now())


def without_address_at_first(bench: Bench) -> None:
    take(bench, woo_order(1, {"A": 1}, shipping={}))
    take(bench, later(1, {"A": 1}, 10))


def address_withdrawn(bench: Bench) -> None:
    take(bench, woo_order(1, {"A": 1}))
    take(bench, later(1, {"A": 1}, 10, shipping={}))


def total_off_and_accepted(bench: Bench) -> None:
    take(bench, woo_order(1, {"A": 1}, total="99.00"))
    with bench.store.write() as conn:
        assert parked.release(conn, only_order(bench).id, "ops", "phoned", bench.clock.now())


def unknown_sku_linked(bench: Bench) -> None:
    take(bench, woo_order(1, {"OLD": 1}), woo_order(2, {"OLD": 1}))
    with bench.store.write() as conn:
        catalogue.add_alias(
            conn, sku_id=bench.skus["A"], value="OLD", connection_id=None, scheme="channel_sku"
        )
        assert parked.unpark_lines(conn, [bench.hub.links["shop"]], bench.clock.now()) == 2


def unreadable_line(bench: Bench) -> None:
    order = woo_order(1, {"A": 1, "B": 1})
    order["line_items"][1]["quantity"] = "many"
    take(bench, order)


def still_parked(bench: Bench) -> None:
    take(bench, woo_order(1, {"A": 1}, currency="XQX"), woo_order(2, {"A": 1}))


@pytest.mark.parametrize(
    "history_of",
    [
        pending,
        edited,
        refunded,
        shipped,
        refunded_after_shipping,
        cancelled,
        completed_elsewhere,
        handed_over,
        edited_after_hand_over,
        without_address_at_first,
        address_withdrawn,
        total_off_and_accepted,
        unknown_sku_linked,
        unreadable_line,
    ],
)
def test_an_unchanged_definition_changes_nothing(bench: Bench, history_of: Any) -> None:
    history_of(bench)
    before = everything(bench.store)
    bench.clock.sleep(3600)
    assert replay(bench) == []
    assert everything(bench.store) == before


def test_nothing_changes_whatever_the_order_of_the_reports(bench: Bench) -> None:
    for number, sequence in enumerate(permutations(range(3)), start=1):
        reports = [
            woo_order(number, {"A": 2}),
            later(number, {"A": 2, "B": 1}, 10),
            later(number, {"A": 1, "B": 1}, 20, refunds=[{**REFUND, "line_items": []}]),
        ]
        for index in sequence:
            take(bench, reports[index])
    before = everything(bench.store)
    assert len(before["sales_order"]) == 6
    assert replay(bench) == []
    assert everything(bench.store) == before


def test_what_still_does_not_map_is_told_and_not_written(bench: Bench) -> None:
    still_parked(bench)
    before = everything(bench.store)
    (done,) = replay(bench)
    assert (done.order, done.result) == ("1", "still_parked")
    assert "currency" in done.consequences[0]
    assert everything(bench.store) == before


# ---- changed definitions -----------------------------------------------------------------------

VENDOR_STATUS = ('ready = ["processing"]', 'ready = ["processing", "to-pack"]')


def test_a_parked_order_that_maps_now_flows_on(bench: Bench, mend: Mend) -> None:
    bench.put("A", "berlin", 5)
    take(bench, woo_order(1, {"A": 2}, status="to-pack"))
    mend(VENDOR_STATUS)
    (done,) = replay(bench)
    assert (done.order, done.result) == ("1", "unparked")
    assert done.consequences == ("a new order, accepted",)
    with bench.store.read() as conn:
        assert [row.state for row in conn.execute(select(t.inbox))] == ["mapped"]
    ship(bench)
    assert only_order(bench).intake_state == "closed"
    assert sound(bench)
    assert replay(bench) == []


def test_a_newest_report_that_maps_now_lifts_its_hold(bench: Bench, mend: Mend) -> None:
    take(bench, woo_order(1, {"A": 2}))
    take(bench, later(1, {"A": 1}, 10, status="to-pack"))
    mend(VENDOR_STATUS)
    (done,) = replay(bench)
    assert done.result == "unparked"
    assert "hold lifted: mapping" in done.consequences
    assert "line 1: 1 to ship, was 2" in done.consequences
    assert [line.qty_ordered for line in lines_of(bench)] == [1]
    assert replay(bench) == []


def test_an_older_report_never_passes_for_a_parked_newer_one(bench: Bench, mend: Mend) -> None:
    take(bench, woo_order(1, {"A": 2}))
    take(bench, later(1, {"A": 1}, 10, status="to-pack"))
    mend(('title = { from = "name"', 'title = { from = "sku"'))
    assert sorted(done.result for done in replay(bench)) == ["overtaken", "still_parked"]
    with bench.store.read() as conn:
        assert "mapping" in history.open_holds(conn, [only_order(bench).id])[only_order(bench).id]
    assert [line.title for line in lines_of(bench)] == ["Thing A"]


def test_an_order_that_reads_differently_gets_a_new_version(bench: Bench, mend: Mend) -> None:
    take(bench, woo_order(1, {"A": 2}), woo_order(2, {}, status="draft"))
    mend(('title = { from = "name"', 'title = { from = "sku"'))
    (done,) = replay(bench)
    assert (done.result, done.fields) == ("changed", ("lines[101].title",))
    assert done.consequences == ()
    assert [line.title for line in lines_of(bench)] == ["A"]
    with bench.store.read() as conn:
        (first, _) = conn.execute(select(t.sales_order).order_by(t.sales_order.c.id)).all()
        assert first.edit_version == 2
        one, whole = conn.execute(select(t.audit_event).order_by(t.audit_event.c.id)).all()
    assert (one.action, one.actor, one.after["result"]) == ("replay_order", "ops", "changed")
    assert (whole.action, whole.actor, whole.after["changed"]) == ("replay", "ops", 1)
    assert replay(bench) == []


def test_a_dry_run_tells_the_same_and_writes_nothing(bench: Bench, mend: Mend) -> None:
    handed_over(bench)
    take(bench, woo_order(2, {"B": 1}, status="to-pack"), later(3, {"C": 1}, 5))
    mend(VENDOR_STATUS, ('title = { from = "name"', 'title = { from = "sku"'))
    before = everything(bench.store)
    told = replay(bench, dry_run=True)
    assert everything(bench.store) == before
    assert [done.result for done in told] == ["unparked", "changed", "changed"]
    assert replay(bench) == told
    assert everything(bench.store) != before


def test_nothing_is_handed_over_twice_by_a_replay(bench: Bench, mend: Mend) -> None:
    handed_over(bench)
    bench.put("A", "jersey", 50)
    with bench.store.read() as conn:
        intents_before = len(conn.execute(select(t.intent)).all())
    mend(('quantity = { from = "quantity", as', 'quantity = { from = "price", as'))
    (done,) = replay(bench)
    assert "line 1: 10 to ship, was 3" in done.consequences
    assert any("a replay opened 7 more after the hand-over" in said for said in done.consequences)
    ship(bench)
    assert len(bench.warehouse.taken) == 1
    with bench.store.read() as conn:
        assert len(conn.execute(select(t.intent)).all()) == intents_before
    assert sound(bench)
    with bench.store.write() as conn:
        assert parked.release(conn, only_order(bench).id, "ops", "yes", bench.clock.now())
    ship(bench)
    assert len(bench.warehouse.taken) == 2


def test_less_than_was_handed_over_is_held_for_a_person(bench: Bench, mend: Mend) -> None:
    handed_over(bench)
    mend(('quantity = { from = "quantity", as', 'quantity = { from = "product_id", as'))
    (done,) = replay(bench)
    assert any(said.startswith("hold placed: edited_after_release") for said in done.consequences)
    assert len(bench.warehouse.taken) == 1
    assert sound(bench)
    assert replay(bench) == []


def test_another_address_after_the_hand_over_is_told(bench: Bench, mend: Mend) -> None:
    handed_over(bench)
    mend(('street2 = { from = "address_2"', 'street2 = { from = "city"'))
    (done,) = replay(bench)
    assert done.fields == ("ship_to.street2",)
    assert "what was handed over goes to the former address" in done.consequences


def test_a_line_that_can_be_read_now_joins_its_order(bench: Bench, mend: Mend) -> None:
    unreadable_line(bench)
    mend(('quantity = { from = "quantity", as', 'quantity = { from = "product_id", as'))
    (done,) = replay(bench)
    assert done.result == "changed"
    assert "line 2 is gone" in done.consequences
    assert {line.channel_line_id for line in lines_of(bench)} == {"101", "102"}
    assert [line.park_reason for line in lines_of(bench)] == [None, None]


@pytest.mark.parametrize(
    ("old", "new", "result"),
    [
        ('from = "total", as = "money", with = { currency = "currency" } }\nservice',
         'from = "no_such", as = "money", with = { currency = "currency" } }\nservice',
         "unreadable"),
        ('channel_order_id = { from = "id"', 'channel_order_id = { from = "transaction_id"',
         "renamed"),
        ('source_version = { from = "date_modified_gmt || date_created_gmt"',
         'source_version = { from = "date_created_gmt"', "older"),
    ],
)  # fmt: skip
def test_what_a_replay_must_not_do_it_leaves(
    bench: Bench, mend: Mend, old: str, new: str, result: str
) -> None:
    take(bench, later(1, {"A": 2}, 10))
    before = everything(bench.store)
    mend((old, new))
    (done,) = replay(bench)
    assert done.result == result
    assert everything(bench.store) == before


def test_since_leaves_what_came_before_alone(bench: Bench, mend: Mend) -> None:
    take(bench, woo_order(1, {"A": 1}), woo_order(2, {"A": 1}, status="to-pack"))
    bench.clock.sleep(3600)
    start = bench.clock.now()
    take(bench, woo_order(3, {"B": 1}))
    mend(VENDOR_STATUS, ('title = { from = "name"', 'title = { from = "sku"'))
    assert [done.order for done in replay(bench, since=start)] == ["3"]
    assert {done.order for done in replay(bench, since=start - timedelta(days=1))} == {"1", "2"}


def test_more_orders_than_a_page_are_all_read(
    bench: Bench, mend: Mend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.replay.PAGE", 2)
    take(bench, *(woo_order(n, {"A": 1}) for n in range(1, 6)))
    take(bench, *(woo_order(n, {"A": 1}, status="to-pack") for n in range(6, 11)))
    mend(VENDOR_STATUS, ('title = { from = "name"', 'title = { from = "sku"'))
    done = replay(bench)
    assert [one.result for one in done] == ["unparked"] * 5 + ["changed"] * 5
    assert replay(bench) == []


def test_a_report_that_comes_meanwhile_is_not_overwritten(bench: Bench, mend: Mend) -> None:
    take(bench, woo_order(1, {"A": 1}), woo_order(2, {"A": 1}))
    mend(('title = { from = "name"', 'title = { from = "sku"'))
    running = Replay(bench.hub, bench.hub.links["shop"], None, False, "ops").run()
    assert next(running).result == "changed"
    take(bench, later(2, {"B": 3}, 30))
    assert [(done.order, done.result) for done in running] == [("2", "overtaken")]
    assert [(line.channel_sku, line.qty_ordered) for line in lines_of(bench)][-1] == ("B", 3)
    assert sound(bench)


def test_a_parked_record_that_is_settled_meanwhile_is_left(bench: Bench, mend: Mend) -> None:
    take(bench, *(woo_order(n, {"A": 1}, status="to-pack") for n in (1, 2)))
    mend(VENDOR_STATUS)
    running = Replay(bench.hub, bench.hub.links["shop"], None, False, "ops").run()
    assert next(running).result == "unparked"
    with bench.store.write() as conn:
        parked.retry(conn, bench.hub, bench.hub.links["shop"])
    assert [done.result for done in running] == ["overtaken"]
    assert kinds_of_events(bench) == ["received"]


def test_a_cancellation_read_anew_asks_the_location_to_stop(bench: Bench, mend: Mend) -> None:
    handed_over(bench)
    mend(('ready = ["processing"]', 'ready = ["to-pack"]'), ('"refunded", "trash"', '"processing"'))
    (done,) = replay(bench)
    assert any(said.endswith("cancellation requested") for said in done.consequences)
    bench.run(drain.push, "bob")
    assert len(bench.warehouse.cancelled) == 1
    assert only_order(bench).intake_state == "cancelled"
    assert sound(bench)
    assert replay(bench) == []


def test_the_streams_with_work_are_asked_to_run(bench: Bench, mend: Mend) -> None:
    with bench.store.write() as conn:
        conn.execute(
            insert(t.stream).values(
                key="allocate", job="allocate", every_s=300, due_at=bench.clock.now()
            )
        )
    take(bench, woo_order(1, {"A": 1}))
    mend(('title = { from = "name"', 'title = { from = "sku"'))
    assert len(replay(bench)) == 1
    with bench.store.read() as conn:
        assert conn.execute(select(t.stream.c.want)).scalar_one() == 1
        assert intents.in_state(conn, bench.hub.links["shop"].id, "planned") == []
        assert orders.get(conn, only_order(bench).id).edit_version == 2
