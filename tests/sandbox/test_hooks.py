"""The vendors' webhooks: signed, on a way that is drawn from the seed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.clock import ManualClock
from sandbox.hooks import FAILURES_MAX, REPEATS_S, Event, Subscription, Way, headers_of
from sandbox.world import World

DAY = datetime(2026, 11, 2, 6, tzinfo=UTC)
ROUGH = Way(lost=0.1, doubled=0.2, late=0.3, forged=0.1)


def told(seed: int, way: Way, status: int = 200) -> tuple[World, list[tuple[Any, ...]]]:
    """A day of trade of a shop and of what it told, in order of arrival."""
    world = World(seed, ManualClock(DAY), orders_per_channel=20, day_hours=2)
    arrived: list[tuple[Any, ...]] = []

    def send(url: str, headers: dict[str, str], body: bytes) -> int:
        arrived.append((world.now, url, tuple(sorted(headers.items())), body))
        return status

    world.hooks.send, world.hooks.way = send, way
    for topic in ("order.created", "order.updated"):
        world.hooks.subscribe(Subscription("woocommerce", [topic], "http://us/x", "s" * 30))
    world.advance_to(DAY + timedelta(days=2))
    return world, arrived


def test_the_same_seed_tells_the_same_to_the_byte() -> None:
    assert told(7, ROUGH)[1] == told(7, ROUGH)[1]
    assert told(7, ROUGH)[1] != told(8, ROUGH)[1]


def test_what_happens_on_the_way_really_happens() -> None:
    world, arrived = told(7, ROUGH)
    hooks = world.hooks
    met = hooks.met
    assert min(met[kind] for kind in ("lost", "doubled", "late", "forged")) > 0
    assert len(arrived) == len(hooks.events) - met["lost"] + met["doubled"] + met["forged"]
    assert len({event.id for event in hooks.events}) == len(hooks.events)


def test_every_order_is_told_of_when_nothing_goes_wrong() -> None:
    world, arrived = told(7, Way())
    created = [event for event in world.hooks.events if event.topic == "order.created"]
    assert len(created) == len(world.shop.orders)
    assert len(arrived) == len(world.hooks.events)


def test_a_shop_gives_up_after_five_failures_in_a_row() -> None:
    world, arrived = told(7, Way(), status=503)
    assert len(arrived) == 2 * FAILURES_MAX
    assert [one.enabled for one in world.hooks.subscriptions] == [False, False]


@pytest.mark.parametrize("answers", [[503, 503, 200], [0] * (len(REPEATS_S) + 5)])
def test_a_3pl_repeats_with_the_same_id_and_a_new_time(answers: list[int]) -> None:
    world = World(7, ManualClock(DAY), orders_per_channel=0)
    seen: list[dict[str, str]] = []

    def send(_url: str, headers: dict[str, str], _body: bytes) -> int:
        seen.append(headers)
        return answers[len(seen) - 1]

    world.hooks.send = send
    secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
    world.hooks.subscribe(Subscription("shipbob", ["order.shipped"], "http://us/x", secret))
    world.hooks.happened("shipbob", "order.shipped", lambda: {"id": 1}, DAY)
    world.advance_to(DAY + timedelta(days=6))
    assert len(seen) == min(len(answers), len(REPEATS_S) + 1)
    assert len({headers["webhook-id"] for headers in seen}) == 1
    assert len({headers["webhook-timestamp"] for headers in seen}) == len(seen)


def test_a_webhook_looks_as_its_vendor_sends_it() -> None:
    sender = Subscription("woocommerce", ["order.updated"], "", "s" * 30)
    headers = headers_of(Event("d1", sender, "order.updated", b"{}"), DAY)
    assert headers["x-wc-webhook-resource"] == "order"
    assert headers["x-wc-webhook-event"] == "updated"
