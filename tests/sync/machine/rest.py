"""Bringing a world to rest, and what must hold when nothing is under way any more."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, select

from state import fulfilment, orders
from state import tables as t
from tests.sync.machine import checks
from tests.sync.machine.installation import DEPOTS, OURS, PLACES
from tests.sync.machine.outside import SKUS, units
from tests.sync.machine.world import World, beyond

ROUNDS = 12


def settle(world: World) -> None:
    """Everybody answers, tells what there is to tell, and ships what is to be shipped."""
    for name in ("shop", "labels", *DEPOTS):
        world.arrange(name)
    # Quantities that the shop refused.
    world.retry("shop")
    for code in DEPOTS:
        # It has counted, so it knows that the rest is not there.
        _ship_or_give_up(world, code)
    world.count_outside()
    _tell_everything(world)
    for _ in range(ROUNDS):
        world.later(70)
        before = _state(world)
        world.allocate()
        for party in ("labels", *DEPOTS, "shop"):
            world.push(party)
        for code in DEPOTS:
            _ship_or_give_up(world, code)
        world.later()
        world.count_outside()
        _tell_everything(world)
        world.promise()
        world.push("shop")
        checks.all_hold(world)
        if _state(world) == before:
            return
    raise AssertionError(f"no rest after {ROUNDS} rounds")


def _ship_or_give_up(world: World, code: str) -> None:
    depot = world.depots[code]
    for work in list(depot.works.values()):
        if work.live:
            depot.ship(work, {sku: work.left(sku) for sku in work.asked}, world.clock.now())
            if work.live:
                depot.give_up(work, world.clock.now())
            world.later()


def _tell_everything(world: World) -> None:
    """Each count and report once more; all of them were told before, for all we know."""
    messages = world.shop.messages
    told = {id(version) for version in world.books.told}
    for number, version in enumerate(messages):
        if id(version) not in told:
            world.deliver([number])
    for code, depot in world.depots.items():
        new = [n for n, one in enumerate(depot.reports) if one.key not in world.books.known_reports]
        if new:
            world.tell(code, new)
    if world.depots["bob"].counts:
        world.tell_count(len(world.depots["bob"].counts) - 1)


def _state(world: World) -> object:
    """What a round can change."""
    with world.store.read() as conn:
        lines = conn.execute(select(t.order_line)).all()
        work = conn.execute(select(t.fulfilment_order.c.id, t.fulfilment_order.c.work_state)).all()
        open_ = conn.execute(
            select(t.intent.c.id, t.intent.c.state).where(t.intent.c.state != "superseded")
        ).all()
    return lines, work, open_, dict(world.shop.offered)


def nothing_is_under_way(_: World, conn: Connection) -> None:
    """Every request has come to an end."""
    row = t.intent.c
    ended = ("done", "rejected", "superseded")
    assert conn.execute(select(row.kind, row.state).where(row.state.not_in(ended))).all() == []


def both_sides_agree(world: World, conn: Connection) -> None:
    """What the 3PLs still work on is what we believe they do."""
    row = t.fulfilment_order.c
    with_them = ("open", "in_progress", "part_shipped")
    believed = set(conn.scalars(select(row.reference).where(row.work_state.in_(with_them))))
    real = {
        work.reference for code in DEPOTS for work in world.depots[code].works.values() if work.live
    }
    assert believed == real


def the_channel_shows_the_promise(world: World, conn: Connection) -> None:
    """What is free by the books, less what orders wait for."""
    level = t.inventory_level.c
    held, free = Counter[str](), Counter[str]()
    for row in conn.execute(select(level.sku_id, level.location_id, level.reserved)):
        sku, place = SKUS[row.sku_id - 1], PLACES[row.location_id - 1]
        there = world.books.on_hand[sku, place] if place in OURS else world.depots["bob"].goods[sku]
        held[sku] += int(row.reserved)
        free[sku] += max(0, there - int(row.reserved))
    waiting = Counter[str]()
    over = beyond(conn)
    for number, version in world.books.reported.items():
        for sku in version.lines:
            key = (str(number), sku)
            waiting[sku] += world.books.open(*key, beyond=over[key])
    expected = {sku: max(0, free[sku] - (waiting[sku] - held[sku])) for sku in SKUS}
    offered = {sku: world.shop.offered.get(sku, 0) for sku in SKUS}
    assert offered == expected, (offered, expected)


def the_channel_knows_every_parcel(world: World, conn: Connection) -> None:
    """Each parcel with what was in it, however often it was said."""
    told: dict[str, dict[str, dict[str, int]]] = {}
    for notice in world.shop.notices:
        goods = Counter[str]()
        for line in notice.lines:
            goods[line.sku] += int(line.quantity)
        told.setdefault(notice.channel_order_id, {})[notice.tracking_number] = units(goods)
    excused = checks.told_of_too_much(conn)
    for order, parcels in world.books.parcels.items():
        if order not in excused:
            assert told.get(order, {}) == {
                number: dict(goods) for number, goods in parcels.items()
            }, order
        # Of what the order had no room for, a channel is not told.
        for number, inside in told.get(order, {}).items():
            assert all(qty <= parcels[number][sku] for sku, qty in inside.items()), order
    assert told.keys() <= world.books.parcels.keys()


def nobody_waits_in_vain(world: World, conn: Connection) -> None:
    """Each order is shipped or cancelled, or it can be seen what it waits for."""
    for row in conn.execute(select(t.sales_order)):
        order = row.channel_order_id
        lines = orders.lines(conn, [row.id])[row.id]
        open_ = {line.channel_sku: _unshipped(line) for line in lines}
        if row.channel_status == "fulfilled":
            continue
        if row.channel_status == "cancelled" or row.intake_state in ("cancelled", "closed"):
            assert units(open_) == {}, f"order {order} is over, and {units(open_)} are open"
        elif units(open_) and not list(_reasons(conn, row)):
            raise AssertionError(f"order {order} waits for {units(open_)}, and nobody says why")


def _unshipped(line: Row[Any]) -> Decimal:
    return Decimal(line.qty_ordered - line.qty_cancelled - line.qty_shipped)


def _reasons(conn: Connection, order: Row[Any]) -> Iterator[str]:
    """What people can see of why an order waits."""
    hold = t.hold.c
    query = select(hold.reason).where(hold.order_id == order.id, hold.released_at.is_(None))
    yield from conn.scalars(query)
    if order.channel_status == "pending":
        yield "the channel has it wait for its payment"
    decision = fulfilment.last_decision(conn, order.id)
    if decision is not None and decision.trace["unfilled"]:
        yield "not enough of it anywhere"


def outside_count_is_taken(world: World, conn: Connection) -> None:
    level = t.inventory_level.c
    query = select(level.sku_id, level.on_hand).where(level.location_id == 3)
    bob = world.depots["bob"]
    assert {SKUS[sku - 1]: int(qty) for sku, qty in conn.execute(query)} == bob.goods


def any_order_gives_the_same(world: World, conn: Connection) -> None:
    """9: all of the shop's messages once more, in another order, into an empty store."""
    told = sorted(world.books.told, key=lambda one: one.version)
    random.Random(len(told)).shuffle(told)
    with world.another() as other:
        other.shop.messages = told
        for number, _ in enumerate(told):
            other.deliver([number])
        with other.store.read() as anew:
            assert _reported(anew) == _reported(conn)


def _reported(conn: Connection) -> object:
    """What the channel has said of each order, without what became of it with us."""
    order, line = t.sales_order.c, t.order_line.c
    names = ("channel_status", "source_version", "grand_total", "tax_total", "total_variance")
    head = [order.channel_order_id, *(order[name] for name in names)]
    lines = [order.channel_order_id, line.channel_line_id, line.channel_sku, line.line_total]
    of_lines = select(*lines).join(t.sales_order, order.id == line.order_id)
    refund = t.refund.c
    of_refunds = select(order.channel_order_id, refund.external_id, refund.amount).join(
        t.sales_order, order.id == refund.order_id
    )
    return tuple(
        sorted(conn.execute(query).all()) for query in (select(*head), of_lines, of_refunds)
    )


AT_REST: tuple[checks.Check, ...] = (
    nothing_is_under_way,
    both_sides_agree,
    the_channel_shows_the_promise,
    the_channel_knows_every_parcel,
    nobody_waits_in_vain,
    outside_count_is_taken,
    any_order_gives_the_same,
)
