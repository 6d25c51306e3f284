"""Goods held for a while come back by themselves; those of an order never do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from state import stock
from state import tables as t
from state.errors import OutOfStock
from tests.state.stock.conftest import Shelves

HOUR = timedelta(hours=1)


def state(shelves: Shelves, reservation: int) -> tuple[str, str]:
    held = t.reservation.c
    with shelves.store.read() as conn:
        row = conn.execute(select(held.kind, held.state).where(held.id == reservation)).one()
    return row.kind, row.state


def expire(shelves: Shelves) -> int:
    with shelves.write() as conn:
        return stock.expire(conn, shelves.now)


def test_a_hold_is_promised_to_nobody_else_until_it_has_run_out(shelves: Shelves) -> None:
    shelves.receive(3)
    hold = shelves.reserve(3, expires_at=shelves.now + HOUR, holder="cart 7")
    assert expire(shelves) == 0
    with pytest.raises(OutOfStock):
        shelves.reserve(1)
    shelves.later(3600)
    assert expire(shelves) == 1
    assert expire(shelves) == 0
    assert state(shelves, hold) == ("soft", "expired")
    assert shelves.figures("on_hand", "reserved", "available") == (3, 0, 3)
    assert shelves.ledger()[-1].reason == "expire"
    assert shelves.agree()


def test_a_hold_that_became_an_orders_never_expires(shelves: Shelves) -> None:
    shelves.receive(3)
    hold = shelves.reserve(2, expires_at=shelves.now + HOUR)
    shelves.later(7200)
    with shelves.write() as conn:
        assert stock.confirm(conn, hold, 1) is True
    assert expire(shelves) == 0
    assert state(shelves, hold) == ("hard", "active")
    shelves.ship(hold, 2)
    assert shelves.figures("on_hand", "reserved") == (1, 0)


def test_a_hold_that_has_run_out_cannot_become_an_orders(shelves: Shelves) -> None:
    shelves.receive(3)
    hold = shelves.reserve(2, expires_at=shelves.now)
    assert expire(shelves) == 1
    with shelves.write() as conn:
        assert stock.confirm(conn, hold, 1) is False
    assert shelves.figures("reserved") == (0,)


def test_many_holds_run_out_in_portions(shelves: Shelves) -> None:
    shelves.receive(5)
    for _ in range(5):
        shelves.reserve(1, expires_at=shelves.now)
    with shelves.write() as conn:
        assert [stock.expire(conn, shelves.now, limit=2) for _ in range(4)] == [2, 2, 1, 0]
    assert shelves.figures("reserved") == (0,)
    assert shelves.agree()


@pytest.mark.parametrize(
    "wrong",
    [{"order_line_id": None}, {"expires_at": None, "kind": "soft"}, {"state": "expired"}],
    ids=["an order's without an order", "a hold without an end", "an order's that has run out"],
)
def test_the_database_refuses_a_reservation_without_a_purpose(
    shelves: Shelves, wrong: dict[str, object]
) -> None:
    shelves.receive(1)
    shelves.reserve(1)
    with pytest.raises(IntegrityError), shelves.write() as conn:
        conn.execute(update(t.reservation).values(**wrong))
    assert shelves.agree()


def test_a_release_with_a_known_key_gives_back_once(shelves: Shelves) -> None:
    shelves.receive(5)
    reservation = shelves.reserve(5)
    assert shelves.release(reservation, 2, key="once") == 2
    assert shelves.release(reservation, 2, key="once") == 0
    assert shelves.figures("reserved") == (3,)


def test_a_shipment_with_a_known_key_ships_once(shelves: Shelves) -> None:
    shelves.receive(5)
    reservation = shelves.reserve(5)
    assert shelves.ship(reservation, 3, key="parcel") is True
    assert shelves.ship(reservation, 3, key="parcel") is False
    assert shelves.figures("on_hand", "reserved") == (2, 2)
    assert shelves.agree()


def test_lessons_row_9_a_shipment_consumes_its_own_reservation_where_it_was_made(
    shelves: Shelves,
) -> None:
    """medusa#16338, #10658: the goods were taken off the shipping option's location instead."""
    shelves.receive(5)
    shelves.receive(5, place=2)
    here, there = shelves.reserve(3), shelves.reserve(3, place=2)
    shelves.ship(there, 3)
    assert shelves.figures("on_hand", "reserved") == (5, 3)
    assert shelves.figures("on_hand", "reserved", place=2) == (2, 0)
    shelves.ship(here, 3)
    assert shelves.figures("on_hand", "reserved") == (2, 0)
