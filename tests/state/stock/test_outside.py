"""A location that counts for itself: late counts and shipments never make goods out of nothing.

The outside warehouse is simulated: it ships our orders and takes goods in when it likes, counts its
shelves, and tells of each shipment and count later, in any order. Whatever arrives when, the hub
never has more available than there is for new orders; and once all is told, exactly that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from state import stock
from state.errors import Misplaced, OutOfStock
from state.stock import counting, ledger
from tests.state.stock.conftest import BERLIN, BOB, A, Shelves, fresh_shelves


@dataclass
class Warehouse:
    """The truth at the other side, and what it has not told yet."""

    shelves: Shelves
    on_hand: int
    orders: dict[int, int] = field(default_factory=dict)
    """Reservation -> units that it still has to ship."""
    shipments: list[tuple[int, int, datetime]] = field(default_factory=list)
    counts: list[tuple[int, datetime]] = field(default_factory=list)
    uncounted: int = 0
    """Units that it has taken in since it counted last."""

    def take_order(self, qty: int) -> None:
        try:
            self.orders[self.shelves.reserve(qty, place=BOB)] = qty
        except OutOfStock:
            return

    def ship(self, pick: int) -> None:
        if self.orders:
            reservation = sorted(self.orders)[pick % len(self.orders)]
            qty = self.orders.pop(reservation)
            part = qty if pick % 2 else max(1, qty // 2)
            if part < qty:
                self.orders[reservation] = qty - part
            self.on_hand -= part
            self.shipments.append((reservation, part, self.shelves.later()))

    def cancel(self, pick: int) -> None:
        """Stopped at both sides, as far as it has not been shipped."""
        if self.orders:
            reservation = sorted(self.orders)[pick % len(self.orders)]
            self.shelves.release(reservation, self.orders.pop(reservation))

    def take_in(self, qty: int) -> None:
        self.on_hand += qty
        self.uncounted += qty

    def count(self, _: int) -> None:
        self.counts.append((self.on_hand, self.shelves.later()))
        self.uncounted = 0

    def tell_shipment(self, pick: int) -> None:
        if self.shipments:
            reservation, qty, moment = self.shipments.pop(pick % len(self.shipments))
            self.shelves.later()
            self.shelves.ship(reservation, qty, occurred_at=moment)

    def tell_count(self, pick: int) -> None:
        if self.counts:
            qty, moment = self.counts.pop(pick % len(self.counts))
            self.shelves.later()
            self.shelves.count(qty, place=BOB, observed_at=moment)

    def tell_all(self) -> None:
        while self.shipments or self.counts:
            self.tell_shipment(0)
            self.tell_count(0)

    def free(self) -> int:
        """What is there for new orders, in truth."""
        return self.on_hand - sum(self.orders.values())

    def available(self) -> int:
        return self.shelves.figures("available", place=BOB)[0]


WORDS = ("take_order", "ship", "cancel", "take_in", "count", "tell_shipment", "tell_count")
STORY = st.lists(st.tuples(st.sampled_from(WORDS), st.integers(1, 6)), max_size=30)
FEW = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@contextmanager
def warehouse() -> Iterator[Warehouse]:
    """One with 12 of A, which we know."""
    with fresh_shelves() as shelves:
        shelves.count(12, place=BOB, observed_at=shelves.now)
        shelves.later()
        yield Warehouse(shelves, 12)


def tell(story: list[tuple[str, int]]) -> int:
    """Live through a story; what is wrong at any step is an AssertionError. Returns the steps."""
    with warehouse() as bob:
        for word, n in story:
            getattr(bob, word)(n)
            assert bob.available() <= bob.free(), "promised what is not there"
        bob.tell_all()
        assert bob.available() == bob.free() - bob.uncounted, "lost goods, or made some up"
        bob.count(0)
        bob.tell_all()
        assert bob.shelves.figures("on_hand", place=BOB) == (bob.on_hand,)
        assert bob.shelves.agree()
    return len(story)


@FEW
@given(story=STORY)
def test_late_counts_and_shipments_never_promise_what_is_not_there(
    story: list[tuple[str, int]],
) -> None:
    assert tell(story) == len(story)


SHIPPED_COUNTED_TOLD = [
    ("take_order", 3), ("ship", 1), ("count", 1), ("tell_count", 1), ("tell_shipment", 1),
]  # fmt: skip
COUNTED_SHIPPED_TOLD = [
    ("take_order", 3), ("count", 1), ("ship", 1), ("tell_shipment", 1), ("tell_count", 1),
]  # fmt: skip
TWO_COUNTS_SWAPPED = [
    ("count", 1), ("take_in", 4), ("take_order", 3), ("ship", 1), ("count", 1),
    ("tell_shipment", 1), ("tell_count", 1), ("tell_count", 1),
]  # fmt: skip


def _nothing_came_or_left(*_: object) -> dict[object, Decimal]:
    return {}


def _never_counted(*_: object) -> bool:
    return False


@pytest.mark.parametrize(
    ("module", "name", "wrong", "story"),
    [
        # What has left before the count is subtracted again.
        (ledger, "_counted", _never_counted, SHIPPED_COUNTED_TOLD),
        # What has left after the count comes back with it.
        (counting, "moved_since", _nothing_came_or_left, COUNTED_SHIPPED_TOLD),
        # An old count overrules a new one.
        (counting, "_is_older", _never_counted, TWO_COUNTS_SWAPPED),
    ],
)
def test_the_simulation_notices_each_half_of_the_rule_missing(
    monkeypatch: pytest.MonkeyPatch,
    module: object,
    name: str,
    wrong: Callable[..., object],
    story: list[tuple[str, int]],
) -> None:
    tell(story)
    monkeypatch.setattr(module, name, wrong)
    with pytest.raises(AssertionError):
        tell(story)


def test_a_shipment_that_the_count_had_says_so_in_the_ledger(shelves: Shelves) -> None:
    shelves.count(10, place=BOB, observed_at=shelves.now)
    reservation = shelves.reserve(4, place=BOB)
    shipped_at = shelves.later()
    counted_at = shelves.later()
    shelves.later()
    shelves.count(6, place=BOB, observed_at=counted_at)
    assert shelves.figures("on_hand", "reserved", "available", place=BOB) == (6, 4, 2)
    shelves.ship(reservation, 4, occurred_at=shipped_at)
    assert shelves.figures("on_hand", "reserved", "available", place=BOB) == (6, 0, 6)
    told = [(row.reason, int(row.delta)) for row in shelves.ledger() if row.bucket == "on_hand"]
    assert told == [
        ("external_set", 10), ("external_set", -4), ("ship", -4), ("external_set", 4),
    ]  # fmt: skip
    assert shelves.agree()


def test_a_shipment_without_a_moment_is_subtracted_and_the_next_count_sets_it_right(
    shelves: Shelves,
) -> None:
    shelves.count(10, place=BOB, observed_at=shelves.now)
    reservation = shelves.reserve(4, place=BOB)
    shelves.later()
    shelves.count(6, place=BOB, observed_at=shelves.now)
    shelves.later()
    shelves.ship(reservation, 4)
    assert shelves.figures("available", place=BOB) == (2,)
    shelves.later()
    shelves.count(6, place=BOB, observed_at=shelves.now)
    assert shelves.figures("on_hand", "available", place=BOB) == (6, 6)


def test_at_our_own_location_a_shipment_always_lowers_the_count(shelves: Shelves) -> None:
    shelves.count(10)
    reservation = shelves.reserve(4)
    before = shelves.now - timedelta(hours=1)
    shelves.ship(reservation, 4, occurred_at=before)
    assert shelves.figures("on_hand", "reserved") == (6, 0)


def test_goods_we_announced_to_an_outside_location_arrive_by_its_count_alone(
    shelves: Shelves,
) -> None:
    shelves.receive(10)
    with shelves.write() as conn:
        stock.send(
            conn, reference="TR-1", sku_id=A, from_location_id=BERLIN, to_location_id=BOB,
            qty=Decimal(4), cause=shelves.cause(),
        )  # fmt: skip
    assert shelves.figures("on_hand", "incoming", place=BOB) == (0, 4)
    shelves.count(4, place=BOB)
    with shelves.write() as conn:
        [goods] = stock.in_transit(conn, "TR-1")
        assert stock.arrive(conn, goods, Decimal(4), shelves.cause()) is True
    assert shelves.figures("on_hand", "incoming", "available", place=BOB) == (4, 0, 4)
    with pytest.raises(Misplaced, match="its next count brings them"):
        shelves.receive(4, place=BOB)
    assert shelves.agree()


def test_a_count_taken_earlier_at_our_own_location_is_brought_up_to_now(shelves: Shelves) -> None:
    shelves.count(10)
    counted_at = shelves.later()
    shelves.later()
    shelves.receive(5)
    shelves.ship(shelves.reserve(2), 2)
    shelves.later()
    assert shelves.count(9, observed_at=counted_at) == -1
    assert shelves.figures("on_hand") == (12,)
