"""Everything that can happen to a hub, and to those it deals with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from connectors.base import Connector
from jobs.clock import ManualClock
from state import overshipments, stock
from state import tables as t
from state.stock import Cause
from state.store import Store
from sync import allocation, counts, drain, intake, parked, shipping
from sync.context import Hub, Link, Policy
from sync.promise import publishing
from tests.sync.conftest import T0
from tests.sync.machine.books import Books
from tests.sync.machine.installation import (
    DEPOTS,
    LINKS,
    OURS,
    PLACES,
    RELEASE_AFTER_S,
    STEP,
    definitions,
)
from tests.sync.machine.outside import SKUS, Carrier, Depot, Shop, Version, Work
from tests.sync.machine.workers import Moment, Worker, attempt, die

OUTSIDE = frozenset(
    (
        *("arrange", "count_outside", "later"),
        *("cancel", "cancel_out", "complete", "edit", "pay", "place", "refund"),
    )
)
"""What happens outside and cannot break anything by itself: the hub does not know of it yet."""


def beyond(conn: Connection) -> Counter[tuple[str, str]]:
    """What left, by (order, SKU), and finds no room in its order."""
    found = Counter[tuple[str, str]]()
    for order_id, order in conn.execute(
        select(t.sales_order.c.id, t.sales_order.c.channel_order_id)
    ):
        for row in overshipments.of_order(conn, order_id):
            found[order, row.sku] += int(row.qty_over)
    return found


@dataclass
class World:
    """Every method is something that happens. The numbers pick among what there is.

    ``fresh``: opens an empty furnished store, as often as it is asked.
    """

    store: Store
    fresh: Callable[[], AbstractContextManager[Store]]
    clock: ManualClock = field(default_factory=lambda: ManualClock(T0))
    shop: Shop = field(default_factory=Shop)
    carrier: Carrier = field(default_factory=Carrier)
    depots: dict[str, Depot] = field(default_factory=lambda: {code: Depot(code) for code in DEPOTS})
    books: Books = field(default_factory=Books)
    losses: list[tuple[datetime, str, int]] = field(default_factory=list)
    """Goods that vanished at bob's: when, of which SKU, how many."""
    counted_at: datetime = T0
    """When the newest of bob's counts was taken that the hub knows."""
    keys: int = 0
    hub: Hub = field(init=False)

    def __post_init__(self) -> None:
        parties: dict[str, Connector] = {
            "shop": self.shop,
            "labels": self.carrier,
            **self.depots,
        }
        links = {
            name: Link(number, name, parties[name], ZoneInfo("Europe/Berlin"), T0)
            for number, (name, _) in enumerate(LINKS, start=1)
        }
        policy = Policy(release_after_s=RELEASE_AFTER_S)
        self.hub = Hub(self.store, self.clock, definitions(), links, policy)

    @contextmanager
    def another(self) -> Iterator[World]:
        """A world that nothing has happened to."""
        with self.fresh() as store:
            yield World(store, self.fresh)

    # ---- time and people ---------------------------------------------------------------------

    def later(self, steps: int = 1) -> None:
        self.clock.advance((STEP * steps).total_seconds())

    def key(self, word: str) -> str:
        self.keys += 1
        return f"{word}:{self.keys}"

    def arrange(self, party: str, *replies: Any) -> None:
        """What the next requests to a party will meet with."""
        one = {"shop": self.shop, "labels": self.carrier, **self.depots}[party]
        one.replies.arranged = list(replies)

    def release(self, pick: int) -> None:
        """A person lifts what holds an order."""
        with self.store.write() as conn:
            held = list(conn.scalars(select(t.sales_order.c.id).order_by(t.sales_order.c.id)))
            if held:
                order_id = held[pick % len(held)]
                parked.release(conn, order_id, "ops", "looked into it", self.clock.now())

    def retry(self, *names: str) -> None:
        """A person has everything tried again that was set aside."""
        for name in names or ("shop", *DEPOTS):
            with self.store.write() as conn:
                waiting = self.parked_reports(conn)
                parked.retry(conn, self.hub, self.hub.links[name])
                taken = waiting - self.parked_reports(conn)
            if name in DEPOTS:
                self._take_reports(name, taken)

    # ---- the shop ----------------------------------------------------------------------------

    def place(
        self,
        lines: Mapping[str, int],
        to: str = "Los Angeles",
        *,
        paid: bool = True,
        odd: bool = False,
    ) -> None:
        number = len(self.shop.orders) + 1
        new = Version(number, 0, "processing" if paid else "pending", dict(lines), to=to)
        self.shop.change(new, odd_total=odd)

    def _order(self, pick: int) -> Version | None:
        over = ("cancelled", "completed")
        alive = [one for one in self.shop.orders.values() if one.status not in over]
        return alive[pick % len(alive)] if alive else None

    def edit(self, pick: int, sku: str, qty: int) -> None:
        """Another quantity of a SKU, or a new line; never fewer than money was given back for."""
        order = self._order(pick)
        if order is not None:
            most = max(qty, order.refunded(sku), 1)
            self.shop.change(order, lines={**order.lines, sku: most})

    def pay(self, pick: int) -> None:
        order = self._order(pick)
        if order is not None and order.status == "pending":
            self.shop.change(order, status="processing")

    def refund(self, pick: int, sku: str, qty: int) -> None:
        order = self._order(pick)
        if order is None or order.status == "pending":
            return
        most = order.lines.get(sku, 0) - order.refunded(sku)
        if most > 0:
            refund = (len(self.shop.messages) + 1000, sku, min(qty, most))
            self.shop.change(order, refunds=(*order.refunds, refund))

    def cancel(self, pick: int) -> None:
        order = self._order(pick)
        if order is not None:
            self.shop.change(order, status="cancelled")

    def complete(self, pick: int) -> None:
        """Somebody ships the order without us, and says so in the shop."""
        order = self._order(pick)
        if order is not None:
            self.shop.change(order, status="completed")

    def cancel_out(self, pick: int) -> None:
        """Cancel an order of which a 3PL has work."""
        numbers = {
            int(work.order)
            for depot in self.depots.values()
            for work in depot.works.values()
            if work.live and self.shop.orders[int(work.order)].status != "cancelled"
        }
        if numbers:
            number = sorted(numbers)[pick % len(numbers)]
            self.shop.change(self.shop.orders[number], status="cancelled")

    # ---- jobs --------------------------------------------------------------------------------

    def work(
        self,
        job: Callable[..., None],
        connection: str | None = None,
        *,
        on_commit: Callable[[], None] = lambda: None,
        at: Moment | None = None,
        then: Callable[[], None] = die,
        cursor: Any = None,
    ) -> bool:
        """Run a job; false when its process died, or the database gave it up."""
        worker = Worker(
            self.store, connection, cursor=cursor, on_commit=on_commit, at=at, then=then
        )
        return attempt(worker, job, self.hub)

    def hear(self) -> None:
        """The hub pulls the shop's newest message."""
        self.deliver([len(self.shop.messages) - 1])

    def quiet_day(self) -> None:
        """The daemon's round where nobody disturbs it."""
        self.later(3)
        self.allocate()
        self.promise()
        for party in ("labels", *DEPOTS, "shop"):
            self.push(party)

    def deliver(self, picks: Sequence[int], **interrupted: Any) -> None:
        """The hub pulls messages of the shop: any of them, in any order, any number of times."""
        if not self.shop.messages:
            return
        told = [self.shop.messages[pick % len(self.shop.messages)] for pick in picks]
        # A listing shows each order once, as it is when it is asked.
        self.shop.telling = list({one.number: one for one in told}.values())
        telling = self.shop.telling

        def taken() -> None:
            with self.store.read() as conn:
                over = beyond(conn)
            for version in telling:
                self.books.take_order(version, over)

        self.work(intake.pull_orders, "shop", on_commit=taken, **interrupted)

    def allocate(self, **interrupted: Any) -> None:
        self.work(allocation.allocate, **interrupted)

    def promise(self, **interrupted: Any) -> None:
        self.work(publishing.publish, **interrupted)

    def push(self, party: str, **interrupted: Any) -> None:
        given: Callable[[], None] = self._note_labels if party == "labels" else lambda: None
        self.work(drain.push, party, on_commit=given, **interrupted)

    def _note_labels(self) -> None:
        """Of our own parcels nobody but our own settlement of the label tells."""
        with self.store.read() as conn:
            booked = set(conn.scalars(select(t.shipment.c.external_id)))
        for reference, label in self.carrier.labels.items():
            order = reference.split("-", 1)[0]
            number = label.tracking_number
            if label.external_id in booked and number not in self.books.parcels.get(order, {}):
                goods = {k: n for k, n in self.carrier.contents[reference].items() if n}
                self.books.parcels.setdefault(order, {})[number] = goods
                for sku, qty in goods.items():
                    self.books.shipped[order, sku] += qty
                    self.books.on_hand[sku, "berlin"] -= qty

    def tell(self, code: str, picks: Sequence[int], **interrupted: Any) -> None:
        """The hub pulls reports of a 3PL: any of them, in any order, any number of times."""
        depot = self.depots[code]
        if not depot.reports:
            return
        told = [depot.reports[pick % len(depot.reports)] for pick in picks]
        depot.telling = list({one.key: one for one in told}.values())
        keys = {one.key for one in depot.telling}

        def taken() -> None:
            with self.store.read() as conn:
                self._take_reports(code, keys - self.parked_reports(conn))

        self.work(shipping.pull_shipments, code, on_commit=taken, **interrupted)

    def parked_reports(self, conn: Connection) -> set[str]:
        """Reports that the hub says it could not book."""
        row = t.inbox.c
        query = select(row.external_id).where(row.topic == "shipments", row.state == "parked")
        return set(conn.scalars(query))

    def _take_reports(self, code: str, keys: set[str]) -> None:
        for report in self.depots[code].reports:
            if report.key in keys:
                self.books.take_report(report, code, ours=code in OURS)

    # ---- stock -------------------------------------------------------------------------------

    def receive(self, place: str, sku: str, qty: int) -> None:
        """Goods arrive. At bob's nobody says so: the next count shows it."""
        if place in DEPOTS:
            self.depots[place].goods[sku] += qty
        if place in OURS:
            cause = self._cause("receipt", self.key("receipt"))
            for _ in ("once", "and again"):
                with self.store.write() as conn:
                    stock.receive(conn, **self._where(sku, place), qty=Decimal(qty), cause=cause)
            self.books.on_hand[sku, place] += qty

    def lose(self, sku: str, qty: int) -> None:
        """Goods vanish at bob's."""
        goods = self.depots["bob"].goods
        gone = min(qty, goods[sku])
        goods[sku] -= gone
        self.losses.append((self.clock.now(), sku, gone))

    def unknown_losses(self, sku: str) -> int:
        """What vanished at bob's since the newest count that the hub knows."""
        return sum(n for at, name, n in self.losses if name == sku and at >= self.counted_at)

    def count(self, place: str, sku: str, qty: int) -> None:
        """A person counts at a place of ours; refused where less is there than is reserved."""
        try:
            with self.store.write() as conn:
                stock.set_count(
                    conn, **self._where(sku, place), authority="hub", on_hand=Decimal(qty),
                    reason="adjust_count", key=self.key("count"), now=self.clock.now(),
                )  # fmt: skip
        except IntegrityError:
            return
        self.books.on_hand[sku, place] = qty
        if place in DEPOTS:
            self.depots[place].goods[sku] = qty

    def count_outside(self) -> None:
        """Bob counts his shelves, and tells of it later."""
        self.depots["bob"].count(self.clock.now())

    def tell_count(self, pick: int, **interrupted: Any) -> None:
        bob = self.depots["bob"]
        if bob.counts:
            bob.counted = bob.counts[pick % len(bob.counts)]
            moment = bob.counted[0]

            def taken() -> None:
                self.counted_at = max(self.counted_at, moment)

            self.work(counts.pull_stock, "bob", on_commit=taken, **interrupted)

    def take_back(self, pick: int, *, whole: bool) -> None:
        """A buyer returns a piece to berlin: back on the shelf, or thrown away. Said twice."""
        shipped = [
            (order, sku)
            for (order, sku), qty in sorted(self.books.shipped.items())
            if qty > self.books.returned[f"{order}/{sku}"] + self.books.scrapped[f"{order}/{sku}"]
        ]
        if not shipped:
            return
        order, sku = shipped[pick % len(shipped)]
        key, piece, where = self.key("return"), Decimal(1), self._where(sku, "berlin")
        for _ in ("once", "and again"):
            with self.store.write() as conn:
                back = self._cause("return_restock", key)
                stock.receive(conn, **where, qty=piece, cause=back)
                if not whole:
                    broken = self._cause("reclassify", f"{key}:broken")
                    stock.reclassify(conn, **where, qty=piece, bucket="damaged", cause=broken)
                    gone = self._cause("return_scrap", f"{key}:gone")
                    stock.scrap(conn, **where, qty=piece, bucket="damaged", cause=gone)
        if whole:
            self.books.returned[f"{order}/{sku}"] += 1
            self.books.on_hand[sku, "berlin"] += 1
        else:
            self.books.scrapped[f"{order}/{sku}"] += 1

    def _where(self, sku: str, place: str) -> dict[str, Any]:
        return {"sku_id": SKUS.index(sku) + 1, "location_id": PLACES.index(place) + 1}

    def _cause(self, reason: str, key: str) -> Cause:
        return Cause(reason, ("test", None), key, self.clock.now())

    def has_work(self, *, stopped: bool = False) -> bool:
        """Has any 3PL work that it could still ship, or that it was to stop?"""
        return any(
            work.stopped == stopped and any(work.left(sku) > 0 for sku in work.asked)
            for depot in self.depots.values()
            for work in depot.works.values()
        )

    # ---- the 3PLs ----------------------------------------------------------------------------

    def report(self, code: str) -> None:
        """The hub pulls a 3PL's newest report."""
        self.tell(code, [len(self.depots[code].reports) - 1])

    def ship(self, code: str, pick: int, *, part: bool = False) -> None:
        """A 3PL sends what it was given, or only one piece of it."""
        depot = self.depots[code]
        live = [work for work in depot.works.values() if work.live]
        if live:
            work = live[pick % len(live)]
            goods = {sku: work.left(sku) for sku in work.asked if work.left(sku) > 0}
            first = next(iter(goods))
            depot.ship(work, {first: 1} if part else goods, self.clock.now())

    def ship_too_much(self, code: str, pick: int) -> None:
        """A 3PL sends one piece more than it was given, of which one is free, and tells of it."""
        depot = self.depots[code]
        live = [work for work in depot.works.values() if work.live]
        if live:
            work = live[pick % len(live)]
            goods = {sku: max(0, work.left(sku)) for sku in work.asked}
            first = next(iter(goods))
            goods[first] += 1
            if goods[first] <= depot.goods[first] and self._is_free(first, code):
                depot.ship(work, goods, self.clock.now())
                self.report(code)

    def _is_free(self, sku: str, place: str) -> bool:
        where = self._where(sku, place)
        with self.store.read() as conn:
            levels = stock.levels(conn, [where["sku_id"]])
        return any(
            level.location_id == where["location_id"] and level.available >= 1 for level in levels
        )

    def untold(self, depot: Depot, work: Work, sku: str) -> int:
        """What left of a piece of work and the hub has not heard of."""
        return sum(
            report.goods.get(sku, 0)
            for report in depot.reports
            if report.reference == work.reference and report.key not in self.books.known_reports
        )

    def ship_stopped(self, code: str, pick: int) -> None:
        """A 3PL sends what it was to stop, and had said it would."""
        depot = self.depots[code]
        stopped = [
            work
            for work in depot.works.values()
            if work.stopped and any(work.left(sku) for sku in work.asked)
        ]
        if stopped:
            work = stopped[pick % len(stopped)]
            depot.ship(work, {sku: work.left(sku) for sku in work.asked}, self.clock.now())

    def give_up(self, code: str, pick: int) -> None:
        """A 3PL will not ship the rest of a piece of work: a short pick, or no reason at all."""
        depot = self.depots[code]
        live = [work for work in depot.works.values() if work.live]
        if live:
            depot.give_up(live[pick % len(live)], self.clock.now())
