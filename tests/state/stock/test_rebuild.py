"""A projection that has strayed is found, named, and brought back from the ledger."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from state import stock
from state import tables as t
from tests.state.stock.conftest import BERLIN, JERSEY, A, B, Shelves


def traded(shelves: Shelves) -> None:
    shelves.receive(10)
    shelves.receive(6, B)
    shelves.ship(shelves.reserve(4), 3)
    with shelves.write() as conn:
        stock.send(
            conn, reference="TR-1", sku_id=B, from_location_id=BERLIN, to_location_id=JERSEY,
            qty=Decimal(2), cause=shelves.cause(),
        )  # fmt: skip


def spoil(shelves: Shelves, statement: Any) -> None:
    with shelves.write() as conn:
        conn.execute(statement)


def differences(shelves: Shelves) -> list[tuple[str, str, str, str, int, int]]:
    with shelves.store.read() as conn:
        return [
            (d.sku, d.location, d.bucket, d.against, int(d.level_says), int(d.other_says))
            for d in stock.differences(conn)
        ]  # fmt: skip


def rebuild(shelves: Shelves) -> int:
    with shelves.write() as conn:
        return len(stock.rebuild(conn, shelves.now, "anna"))


def test_after_trade_everything_agrees_and_a_rebuild_has_nothing_to_do(shelves: Shelves) -> None:
    traded(shelves)
    before = shelves.ledger()
    assert differences(shelves) == []
    assert rebuild(shelves) == 0
    assert shelves.ledger() == before


def test_a_level_that_strayed_is_named_with_its_last_ledger_row_and_repaired(
    shelves: Shelves,
) -> None:
    traded(shelves)
    level = t.inventory_level
    spoil(shelves, update(level).where(level.c.sku_id == B).values(on_hand=level.c.on_hand + 5))
    with shelves.store.read() as conn:
        first = stock.differences(conn)[0]
        [first_only] = stock.differences(conn, 1)
    assert first == first_only
    assert (first.sku, first.location, first.bucket) == ("B", "berlin", "on_hand")
    assert [int(first.level_says), int(first.other_says)] == [9, 4]
    assert first.against == "ledger"
    rows = [
        r.id for r in shelves.ledger() if (r.sku_id, r.location_id, r.bucket) == (B, 1, "on_hand")
    ]
    assert first.last_row == max(rows)
    assert rebuild(shelves) == 2
    assert differences(shelves) == []
    assert shelves.figures("on_hand", sku=B) == (4,)
    with shelves.store.read() as conn:
        [audited] = conn.execute(select(t.audit_event).limit(1)).all()
    assert (audited.actor, audited.action) == ("anna", "rebuild_stock")
    assert (audited.before["qty"], audited.after["qty"]) == ("9", "4")


def test_a_level_that_is_gone_is_made_anew(shelves: Shelves) -> None:
    traded(shelves)
    spoil(shelves, delete(t.inventory_level))
    assert len(differences(shelves)) == 6
    rebuild(shelves)
    assert differences(shelves) == []
    assert shelves.figures("on_hand", "reserved") == (7, 1)
    assert shelves.figures("incoming", sku=B, place=JERSEY) == (2,)


def test_lessons_row_2_an_allocation_without_its_reservation_is_found(shelves: Shelves) -> None:
    """saleor#5334: one order in a hundred had no allocation; a user wrote a repair command."""
    traded(shelves)
    spoil(shelves, update(t.reservation).values(state="released", qty_released=1))
    assert differences(shelves) == [("A", "berlin", "reserved", "reservations", 1, 0)]
    rebuild(shelves)
    assert differences(shelves) == []
    assert shelves.figures("on_hand", "reserved") == (7, 0)
    assert shelves.ledger()[-1].reason == "correction"


def test_lessons_row_7_a_wrong_reserved_quantity_is_put_right_from_the_ledger(
    shelves: Shelves,
) -> None:
    """medusa#12401: reserved_quantity went negative, with no way to fix it."""
    traded(shelves)
    level = t.inventory_level
    with pytest.raises(IntegrityError):
        spoil(shelves, update(level).where(level.c.sku_id == A).values(reserved=-1))
    spoil(shelves, update(level).where(level.c.sku_id == A).values(reserved=5))
    assert differences(shelves) == [
        ("A", "berlin", "reserved", "ledger", 5, 1),
        ("A", "berlin", "reserved", "reservations", 5, 1),
    ]
    rebuild(shelves)
    assert differences(shelves) == []
    assert shelves.figures("reserved") == (1,)


def test_what_the_ledger_cannot_back_is_not_repaired_by_overselling(shelves: Shelves) -> None:
    traded(shelves)
    ledger = t.inventory_ledger
    spoil(shelves, delete(ledger).where(ledger.c.sku_id == A, ledger.c.bucket == "on_hand"))
    with pytest.raises(IntegrityError):
        rebuild(shelves)
    assert shelves.figures("on_hand", "reserved") == (7, 1)
