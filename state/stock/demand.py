"""What is available, and what of it orders wait for already; bundles by their components."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, Decimal

from sqlalchemy import Connection, func, select

from state import tables as t
from state.batches import among
from state.stock.bundles import contents, holders, makeable
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

    A component is also waited for inside its bundles. Of a bundle as many are as the component
    that is waited for most would make: taken off what can be made, never too few.
    """
    wanted = set(sku_ids)
    inside = contents(conn, wanted)
    singles = wanted | {component for parts in inside.values() for component in parts}
    around = contents(conn, holders(conn, singles))
    waited = _waited_for(conn, singles | around.keys())
    total = {sku_id: waited.get(sku_id, Decimal(0)) for sku_id in singles - around.keys()}
    for bundle, parts in around.items():
        for component, each in parts.items():
            if component in total:
                total[component] += waited.get(bundle, Decimal(0)) * each
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
