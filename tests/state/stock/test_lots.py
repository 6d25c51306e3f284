"""What expires first goes first; what has expired or was recalled does not go. A serial is in one
place.
"""

from __future__ import annotations

import contextlib
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from state import stock
from state import tables as t
from state.errors import Misplaced, OutOfStock
from sync import invariants
from tests.state.stock.conftest import BERLIN, JERSEY, NOW, A, B, Shelves, fresh_shelves

TODAY = NOW.date()


def day(n: int) -> date:
    return TODAY + timedelta(days=n)


def track(shelves: Shelves) -> None:
    with shelves.write() as conn:
        stock.track_lots(conn, A)


def held(shelves: Shelves, reservation: int) -> dict[str, int]:
    share = t.reservation_lot
    query = (
        select(t.lot.c.code, share.c.qty)
        .join(t.lot, t.lot.c.id == share.c.lot_id)
        .where(share.c.reservation_id == reservation, share.c.qty > 0)
    )
    with shelves.store.read() as conn:
        return {code: int(qty) for code, qty in conn.execute(query)}


def sound(shelves: Shelves) -> bool:
    with shelves.store.read() as conn:
        broken = {rule.invariant for rule in invariants.check(conn)}
    return shelves.agree() and not broken & {
        "lots_make_the_level", "lot_reserved_is_reservations", "level_is_sum_of_ledger",
        "reserved_is_reservations",
    }  # fmt: skip


def test_lessons_row_49_what_expires_first_is_taken_first_and_never_an_empty_lot(
    shelves: Shelves,
) -> None:
    """frappe/ecommerce_integrations#362: an empty batch was picked."""
    track(shelves)
    shelves.lot("EMPTY", day(1))
    for code, days, qty in (("LATE", 30, 5), ("SOON", 3, 2), ("NEXT", 10, 4)):
        shelves.receive(qty, lot_id=shelves.lot(code, day(days)))
    shelves.receive(3, lot_id=shelves.lot("KEEPS"))
    reservation = shelves.reserve(8)
    assert held(shelves, reservation) == {"SOON": 2, "NEXT": 4, "LATE": 2}
    rest = shelves.reserve(6)
    assert held(shelves, rest) == {"LATE": 3, "KEEPS": 3}
    shelves.ship(reservation, 3)
    assert held(shelves, reservation) == {"NEXT": 3, "LATE": 2}
    shelves.release(reservation)
    assert held(shelves, reservation) == {}
    assert shelves.figures("on_hand", "reserved", "available") == (11, 6, 5)
    assert sound(shelves)


def test_an_expired_or_recalled_lot_is_not_reserved_even_before_it_is_withheld(
    shelves: Shelves,
) -> None:
    track(shelves)
    shelves.receive(5, lot_id=shelves.lot("OLD", day(0)))
    recalled = shelves.lot("BAD", day(90))
    shelves.receive(5, lot_id=recalled)
    shelves.receive(2, lot_id=shelves.lot("GOOD", day(1)))
    with shelves.write() as conn:
        conn.execute(t.lot.update().where(t.lot.c.id == recalled).values(state="recalled"))
    assert shelves.figures("available") == (12,)
    with pytest.raises(OutOfStock):
        shelves.reserve(3)
    assert shelves.figures("reserved") == (0,)
    assert held(shelves, shelves.reserve(2)) == {"GOOD": 2}
    with shelves.write() as conn:
        assert stock.withhold(conn, shelves.now) == 10
        assert stock.withhold(conn, shelves.now) == 0
    assert shelves.figures("on_hand", "quality_hold", "available") == (12, 10, 0)
    assert sound(shelves)


def test_a_lot_expires_by_the_date_where_it_stands(shelves: Shelves) -> None:
    """At nine in the evening in London it is the next morning in Sydney."""
    track(shelves)
    lot = shelves.lot("L1", day(1))
    shelves.receive(5, lot_id=lot)
    shelves.receive(5, place=JERSEY, lot_id=lot)
    place = t.location
    with shelves.write() as conn:
        there = update(place).where(place.c.id == BERLIN)
        conn.execute(there.values(calendar={"timezone": "Australia/Sydney"}))
        # Nine in the morning there.
        there = update(place).where(place.c.id == JERSEY)
        conn.execute(there.values(calendar={"timezone": "America/Los_Angeles"}))
    shelves.now = datetime(2026, 11, 2, 21, tzinfo=UTC)
    with pytest.raises(OutOfStock):
        shelves.reserve(1)
    assert held(shelves, shelves.reserve(2, place=JERSEY)) == {"L1": 2}
    with shelves.write() as conn:
        assert stock.withhold(conn, shelves.now) == 5
    assert shelves.figures("quality_hold") == (5,)
    assert shelves.figures("quality_hold", place=JERSEY) == (0,)
    shelves.now = datetime(2026, 11, 3, 7, 30, tzinfo=UTC)
    assert held(shelves, shelves.reserve(1, place=JERSEY)) == {"L1": 1}
    shelves.now = datetime(2026, 11, 3, 8, 0, tzinfo=UTC)
    with pytest.raises(OutOfStock):
        shelves.reserve(1, place=JERSEY)


def test_an_older_count_of_a_lot_changes_nothing_and_another_lot_s_says_nothing(
    shelves: Shelves,
) -> None:
    track(shelves)
    lot, other = shelves.lot("L1", day(5)), shelves.lot("L2", day(5))
    earlier, later = shelves.later(3600), shelves.later(3600)
    shelves.later(3600)
    assert shelves.count(10, observed_at=later, lot_id=lot) == 10
    assert shelves.count(50, observed_at=earlier, lot_id=lot) == 0
    assert shelves.count(7, observed_at=earlier, lot_id=other) == 7
    assert shelves.count(11, observed_at=later, lot_id=lot) == 1
    assert shelves.figures("on_hand") == (18,)
    assert sound(shelves)


def test_a_recall_withdraws_what_is_free_and_leaves_what_is_reserved(shelves: Shelves) -> None:
    track(shelves)
    lot = shelves.lot("BAD", day(90))
    shelves.receive(5, lot_id=lot)
    shelves.reserve(2)
    with shelves.write() as conn:
        assert stock.recall(conn, lot, shelves.now) == 3
    assert shelves.figures("reserved", "quality_hold", "available") == (2, 3, 0)
    with shelves.store.read() as conn:
        [row] = stock.lots_of(conn, "A")
    assert (row.state, row.reserved, row.quality_hold) == ("recalled", 2, 3)
    assert sound(shelves)


def test_goods_with_lots_are_neither_received_nor_counted_without_one(shelves: Shelves) -> None:
    track(shelves)
    with pytest.raises(Misplaced, match="say which lot"):
        shelves.receive(5)
    with pytest.raises(Misplaced, match="say which lot"):
        shelves.count(5)
    lot = shelves.lot("L1", day(5))
    with pytest.raises(Misplaced, match="expires on"):
        shelves.lot("L1", day(6))
    shelves.count(5, lot_id=lot)
    shelves.count(3, lot_id=shelves.lot("L2", day(9)))
    shelves.count(4, lot_id=lot)
    assert shelves.figures("on_hand") == (7,)
    assert sound(shelves)


def test_goods_that_are_there_already_must_be_counted_by_lot_first(shelves: Shelves) -> None:
    shelves.receive(5)
    with pytest.raises(Misplaced, match="count that to zero first"):
        track(shelves)
    shelves.count(0)
    track(shelves)
    shelves.count(5, lot_id=shelves.lot("L1"))
    assert sound(shelves)


def test_a_lot_keeps_its_name_on_the_way_to_another_location(shelves: Shelves) -> None:
    track(shelves)
    lot = shelves.lot("L1", day(5))
    shelves.receive(5, lot_id=lot)
    with shelves.write() as conn:
        stock.send(
            conn, reference="TR-1", sku_id=A, from_location_id=BERLIN, to_location_id=JERSEY,
            qty=Decimal(3), cause=shelves.cause(), lot_id=lot,
        )  # fmt: skip
        [goods] = stock.in_transit(conn, "TR-1")
        stock.arrive(conn, goods, Decimal(3), shelves.cause())
    assert held(shelves, shelves.reserve(3, place=JERSEY)) == {"L1": 3}
    assert sound(shelves)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    moves=st.lists(
        st.tuples(st.sampled_from(["receive", "reserve", "ship", "release", "age"]),
                  st.integers(0, 3), st.integers(1, 5)),
        max_size=20,
    )
)  # fmt: skip
def test_whatever_happens_lots_add_up_and_nothing_expired_is_newly_reserved(
    moves: list[tuple[str, int, int]],
) -> None:
    with fresh_shelves() as shelves:
        track(shelves)
        lots = [shelves.lot(f"L{n}", day(n + 1)) for n in range(4)]
        reservations: list[int] = []
        for move, n, qty in moves:
            if move == "receive":
                shelves.receive(qty, lot_id=lots[n])
            elif move == "age":
                shelves.later(86_400)
                with shelves.write() as conn:
                    stock.withhold(conn, shelves.now)
            elif move == "reserve":
                with contextlib.suppress(OutOfStock):
                    reservations.append(shelves.reserve(qty))
                    today = (shelves.now.date() - TODAY).days
                    taken = held(shelves, reservations[-1])
                    assert all(int(code[1:]) + 1 > today for code in taken)
            elif reservations:
                reservation = reservations[n % len(reservations)]
                left = sum(held(shelves, reservation).values())
                if move == "release":
                    shelves.release(reservation, qty)
                elif left:
                    shelves.ship(reservation, min(qty, left))
            assert sound(shelves)


def place_of(shelves: Shelves, serial: str) -> int | None:
    with shelves.store.read() as conn:
        return stock.place_of(conn, B, serial)


def test_a_serial_is_at_one_place_once(shelves: Shelves) -> None:
    with shelves.write() as conn:
        stock.track_serials(conn, B)
    with pytest.raises(Misplaced, match="as many different serials"):
        shelves.receive(2, B)
    with pytest.raises(Misplaced, match="as many different serials"):
        shelves.receive(2, B, pieces=["S1", "S1"])
    shelves.receive(2, B, pieces=["S1", "S2"])
    with pytest.raises(Misplaced, match="stands somewhere already"):
        shelves.receive(1, B, JERSEY, pieces=["S1"])
    assert shelves.figures("on_hand", sku=B) == (2,)
    assert (place_of(shelves, "S1"), place_of(shelves, "S3")) == (BERLIN, None)


def test_a_serial_leaves_with_its_shipment_and_may_come_back(shelves: Shelves) -> None:
    with shelves.write() as conn:
        stock.track_serials(conn, B)
    shelves.receive(2, B, pieces=["S1", "S2"])
    reservation = shelves.reserve(2, B)
    with pytest.raises(Misplaced, match="does not stand there"):
        shelves.ship(reservation, 1, pieces=["S9"])
    shelves.ship(reservation, 1, pieces=["S1"])
    assert (place_of(shelves, "S1"), place_of(shelves, "S2")) == (None, BERLIN)
    shelves.receive(1, B, JERSEY, pieces=["S1"])
    assert place_of(shelves, "S1") == JERSEY
