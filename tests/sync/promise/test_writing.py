"""Writes on their way: their keys, what confirms them, a bad item, and cancelled orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from connectors.base import Outcome
from connectors.errors import Rejected
from mappings import canonical as c
from state import intents
from sync import intake, listings
from tests.sync.conftest import Bench, woo_order
from tests.sync.promise.setting import (
    listed,
    product,
    promise,
    push,
    row_of,
    stock_keys,
    written,
)


def test_lessons_row_13_a_sale_and_a_restock_are_two_writes(bench: Bench) -> None:
    """The key is of the observation: 5, then 4, then 5 again has to arrive three times."""
    sent = []
    bench.put("A", "berlin", 5)
    listed(bench, A=0)
    for quantity in (5, 4, 5):
        bench.clock.advance(60)
        bench.put("A", "berlin", quantity)
        sent.append(written(bench))
    assert sent == [{"11": 5}, {"11": 4}, {"11": 5}]
    keys = [key for key, _, _ in stock_keys(bench)]
    assert len(set(keys)) == 3
    assert row_of(bench, "A").observation_version == 3


def test_what_waits_collapses_to_the_newest(bench: Bench) -> None:
    listed(bench, A=0)
    for quantity in (5, 4, 3):
        bench.clock.advance(60)
        bench.put("A", "berlin", quantity)
        promise(bench)
    push(bench)
    assert bench.shop.stock == {"11": 3}
    assert [state for _, state, _ in stock_keys(bench)] == ["superseded", "superseded", "done"]


class Queued:
    """A channel that takes writes for later: what ``poll_submission`` says is settled by a test."""

    def __init__(self, bench: Bench) -> None:
        shop, self.results = bench.shop, dict[str, str]()
        queued = self

        class QueuedShop(type(shop)):  # type: ignore[misc]
            def push_stock(self, updates: Mapping[str, c.StockUpdate]) -> Sequence[Outcome]:
                self.stock.update({u.external_variant_id: u.quantity for u in updates.values()})
                return [Outcome(key, "accepted", handle="feed-1") for key in updates]

            def poll_submission(self, handle: str, keys: Sequence[str]) -> Sequence[Outcome] | None:
                if not queued.results:
                    return None
                result: Any = queued.results["feed-1"]
                return [Outcome(key, result, message="not in your catalogue") for key in keys]

        later = QueuedShop()
        link = replace(bench.hub.links["shop"], connector=later)
        bench.shop = later
        bench.hub = replace(bench.hub, links={**bench.hub.links, "shop": link})


def test_lessons_row_15_accepted_is_not_applied(bench: Bench) -> None:
    """Only what the channel has applied confirms; a later refusal leaves the mark where it was."""
    queue = Queued(bench)
    bench.put("A", "berlin", 5)
    listed(bench, A=0)
    written(bench)
    row = row_of(bench, "A")
    assert (row.computed_qty, row.submitted_qty, row.confirmed_qty) == (5, 5, None)
    bench.put("A", "berlin", 4)
    assert written(bench) == {}, "one in flight per listing: 4 waits for the answer about 5"
    queue.results["feed-1"] = "rejected"
    push(bench)
    row = row_of(bench, "A")
    assert (row.confirmed_qty, row.block_reason) == (None, "not in your catalogue")
    queue.results["feed-1"] = "applied"
    push(bench)
    row = row_of(bench, "A")
    assert (row.computed_qty, row.confirmed_qty, row.block_reason) == (4, 4, "")


def poisoned(bench: Bench, bad: str, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The channel refuses any batch with ``bad`` in it as a whole; returns the calls' sizes."""
    sizes: list[int] = []
    real = bench.shop.push_stock

    def push_stock(updates: Mapping[str, c.StockUpdate]) -> Sequence[Outcome]:
        sizes.append(len(updates))
        if any(update.external_variant_id == bad for update in updates.values()):
            raise Rejected("one of them is no product of yours", "bad_item")
        return real(updates)

    monkeypatch.setattr(bench.shop, "push_stock", push_stock)
    return sizes


def test_lessons_row_16_a_bad_item_is_searched_by_halves(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """64 listings, one of them poison: 63 are written, by 13 calls and not by 65."""
    sizes = poisoned(bench, "40", monkeypatch)
    rows = [
        {
            "connection_id": bench.hub.links["shop"].id,
            "kind": "stock",
            "subject_type": "listing",
            "subject_id": 1000 + number,
            "idempotency_key": f"stock:{1000 + number}:1",
            "body": {
                "external_product_id": str(number),
                "external_variant_id": str(number),
                "external_sku": f"S{number}",
                "quantity": 1,
            },
        }
        for number in range(64)
    ]
    with bench.store.write() as conn:
        intents.plan_many(conn, rows, bench.clock.now())
    run = push(bench)
    assert (run.counts["stock_applied"], run.counts["stock_rejected"]) == (63, 1)
    assert len(sizes) == 13
    assert [key for key, state, _ in stock_keys(bench) if state == "rejected"] == ["stock:1040:1"]


def test_lessons_row_k7_a_mark_is_of_one_listing_s_write(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two listings of one SKU: one write fails, the other does not, and the failed one is sent
    again although its stock has not changed."""
    bench.put("A", "berlin", 5)
    bench.shop.listings = [product(11, "A", 0), product(21, "A", 0)]
    bench.run(listings.pull_listings, "shop")
    failing = {"21"}

    def push_stock(updates: Mapping[str, c.StockUpdate]) -> Sequence[Outcome]:
        told = []
        for key, update in updates.items():
            if update.external_variant_id in failing:
                told.append(Outcome(key, "retry", message="busy"))
            else:
                bench.shop.stock[update.external_variant_id] = update.quantity
                told.append(Outcome(key, "applied"))
        return told

    monkeypatch.setattr(bench.shop, "push_stock", push_stock)
    assert written(bench) == {"11": 5}
    failing.clear()
    bench.clock.advance(60)
    push(bench)
    assert bench.shop.stock == {"11": 5, "21": 5}


@pytest.mark.parametrize("read_before", [True, False])
@pytest.mark.parametrize(("restores", "told_again"), [(False, {"11": 5}), (True, {})])
def test_lessons_row_41_a_channel_that_does_not_restock_is_told_again(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    restores: bool,
    told_again: dict[str, int],
    read_before: bool,
) -> None:
    """Sold and cancelled between two promises: ours stays 5, its own number has fallen to 4."""
    monkeypatch.setattr(bench.shop, "info", replace(bench.shop.info, restores_stock=restores))
    bench.put("A", "berlin", 5)
    listed(bench, A=0)
    assert written(bench) == {"11": 5}
    placed = woo_order(1, {"A": 1})
    gone = woo_order(1, {"A": 1}, status="cancelled", date_modified_gmt="2026-11-02T07:30:00")
    bench.shop.pages = [[placed], [gone]] if read_before else [[gone]]
    run = bench.run(intake.pull_orders, "shop")
    assert run.counts["changed"] == read_before
    assert written(bench) == told_again
    assert written(bench) == {}, "once is enough"
