"""A channel that offers something else than was promised: every way to lie, and what heals it."""

from __future__ import annotations

from typing import Any

from sync import listings, parked
from tests.sync.conftest import Bench
from tests.sync.promise.setting import (
    listed,
    orders_were_read,
    promise,
    push,
    row_of,
    written,
)


def offering_five(bench: Bench) -> None:
    """Five of A promised, written and confirmed; the channel had offered 2 before."""
    bench.put("A", "berlin", 5)
    listed(bench, A=2)
    assert written(bench) == {"11": 5}


def strayed(bench: Bench, quantity: int) -> tuple[dict[str, int], dict[str, int]]:
    """Read back ``quantity``: (drift counted on the run, what the channel was told again)."""
    bench.clock.advance(3600)
    orders_were_read(bench)
    run = listed(bench, A=quantity)
    bench.shop.stock.clear()
    push(bench)
    classes = ("sale_in_flight", "our_write_lost", "edited_by_hand", "bundle", "refused")
    return {name: run.counts[name] for name in classes if run.counts[name]}, dict(bench.shop.stock)


def test_a_channel_that_keeps_its_word_has_no_drift(bench: Bench) -> None:
    offering_five(bench)
    assert strayed(bench, 5) == ({}, {})
    row = row_of(bench, "A")
    assert (row.drift_class, row.drift_count, row.offered_qty) == ("", 0, 5)


def test_a_number_typed_by_hand_is_written_over_and_counted(bench: Bench) -> None:
    offering_five(bench)
    assert strayed(bench, 9) == ({"edited_by_hand": 1}, {"11": 5})
    row = row_of(bench, "A")
    assert (row.drift_class, row.drift_count, row.writes_lost) == ("edited_by_hand", 1, 1)
    assert strayed(bench, 5) == ({}, {})
    row = row_of(bench, "A")
    assert (row.drift_class, row.drift_count, row.writes_lost) == ("", 1, 0)


def test_less_on_offer_waits_for_the_orders_that_may_explain_it(bench: Bench) -> None:
    offering_five(bench)
    assert strayed(bench, 4) == ({"sale_in_flight": 1}, {})
    assert row_of(bench, "A").drift_class == "sale_in_flight"
    assert strayed(bench, 4) == ({"edited_by_hand": 1}, {"11": 5}), "no order explains it"


def test_what_was_offered_before_our_write_is_a_write_that_was_lost(bench: Bench) -> None:
    offering_five(bench)
    assert strayed(bench, 2) == ({"sale_in_flight": 1}, {})
    assert strayed(bench, 2) == ({"our_write_lost": 1}, {"11": 5})
    bench.put("A", "berlin", 3)
    assert written(bench) == {"11": 3}
    assert strayed(bench, 5) == ({"our_write_lost": 1}, {"11": 3})


def test_a_number_that_no_write_changes_is_the_channel_s_own(bench: Bench) -> None:
    """A bundle's number is computed there from its parts: we stop writing, and a person looks."""
    offering_five(bench)
    for _ in range(3):
        found, told = strayed(bench, 8)
        assert told == {"11": 5}, found
    assert strayed(bench, 8) == ({"bundle": 1}, {})
    assert strayed(bench, 8) == ({"bundle": 1}, {}), "it stays parked"
    [item] = listing_parked(bench)
    assert (item.what, item.reason, item.detail) == ("listing", "bundle", "5 promised, 8 offered")
    assert "retry" in item.remedy
    with bench.store.write() as conn:
        parked.retry(conn, bench.hub, bench.hub.links["shop"])
    assert written(bench) == {"11": 5}
    assert strayed(bench, 5) == ({}, {})
    assert listing_parked(bench) == []


def test_a_refused_write_is_parked_with_its_remedy_and_not_repeated(bench: Bench) -> None:
    bench.put("A", "berlin", 5)
    listed(bench, A=2)
    bench.shop.answers = [{"status": "rejected", "message": "Woo keeps no stock for it."}]
    promise(bench)
    push(bench)
    assert strayed(bench, 9) == ({"refused": 1}, {})
    [item] = listing_parked(bench)
    assert (item.reason, item.detail) == ("refused", "Woo keeps no stock for it.")
    with bench.store.write() as conn:
        counts, wake = parked.retry(conn, bench.hub, bench.hub.links["shop"])
    assert counts["listings_retried"] == 1
    assert "promise" in wake
    assert written(bench) == {"11": 5}
    assert listing_parked(bench) == []
    assert row_of(bench, "A").drift_class == ""


def test_a_listing_that_changed_in_the_channel_is_written_again(bench: Bench) -> None:
    """Ops switch stock management on, as the refusal said: nobody has to ask for a retry."""
    bench.put("A", "berlin", 5)
    listed(bench, A=2)
    bench.shop.answers = [{"status": "rejected", "message": "Woo keeps no stock for it."}]
    promise(bench)
    push(bench)
    bench.shop.listings[0]["manage_stock"] = False
    pulled(bench)
    bench.shop.listings[0]["manage_stock"] = True
    pulled(bench)
    assert written(bench) == {"11": 5}


def pulled(bench: Bench) -> None:
    bench.run(listings.pull_listings, "shop")


def listing_parked(bench: Bench) -> list[Any]:
    with bench.store.read() as conn:
        return [one for one in parked.listing(conn, bench.hub) if one.what == "listing"]


def test_a_promise_that_must_be_computed_anew_is_no_measure(bench: Bench) -> None:
    """The sale has been read, but not counted yet: the old promise must not be written over it."""
    offering_five(bench)
    assert strayed(bench, 3) == ({"sale_in_flight": 1}, {})
    bench.put("A", "berlin", 3)
    assert strayed(bench, 3) == ({}, {})
    assert written(bench) == {"11": 3}
