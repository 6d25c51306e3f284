"""A vendor that is down is known to all threads, processes and later ones, on both databases."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from connectors.breaker import Breaker
from jobs.clock import ManualClock
from state import breakers
from state.breakers import Breakers
from state.circuit import FIRST_S, JITTER, OPENS_AT
from state.store import Store


def down(store: Store, clock: ManualClock, connection: str = "shop") -> Breakers:
    found = Breakers(store, clock, random.Random(3))
    for _ in range(OPENS_AT):
        found.leave(connection, "trouble", probe=False)
    return found


def test_it_is_the_breaker_that_the_door_asks(store: Store, clock: ManualClock) -> None:
    breaker: Breaker = Breakers(store, clock)
    assert breaker.enter("shop").wait_s == 0
    assert not breaker.is_open("shop")


def test_one_of_eight_threads_gets_the_probe(store: Store, clock: ManualClock) -> None:
    found = down(store, clock)
    clock.advance(FIRST_S * JITTER)
    with ThreadPoolExecutor(8) as pool:
        entries = list(pool.map(lambda _: found.enter("shop"), range(24)))
    assert sum(entry.probe for entry in entries) == 1
    assert sum(entry.wait_s > 0 for entry in entries) == 23


def test_of_troubles_at_once_none_is_lost(store: Store, clock: ManualClock) -> None:
    found = Breakers(store, clock)
    with ThreadPoolExecutor(OPENS_AT) as pool:
        list(pool.map(lambda _: found.leave("shop", "trouble", probe=False), range(OPENS_AT)))
    assert found.is_open("shop")


def test_it_outlives_the_process_and_is_one_per_connection(
    store: Store, store_url: str, clock: ManualClock
) -> None:
    began = clock.now()
    down(store, clock)
    clock.advance(5)
    reopened = Store(store_url)
    after = Breakers(reopened, clock)
    wait_s, others = after.enter("shop").wait_s, after.enter("bob").wait_s
    with reopened.read() as conn:
        (shop,) = breakers.down(conn).values()
    reopened.close()
    assert FIRST_S - 5 <= wait_s <= FIRST_S * JITTER - 5
    assert others == 0
    assert shop.since == began
    assert shop.next_try - clock.now() == timedelta(seconds=wait_s)
    assert shop.keeps_out(clock.now())
    assert not shop.keeps_out(shop.next_try)


def test_an_answer_closes_it_for_everybody(store: Store, clock: ManualClock) -> None:
    found = down(store, clock)
    Breakers(store, clock).leave("shop", "answered", probe=True)
    assert found.enter("shop").wait_s == 0
    with store.read() as conn:
        assert breakers.down(conn) == {}


def test_a_clock_that_was_set_back_keeps_nobody_out(store: Store, clock: ManualClock) -> None:
    found = down(store, clock)
    with store.read() as conn:
        shop = breakers.down(conn)["shop"]
    assert not shop.keeps_out(clock.now() - timedelta(days=1))
    earlier = ManualClock(clock.now() - timedelta(days=1))
    assert found.enter("shop").wait_s > 0
    assert Breakers(store, earlier).enter("shop").probe
