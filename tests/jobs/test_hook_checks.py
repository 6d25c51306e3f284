"""Row 46: a vendor that stops sending webhooks is noticed by the daemon, and told to ops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from sqlalchemy import select

from connectors import woo_hooks
from jobs.running import Order
from proof.hooks import rig as rigs
from proof.hooks import storm
from sandbox.hooks import Subscription, Way, posting
from state import streams
from state import tables as t

CHECK = streams.key_of("check-hooks", rigs.SHOP)


@pytest.fixture
def rig() -> Iterator[rigs.Rig]:
    with rigs.rig(7, orders=12, hours=2) as made:
        made.world.hooks.send = posting(made.client)
        yield made


def subscribed(rig: rigs.Rig) -> list[Subscription]:
    return [rig.world.hooks.subscribe(rigs.woo(topic=topic)) for topic in woo_hooks.TOPICS]


def checked(rig: rigs.Rig) -> Any:
    """The stream's row after a run, which is due."""
    with rig.store.read() as conn:
        due_at = conn.scalar(select(t.stream.c.due_at).where(t.stream.c.key == CHECK))
    assert due_at is not None
    rig.clock.advance(max(0.0, (due_at - rig.clock.now()).total_seconds()))
    rig.hub.runner("run").run_due(CHECK)
    with rig.store.read() as conn:
        return conn.execute(select(t.stream).where(t.stream.c.key == CHECK)).one()


def test_a_subscription_that_is_there_is_well_and_asked_for_once_a_day(rig: rigs.Rig) -> None:
    subscribed(rig)
    row = checked(rig)
    assert (row.failures, row.last_error) == (0, "")
    assert row.due_at - rig.clock.now() > timedelta(hours=20)


def test_fault_row_46_a_subscription_that_the_vendor_disabled_is_told_until_it_is_back(
    rig: rigs.Rig,
) -> None:
    for one in subscribed(rig):
        one.enabled = False
    row = checked(rig)
    assert row.failures == 1
    assert "order.created is disabled" in row.last_error
    assert "activate it again" in row.last_error
    assert f"{rigs.BASE}/hooks/{rigs.SHOP}" in row.last_error
    for one in rig.world.hooks.subscriptions:
        one.enabled = True
    assert checked(rig).failures == 0


def test_fault_row_46_a_subscription_that_is_gone_is_told(rig: rigs.Rig) -> None:
    assert "order.updated is not there" in checked(rig).last_error


def test_fault_row_46_a_subscription_that_is_active_and_silent_is_told(rig: rigs.Rig) -> None:
    subscribed(rig)
    assert checked(rig).failures == 0
    rig.world.hooks.way = Way(lost=1)
    rig.clock.advance(timedelta(hours=5).total_seconds())
    rig.world.advance_to(rig.clock.now())
    rig.hub.runner("run").run_due(streams.key_of("pull-orders", rigs.SHOP))
    row = checked(rig)
    assert "no webhook came" in row.last_error
    rig.world.hooks.way = Way()
    order = max(rig.world.shop.orders.values(), key=lambda one: one.id)
    rig.world.shop.set_status(order, "on-hold", rig.clock.now().replace(microsecond=0))
    rig.world.advance_to(rig.clock.now())
    assert checked(rig).failures == 0, "one that comes ends it"


def test_a_read_between_a_webhook_and_the_moment_it_shows_does_not_use_it_up(
    rig: rigs.Rig,
) -> None:
    subscribed(rig)
    runner, pull = rig.hub.runner("run"), streams.key_of("pull-orders", rigs.SHOP)
    _pass(rig, timedelta(hours=3).total_seconds())
    assert runner.run_due(pull)
    _pass(rig, 60)
    order = max(rig.world.shop.orders.values(), key=lambda one: one.id)
    order.body["customer_note"] = "changed just now"
    rig.world.shop.set_status(order, order.status, rig.clock.now().replace(microsecond=0))
    _pass(rig, 0)
    assert runner.run_due(pull), "at once"
    _pass(rig, 4)
    assert rig.hub.runner("once").run_once(pull, Order("once", rigs.SHOP))
    assert "changed just now" not in _notes(rig), "too early for the shop"
    _pass(rig, 4)
    assert runner.run_due(pull)
    assert "changed just now" in _notes(rig)
    _pass(rig, 60)
    assert runner.run_due(pull) is None, "and no more until the next interval"


def _pass(rig: rigs.Rig, seconds: float) -> None:
    rig.clock.advance(seconds)
    rig.world.advance_to(rig.clock.now())


def _notes(rig: rigs.Rig) -> list[str]:
    with rig.store.read() as conn:
        return list(conn.scalars(select(t.sales_order.c.note)))


def test_who_takes_no_webhooks_is_not_asked(rig: rigs.Rig) -> None:
    keys = rig.hub.streams()
    assert CHECK in keys
    assert streams.key_of("check-hooks", rigs.CLOSED_SHOP) not in keys
    assert streams.key_of("check-hooks", rigs.LABELS) not in keys, "ShipEngine lists none"


def test_fault_row_37_webhooks_that_come_a_day_late_with_what_was_then_change_nothing() -> None:
    late, met = Way(late=1.0, late_s=timedelta(hours=30).total_seconds()), Counter[str]()
    with (
        mock.patch.object(storm, "WAY", late),
        rigs.rig(3, orders=12, hours=1, patience_s=0.5) as made,
    ):
        assert storm.storm(made, 40, 3, met) == []
        waits = [one.at - made.world.opened for one in made.world.hooks.attempts]
    assert met["late"] >= 40
    assert max(waits) > timedelta(hours=24)
