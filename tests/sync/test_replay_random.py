"""Whatever happened to orders: reading the inbox again with the same definitions is a no-op."""

from __future__ import annotations

import random
from typing import Any

import pytest
from sqlalchemy import select

from state import catalogue
from state import tables as t
from sync import allocation, drain, intake, parked
from tests.sync.conftest import Bench, woo_order
from tests.sync.test_replay import everything, replay

STATUSES = ("processing", "processing", "processing", "pending", "completed", "cancelled", "odd")


def report(chance: random.Random, number: int, minute: int) -> dict[str, Any]:
    """One of the orders as the channel may tell it at that minute."""
    wanted = {sku: chance.randint(0, 4) for sku in ("A", "B", "GHOST") if chance.random() < 0.6}
    order = woo_order(number, wanted, date_modified_gmt=f"2026-11-02T07:{minute:02}:00")
    order["status"] = chance.choice(STATUSES)
    if chance.random() < 0.3:
        order["shipping"] = {}
    known = order["line_items"]
    if known and chance.random() < 0.4:
        line = chance.choice(known)
        back = {
            "id": 1,
            "quantity": -1,
            "total": "-10.00",
            "total_tax": "0.00",
            "meta_data": [{"key": "_refunded_item_id", "value": str(line["id"])}],
        }
        order["refunds"] = [{"id": number, "amount": "10.00", "line_items": [back]}]
    return order


def act(bench: Bench, chance: random.Random, minute: int) -> None:
    """One thing that happens on a day."""
    step = chance.randrange(6)
    if step < 3:
        bench.shop.pages = [[report(chance, n, minute) for n in (1, 2, 3) if chance.random() < 0.7]]
        bench.run(intake.pull_orders, "shop")
    elif step == 3:
        bench.put(chance.choice("AB"), chance.choice(("berlin", "jersey")), 50)
    elif step == 4:
        bench.run(allocation.allocate)
        bench.run(drain.push, chance.choice(("labels", "bob")))
    else:
        with bench.store.write() as conn:
            for row in conn.execute(select(t.sales_order.c.id)).all():
                parked.release(conn, row.id, "ops", "", bench.clock.now())


@pytest.mark.parametrize("seed", range(8))
def test_a_replay_after_any_history_is_a_no_op(bench: Bench, seed: int) -> None:
    chance = random.Random(seed)
    for minute in range(12):
        bench.clock.sleep(60)
        act(bench, chance, minute)
    if seed % 2:
        link_ghost(bench)
    before = everything(bench.store)
    told = [done.result for done in replay(bench)]
    # A status that the definition does not know parks a report, and it stays parked.
    assert set(told) <= {"still_parked"}
    assert everything(bench.store) == before


def link_ghost(bench: Bench) -> None:
    with bench.store.write() as conn:
        catalogue.add_alias(
            conn, sku_id=bench.skus["C"], value="GHOST", connection_id=None, scheme="channel_sku"
        )
        parked.unpark_lines(conn, [bench.hub.links["shop"]], bench.clock.now())
