"""Giving account: every term with its rule, the last push, and why a number is not live."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from connectors.errors import Retryable
from state import streams
from state import tables as t
from sync import listings
from sync.promise.account import account
from sync.promise.rules import Rule
from tests.sync.conftest import Bench
from tests.sync.promise.setting import (
    listed,
    orders_were_read,
    promise,
    push,
    set_limits,
    set_rules,
    written,
)


def told(bench: Bench, sku: str = "A") -> dict[str, Any]:
    """The account of the SKU's only listing."""
    with bench.store.read() as conn:
        [one] = account(conn, bench.hub, bench.skus[sku])
    return one


def because(bench: Bench) -> list[str]:
    reasons: list[str] = told(bench)["not_live_because"]
    return reasons


def test_every_term_is_told_with_its_rule(bench: Bench) -> None:
    set_rules(
        bench,
        Rule("all shops", share_percent=Decimal(50), buffer_units=1),
        Rule("few mugs", sku="A", cap=3),
    )
    bench.put("A", "berlin", 10)
    listed(bench, A=0)
    written(bench)
    one = told(bench)
    assert (one["channel"], one["listing"], one["quantity"], one["live"]) == ("shop", "A", 3, True)
    [place] = one["terms"]["locations"]
    assert (place["code"], place["on_hand"], place["share_percent"]) == ("berlin", 10, 50)
    assert [(s["term"], s["change"], s["after"]) for s in one["terms"]["steps"]] == [
        ("available", 10, 10),
        ("share", -5, 5),
        ("buffer", -1, 4),
        ("cap", -1, 3),
    ]
    rules = one["terms"]["rules"]
    assert rules["cap"] == {"value": 3, "rule": "few mugs"}
    assert rules["share_percent"]["rule"] == "all shops"
    assert rules["end_when"] == {"value": None, "rule": None}


def test_lessons_row_12_the_last_push_is_told_stage_by_stage(bench: Bench) -> None:
    """Existing items that never update, and nobody can say why: here each stage has its moment."""
    bench.put("A", "berlin", 5)
    listed(bench, A=2)
    assert because(bench) == ["it waits for the next promise run"]
    promise(bench)
    assert because(bench) == ["the write waits to be sent"]
    assert told(bench)["push"]["last"]["state"] == "planned"
    bench.shop.answers = [Retryable("the shop is down")]
    push(bench)
    assert because(bench) == ["the write is tried again, attempt 2: the shop is down"]
    bench.clock.advance(60)
    push(bench)
    assert because(bench) == []
    pushed = told(bench)["push"]
    now = bench.clock.now()
    assert pushed["confirmed"] == {"quantity": 5, "at": now}
    assert pushed["submitted"]["quantity"] == 5
    assert pushed["read_back"]["quantity"] == 2, "the last look was before the write"
    listed(bench, A=5)
    assert told(bench)["push"]["read_back"] == {"quantity": 5, "at": now}


def test_lessons_row_12_a_refusal_is_told_in_the_channel_s_words(bench: Bench) -> None:
    bench.put("A", "berlin", 5)
    listed(bench, A=2)
    bench.shop.answers = [{"status": "rejected", "message": "Woo keeps no stock for it."}]
    promise(bench)
    push(bench)
    assert because(bench)[0] == "the channel refused the last write: Woo keeps no stock for it."
    assert told(bench)["drift"]["class"] == "refused"
    assert "crossdock retry" in told(bench)["drift"]["remedy"]


def test_what_was_never_counted_says_so(bench: Bench) -> None:
    listed(bench, A=2)
    promise(bench)
    assert because(bench) == [
        "never counted at a location that serves this channel: it keeps its own number"
    ]
    assert told(bench)["quantity"] is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": "draft"}, None),
        ({"status": "trash"}, "the listing is ended in the channel"),
        (
            {"manage_stock": False},
            "the channel does not manage stock for it: switch stock management on there",
        ),
    ],
)
def test_a_listing_that_is_not_ours_to_write_says_why(
    bench: Bench, change: dict[str, Any], reason: str | None
) -> None:
    bench.put("A", "berlin", 5)
    listed(bench, A=5)
    written(bench)
    bench.shop.listings[0].update(change)
    bench.run(listings.pull_listings, "shop")
    written(bench)
    assert because(bench) == ([reason] if reason else [])


def test_drift_a_held_run_and_a_dead_connection_are_told(bench: Bench) -> None:
    bench.put("A", "berlin", 5)
    listed(bench, A=2)
    written(bench)
    bench.clock.advance(3600)
    orders_were_read(bench)
    listed(bench, A=4)
    assert because(bench) == ["the channel offers 4 instead of 5: sale_in_flight"]
    set_limits(bench, moved_units=3)
    bench.clock.advance(60)
    bench.put("A", "berlin", 50)
    with pytest.raises(Retryable, match="held by the guard"):
        promise(bench)
    assert because(bench) == ["the promise run is held by the guard: see `crossdock guard show 1`"]
    with bench.store.write() as conn:
        streams.park_connection(conn, bench.hub.links["shop"].id, "the key was refused")
    assert because(bench)[1] == "the connection is auth_failed: the key was refused"


def test_a_promise_is_told_of_one_channel_or_of_all(bench: Bench) -> None:
    listed(bench, A=2)
    with bench.store.write() as conn:
        query = t.channel_listing.select()
        row = conn.execute(query).one()._asdict()
        row |= {"id": row["id"] + 1, "connection_id": bench.hub.links["bob"].id}
        conn.execute(t.channel_listing.insert().values(row))
        every = account(conn, bench.hub, bench.skus["A"])
        one = account(conn, bench.hub, bench.skus["A"], "bob")
    assert [told["channel"] for told in every] == ["bob", "shop"]
    assert "no stock can be written to this connection" in one[0]["not_live_because"][0]
