"""Whatever happens on the way, the channel ends with what was promised, and never two at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

import pytest
from sqlalchemy import func, select

from connectors.base import Outcome
from connectors.errors import Ambiguous, Rejected, Retryable
from mappings import canonical as c
from state import tables as t
from state.intents import OPEN
from sync import listings, parked
from tests.sync.conftest import Bench
from tests.sync.promise.setting import orders_were_read, product, promise, push, row_of

SKUS = {"A": 11, "B": 12, "C": 13}


class Moody:
    """A shop that loses, delays, doubles and forgets writes, and changes numbers by itself."""

    def __init__(self, bench: Bench, rng: Random, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rng = rng
        self.mood = 0.6
        self.offers = dict.fromkeys(map(str, SKUS.values()), 0)
        monkeypatch.setattr(bench.shop, "push_stock", self.push_stock)

    def push_stock(self, updates: Mapping[str, c.StockUpdate]) -> Sequence[Outcome]:
        bad = self.rng.random() < self.mood
        trouble = self.rng.choice([Retryable("busy"), Ambiguous("lost"), Rejected("no")])
        if bad and isinstance(trouble, Retryable | Rejected):
            raise trouble
        told = []
        for key, update in updates.items():
            if not bad or self.rng.random() < 0.5:
                self.offers[update.external_variant_id] = update.quantity
            fate = self.rng.choice(["applied", "retry", "unknown"]) if bad else "applied"
            told.append(Outcome(key, fate))  # type: ignore[arg-type]
        if bad and isinstance(trouble, Ambiguous):
            raise trouble
        return told

    def pull(self, bench: Bench) -> None:
        orders_were_read(bench)
        bench.shop.listings = [
            product(number, sku, self.offers[str(number)]) for sku, number in SKUS.items()
        ]
        bench.run(listings.pull_listings, "shop")


def most_under_way(bench: Bench) -> int:
    """How many writes of one listing are sent and not settled."""
    sent = [state for state in OPEN if state != "planned"]
    query = (
        select(func.count())
        .where(t.intent.c.kind == "stock", t.intent.c.state.in_(sent))
        .group_by(t.intent.c.subject_id)
    )
    with bench.store.read() as conn:
        return max(conn.scalars(query), default=0)


def test_the_channel_ends_with_the_promise(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    counted, promised, offered = live_through(bench, 1, monkeypatch)
    assert promised == offered == counted


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 30))
def test_the_channel_ends_with_the_promise_however_it_went(
    bench: Bench, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted, promised, offered = live_through(bench, seed, monkeypatch)
    assert promised == offered == counted


def live_through(
    bench: Bench, seed: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """What was counted last, what is promised, and what the channel offers in the end, by SKU."""
    rng = Random(seed)
    shop = Moody(bench, rng, monkeypatch)
    counted = {sku: rng.randrange(1, 9) for sku in SKUS}
    for sku, quantity in counted.items():
        bench.put(sku, "berlin", quantity)
    shop.pull(bench)
    for _ in range(25):
        bench.clock.advance(rng.choice([1, 60, 1800]))
        deed = rng.choice(["count", "promise", "push", "push", "pull", "meddle"])
        sku = rng.choice(sorted(SKUS))
        if deed == "count":
            counted[sku] = rng.randrange(0, 12)
            bench.put(sku, "berlin", counted[sku])
        elif deed == "meddle":
            shop.offers[str(SKUS[sku])] = rng.randrange(0, 15)
        else:
            {"promise": promise, "push": push, "pull": shop.pull}[deed](bench)
        assert most_under_way(bench) <= 1
    settle(bench, shop)
    promised = {sku: row_of(bench, sku).computed_qty for sku in SKUS}
    offered = {sku: shop.offers[str(number)] for sku, number in SKUS.items()}
    return counted, promised, offered


def settle(bench: Bench, shop: Moody) -> None:
    """The shop is well from now on; what it refused is asked of it once more, as ops would."""
    shop.mood = 0.0
    for _ in range(6):
        bench.clock.advance(7200)
        with bench.store.write() as conn:
            parked.retry(conn, bench.hub, bench.hub.links["shop"])
        promise(bench)
        push(bench)
        shop.pull(bench)
        push(bench)
