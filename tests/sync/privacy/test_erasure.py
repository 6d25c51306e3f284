"""Erasing a person: gone from everywhere, and what the books need stays."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select, update

from mappings import Definitions
from mappings.library import SHIPPED
from state import history, inbox, intents, orders
from state import tables as t
from state.personal import people
from sync import allocation, drain, intake, invariants, parked, shipping
from sync.comparison import Comparison, affected, compare
from sync.privacy.dossier import dossier
from sync.privacy.erasure import Asked, Erased, erase, still_open
from sync.replay import Replay
from tests.sync.conftest import Bench, woo_order
from tests.sync.privacy.buyers import address_of, canaries, email_of, order_of, ship, shipped, take
from tests.sync.test_shipments import reported

ON_SQLITE = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


def erased(bench: Bench, number: int, reason: str = "asked by mail") -> Erased:
    asked = Asked(email_of(number), "ops", reason)
    with bench.store.write() as conn:
        done = erase(conn, people.find(conn, asked.email), asked, bench.clock.now())
    assert bench.store.wipe_traces()
    return done


def order_id(bench: Bench, number: int) -> int:
    with bench.store.read() as conn:
        where = t.sales_order.c.channel_order_id == str(number)
        return int(conn.execute(select(t.sales_order.c.id).where(where)).scalar_one())


def totals(bench: Bench) -> Any:
    order, line = t.sales_order.c, t.order_line.c
    with bench.store.read() as conn:
        return (
            sorted(conn.execute(select(order.id, order.grand_total, order.tax_total))),
            sorted(conn.execute(select(line.id, line.qty_ordered, line.qty_shipped))),
            conn.scalar(select(func.count()).select_from(t.audit_event)),
        )


def test_nothing_is_left_of_an_erased_buyer_and_everything_of_the_others(bench: Bench) -> None:
    shipped(bench, 1, 2)
    before = totals(bench)
    assert canaries(bench.store, 1)
    done = erased(bench, 1)
    assert done.orders == [1]
    assert done.places["inbox"] == 1
    assert done.places["intent"] == 1
    assert canaries(bench.store, 1) == []
    assert {"address.email", "inbox.body", "intent.body"} <= set(canaries(bench.store, 2))
    assert totals(bench)[:2] == before[:2]
    with bench.store.read() as conn:
        assert invariants.check(conn) == []
        assert invariants.remake(conn).violations == []
        country = conn.scalar(select(t.address.c.country).where(t.address.c.id == 1))
    assert country == "DE", "taxes are owed by it"


def test_a_vendors_words_about_the_buyer_go_too(bench: Bench) -> None:
    shipped(bench, 1)
    names = f"{address_of(1)['first_name']} {address_of(1)['last_name']}".upper()
    said = f"{names} is not known at {address_of(1)['address_1']}"
    with bench.store.write() as conn:
        history.event(conn, 1, "refused", said, bench.clock.now(), details={"why": said})
        history.place_hold(conn, 1, "manual", said, "call them", bench.clock.now())
        conn.execute(update(t.fulfilment_order).values(refused_reason=said))
        conn.execute(update(t.package).values(label_url=f"https://labels.example/{names}"))
        conn.execute(update(t.intent).values(message=said))
        conn.execute(update(t.connection).values(problem=said))
        conn.execute(update(t.refund).values(reason=said))
        history.audit(
            conn,
            actor="ops",
            action="release_holds",
            subject=("sales_order", 1),
            reason=said,
            now=bench.clock.now(),
        )
    erased(bench, 1)
    assert canaries(bench.store, 1) == []
    with bench.store.read() as conn:
        kept = conn.scalar(select(t.fulfilment_order.c.refused_reason))
    assert kept == "(erased) is not known at (erased)"


@ON_SQLITE
def test_erasing_twice_erases_once_and_says_so_without_the_address(bench: Bench) -> None:
    shipped(bench, 1)
    erased(bench, 1, f"asked by {email_of(1)}")
    assert not erased(bench, 1).anything
    with bench.store.read() as conn:
        [row] = conn.execute(select(t.audit_event))
        told = [event.kind for event in history.events(conn, 1)]
    assert (row.actor, row.action, row.reason) == (
        "ops",
        "erase_personal_data",
        "asked by (erased)",
    )
    assert row.after["orders"] == [1]
    assert told.count("personal_data_erased") == 1
    assert canaries(bench.store, 1) == []


@ON_SQLITE
def test_what_is_still_needed_is_named_and_stays(bench: Bench) -> None:
    shipped(bench, 1)
    take(bench, order_of(1, {"A": 1}), order_of(2, {"A": 1}, billing=order_of(1, {})["billing"]))
    with bench.store.read() as conn:
        needed = still_open(conn, people.find(conn, email_of(1)))
    assert [(one.order, one.connection) for one in needed] == [("2", "shop")]
    assert "not yet shipped" in needed[0].reason
    assert erased(bench, 1).orders == [1]
    bench.put("A", "berlin", 3)
    ship(bench)
    assert [*erased(bench, 1).orders] == [order_id(bench, 2)]
    assert canaries(bench.store, 1) == []


@ON_SQLITE
def test_an_address_whose_push_has_no_known_end_stays(bench: Bench) -> None:
    shipped(bench, 1)
    with bench.store.write() as conn:
        [label] = intents.of_subject(conn, "label", 1)
        intents.move(conn, label.id, "unknown")
        assert people.open_orders(conn, [1]) == {1: "a label is unknown"}
    assert erased(bench, 1).orders == []
    assert canaries(bench.store, 1)


def test_a_later_pull_of_the_same_order_brings_nobody_back(bench: Bench) -> None:
    shipped(bench, 1)
    erased(bench, 1)
    assert take(bench, order_of(1, {"A": 1})).counts["unchanged"] == 1
    later = order_of(
        1,
        {"A": 1},
        date_modified_gmt="2026-11-02T09:00:00",
        status="completed",
        refunds=[{"id": 7, "amount": "1.00", "reason": "Canary1friend called", "line_items": []}],
    )
    assert take(bench, later).counts["changed"] == 1
    assert bench.store.wipe_traces()
    assert canaries(bench.store, 1) == []
    with bench.store.read() as conn:
        order = orders.get(conn, 1)
        assert conn.scalar(select(t.refund.c.amount)) == 100
        assert invariants.check(conn) == []
    assert order.channel_status == "fulfilled"
    assert take(bench, later).counts["unchanged"] == 1


@ON_SQLITE
def test_a_report_that_was_read_before_the_erasure_and_taken_in_after_it(bench: Bench) -> None:
    shipped(bench, 1)
    link = bench.hub.links["shop"]
    later = order_of(1, {"A": 1}, date_modified_gmt="2026-11-02T09:00:00")
    bench.shop.pages = [[later]]
    [page] = bench.shop.pull_orders(None, bench.clock.now())
    arrivals = intake.read_page(bench.hub, link, page.records)
    erased(bench, 1)
    with bench.store.write() as conn:
        intake.take_in(conn, link, arrivals, bench.clock.now())
    assert bench.store.wipe_traces()
    assert canaries(bench.store, 1) == []


@ON_SQLITE
def test_a_new_order_of_the_same_buyer_is_a_new_order(bench: Bench) -> None:
    shipped(bench, 1)
    erased(bench, 1)
    bench.put("A", "berlin", 3)
    take(bench, order_of(2, {"A": 1}, billing=order_of(1, {})["billing"]))
    with bench.store.read() as conn:
        assert [row.channel_order_id for row in people.find(conn, email_of(1)).orders] == ["2"]
    ship(bench)
    assert bench.carrier.bought == 2


@ON_SQLITE
def test_what_maps_no_more_after_the_erasure_is_not_kept_to_be_read_again(bench: Bench) -> None:
    shipped(bench, 1)
    erased(bench, 1)
    broken = order_of(1, {"A": 1}, date_modified_gmt="2026-11-02T09:00:00", total="many")
    take(bench, broken)
    assert bench.store.wipe_traces()
    assert canaries(bench.store, 1) == []
    with bench.store.read() as conn:
        assert inbox.parked(conn) == []


@ON_SQLITE
def test_a_record_that_is_no_order_is_found_by_the_address_in_it(bench: Bench) -> None:
    broken = order_of(1, {"A": 1}, total="many")
    take(bench, broken)
    with bench.store.read() as conn:
        person = people.find(conn, email_of(1).upper())
        [needed] = still_open(conn, person)
    assert ([*person.orders], [row.external_id for row in person.records]) == ([], ["1"])
    assert "parked" in needed.reason
    assert not erased(bench, 1).anything
    with bench.store.write() as conn:
        inbox.settle(conn, [person.records[0].id], "ignored")
    assert erased(bench, 1).places == {"inbox": 1}
    assert canaries(bench.store, 1) == []
    take(bench, {**broken, "date_modified_gmt": "2026-11-02T09:00:00"})
    assert bench.store.wipe_traces()
    assert canaries(bench.store, 1) == [], "the record is remembered, order or not"


def test_a_3pls_report_of_an_erased_order_is_kept_without_its_content(bench: Bench) -> None:
    bench.put("A", "jersey", 2)
    take(bench, order_of(1, {"A": 2}))
    bench.run(allocation.allocate)
    bench.run(drain.push, "bob")
    [reference] = bench.warehouse.taken
    report = {**reported(reference, "s1", "1Z1", "A", "2"), "recipient": address_of(1)}
    bench.warehouse.shipments = [report]
    bench.run(shipping.pull_shipments, "bob")
    bench.run(drain.push, "shop")
    erased(bench, 1)
    assert canaries(bench.store, 1) == []
    bench.warehouse.shipments = [{**report, "recipient": {**address_of(1), "seen": "again"}}]
    assert bench.run(shipping.pull_shipments, "bob").counts["unchanged"] == 0
    assert bench.store.wipe_traces()
    assert canaries(bench.store, 1) == []


@ON_SQLITE
def test_a_replay_and_a_comparison_skip_and_count_what_was_erased(bench: Bench) -> None:
    shipped(bench, 1, 2)
    erased(bench, 1)
    done = list(Replay(bench.hub, bench.hub.links["shop"], None, False, "ops").run())
    assert [(one.order, one.result) for one in done] == [("1", "erased")]
    found = Comparison()
    proposed = Definitions({**bench.hub.definitions})
    links = bench.hub.links.values()
    streams = affected(links, bench.hub.definitions, proposed, "woocommerce.orders")
    for stream in streams:
        if stream.topic == "orders":
            compare(bench.store, stream, since=None, into=found, progress=lambda _: None)
    assert (found.records, found.unchanged, found.erased) == (1, 1, 1)
    assert (SHIPPED / "woocommerce.orders.toml").is_file()


@ON_SQLITE
def test_a_parked_report_without_content_is_not_tried_again(bench: Bench) -> None:
    shipped(bench, 1)
    with bench.store.write() as conn:
        conn.execute(update(t.inbox).values(state="parked", body=b""))
        counts, _ = parked.retry(conn, bench.hub, bench.hub.links["shop"])
    assert (counts["records"], counts["records_mapped"]) == (1, 0)


@ON_SQLITE
def test_what_is_exported_is_what_is_erased(bench: Bench) -> None:
    shipped(bench, 1)
    take(bench, order_of(1, {"A": 1}, date_modified_gmt="2026-11-02T09:00:00"))
    with bench.store.read() as conn:
        told = dossier(conn, email_of(1))
    text = msgspec.json.encode(told).decode()
    for word in (*address_of(1).values(), "Canary1note"):
        assert word in text, word
    where = {row["place"]: row["rows"] for row in told["found"]}
    assert where["inbox"] == 2, "both reports"
    assert {"address", "sales_order", "intent", "inbox"} <= set(where)
    erased(bench, 1)
    with bench.store.read() as conn:
        assert dossier(conn, email_of(1))["found"] == []


@ON_SQLITE
def test_an_address_that_was_changed_later_is_found_by_the_former_one(bench: Bench) -> None:
    take(bench, order_of(1, {"A": 1}))
    moved = order_of(3, {}, date_modified_gmt="2026-11-02T07:30:00")
    take(
        bench,
        {
            **order_of(1, {"A": 1}),
            **{k: moved[k] for k in ("billing", "shipping")},
            "date_modified_gmt": "2026-11-02T07:30:00",
        },
    )
    with bench.store.read() as conn:
        assert [row.id for row in people.find(conn, email_of(1)).orders] == [1]
        assert [row.id for row in people.find(conn, email_of(3)).orders] == [1]


@ON_SQLITE
def test_open_orders_are_never_erased_by_a_request(bench: Bench) -> None:
    take(bench, woo_order(9, {"A": 1}), order_of(1, {"A": 1}, status="on-hold"))
    bench.clock.advance(timedelta(days=400).total_seconds())
    assert erased(bench, 1).orders == []
