"""A store of the version before keeps every row when its stock tables are made anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import URL, text

import state
from state import migrate
from state.store import Store
from tests.state.test_migrations import fresh_database

BEFORE = """
INSERT INTO connection (id, name, kind) VALUES (1, 'shop', 'channel');
INSERT INTO sku (id, code, active) VALUES (1, 'A', {true});
INSERT INTO location (id, code, kind, authority, active)
  VALUES (1, 'berlin', 'warehouse', 'hub', {true});
INSERT INTO inbox (id, connection_id, sha256, body, received_at, state)
  VALUES (1, 1, {blob}, {blob}, '2026-11-02T08:00:00.000000Z', 'mapped');
INSERT INTO sales_order (id, connection_id, channel_order_id, channel_status, intake_state,
    placed_at, business_date, channel_updated_at, recorded_at, prices_include_tax, raw_id)
  VALUES (1, 1, '1', 'ready', 'accepted', '2026-11-02T08:00:00.000000Z', '2026-11-02',
    '2026-11-02T08:00:00.000000Z', '2026-11-02T08:00:00.000000Z', {false}, 1);
INSERT INTO order_line (id, order_id, line_no, channel_line_id, requires_shipping, qty_ordered)
  VALUES (1, 1, 1, '1', {true}, 2000000);
INSERT INTO inventory_level (sku_id, location_id, on_hand, reserved, authority)
  VALUES (1, 1, 5000000, 2000000, 'hub');
INSERT INTO inventory_ledger (id, sku_id, location_id, bucket, delta, reason, occurred_at,
    recorded_at, idempotency_key)
  VALUES (1, 1, 1, 'on_hand', 5000000, 'adjust_count', '2026-11-02T08:00:00.000000Z',
    '2026-11-02T08:00:00.000000Z', 'count'),
  (2, 1, 1, 'reserved', 2000000, 'reserve', '2026-11-02T08:00:00.000000Z',
    '2026-11-02T08:00:00.000000Z', 'reserve');
INSERT INTO reservation (id, sku_id, location_id, qty, order_line_id, created_at, idempotency_key)
  VALUES (1, 1, 1, 2000000, 1, '2026-11-02T08:00:00.000000Z', 'reserve');
INSERT INTO fulfilment_order (id, order_id, location_id, work_state, reference, created_at)
  VALUES (1, 1, 1, 'planned', '1-1', '2026-11-02T08:00:00.000000Z');
INSERT INTO fulfilment_order_line (id, ffo_id, order_line_id, sku_id, reservation_id, qty)
  VALUES (1, 1, 1, 1, 1, 2000000);
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store as step 0004 left it, with an order that has goods reserved and work planned."""
    url = f"sqlite:///{tmp_path / 'old.db'}"
    words = {"true": "1", "false": "0", "blob": "x''"}
    if request.param == "postgresql":
        server: URL = request.getfixturevalue("postgres_server")
        url = fresh_database(server, "old_stock")
        words = {"true": "true", "false": "false", "blob": "''"}
    store = Store(url)
    config = Config()
    config.set_main_option("script_location", str(Path(state.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    with store.write() as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, "0004")
        for statement in BEFORE.format(**words).split(";\n")[:-1]:
            conn.execute(text(statement))
    yield store
    store.close()


def test_every_row_of_stock_and_all_that_refers_to_it_survives(old: Store) -> None:
    migrate.upgrade(old)
    with old.read() as conn:
        level = conn.execute(text("SELECT on_hand, reserved, incoming FROM inventory_level")).one()
        held = conn.execute(text("SELECT id, kind, state, expires_at FROM reservation")).one()
        rows = conn.execute(text("SELECT count(*), sum(delta) FROM inventory_ledger")).one()
        work = text(
            "SELECT r.qty FROM fulfilment_order_line f JOIN reservation r ON r.id = reservation_id"
        )
        assert tuple(level) == (5_000_000, 2_000_000, 0)
        assert tuple(held) == (1, "hard", "active", None)
        assert tuple(rows) == (2, 7_000_000)
        assert conn.scalar(work) == 2_000_000
        if old.is_sqlite:
            assert conn.execute(text("PRAGMA foreign_key_check")).all() == []
    with old.write() as conn:
        conn.execute(text("UPDATE reservation SET kind = 'hard' WHERE id = 1"))
