"""A store of the version before keeps every parcel when their table is made anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, text
from sqlalchemy.exc import IntegrityError

from state import migrate, migration_steps
from state.store import Store
from tests.state.stock.test_upgrade import BEFORE
from tests.state.test_migrations import fresh_database

PARCELS = """
INSERT INTO shipment (id, ffo_id, state, external_id) VALUES (1, 1, 'shipped', 's1');
INSERT INTO package (id, shipment_id, seq, package_reference, carrier, tracking_number,
    tracking_url, label_url, weight_g)
  VALUES (1, 1, 1, '11', 'ups', '1Z1', 'https://ups.example/1', 'https://label.example', 250),
  (2, 1, 2, '12', 'ups', '', '', '', 0);
INSERT INTO package_line (id, package_id, ffo_line_id, qty) VALUES (1, 1, 1, 2000000);
INSERT INTO tracking_event (id, package_id, occurred_at)
  VALUES (1, 2, '2026-11-02T08:00:00.000000Z');
"""
ANOTHER = """
INSERT INTO package (id, shipment_id, seq, package_reference, carrier, tracking_number)
  VALUES (:id, 1, :seq, :reference, 'ups', '1Z1')
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store as step 0018 left it, with a shipment in two parcels."""
    url = f"sqlite:///{tmp_path / 'old.db'}"
    words = {"true": "1", "false": "0", "blob": "x''"}
    if request.param == "postgresql":
        server: URL = request.getfixturevalue("postgres_server")
        url = fresh_database(server, "old_parcels")
        words = {"true": "true", "false": "false", "blob": "''"}
    store = Store(url)
    with store.write() as conn:
        migration_steps.apply(conn, "0018")
        for statement in (BEFORE + PARCELS).format(**words).split(";\n")[:-1]:
            conn.execute(text(statement))
    yield store
    store.close()


def test_every_parcel_and_all_that_refers_to_it_survives(old: Store) -> None:
    look = text("SELECT * FROM package ORDER BY id")
    with old.read() as conn:
        before = [dict(row) for row in conn.execute(look).mappings()]
    migrate.upgrade(old)
    with old.read() as conn:
        assert [dict(row) for row in conn.execute(look).mappings()] == before
        assert len(before) == 2
        inside = "SELECT count(*) FROM package_line JOIN package p ON p.id = package_id"
        assert conn.scalar(text(inside)) == 1
        if old.is_sqlite:
            assert conn.execute(text("PRAGMA foreign_key_check")).all() == []


def test_several_parcels_may_bear_one_number_and_none_its_place_twice(old: Store) -> None:
    migrate.upgrade(old)
    with old.write() as conn:
        conn.execute(text(ANOTHER), {"id": 3, "seq": 3, "reference": "13"})
    with pytest.raises(IntegrityError), old.write() as conn:
        conn.execute(text(ANOTHER), {"id": 4, "seq": 3, "reference": "14"})
    with pytest.raises(IntegrityError), old.write() as conn:
        conn.execute(text("DELETE FROM package WHERE id = 1"))
