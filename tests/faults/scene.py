"""What tests of the fault matrix do with a trade: buy, look, and count what happened outside."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import func, select

from jobs.runner import Ended
from jobs.running import Order
from sandbox import trade_amazon, trade_woo, truth
from sandbox.people import PEOPLE
from state import streams
from state import tables as t
from sync import invariants
from tests.acceptance import oracle
from tests.acceptance.trading import Trade

SHOP, SELLER, BOB, LABELS = "shop-eu", "amazon-eu", "bob", "labels"
CHANNELS = (SHOP, SELLER)


def buy(
    trade: Trade, count: int = 1, channel: str = SHOP, sku: str = "MUG-BLUE", qty: int = 1
) -> list[str]:
    """So many orders of one moment; their ids at the channel."""
    world, at = trade.world, trade.clock.now().replace(microsecond=0)
    world.advance_to(trade.clock.now())
    ids = []
    for _ in range(count):
        person = PEOPLE[0]
        if channel == SHOP:
            basket = trade_woo.basket_of(world, person, [(sku, qty)])
            woo = trade_woo.checkout(world, at, basket)
            assert woo is not None
            ids.append(str(woo.id))
        else:
            order_id = f"305-{world.seller.serial():07d}-0000007"
            order = trade_amazon.order_of(world, person, [(sku, qty)], order_id, at)
            assert trade_amazon.place(world, at, order)
            ids.append(order_id)
    return ids


def look(trade: Trade, job: str = "pull-orders", connection: str = SHOP) -> Ended:
    """One run of a stream, however it ends; never by a bug of ours."""
    ended = trade.runner.run_once(streams.key_of(job, connection), Order("once", connection))
    assert ended is not None
    assert ended.verdict is None or ended.verdict.kind != "bug", ended.verdict
    return ended


def pass_time(trade: Trade, **span: float) -> None:
    """Let time pass without the hub."""
    trade.clock.advance(timedelta(**span).total_seconds())


def known(trade: Trade, channel: str = SHOP) -> set[str]:
    return oracle.known_orders(trade.store, channel)


def states(trade: Trade) -> dict[str, str]:
    """The channel's id of every order -> where the hub has it."""
    order = t.sales_order.c
    with trade.store.read() as conn:
        rows = conn.execute(select(order.channel_order_id, order.intake_state))
        return {row.channel_order_id: row.intake_state for row in rows}


def cursor(trade: Trade, job: str = "pull-orders", connection: str = SHOP) -> Any:
    with trade.store.read() as conn:
        return conn.scalar(
            select(t.stream.c.cursor).where(t.stream.c.key == streams.key_of(job, connection))
        )


def intents(trade: Trade, kind: str) -> list[tuple[str, int]]:
    """(state, attempts) of every intent of a kind."""
    query = select(t.intent.c.state, t.intent.c.attempts).where(t.intent.c.kind == kind)
    with trade.store.read() as conn:
        return [(row.state, row.attempts) for row in conn.execute(query)]


def count(trade: Trade, table: Any) -> int:
    with trade.store.read() as conn:
        return int(conn.scalar(select(func.count()).select_from(table)) or 0)


def assert_sound(trade: Trade) -> None:
    """No rule of the store's own audit is broken."""
    with trade.store.read() as conn:
        assert invariants.check(conn) == []


def work(trade: Trade) -> None:
    """Every stream that moves an order, once, in the order of its life."""
    for job, connection in _CHAIN:
        if connection is None:
            ended = trade.runner.run_once(job, Order("once"))
            assert ended is not None
            assert ended.verdict is None, ended.verdict
        else:
            look(trade, job, connection)


_CHAIN = (
    ("pull-orders", SHOP),
    ("pull-orders", SELLER),
    ("allocate", None),
    ("push", LABELS),
    ("push", BOB),
    ("pull-shipments", BOB),
    ("push", SHOP),
    ("push", SELLER),
)


def work_through(trade: Trade, more: int = 0) -> None:
    """Let orders go their whole way, looking now and then; ``more``: further looks, every hour."""
    for minutes in (6, 12, 20, 60, *[60] * (2 + more)):
        work(trade)
        pass_time(trade, minutes=minutes)
    work(trade)


def left_the_buildings(trade: Trade) -> dict[str, dict[str, int]]:
    """Channel order -> units per SKU that really left, told by carrier and 3PL."""
    left = oracle.parcels(trade.store, trade.world)
    return {order: dict(units) for (_, order), units in left.items() if units.total()}


def effects(trade: Trade) -> dict[str, int]:
    """The most of each effect that one intent of ours has had outside."""
    seller, world = trade.world.seller, trade.world
    packages = [(order, ref) for _, order, ref in seller.confirmations]
    return {
        "labels": max((row["bought"] for row in truth.labels(world).values()), default=0),
        "orders": max((row["orders"] for row in truth.shipbob_orders(world).values()), default=0),
        "packages": max((len(o.packages) for o in seller.orders.values()), default=0),
        "confirmed": len(set(packages)),
    }


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def open_holds(trade: Trade) -> list[str]:
    """The reasons of every hold that waits for a person."""
    query = select(t.hold.c.reason).where(t.hold.c.released_at.is_(None))
    with trade.store.read() as conn:
        return list(conn.scalars(query))


def once() -> Order:
    """What a run is asked for that concerns no connection."""
    return Order("once")


def with_parked_lines(trade: Trade) -> set[str]:
    """The channel's ids of orders with a line that could not be read."""
    query = (
        select(t.sales_order.c.channel_order_id)
        .join(t.order_line, t.order_line.c.order_id == t.sales_order.c.id)
        .where(t.order_line.c.park_reason == "mapping")
    )
    with trade.store.read() as conn:
        return set(conn.scalars(query))
