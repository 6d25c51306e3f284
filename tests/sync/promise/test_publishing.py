"""The promise job: what it writes, when it computes anew, and how little it looks at."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from sqlalchemy import event, insert, update

from connectors.errors import Retryable
from state import grounds, promises, stock
from state import tables as t
from sync import intake, listings
from sync.promise.rules import Rule
from tests.sync.conftest import Bench, woo_order
from tests.sync.promise.setting import (
    listed,
    product,
    promise,
    push,
    row_of,
    set_rules,
    stock_keys,
    written,
)


def test_what_was_never_counted_is_left_alone(bench: Bench) -> None:
    """An empty feed is no zero: of A nothing was ever said, so the channel keeps its number."""
    bench.put("B", "berlin", 0)
    listed(bench, A=7, B=7)
    assert written(bench) == {"12": 0}


def test_rules_shape_what_is_written(bench: Bench) -> None:
    set_rules(
        bench,
        Rule("half", share_percent=Decimal(50)),
        Rule("few", sku="B", cap=3),
        Rule("back", sku="C", buffer_units=2, share_percent=Decimal(100)),
    )
    for sku in "ABC":
        bench.put(sku, "berlin", 10)
    listed(bench, A=0, B=0, C=0)
    assert written(bench) == {"11": 5, "12": 3, "13": 8}


def test_a_change_of_rules_computes_what_it_touches_and_no_more(bench: Bench) -> None:
    for sku in "ABC":
        bench.put(sku, "berlin", 10)
    listed(bench, A=0, B=0, C=0)
    written(bench)
    assert promise(bench).counts["skus"] == 0
    set_rules(bench, Rule("few", sku="B", cap=3))
    run = promise(bench)
    assert (run.counts["rules_changed"], run.counts["skus"], run.counts["writes"]) == (1, 1, 1)
    assert promise(bench).counts["rules_changed"] == 0
    set_rules(bench)
    assert promise(bench).counts["skus"] == 1
    assert written(bench) == {"12": 10}, "the newest wins: 3 was never sent"


def test_all_that_changed_rules_touch_is_marked_at_once_and_so_in_order(bench: Bench) -> None:
    """Marks written in parts would begin again at the first SKU, while others come from there."""
    listed(bench, A=5, B=5, C=5)
    promise(bench)
    told: list[str] = []
    event.listen(bench.store.engine, "before_cursor_execute", lambda *g: told.append(g[2]))
    set_rules(bench, *(Rule(f"rule {n}", sku="ABC"[n % 3], buffer_units=n) for n in range(1, 30)))
    assert promise(bench).counts["rules_changed"] == 29
    assert sum(sql.startswith("INSERT INTO dirty_sku") for sql in told) == 1


def test_more_rules_than_a_statement_may_join_are_all_looked_at(bench: Bench) -> None:
    for sku in "ABC":
        bench.put(sku, "berlin", 9)
    listed(bench, A=5, B=5, C=5)
    promise(bench)
    set_rules(
        bench,
        *(Rule(f"rule {n}", sku=f"S{n}", cap=1) for n in range(900)),
        Rule("few", sku="B", cap=3),
    )
    run = promise(bench)
    assert (run.counts["rules_changed"], run.counts["skus"]) == (901, 1)


def test_a_rule_for_a_tag_computes_its_skus(bench: Bench) -> None:
    for sku in "ABC":
        bench.put(sku, "berlin", 10)
    with bench.store.write() as conn:
        grounds.set_tags(conn, {bench.skus["A"]: ["fragile"], bench.skus["C"]: ["fragile"]})
    listed(bench, A=0, B=0, C=0)
    written(bench)
    set_rules(bench, Rule("fragile", tag="fragile", end_when=10))
    assert written(bench) == {"11": 0, "13": 0}


def test_a_date_window_opens_and_closes_by_itself_in_the_channel_s_zone(bench: Bench) -> None:
    """The shop is in Berlin: its 20 November begins an hour before that of UTC."""
    bench.put("A", "berlin", 10)
    listed(bench, A=0)
    set_rules(
        bench, Rule("peak", cap=4, valid_from=date(2026, 11, 20), valid_to=date(2026, 11, 21))
    )
    assert written(bench) == {"11": 10}
    until = bench.clock.now().replace(month=11, day=19, hour=22, minute=59)
    bench.clock.advance((until - bench.clock.now()).total_seconds())
    assert written(bench) == {}
    bench.clock.advance(60)
    assert written(bench) == {"11": 4}
    bench.clock.advance(timedelta(days=2).total_seconds())
    assert written(bench) == {"11": 10}


def test_locations_in_groups_and_locations_that_come_and_go(bench: Bench) -> None:
    bench.put("A", "berlin", 10)
    bench.put("A", "jersey", 10)
    listed(bench, A=0)
    assert written(bench) == {"11": 20}
    set_rules(bench, Rule("stores", group="stores", share_percent=Decimal(0)))
    assert written(bench) == {}, "no location is in that group"
    with bench.store.write() as conn:
        grounds.set_group(conn, bench.places["jersey"], "stores")
    assert written(bench) == {"11": 10}
    with bench.store.write() as conn:
        place = t.channel_location.c.location_id == bench.places["jersey"]
        conn.execute(t.channel_location.delete().where(place))
    set_rules(bench)
    assert promise(bench).counts["skus"] == 1
    assert row_of(bench, "A").computed_qty == 10


def test_in_flight_risk_is_the_measured_delay_times_the_rate_of_sale(bench: Bench) -> None:
    set_rules(bench, Rule("careful", in_flight_risk=True))
    bench.put("A", "berlin", 100)
    listed(bench, A=0)
    bench.shop.stock.clear()
    promise(bench)
    bench.clock.advance(600)
    # Ten minutes from plan to confirmation.
    assert written(bench) == {"11": 100}
    order = woo_order(1, {"A": 6}, date_created_gmt="2026-11-02T08:05:00")
    bench.shop.pages = [[order]]
    bench.run(intake.pull_orders, "shop")
    # 6 in the last hour: one every ten minutes.
    assert written(bench) == {"11": 93}
    bench.clock.advance(25 * 3600)
    assert written(bench) == {"11": 94}, "the rush is over, although nothing moved"
    assert promise(bench).counts["skus"] == 0, "until the next quarter of an hour"


def test_lessons_row_14_one_change_among_many_costs_one_look(bench: Bench) -> None:
    """No sweeps: of 2,000 SKUs one changed, and one is computed, by as many statements as of 3."""
    with bench.store.write() as conn:
        conn.execute(
            insert(t.sku),
            [{"code": f"S{n}", "title": "", "active": True} for n in range(2000)],
        )
        ids = [row.id for row in conn.execute(t.sku.select()) if row.code.startswith("S")]
        conn.execute(
            insert(t.channel_listing),
            [
                {
                    "connection_id": bench.hub.links["shop"].id,
                    "external_variant_id": f"v{key}",
                    "external_sku": f"S{key}",
                    "sku_id": key,
                    "match_state": "matched",
                    "fulfilment_flag": "merchant",
                    "status": "live",
                    "qty_managed_by": "hub",
                    "last_seen_at": bench.clock.now(),
                }
                for key in ids
            ],
        )
    promise(bench)
    bench.put("A", "berlin", 5)
    listed(bench, A=0)
    statements: list[str] = []
    event.listen(
        bench.store.engine, "before_cursor_execute", lambda *given: statements.append(given[2])
    )
    run = promise(bench)
    assert (run.counts["skus"], run.counts["writes"]) == (1, 1)
    assert len(statements) < 40


def test_a_run_that_is_told_to_stop_leaves_the_rest_dirty(bench: Bench) -> None:
    bench.put("A", "berlin", 5)
    listed(bench, A=0)
    run = promise(bench, stopping=True)
    assert run.counts["skus"] == 0
    assert stock_keys(bench) == []
    assert promise(bench).counts["writes"] == 1


def test_goods_of_a_location_that_closed_are_offered_no_more(bench: Bench) -> None:
    bench.put("A", "berlin", 10)
    listed(bench, A=0)
    assert written(bench) == {"11": 10}
    with bench.store.write() as conn:
        closed = update(t.location).where(t.location.c.code == "berlin")
        conn.execute(closed.values(active=False))
    assert written(bench) == {"11": 0}


def test_rules_alike_but_for_their_dates_each_begin_by_themselves(bench: Bench) -> None:
    bench.put("A", "berlin", 10)
    listed(bench, A=0)
    set_rules(
        bench,
        Rule("november", cap=4, valid_from=date(2026, 11, 20), valid_to=date(2026, 11, 21)),
        Rule("december", cap=4, valid_from=date(2026, 12, 20), valid_to=date(2026, 12, 21)),
    )
    assert written(bench) == {"11": 10}
    bench.clock.advance(timedelta(days=18, hours=4).total_seconds())
    assert written(bench) == {"11": 4}


def test_a_movement_not_committed_yet_keeps_its_mark(bench: Bench) -> None:
    """The promise job weighed the old level and took the mark of the SKU away with it."""
    bench.put("A", "berlin", 10)
    listed(bench, A=0)
    assert written(bench) == {"11": 10}
    bench.clock.advance(60)
    bench.put("A", "berlin", 9)
    with ThreadPoolExecutor(1) as beside:
        with bench.store.write() as conn:
            stock.set_count(
                conn,
                sku_id=bench.skus["A"],
                location_id=bench.places["berlin"],
                authority="hub",
                on_hand=Decimal(1),
                reason="adjust_count",
                key="race",
                now=bench.clock.now(),
            )
            run = beside.submit(promise, bench)
            with suppress(TimeoutError):
                run.result(timeout=1)  # SQLite has one writer, PostgreSQL waits for the mark
        run.result(timeout=30)
    promise(bench)
    assert row_of(bench, "A").computed_qty == 1


def test_a_vendor_that_may_be_asked_at_once_is_asked_once_a_run(bench: Bench) -> None:
    bench.put("A", "berlin", 10)
    listed(bench, A=0)
    promise(bench)
    bench.shop.answers += [Retryable("busy", retry_after=0.0)] * 2
    push(bench)
    assert len(bench.shop.answers) == 1


def test_a_refused_listing_that_lost_its_sku_does_not_stop_the_retry(bench: Bench) -> None:
    bench.put("A", "berlin", 10)
    listed(bench, A=0)
    bench.shop.answers.append({"status": "rejected", "message": "no"})
    written(bench)
    bench.shop.listings = [{**product(11, "A", 0), "sku": "RENAMED"}]
    bench.run(listings.pull_listings, "shop")
    with bench.store.write() as conn:
        assert promises.retry_refused(conn, bench.hub.links["shop"].id, bench.clock.now()) == 0


def test_a_connection_that_was_out_of_the_settings_is_promised_anew_when_it_is_back(
    bench: Bench,
) -> None:
    """What moved meanwhile marked its listings for a run that did not know the connection."""
    bench.put("A", "berlin", 10)
    listed(bench, A=0)
    assert written(bench) == {"11": 10}
    whole = bench.hub
    bench.hub = replace(whole, links={n: k for n, k in whole.links.items() if n != "shop"})
    bench.clock.advance(60)
    bench.put("A", "berlin", 2)
    promise(bench)
    bench.hub = whole
    assert written(bench) == {"11": 2}
    assert promise(bench).counts["rules_changed"] == 0
