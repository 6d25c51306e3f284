"""What is available, and what of it orders wait for already; bundles by their components."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import ROUND_CEILING, Decimal

from sqlalchemy import Connection, func, select

from state import tables as t
from state.batches import among
from state.stock.bundles import contents, holders, makeable, makes
from state.stock.levels import levels


def availability(conn: Connection, sku_ids: Iterable[int]) -> dict[int, dict[int, Decimal]]:
    """Available quantity by SKU and location; of a bundle as many as its components make."""
    wanted = sorted(set(sku_ids))
    found: dict[int, dict[int, Decimal]] = {}
    for row in levels(conn, wanted):
        found.setdefault(row.sku_id, {})[row.location_id] = Decimal(row.available)
    return found | makeable(conn, wanted)


def unallocated_demand(conn: Connection, sku_ids: Iterable[int]) -> dict[int, Decimal]:
    """Units that accepted orders still wait for, by SKU: promised to nobody else.

    Of a bundle: those that orders name, and as many as the demand for its components may break up,
    wherever that is served; taken off what can be made, never too few.
    """
    wanted = set(sku_ids)
    inside = contents(conn, wanted)
    singles = {component for parts in inside.values() for component in parts}
    total = through_bundles(conn, wanted | singles, lambda named: _waited_for(conn, named))
    own = _waited_for(conn, inside)
    shelves: dict[int, dict[int, Decimal]] = {}
    for row in levels(conn, singles):
        shelves.setdefault(row.location_id, {})[row.sku_id] = Decimal(row.available)
    for bundle, parts in inside.items():
        named = own.get(bundle, Decimal(0))
        beside = {one: total.get(one, Decimal(0)) - named * each for one, each in parts.items()}
        total[bundle] = named + broken_up(list(shelves.values()), parts, beside)
    return {sku_id: total[sku_id] for sku_id in wanted if total.get(sku_id)}


def broken_up(
    shelves: Sequence[Mapping[int, Decimal]],
    parts: Mapping[int, Decimal],
    beside: Mapping[int, Decimal],
) -> Decimal:
    """The most bundles that cannot be made any more once ``beside`` is taken of the components.

    ``shelves``: what is available by component, location by location. Nobody knows where the goods
    will be taken from, so they are taken where they cost most: at a location what is left over
    after its bundles goes first, then one whole piece breaks one up.
    """
    made = [(there, makes(there, parts)) for there in shelves]
    made = [(there, number) for there, number in made if number > 0]
    losses = []
    for component, each in parts.items():
        spare = sorted(there[component] - number * each for there, number in made)
        most = Decimal(0)
        left = beside[component]
        for opened, over in enumerate(spare, start=1):
            left -= over
            if left < opened:
                break
            most = max(most, opened + (left / each).to_integral_value(ROUND_CEILING) - 1)
        losses.append(most)
    # At one location the losses are of the same bundles, at several they may be of others.
    broken = max(losses) if len(made) == 1 else sum(losses, Decimal(0))
    return min(broken, sum((number for _, number in made), Decimal(0)))


def through_bundles(
    conn: Connection,
    sku_ids: Iterable[int],
    counted: Callable[[set[int]], Mapping[int, Decimal]],
) -> dict[int, Decimal]:
    """What order lines come to by SKU; ``counted`` tells it by the SKU that they name.

    A component is also wanted inside its bundles. Of a bundle as many are as the component that is
    wanted most would make: taken off what can be made, never too few.
    """
    wanted = set(sku_ids)
    inside = contents(conn, wanted)
    singles = wanted | {component for parts in inside.values() for component in parts}
    around = contents(conn, holders(conn, singles))
    named = counted(singles | around.keys())
    total = {sku_id: named.get(sku_id, Decimal(0)) for sku_id in singles - around.keys()}
    for bundle, parts in around.items():
        for component, each in parts.items():
            if component in total:
                total[component] += named.get(bundle, Decimal(0)) * each
    for bundle, parts in inside.items():
        total[bundle] = _most(total, parts)
    return {sku_id: total[sku_id] for sku_id in wanted if total[sku_id]}


def _most(demand: Mapping[int, Decimal], parts: Mapping[int, Decimal]) -> Decimal:
    return max(
        (demand[component] / each).to_integral_value(ROUND_CEILING)
        for component, each in parts.items()
    )


def _waited_for(conn: Connection, sku_ids: Iterable[int]) -> dict[int, Decimal]:
    """Units that accepted orders wait for, by the SKU that they name."""
    line, order = t.order_line, t.sales_order
    open_qty = (
        line.c.qty_ordered
        - line.c.qty_cancelled
        - line.c.qty_allocated
        - line.c.qty_released
        - line.c.qty_shipped
    )
    query = (
        select(line.c.sku_id, func.sum(open_qty, type_=line.c.qty_ordered.type))
        .join(order, order.c.id == line.c.order_id)
        .where(
            among(line.c.sku_id, set(sku_ids)),
            line.c.park_reason.is_(None),
            order.c.intake_state.in_(("accepted", "parked")),
            order.c.channel_status.in_(("ready", "pending")),
        )
        .group_by(line.c.sku_id)
    )
    return {row[0]: Decimal(row[1]) for row in conn.execute(query)}
