"""What must hold after every step: of the store by itself, and against what is true outside.

Each check raises AssertionError. The numbers are those of the invariants in MODEL.md; the 1st, and
of the others what can be told from a row alone, the tables' own constraints keep.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, Row, func, select

from state import stock
from state import tables as t
from sync import invariants
from sync.promise.weighing import Weighing
from sync.routing import trace
from tests.sync.machine.installation import DEPOTS, OURS, PLACES
from tests.sync.machine.outside import SKUS, units
from tests.sync.machine.world import World, beyond

Check = Callable[[World, Connection], None]


def order_lines(conn: Connection) -> Iterator[tuple[str, str, Row[Any]]]:
    """(order, SKU, line) of every line."""
    query = select(t.order_line, t.sales_order.c.channel_order_id, t.sales_order.c.intake_state)
    joined = query.join(t.sales_order, t.sales_order.c.id == t.order_line.c.order_id)
    for row in conn.execute(joined.order_by(t.order_line.c.id)):
        yield row.channel_order_id, row.channel_sku, row


def audit_is_clean(_: World, conn: Connection) -> None:
    """4, 5, 6, 7 and more: what ``crossdock audit`` asks."""
    assert invariants.check(conn) == []


def ledger_makes_the_levels(_: World, conn: Connection) -> None:
    """4: levels, reservations and consignments can be made anew from the ledger."""
    assert stock.differences(conn) == []


def shipped_is_what_was_told(world: World, conn: Connection) -> None:
    """2: nothing that left is lost, and nothing is counted twice."""
    shipped = beyond(conn)
    for order, sku, line in order_lines(conn):
        shipped[order, sku] += int(line.qty_shipped)
    assert units(shipped) == units(world.books.shipped)


def told_of_too_much(conn: Connection) -> set[str]:
    """Orders of which a person was told that more left than they have room for."""
    order, event, hold = t.sales_order.c, t.order_event.c, t.hold.c
    numbers = select(order.channel_order_id)
    said = "more left than the order is for"
    in_history = numbers.join(t.order_event, event.order_id == order.id)
    in_holds = numbers.join(t.hold, hold.order_id == order.id)
    return {
        *conn.scalars(in_history.where(event.summary.contains(said))),
        *conn.scalars(in_holds.where(hold.reason.contains(said))),
    }


def too_much_is_told(_: World, conn: Connection) -> None:
    """A person hears of goods that left and that their order has no room for."""
    assert {order for order, _ in beyond(conn)} <= told_of_too_much(conn)


def shelves_hold_what_was_told(world: World, conn: Connection) -> None:
    """4, of the places that we count for ourselves."""
    level = t.inventory_level.c
    for row in conn.execute(select(level.sku_id, level.location_id, level.on_hand)):
        place = PLACES[row.location_id - 1]
        if place in OURS:
            sku = SKUS[row.sku_id - 1]
            assert row.on_hand == world.books.on_hand[sku, place], (sku, place)


def outside_goods_are_offered_once(world: World, conn: Connection) -> None:
    """5, of a place that counts for itself: never more is free than there is in truth."""
    bob = world.depots["bob"]
    free = Counter(bob.goods)
    for work in bob.works.values():
        for sku in work.asked:
            if work.stopped:
                # That he would send it all the same, or had sent it, nobody could know.
                late = work.shipped.get(sku, 0) - work.early.get(sku, 0)
                free[sku] += max(late, world.untold(bob, work, sku))
            else:
                free[sku] -= max(0, work.left(sku))
    for row in stock.levels(conn, [1, 2]):
        sku = SKUS[row.sku_id - 1]
        if PLACES[row.location_id - 1] == "bob" and row.available > 0:
            known = free[sku] + world.unknown_losses(sku)
            assert row.available <= known, (sku, row.available, known)


def nobody_is_asked_twice(world: World, _: Connection) -> None:
    """10: what all locations together are to ship is never more than was ever wanted."""
    asked = Counter[tuple[str, str]]()
    for code in DEPOTS:
        for work in world.depots[code].works.values():
            for sku in work.asked:
                asked[work.order, sku] += work.will_have_shipped(sku)
    for reference, goods in world.carrier.contents.items():
        for sku, qty in goods.items():
            asked[reference.split("-", 1)[0], sku] += qty
    for key, qty in asked.items():
        assert qty <= world.books.most[key], (key, qty)


def a_key_has_one_effect(world: World, _: Connection) -> None:
    """10: a repeat is a repeat."""
    assert [code for code in DEPOTS if world.depots[code].changed_minds] == []
    assert {ref: n for ref, n in world.carrier.bought.items() if n > 1} == {}


def newest_report_counts(world: World, conn: Connection) -> None:
    """9: whatever order the shop's messages came in."""
    query = select(t.sales_order.c.channel_order_id, t.sales_order.c.channel_status)
    word = {"processing": "ready", "completed": "fulfilled"}
    assert {row[0]: row[1] for row in conn.execute(query)} == {
        str(number): word.get(version.status, version.status)
        for number, version in world.books.reported.items()
    }
    told, over = _told_beyond(conn), beyond(conn)
    for order, sku, line in order_lines(conn):
        if world.books.reported[int(order)].status == "completed":
            # What somebody else shipped is neither shipped by us nor cancelled.
            continue
        net = int(line.qty_ordered - line.qty_cancelled)
        wanted = world.books.wanted(order, sku, beyond=over[order, sku])
        in_hand = int(line.qty_released + line.qty_shipped)
        if net != wanted:
            # A location has it in hand: it ships, or its answer takes the difference off.
            assert wanted < net <= max(in_hand, wanted), (order, sku, net, wanted)
            assert order in told, (order, sku, net, wanted)


def _told_beyond(conn: Connection) -> set[str]:
    """Orders of which the history says that more is, or was, in hand than was wanted then."""
    event, order = t.order_event.c, t.sales_order.c
    kinds = ("hold_placed", "late_shipped")
    query = (
        select(order.channel_order_id)
        .join(t.order_event, event.order_id == order.id)
        .where(event.kind.in_(kinds))
    )
    return set(conn.scalars(query))


def money_is_counted_once(world: World, conn: Connection) -> None:
    """7: refunds as the newest report has them, and never more than was paid."""
    query = (
        select(t.sales_order.c.channel_order_id, func.sum(t.refund.c.amount))
        .join(t.refund, t.refund.c.order_id == t.sales_order.c.id)
        .group_by(t.sales_order.c.channel_order_id)
    )
    refunded = {order: int(amount) for order, amount in conn.execute(query)}
    assert refunded == units(
        {
            str(number): 1000 * sum(qty for _, _, qty in version.refunds)
            for number, version in world.books.reported.items()
        }
    )


def returns_come_back_once(world: World, conn: Connection) -> None:
    """3: what was restocked and scrapped is what came, and no more than had left."""
    row = t.inventory_ledger.c
    query = select(row.reason, func.sum(row.delta)).where(row.bucket == "on_hand")
    sums = {reason: int(total) for reason, total in conn.execute(query.group_by(row.reason))}
    books = world.books
    back, scrapped = books.returned.total(), books.scrapped.total()
    assert sums.get("return_restock", 0) == back + scrapped
    assert sums.get("return_scrap", 0) == -scrapped


def decisions_can_be_made_again(_: World, conn: Connection) -> None:
    """11: the stored inputs give the stored choice."""
    for row in conn.execute(select(t.routing_decision)):
        assert trace.recompute(conn, row) == trace.stored(row), row.id


def a_stale_promise_is_marked(world: World, conn: Connection) -> None:
    """What changes a promise says so: otherwise the channel would sell by an old number."""
    dirty = set(conn.scalars(select(t.dirty_sku.c.sku_id)))
    clean = [sku_id for sku_id in (1, 2) if sku_id not in dirty]
    for one in Weighing(conn, world.hub, clean).listings():
        if one.promise is not None:
            assert one.promise.quantity == one.listing.computed_qty, one.listing.external_sku


ALWAYS: tuple[Check, ...] = (
    audit_is_clean,
    ledger_makes_the_levels,
    shipped_is_what_was_told,
    too_much_is_told,
    shelves_hold_what_was_told,
    outside_goods_are_offered_once,
    nobody_is_asked_twice,
    a_key_has_one_effect,
    newest_report_counts,
    money_is_counted_once,
    returns_come_back_once,
    decisions_can_be_made_again,
    a_stale_promise_is_marked,
)


class Broken(AssertionError):
    """Checks that failed. ``names``: which."""

    def __init__(self, failed: dict[str, AssertionError]) -> None:
        self.names = frozenset(failed)
        super().__init__("; ".join(f"{name}: {error}" for name, error in sorted(failed.items())))


def all_hold(world: World, checks: tuple[Check, ...] = ALWAYS) -> None:
    """Make every check, also when one of them fails. Raises ``Broken``."""
    failed: dict[str, AssertionError] = {}
    with world.store.read() as conn:
        for check in checks:
            try:
                check(world, conn)
            except AssertionError as error:
                failed[check.__name__] = error
    if failed:
        raise Broken(failed)
