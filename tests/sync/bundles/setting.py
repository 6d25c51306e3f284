"""A set of two of A and one of B, sold beside A and B themselves, and what locations report."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import Row, select

from mappings import canonical as c
from state import catalogue, fulfilment, history, orders, stock
from state import tables as t
from sync import allocation, drain, intake, invariants, shipping
from tests.sync.conftest import Bench, woo_order


def define(bench: Bench, **parts: int) -> None:
    """Say what a SET holds: without a word two of A and one of B."""
    inside = parts or {"A": 2, "B": 1}
    with bench.store.write() as conn:
        if "SET" not in bench.skus:
            catalogue.upsert_sku(conn, code="SET", title="Gift set", gtin="", weight_g=0)
            row = catalogue.by_code(conn, "SET")
            assert row is not None
            bench.skus["SET"] = row.id
        made = {bench.skus[sku]: Decimal(qty) for sku, qty in inside.items()}
        stock.set_components(conn, bench.skus["SET"], made)


def ordered(bench: Bench, lines: dict[str, int], **given: Any) -> None:
    """Order 1 as the channel reports it now."""
    bench.shop.pages.append([woo_order(1, lines, **given)])
    bench.run(intake.pull_orders, "shop")


def handed_over(bench: Bench, lines: dict[str, int]) -> str:
    """Order 1 at the 3PL, which has plenty; returns our reference."""
    define(bench)
    for sku in "AB":
        bench.put(sku, "jersey", 20)
    ordered(bench, lines)
    bench.run(allocation.allocate)
    bench.run(drain.push, "bob")
    [reference] = bench.warehouse.taken
    return str(reference)


def parcel(number: str, **goods: int) -> c.Package:
    told = tuple(c.ShippedLine(sku=sku, quantity=Decimal(qty)) for sku, qty in goods.items())
    return c.Package(tracking_number=number, carrier="ups", lines=told)


def report(
    bench: Bench, reference: str, key: str, *parcels: c.Package, state: str = "shipped"
) -> None:
    """A location reports a shipment with these parcels, and the channel is told."""
    told = c.Shipment(reference=reference, external_id=key, state=state, packages=parcels)  # type: ignore[arg-type]
    with bench.store.write() as conn:
        shipping.record(conn, bench.hub, told, bench.clock.now())
    bench.run(drain.push, "shop")


def counters(bench: Bench) -> dict[str, tuple[int, int, int, int]]:
    """Of order 1, by SKU as sold: (allocated, released, shipped, cancelled)."""
    with bench.store.read() as conn:
        assert invariants.check(conn) == []
        names = ("allocated", "released", "shipped", "cancelled")
        return {
            line.channel_sku: tuple(int(getattr(line, f"qty_{name}")) for name in names)  # type: ignore[misc]
            for line in orders.lines(conn, [1])[1]
        }


def work(bench: Bench) -> list[tuple[str, str, dict[str, int]]]:
    """(location, state, pieces still to ship by SKU) of order 1's fulfilment orders."""
    found = []
    with bench.store.read() as conn:
        for ffo in fulfilment.of_order(conn, 1):
            left: dict[str, int] = {}
            for line in fulfilment.lines_of(conn, [ffo.id])[ffo.id]:
                qty = int(line.qty - line.qty_cancelled - line.qty_shipped)
                left[line.sku] = left.get(line.sku, 0) + qty
            found.append((ffo.location, ffo.work_state, left))
    return found


def reserved(bench: Bench) -> dict[str, int]:
    """Pieces set aside anywhere, by SKU."""
    level = t.inventory_level
    query = select(t.sku.c.code, level.c.reserved).join(level, level.c.sku_id == t.sku.c.id)
    found: dict[str, int] = {}
    with bench.store.read() as conn:
        for code, qty in conn.execute(query):
            found[code] = found.get(code, 0) + int(qty)
    return found


def held(bench: Bench) -> dict[str, Row[Any]]:
    with bench.store.read() as conn:
        return history.open_holds(conn, [1]).get(1, {})


def told(bench: Bench) -> list[tuple[str, list[tuple[str, str, int]], bool]]:
    """What the channel heard: (tracking number, [(SKU, its line, quantity)], complete)."""
    return [
        (
            notice.tracking_number,
            [(one.sku, one.channel_line_id, int(one.quantity)) for one in notice.lines],
            notice.complete,
        )
        for notice in bench.shop.notices
    ]
