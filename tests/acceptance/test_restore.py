"""An old backup is restored in the middle of trade: nothing is doubled, lost or oversold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from sandbox import truth
from state import backup, restorations
from state import tables as t
from state.store import Store
from tests.acceptance import oracle
from tests.acceptance.trading import DAY, Trade, put_together

pytestmark = pytest.mark.timeout(300)


def restored(trade: Trade, folder: Path, file: Path) -> Trade:
    """The former application is gone; another one works on what the backup had."""
    store, now = trade.store, trade.clock.now()
    trade.hub.close()
    store.engine.dispose()

    def safe(conn: Connection, header: backup.Header, fence: int) -> None:
        restorations.begin(conn, header.taken_at, now, "ops", fence)

    backup.put(store, file, backup.verify(file), now, safe, lambda _table, _rows: None)
    return put_together(
        folder, Store(store.url.render_as_string(hide_password=False)), trade.sandbox
    )


def old_backup(trade: Trade, folder: Path, hours: float, lost: float) -> tuple[Trade, set[str]]:
    """Trade, take a backup, trade on for ``lost`` hours, and lose all since then; answers who goes
    on, and the references that went out meanwhile.
    """
    trade.until(DAY + timedelta(hours=hours))
    file = folder / "old.crossdock"
    backup.write(trade.store, file, trade.clock.now())
    before = sent(trade)
    trade.until(DAY + timedelta(hours=hours + lost))
    return restored(trade, folder, file), sent(trade) - before


def sent(trade: Trade) -> set[str]:
    return {*truth.labels(trade.world), *truth.shipbob_orders(trade.world)}


def doubled(trade: Trade) -> list[str]:
    references = Counter(order.reference for order in trade.world.shipbob.orders.values())
    bought = {name: row["bought"] for name, row in truth.labels(trade.world).items()}
    return [name for name, n in {**references, **bought}.items() if n > 1]


@pytest.mark.parametrize(
    "store_url",
    ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)],
    indirect=True,
)
def test_fault_row_89_an_old_backup_doubles_and_loses_nothing(
    open_trade: Callable[..., Trade], tmp_path: Path
) -> None:
    again, meanwhile = old_backup(open_trade(8, 5), tmp_path, 1.5, 4.0)
    try:
        assert len(meanwhile) >= 4
        again.day()
        assert oracle.differences(again.store, again.world) == []
        assert oracle.violations(again.store) == []
        with again.store.read() as conn:
            assert meanwhile <= set(conn.scalars(select(t.fulfilment_order.c.reference)))
            held = select(t.hold.c.reason).where(t.hold.c.kind == "manual")
            assert list(conn.scalars(held)) == []
    finally:
        again.hub.close()
        again.store.close()


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_fault_row_89_what_cannot_be_told_apart_waits_for_a_person(
    open_trade: Callable[..., Trade], tmp_path: Path
) -> None:
    """An order that was cancelled since, and that the 3PL has: no work of ours can be for it."""
    again, _ = old_backup(open_trade(8, 3), tmp_path, 2.0, 4.0)
    try:
        again.until(again.clock.now() + timedelta(hours=3))
        assert doubled(again) == []
        # What others hold of work that we do not know any more is told as such until it is settled.
        broken = {one.invariant for one in oracle.violations(again.store)}
        assert broken <= {"vendors_hold_what_was_sent"}
        with again.store.read() as conn:
            known = set(conn.scalars(select(t.fulfilment_order.c.reference)))
            reasons = list(conn.scalars(select(t.hold.c.reason)))
        strange = sent(again) - known
        assert strange
        assert all(any(name in reason for reason in reasons) for name in strange)
    finally:
        again.hub.close()
        again.store.close()


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_fault_row_89_without_asking_around_goods_leave_twice(
    open_trade: Callable[..., Trade], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: the same restore, and nobody is in doubt."""
    monkeypatch.setattr(restorations, "unchecked", lambda *_: [])
    again, meanwhile = old_backup(open_trade(8, 5), tmp_path, 1.5, 4.0)
    try:
        again.until(again.clock.now() + timedelta(hours=3))
        with again.store.read() as conn:
            known = set(conn.scalars(select(t.fulfilment_order.c.reference)))
        assert doubled(again) or meanwhile - known
    finally:
        again.hub.close()
        again.store.close()
