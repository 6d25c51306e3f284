"""Short stories, one for each thing that must not go wrong, told step by step and checked as told.

They are what the machine finds at random now and then: a planted bug must not need luck.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from tests.sync.machine import checks, rest
from tests.sync.machine.outside import SKUS
from tests.sync.machine.workers import Moment
from tests.sync.machine.world import OUTSIDE, World

Story = Callable[["Telling"], None]


class Telling:
    """Tells a story to a world; after each step everything is checked."""

    def __init__(self, world: World) -> None:
        self.world = world

    def do(self, word: str, *given: Any, **how: Any) -> None:
        self.world.later()
        getattr(self.world, word)(*given, **how)
        if word not in OUTSIDE:
            checks.all_hold(self.world)

    def shelves(self, **counted: int) -> None:
        """What stands there of A, by location; of B nothing."""
        for place in ("berlin", "nina"):
            for sku in SKUS:
                self.world.count(place, sku, counted.get(place, 0) if sku == "A" else 0)
        self.world.receive("bob", "A", counted.get("bob", 0))
        self.world.count_outside()
        self.world.tell_count(0)
        self.do("promise")
        self.do("push", "shop")

    def order(self, qty: int = 2, to: str = "Los Angeles", **how: Any) -> None:
        self.do("place", {"A": qty}, to, **how)
        self.do("hear")

    def handed_over(self, qty: int = 2, to: str = "Los Angeles") -> None:
        self.order(qty, to)
        self.do("quiet_day")
        self.do("quiet_day")

    def end(self) -> None:
        rest.settle(self.world)
        checks.all_hold(self.world, rest.AT_REST)


def shipped(tell: Telling) -> None:
    """An order goes to a 3PL, in two parcels, and each is reported twice."""
    tell.shelves(bob=5)
    tell.handed_over(3)
    tell.do("ship", "bob", 0, part=True)
    tell.do("report", "bob")
    tell.do("report", "bob")
    tell.do("ship", "bob", 0)
    tell.do("report", "bob")
    tell.do("tell", "bob", [0, 1, 0])


def labelled(tell: Telling) -> None:
    """A label is bought, its reply is lost, and it is found again."""
    tell.shelves(berlin=5)
    tell.order(3, "Berlin")
    tell.do("quiet_day")
    tell.do("arrange", "labels", "lost")
    tell.do("quiet_day")
    tell.do("quiet_day")


def died_while_buying(tell: Telling) -> None:
    tell.shelves(berlin=5)
    tell.order(3, "Berlin")
    tell.do("quiet_day")
    tell.do("arrange", "labels", "died")
    tell.do("quiet_day")
    tell.do("quiet_day")


def cancelled_in_time(tell: Telling) -> None:
    """A cancellation before the hand-over costs nothing."""
    tell.shelves(nina=5)
    tell.order(3, "Newark")
    tell.do("allocate")
    tell.do("cancel", 0)
    tell.do("hear")


def cancelled_at_the_3pl(tell: Telling) -> None:
    """The 3PL is asked to stop; its answer is lost, and asked for again."""
    tell.shelves(bob=5)
    tell.handed_over(3)
    tell.do("cancel", 0)
    tell.do("hear")
    tell.do("arrange", "bob", "lost")
    tell.do("push", "bob")
    tell.do("quiet_day")


def cancelled_and_shipped(tell: Telling) -> None:
    """The 3PL agrees to stop, and ships all the same."""
    tell.shelves(nina=5)
    tell.handed_over(2, "Newark")
    tell.do("cancel", 0)
    tell.do("hear")
    tell.do("push", "nina")
    tell.do("ship_stopped", "nina", 0)
    tell.do("report", "nina")


def cancelled_too_late(tell: Telling) -> None:
    """The 3PL refuses to stop, and ships."""
    tell.shelves(nina=5)
    tell.handed_over(2, "Newark")
    tell.do("cancel", 0)
    tell.do("hear")
    tell.do("arrange", "nina", "refused")
    tell.do("push", "nina")
    tell.do("ship", "nina", 0)
    tell.do("report", "nina")


def edited_before_it_left(tell: Telling) -> None:
    """Fewer, then more, while the work is planned."""
    tell.shelves(nina=9)
    tell.order(5, "Newark")
    tell.do("allocate")
    tell.do("edit", 0, "A", 2)
    tell.do("hear")
    tell.do("edit", 0, "A", 4)
    tell.do("hear")
    tell.do("quiet_day")


def reordered(tell: Telling) -> None:
    """The newest message comes first, then the oldest."""
    tell.shelves(nina=9)
    tell.do("place", {"A": 3}, "Newark")
    tell.do("edit", 0, "A", 5)
    tell.do("refund", 0, "A", 1)
    tell.do("hear")
    tell.do("deliver", [1])
    tell.do("deliver", [0])


def refunded(tell: Telling) -> None:
    """Money is given back for a part before it ships; the shop says so in two messages."""
    tell.shelves(bob=9)
    tell.order(4)
    tell.do("refund", 0, "A", 1)
    tell.do("hear")
    tell.do("allocate")
    tell.do("refund", 0, "A", 1)
    tell.do("hear")
    tell.do("quiet_day")


def refused_and_routed_anew(tell: Telling) -> None:
    """The nearest location refuses, the next one ships."""
    tell.shelves(bob=5, nina=5)
    tell.order(3)
    tell.do("quiet_day")
    tell.do("arrange", "bob", "refused")
    tell.do("quiet_day")
    tell.do("quiet_day")
    tell.do("quiet_day")


def picked_short(tell: Telling) -> None:
    """A part ships, of the rest there is nothing; another location has it."""
    tell.shelves(bob=5, nina=5)
    tell.handed_over(3)
    tell.do("ship", "bob", 0, part=True)
    tell.do("report", "bob")
    tell.do("give_up", "bob", 0)
    tell.do("report", "bob")
    tell.do("quiet_day")
    tell.do("quiet_day")


def hand_over_lost(tell: Telling) -> None:
    """The reply to a hand-over is lost twice: before and after its effect."""
    tell.shelves(bob=5)
    tell.order(3)
    tell.do("quiet_day")
    tell.do("arrange", "bob", "unheard", "lost")
    tell.do("quiet_day")
    tell.do("quiet_day")


def counted_late(tell: Telling) -> None:
    """A count tells of what left before we hear that it left; an older one comes after it."""
    tell.shelves(bob=5)
    tell.handed_over(2)
    tell.do("count_outside")
    tell.do("ship", "bob", 0)
    tell.do("count_outside")
    tell.do("tell_count", 2)
    tell.do("tell_count", 1)
    tell.do("report", "bob")
    tell.order(5)
    tell.do("quiet_day")


def returned(tell: Telling) -> None:
    """One piece goes back on the shelf, one is thrown away."""
    tell.shelves(berlin=5)
    tell.handed_over(3, "Berlin")
    tell.do("take_back", 0, whole=True)
    tell.do("take_back", 0, whole=False)


def sold_out(tell: Telling) -> None:
    """Two orders want the last pieces; goods that come later are for the one that waits."""
    tell.shelves(nina=3)
    tell.order(2, "Newark")
    tell.order(3, "Newark")
    tell.do("quiet_day")
    tell.do("promise")
    tell.do("receive", "nina", "A", 4)
    tell.do("quiet_day")


def written_back(tell: Telling) -> None:
    """The reply to a write is lost, the next write is sent later."""
    tell.shelves(berlin=5)
    tell.order(2, "Berlin")
    tell.do("promise")
    tell.do("arrange", "shop", "unheard")
    tell.do("push", "shop")
    tell.do("receive", "berlin", "A", 2)
    tell.do("promise")


def odd_total(tell: Telling) -> None:
    """The shop's total does not add up: a person lets the order go."""
    tell.shelves(nina=5)
    tell.order(2, "Newark", odd=True)
    tell.do("quiet_day")
    tell.do("release", 0)
    tell.do("quiet_day")


def cancelled_while_planned(tell: Telling) -> None:
    """The cancellation comes in between the look at the queue and the plan."""
    tell.shelves(nina=5)
    tell.order(2, "Newark")
    tell.do("cancel", 0)
    tell.do("allocate", at=Moment("before", 0), then=tell.world.hear)


def planned_twice_at_once(tell: Telling) -> None:
    """Two workers plan the same queue."""
    tell.shelves(nina=5)
    tell.order(2, "Newark")
    tell.order(3, "Newark")
    for moment in (Moment("before", 0), Moment("within", 0)):
        tell.do("allocate", at=moment, then=tell.world.allocate)


def withdrawn_while_sent(tell: Telling) -> None:
    """The cancellation comes in between the look at the hand-over and its claim; another one
    between the claim and the reply."""
    tell.shelves(bob=5)
    for number, moment in enumerate((Moment("before", 0), Moment("after", 0))):
        tell.order(2)
        tell.do("allocate")
        tell.do("later", 3)
        tell.do("allocate")
        tell.do("cancel", number)
        tell.do("push", "bob", at=moment, then=tell.world.hear)
        tell.do("quiet_day")


def held_but_promised(tell: Telling) -> None:
    """An order that waits for a person has its goods promised to it."""
    tell.shelves(nina=5)
    tell.order(2, "Newark", odd=True)
    tell.do("promise")
    tell.do("push", "shop")


def too_little(tell: Telling) -> None:
    """An order wants more than there is anywhere."""
    tell.shelves(nina=3)
    tell.order(5, "Newark")
    tell.do("quiet_day")


def counts_swapped(tell: Telling) -> None:
    """Goods vanish between two counts, and the newer count comes first."""
    tell.shelves(bob=5)
    tell.do("count_outside")
    tell.do("lose", "A", 3)
    tell.do("count_outside")
    tell.do("tell_count", 2)
    tell.do("tell_count", 1)


def refused_late(tell: Telling) -> None:
    """Nobody knows what became of a hand-over, and another location has the goods too."""
    tell.shelves(bob=5, nina=5)
    tell.order(3, "Newark")
    tell.do("quiet_day")
    tell.do("arrange", "nina", "lost")
    tell.do("quiet_day")
    tell.do("quiet_day")
    tell.do("quiet_day")


def rest_comes_later(tell: Telling) -> None:
    """Some of the goods are there, and the others come."""
    tell.shelves(nina=3)
    tell.order(5, "Newark")
    tell.do("allocate")
    tell.do("receive", "nina", "A", 9)
    tell.do("allocate")
    tell.do("quiet_day")


def last_pieces(tell: Telling) -> None:
    """What one order has, the next one cannot have."""
    tell.shelves(nina=3)
    tell.order(2, "Newark")
    tell.do("allocate")
    tell.order(3, "Newark")
    tell.do("allocate")


def nothing_there(tell: Telling) -> None:
    tell.shelves()
    tell.order(1, "Newark")
    tell.do("quiet_day")


def received_while_promising(tell: Telling) -> None:
    """Goods arrive between two transactions of the promise job."""
    tell.shelves(nina=3)
    tell.order(2, "Newark")
    more = partial(tell.world.receive, "nina", "A", 4)
    tell.do("promise", at=Moment("after", 0), then=more)
    tell.do("promise")


def completed_by_others(tell: Telling) -> None:
    """Somebody ships what waits here, and says so in the shop."""
    tell.shelves(nina=3)
    tell.order(2, "Newark", odd=True)
    tell.do("promise")
    tell.do("complete", 0)
    tell.do("hear")


def released_while_cancelled(tell: Telling) -> None:
    """The cancellation comes in between the look at what is due and its release."""
    tell.shelves(nina=5)
    tell.order(2, "Newark")
    tell.do("allocate")
    tell.do("cancel", 0)
    tell.do("later", 3)
    tell.do("allocate", at=Moment("before", 0), then=tell.world.hear)
    tell.do("quiet_day")


def line_added(tell: Telling) -> None:
    """The shop adds another SKU to an order that waits."""
    tell.shelves(nina=5)
    tell.do("receive", "nina", "B", 5)
    tell.order(2, "Newark", odd=True)
    tell.do("promise")
    tell.do("edit", 0, "B", 4)
    tell.do("hear")


def edited_down_then_given_up(tell: Telling) -> None:
    """The buyer wants fewer than a 3PL has in hand, and the 3PL gives up."""
    tell.shelves(nina=9)
    tell.handed_over(5, "Newark")
    tell.do("edit", 0, "A", 4)
    tell.do("hear")
    tell.do("give_up", "nina", 0)
    tell.do("report", "nina")


def added_after_it_closed(tell: Telling) -> None:
    """The shop adds goods to an order that has left already."""
    tell.shelves(nina=5)
    tell.handed_over(2, "Newark")
    tell.do("ship", "nina", 0)
    tell.do("report", "nina")
    tell.do("edit", 0, "A", 3)
    tell.do("hear")


def none_at_first_count(tell: Telling) -> None:
    """What nobody has counted is not promised; that none of it is there, is."""
    tell.do("promise")
    tell.do("count", "berlin", "A", 0)
    tell.do("promise")


def shipped_more_than_asked(tell: Telling) -> None:
    """A 3PL puts more into the parcel than it was asked for."""
    tell.shelves(nina=5)
    tell.handed_over(2, "Newark")
    tell.do("ship_too_much", "nina", 0)
    tell.do("report", "nina")


STORIES: tuple[Story, ...] = (
    shipped,
    labelled,
    died_while_buying,
    cancelled_in_time,
    cancelled_at_the_3pl,
    cancelled_and_shipped,
    cancelled_too_late,
    edited_before_it_left,
    reordered,
    refunded,
    refused_and_routed_anew,
    picked_short,
    hand_over_lost,
    counted_late,
    returned,
    sold_out,
    written_back,
    odd_total,
    cancelled_while_planned,
    planned_twice_at_once,
    withdrawn_while_sent,
    held_but_promised,
    too_little,
    nothing_there,
    rest_comes_later,
    last_pieces,
    received_while_promising,
    counts_swapped,
    refused_late,
    released_while_cancelled,
    completed_by_others,
    line_added,
    edited_down_then_given_up,
    added_after_it_closed,
    none_at_first_count,
    shipped_more_than_asked,
)
