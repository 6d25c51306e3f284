"""Rows 73 to 78 of the fault matrix: counts that cannot be right, and goods that move past us."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from jobs import app
from sandbox import truth
from sandbox.catalogue import SKUS
from state import tables as t
from tests.acceptance.trading import Trade
from tests.faults import scene
from tests.faults.scene import BOB, look, pass_time


def levels(trade: Trade) -> dict[str, Decimal]:
    """What the hub counts at the 3PL, by SKU."""
    level = t.inventory_level.c
    query = (
        select(t.sku.c.code, level.on_hand)
        .join(t.sku, t.sku.c.id == level.sku_id)
        .join(t.location, t.location.c.id == level.location_id)
        .where(t.location.c.code == BOB)
    )
    with trade.store.read() as conn:
        return {row.code: row.on_hand for row in conn.execute(query)}


def test_fault_row_73_a_count_that_cannot_be_right_changes_nothing_else(trade: Trade) -> None:
    before = levels(trade)
    for odd in (-5, -(10**9), 10**12, 10**30, 0.5):
        pass_time(trade, hours=1)
        trade.world.quirks.change(odd_levels={"TIN-250": odd})
        look(trade, "pull-stock", BOB)
        after = levels(trade)
        assert {sku: n for sku, n in after.items() if sku != "TIN-250"} == {
            sku: n for sku, n in before.items() if sku != "TIN-250"
        }
        # A small negative is what the 3PL owes; nothing is offered of it.
        assert abs(after["TIN-250"]) <= before["TIN-250"], odd
        scene.assert_sound(trade)
    assert trade.world.quirks.struck["odd_levels"] == 1


def test_fault_row_77_a_sku_missing_from_a_snapshot_keeps_its_stock(trade: Trade) -> None:
    before = levels(trade)
    trade.world.quirks.change(missing_skus=[sku.code for sku in SKUS[:8]])
    assert look(trade, "pull-stock", BOB).verdict is None
    assert levels(trade) == before
    assert trade.world.quirks.struck["missing_skus"] == 8


def test_fault_row_77_a_snapshot_that_breaks_off_changes_nothing(
    trade: Trade, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.shipbob_feeds.PER_PAGE", 10)
    before = levels(trade)
    for level in trade.world.shipbob.levels.values():
        level.on_hand += 5
    for kind in ("500", "html", "truncated", "empty-object", "403-html"):
        pass_time(trade, hours=1)
        trade.sandbox.faults.add("shipbob:listInventoryLevelsByCenter", kind, probability=0.9)
        assert look(trade, "pull-stock", BOB).verdict is not None
        assert levels(trade) == before, kind
        trade.sandbox.faults.clear()


def test_fault_row_77_a_snapshot_of_zeros_is_held(trade: Trade) -> None:
    before = levels(trade)
    trade.world.quirks.change(odd_levels={sku.code: 0 for sku in SKUS})
    ended = look(trade, "pull-stock", BOB)
    assert ended.verdict is not None
    assert "held by the guard" in ended.verdict.message
    assert levels(trade) == before


def test_fault_row_75_what_is_sold_past_us_is_put_right(trade: Trade) -> None:
    def offered() -> Any:
        return truth.stock(trade.world)["woocommerce"]["quantity"]

    def publish() -> None:
        look(trade, "pull-orders", scene.SHOP)
        look(trade, "pull-listings", scene.SHOP)
        trade.runner.run_once("promise", scene.once())
        look(trade, "push", scene.SHOP)

    publish()
    shown = offered()
    for sku in ("TIN-250", "MUG-RED"):
        trade.world.shop.listed(sku).stock -= 7
    scene.pass_time(trade, hours=2)
    publish()
    scene.pass_time(trade, hours=2)
    publish()
    assert offered() == shown


def test_fault_row_76_who_does_not_work_a_location_does_not_count_it(
    trade: Trade, tmp_path: Path
) -> None:
    (tmp_path / "connections.d" / "files.toml").write_text(
        '[connections.files]\nconnector = "csvdrop"\nfolder = "share"\nsettle_s = 0\n',
        encoding="utf-8",
    )
    folder = tmp_path / "share"
    folder.mkdir()
    trade.hub.close()
    trade.hub = app.open_app(
        app.load(tmp_path / "settings.toml"),
        trade.store,
        clock=trade.clock,
        transport=trade.sandbox.transport(),
    )
    app.set_up_streams(trade.hub)
    trade.runner = trade.hub.runner("run")
    # It makes the folders.
    trade.hub.hub.links["files"].connector.check()
    before = levels(trade)
    counts = folder / "in" / "stock" / "counts.csv"
    counts.write_text(f"sku,on_hand,location_code\nTIN-250,77777,{BOB}\n", encoding="utf-8")
    pass_time(trade, hours=1)
    ended = look(trade, "pull-stock", "files")
    assert ended.run.counts["read"] == ended.run.counts["unmapped"] == 1
    assert levels(trade) == before
