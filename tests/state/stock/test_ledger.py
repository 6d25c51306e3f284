"""A movement is written once, moves its levels, and says when it was known already."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from state import stock
from state import tables as t
from state.errors import KeyReused
from state.stock import Cause, Leg
from tests.state.stock.conftest import BERLIN, JERSEY, KIT, NOW, A, Shelves


def test_the_same_receipt_twice_changes_nothing_and_says_so(shelves: Shelves) -> None:
    assert shelves.receive(10, key="receipt:DN-1:A") is True
    assert shelves.receive(10, key="receipt:DN-1:A") is False
    assert shelves.figures("on_hand", "available") == (10, 10)
    assert len(shelves.ledger()) == 1


def test_a_key_that_comes_back_with_another_quantity_is_refused(shelves: Shelves) -> None:
    shelves.receive(10, key="receipt:DN-1:A")
    with pytest.raises(KeyReused, match="receipt:DN-1:A already stands for another movement"):
        shelves.receive(9, key="receipt:DN-1:A")
    assert shelves.figures("on_hand") == (10,)


def test_a_key_that_is_known_for_a_part_of_the_movement_is_refused(shelves: Shelves) -> None:
    cause = shelves.cause("k")
    with shelves.write() as conn:
        stock.post(conn, [Leg(A, BERLIN, "on_hand", Decimal(5))], cause)
    both = [Leg(A, BERLIN, "on_hand", Decimal(5)), Leg(A, JERSEY, "on_hand", Decimal(5))]
    with pytest.raises(KeyReused), shelves.write() as conn:
        stock.post(conn, both, cause)
    assert len(shelves.ledger()) == 1
    assert shelves.agree()


def test_a_row_knows_who_why_and_when(shelves: Shelves) -> None:
    cause = Cause("receipt", ("delivery_note", 7), "dn7", NOW, shelves.later(-3600), "anna")
    with shelves.write() as conn:
        stock.receive(conn, sku_id=A, location_id=BERLIN, qty=Decimal(3), cause=cause)
    [row] = shelves.ledger()
    assert (row.actor, row.reason, row.ref_type, row.ref_id) == (
        "anna", "receipt", "delivery_note", 7,
    )  # fmt: skip
    assert (row.recorded_at, row.occurred_at) == (NOW, shelves.now)


@pytest.mark.parametrize("bucket", stock.CONDITIONS)
def test_goods_in_a_condition_stay_on_hand_but_are_not_available(
    shelves: Shelves, bucket: str
) -> None:
    shelves.receive(10)

    def move(qty: int) -> None:
        with shelves.write() as conn:
            stock.reclassify(
                conn,
                sku_id=A,
                location_id=BERLIN,
                qty=Decimal(qty),
                bucket=bucket,
                cause=shelves.cause(reason="reclassify"),
            )

    move(4)
    assert shelves.figures("on_hand", bucket, "available") == (10, 4, 6)
    move(-1)
    assert shelves.figures("on_hand", bucket, "available") == (10, 3, 7)
    with pytest.raises(IntegrityError):
        move(-4)
    assert shelves.agree()


def test_what_is_reserved_cannot_become_damaged(shelves: Shelves) -> None:
    shelves.receive(5)
    shelves.reserve(4)
    with pytest.raises(IntegrityError), shelves.write() as conn:
        stock.reclassify(
            conn, sku_id=A, location_id=BERLIN, qty=Decimal(2), bucket="damaged",
            cause=shelves.cause(reason="adjust_damage"),
        )  # fmt: skip
    assert shelves.figures("damaged", "reserved") == (0, 4)


def test_what_is_thrown_away_leaves_its_condition_and_the_shelf(shelves: Shelves) -> None:
    shelves.receive(10)
    given = {"sku_id": A, "location_id": BERLIN, "bucket": "damaged"}
    with shelves.write() as conn:
        stock.reclassify(conn, **given, qty=Decimal(4), cause=shelves.cause())  # type: ignore[arg-type]
        stock.scrap(conn, **given, qty=Decimal(3), cause=shelves.cause())  # type: ignore[arg-type]
    assert shelves.figures("on_hand", "damaged", "available") == (7, 1, 6)
    assert {row.reason for row in shelves.ledger()} == {"receipt", "return_scrap"}


def test_a_movement_makes_the_promise_of_the_sku_and_of_its_bundles_dirty(
    shelves: Shelves,
) -> None:
    with shelves.write() as conn:
        stock.set_components(conn, KIT, {A: Decimal(2)})
        conn.execute(t.dirty_sku.delete())
    shelves.receive(1)
    with shelves.store.read() as conn:
        assert sorted(conn.scalars(select(t.dirty_sku.c.sku_id))) == [A, KIT]
