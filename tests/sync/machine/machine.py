"""Whatever happens to whole orders, in any order and at once: what must hold, holds.

The machine drives the jobs as the engine does, on a real store, and lets the other sides answer,
fall silent, change their minds, and tell of things late, twice or in the wrong order. After every
step ``checks.ALWAYS`` hold; at the end all comes to rest, and ``rest.AT_REST`` hold as well.

Of the invariants in MODEL.md the 8th has no tables yet (settlements, journal), nor has the half of
the 3rd that speaks of return lines: returns are movements of stock here, and what is restocked and
scrapped is compared with what came back.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from state.store import Store
from tests.sync.machine import checks, rest
from tests.sync.machine.installation import DEPOTS, OURS, on_sqlite
from tests.sync.machine.outside import SKUS
from tests.sync.machine.workers import Moment
from tests.sync.machine.world import OUTSIDE, World

SKU = st.sampled_from(SKUS)
PICK = st.integers(0, 9)
PICKS = st.lists(PICK, min_size=1, max_size=4)
FEW = st.integers(1, 5)
LINES = st.dictionaries(SKU, FEW, min_size=1)
TOWN = st.sampled_from(["Los Angeles", "Los Angeles", "Newark", "Berlin"])
DEPOT = st.sampled_from(["bob", "bob", "nina"])
MOSTLY = st.sampled_from([True, True, True, False])
REPLIES = st.lists(
    st.sampled_from(["ok", "refused", "queued", "lost", "unheard", "later", "died"]),
    min_size=1, max_size=3,
)  # fmt: skip
PARTIES = st.sampled_from(["shop", "labels", *DEPOTS])
MOMENTS = st.builds(Moment, st.sampled_from(["before", "within", "after"]), st.integers(0, 3))

JOBS = st.one_of(
    st.just(("allocate",)),
    st.just(("promise",)),
    st.tuples(st.just("push"), PARTIES),
    st.tuples(st.just("deliver"), PICKS),
    st.tuples(st.sampled_from(["tell"]), st.sampled_from(DEPOTS), PICKS),
    st.tuples(st.just("tell_count"), PICK),
)


class Orders(RuleBasedStateMachine):
    """``fresh``: where its stores come from. ``steps``: how many were checked, over all stories."""

    fresh: ClassVar[Callable[[], AbstractContextManager[Store]]] = staticmethod(on_sqlite)
    steps: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self.world = World(self._stack.enter_context(type(self).fresh()), type(self).fresh)
        self.sound = True

    def do(self, word: str, *given: Any, **how: Any) -> None:
        """One thing happens, and everything must still hold."""
        self.sound = False
        self.world.later()
        getattr(self.world, word)(*given, **how)
        if word not in OUTSIDE:
            checks.all_hold(self.world)
        type(self).steps += 1
        self.sound = True

    def teardown(self) -> None:
        try:
            # After a failure there is nothing more to find out.
            if self.sound:
                rest.settle(self.world)
                checks.all_hold(self.world, rest.AT_REST)
        finally:
            self._stack.close()

    @initialize(
        counted=st.tuples(*[st.integers(0, 9)] * 4),
        outside=st.tuples(*[st.integers(0, 9)] * 2),
        first=st.lists(st.tuples(LINES, TOWN), min_size=1, max_size=3),
        early=st.booleans(),
    )
    def open_shop(
        self, counted: tuple[int, ...], outside: tuple[int, ...], first: list[Any], early: bool
    ) -> None:
        """There are goods, and the first orders are with the locations.

        ``early``: promises were computed before anything was counted.
        """
        if early:
            self.do("promise")
        for n, place in enumerate(OURS):
            for m, sku in enumerate(SKUS):
                self.world.count(place, sku, counted[2 * n + m])
        for sku, qty in zip(SKUS, outside, strict=True):
            self.world.receive("bob", sku, qty)
        self.world.count_outside()
        self.world.tell_count(0)
        self.do("promise")
        for lines, town in first:
            self.do("place", lines, town)
            self.do("hear")
        self.do("quiet_day")
        self.do("quiet_day")

    @rule(lines=LINES, to=TOWN, paid=MOSTLY, luck=st.integers(0, 9), now=MOSTLY)
    def place(self, lines: dict[str, int], to: str, paid: bool, luck: int, now: bool) -> None:
        self.do("place", lines, to, paid=paid, odd=luck == 0)
        if now:
            self.do("hear")

    @rule(
        change=st.one_of(
            st.tuples(st.sampled_from(["edit", "refund"]), PICK, SKU, FEW),
            st.tuples(st.sampled_from(["cancel", "cancel", "pay", "complete"]), PICK),
        ),
        now=MOSTLY,
    )
    def buyer_thinks_again(self, change: tuple[Any, ...], now: bool) -> None:
        self.do(*change)
        if now:
            self.do("hear")

    @rule()
    def quiet_day(self) -> None:
        self.do("quiet_day")

    @rule(job=JOBS)
    def run(self, job: tuple[Any, ...]) -> None:
        self.do(*job)

    @rule(job=JOBS, at=MOMENTS)
    def die_in(self, job: tuple[Any, ...], at: Moment) -> None:
        self.do(*job, at=at)

    @rule(job=JOBS, other=JOBS, at=MOMENTS)
    def interleave(self, job: tuple[Any, ...], other: tuple[Any, ...], at: Moment) -> None:
        """Another worker's job at a moment of this one; never the same stream in both."""
        if job[:2] != other[:2] or job == ("allocate",):
            word, *given = other
            self.do(*job, at=at, then=lambda: getattr(self.world, word)(*given))

    @rule(party=PARTIES, replies=REPLIES, now=st.booleans())
    def trouble(self, party: str, replies: list[str], now: bool) -> None:
        """The next requests meet with these replies."""
        self.do("arrange", party, *replies)
        if now:
            self.do("quiet_day")

    @precondition(lambda self: self.world.has_work())
    @rule(pick=PICK, replies=REPLIES)
    def cancel_what_is_out(self, pick: int, replies: list[str]) -> None:
        """A buyer cancels what a 3PL has, and the 3PL has its own mind about it."""
        self.do("cancel_out", pick)
        self.do("hear")
        for code in DEPOTS:
            self.do("arrange", code, *replies)
            self.do("push", code)

    @rule(pick=PICK)
    def release(self, pick: int) -> None:
        self.do("release", pick)

    @rule()
    def retry(self) -> None:
        self.do("retry")

    @rule(
        movement=st.one_of(
            st.tuples(st.just("receive"), st.sampled_from(["berlin", *DEPOTS]), SKU, FEW),
            st.tuples(st.just("count"), st.sampled_from(OURS), SKU, st.integers(0, 9)),
            st.tuples(st.just("lose"), SKU, FEW),
        )
    )
    def goods_come_and_go(self, movement: tuple[Any, ...]) -> None:
        self.do(*movement)

    @rule(now=MOSTLY)
    def count_outside(self, now: bool) -> None:
        self.do("count_outside")
        if now:
            self.do("tell_count", len(self.world.depots["bob"].counts) - 1)

    @precondition(lambda self: self.world.books.shipped.total())
    @rule(pick=PICK, whole=st.booleans())
    def take_back(self, pick: int, whole: bool) -> None:
        self.do("take_back", pick, whole=whole)

    @precondition(lambda self: self.world.has_work())
    @rule(code=DEPOT, pick=PICK, part=st.booleans(), now=MOSTLY)
    def ship(self, code: str, pick: int, part: bool, now: bool) -> None:
        self.do("ship", code, pick, part=part)
        if now:
            self.do("report", code)

    @precondition(lambda self: self.world.has_work())
    @rule(code=DEPOT, pick=PICK)
    def ship_too_much(self, code: str, pick: int) -> None:
        self.do("ship_too_much", code, pick)

    @precondition(lambda self: self.world.has_work(stopped=True))
    @rule(code=DEPOT, pick=PICK, now=MOSTLY)
    def ship_stopped(self, code: str, pick: int, now: bool) -> None:
        self.do("ship_stopped", code, pick)
        if now:
            self.do("report", code)

    @precondition(lambda self: self.world.has_work())
    @rule(code=DEPOT, pick=PICK, now=MOSTLY)
    def give_up(self, code: str, pick: int, now: bool) -> None:
        self.do("give_up", code, pick)
        if now:
            self.do("report", code)
