"""What is on its way is somewhere: sent and received, or lost, never both and never neither."""

from __future__ import annotations

import contextlib
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from state import stock
from state.errors import KeyReused
from tests.state.stock.conftest import BERLIN, JERSEY, A, Shelves, fresh_shelves


def send(shelves: Shelves, qty: int, reference: str = "TR-1") -> bool:
    with shelves.write() as conn:
        return stock.send(
            conn, reference=reference, sku_id=A, from_location_id=BERLIN, to_location_id=JERSEY,
            qty=Decimal(qty), cause=shelves.cause(),
        )  # fmt: skip


def arrive(shelves: Shelves, qty: int, key: str = "", reference: str = "TR-1") -> bool:
    with shelves.write() as conn:
        [goods] = stock.in_transit(conn, reference)
        return stock.arrive(conn, goods, Decimal(qty), shelves.cause(key))


def test_what_was_sent_is_incoming_until_it_has_arrived(shelves: Shelves) -> None:
    shelves.receive(10)
    assert send(shelves, 4) is True
    assert shelves.figures("on_hand", "available") == (6, 6)
    assert shelves.figures("on_hand", "incoming", "available", place=JERSEY) == (0, 4, 0)
    assert arrive(shelves, 3) is True
    assert shelves.figures("on_hand", "incoming", place=JERSEY) == (3, 1)
    assert arrive(shelves, 1) is True
    assert shelves.figures("on_hand", "incoming", place=JERSEY) == (4, 0)
    with shelves.store.read() as conn:
        assert stock.in_transit(conn) == []
    ends = [row for row in shelves.ledger() if row.ref_type == "consignment"]
    assert {row.ref_id for row in ends} == {ends[0].ref_id}
    assert shelves.agree()


def test_both_ends_know_a_repeat(shelves: Shelves) -> None:
    shelves.receive(10)
    assert send(shelves, 4) is True
    assert send(shelves, 4) is False
    with pytest.raises(KeyReused, match="TR-1 is already on its way with other goods"):
        send(shelves, 5)
    assert arrive(shelves, 2, key="receipt:GR-1:A") is True
    assert arrive(shelves, 2, key="receipt:GR-1:A") is False
    assert shelves.figures("on_hand", "incoming", place=JERSEY) == (2, 2)
    assert shelves.figures("on_hand") == (6,)
    assert shelves.agree()


def test_what_is_reserved_cannot_be_sent_away(shelves: Shelves) -> None:
    shelves.receive(5)
    shelves.reserve(3)
    with pytest.raises(IntegrityError):
        send(shelves, 3)
    assert shelves.figures("on_hand") == (5,)
    with shelves.store.read() as conn:
        assert stock.in_transit(conn) == []


def test_an_announcement_is_closed_by_its_receipt_and_more_may_come(shelves: Shelves) -> None:
    with shelves.write() as conn:
        given = {"reference": "ASN-7", "sku_id": A, "location_id": BERLIN}
        cause = shelves.cause()
        assert stock.advise(conn, **given, qty=Decimal(5), cause=cause) is True  # type: ignore[arg-type]
        assert stock.advise(conn, **given, qty=Decimal(5), cause=cause) is False  # type: ignore[arg-type]
    assert shelves.figures("incoming", "available") == (5, 0)
    arrive(shelves, 7, reference="ASN-7")
    assert shelves.figures("on_hand", "incoming", "available") == (7, 0, 7)
    assert shelves.agree()


def test_what_never_comes_is_written_off_once(shelves: Shelves) -> None:
    shelves.receive(10)
    send(shelves, 4)
    arrive(shelves, 3)
    with shelves.write() as conn:
        [goods] = stock.in_transit(conn, "TR-1")
        assert stock.write_off(conn, goods, shelves.cause("lost")) == 1
        assert stock.write_off(conn, goods, shelves.cause("lost")) == 0
    assert shelves.figures("on_hand", "incoming", place=JERSEY) == (3, 0)
    assert shelves.agree()


STEPS = st.lists(
    st.tuples(st.sampled_from(["send", "back", "arrive"]), st.integers(1, 5)), max_size=12
)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_between_two_locations_nothing_is_lost_and_nothing_is_there_twice(
    steps: list[tuple[str, int]],
) -> None:
    with fresh_shelves() as shelves:
        for place in (BERLIN, JERSEY):
            shelves.receive(10, place=place)
        for number, (step, qty) in enumerate(steps):
            with contextlib.suppress(IntegrityError):
                _step(shelves, f"T{number}", step, Decimal(qty))
            there = [
                shelves.figures("on_hand", "incoming", place=place) for place in (BERLIN, JERSEY)
            ]
            assert sum(map(sum, there)) == 20
        assert shelves.agree()


def _step(shelves: Shelves, reference: str, step: str, qty: Decimal) -> None:
    places = (BERLIN, JERSEY) if step == "send" else (JERSEY, BERLIN)
    with shelves.write() as conn:
        if step == "arrive":
            for goods in stock.in_transit(conn)[:1]:
                stock.arrive(conn, goods, min(qty, goods.open), shelves.cause())
            return
        stock.send(
            conn, reference=reference, sku_id=A, from_location_id=places[0],
            to_location_id=places[1], qty=qty, cause=shelves.cause(),
        )  # fmt: skip
