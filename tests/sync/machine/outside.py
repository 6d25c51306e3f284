"""The other sides, as they really are: a shop, two 3PLs and a carrier.

Each keeps its own truth and answers as it was told to. What it has told the hub of that truth, and
in which order, is up to the story.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, TypeVar

from connectors.base import Config, Cursor, Finding, Info, Outcome, Page, Push, RawRecord
from connectors.errors import Ambiguous, Retryable
from mappings import canonical as c
from tests.sync.conftest import T0, woo_order

_Name = TypeVar("_Name")

SKUS = ("A", "B")
WEIGHT_G = {"A": 1, "B": 1000}
"""So that a parcel's weight tells what is in it: a carrier knows nothing else of its contents."""

TOWNS = {
    "Berlin": {"postcode": "10117", "country": "DE"},
    "Newark": {"postcode": "07102", "country": "US"},
    "Los Angeles": {"postcode": "90012", "country": "US"},
}
"""Each has another location near it."""

Reply = Literal["ok", "refused", "queued", "lost", "unheard", "later", "died"]
"""``queued``: they shall see. ``lost``: done, and nobody hears of it. ``unheard``: not done, and
nobody knows. ``later``: not done, and said so. ``died``: done, and our process ends."""


class Died(BaseException):
    """Our process ends here, like by ``kill -9``: nothing in it may catch this."""


@dataclass
class Replies:
    """What the other side does with our next requests; ``ok`` when nothing was arranged."""

    arranged: list[Reply] = field(default_factory=list)

    def answer(
        self,
        key: str,
        done: Callable[[], Outcome],
        *,
        refused: Callable[[], Outcome] | None = None,
        stalls: bool = False,
    ) -> Outcome:
        """One item's outcome. ``done`` has the effect; ``refused``: where saying no is allowed;
        ``stalls``: where "we shall see" is an answer."""
        reply = self.arranged.pop(0) if self.arranged else "ok"
        if reply == "later":
            raise Retryable("come back later")
        if reply == "unheard":
            raise Ambiguous("the connection was reset")
        if reply == "refused" and refused is not None:
            return refused()
        if reply == "queued" and stalls:
            return Outcome(key, "accepted")
        outcome = done()
        if reply == "lost":
            raise Ambiguous("the reply was lost")
        if reply == "died":
            raise Died
        return outcome


class Party:
    """What every connector has."""

    info: Info
    config_model = Config

    def __init__(self) -> None:
        self.replies = Replies()

    def check(self) -> Sequence[Finding]:
        return []


@dataclass(frozen=True)
class Version:
    """One state of an order in the shop. ``refunds``: (id, SKU, units). ``to``: one of ``TOWNS``.

    ``odd_total``: the shop's own total does not add up.
    """

    number: int
    version: int
    status: Literal["pending", "processing", "cancelled", "completed"]
    lines: Mapping[str, int]
    refunds: tuple[tuple[int, str, int], ...] = ()
    odd_total: bool = False
    to: str = "Berlin"

    @property
    def source_version(self) -> datetime:
        return T0 + timedelta(seconds=self.version)

    def refunded(self, sku: str) -> int:
        return sum(qty for _, refunded, qty in self.refunds if refunded == sku)

    def line_id(self, sku: str) -> int:
        return self.number * 100 + SKUS.index(sku)

    def payload(self) -> dict[str, Any]:
        order = woo_order(self.number, dict(self.lines))
        for item in order["line_items"]:
            item["id"] = self.line_id(item["sku"])
        moment = self.source_version.replace(tzinfo=None).isoformat()
        order.update(status=self.status, date_modified_gmt=moment)
        order["shipping"] |= {"city": self.to, **TOWNS[self.to]}
        if self.status == "pending":
            order.update(date_paid_gmt=None)
        if self.odd_total:
            order["total"] = f"{float(order['total']) + 1:.2f}"
        order["refunds"] = [self._refund(*refund) for refund in self.refunds]
        return order

    def _refund(self, number: int, sku: str, qty: int) -> dict[str, Any]:
        of_line = {"key": "_refunded_item_id", "value": str(self.line_id(sku))}
        item = {
            "id": number, "quantity": -qty, "total": f"-{10 * qty}.00", "total_tax": "0.00",
            "meta_data": [of_line],
        }  # fmt: skip
        amount = f"{10 * qty}.00"
        return {"id": number, "amount": amount, "reason": "", "line_items": [item]}


class Shop(Party):
    """A channel. ``messages``: every state its orders ever had, in the order they came about."""

    info = Info(
        name="shop",
        title="A shop",
        kind="channel",
        pushes={"push_stock": Push(100, "absolute"), "push_tracking": Push(10, "natural")},
        definitions={"orders": "woocommerce.orders"},
    )

    def __init__(self) -> None:
        super().__init__()
        self.orders: dict[int, Version] = {}
        self.messages: list[Version] = []
        self.telling: list[Version] = []
        self.offered: dict[str, int] = {}
        self.notices: list[c.TrackingNotice] = []

    def change(self, order: Version, **values: Any) -> Version:
        """Let an order become another; the hub does not know of it yet."""
        new = replace(order, version=len(self.messages) + 1, **values)
        self.orders[new.number] = new
        self.messages.append(new)
        return new

    def pull_orders(self, cursor: Cursor | None, since: datetime) -> Iterator[Page]:
        done = (cursor or {"n": 0})["n"]
        records = [RawRecord.of(str(one.number), one.payload()) for one in self.telling]
        yield Page(records, {"n": done + 1})

    def push_stock(self, updates: Mapping[str, c.StockUpdate]) -> Sequence[Outcome]:
        def done() -> Outcome:
            self.offered.update({u.external_variant_id: u.quantity for u in updates.values()})
            return Outcome("", "applied")

        told = self.replies.answer("", done, refused=lambda: Outcome("", "rejected"))
        return [replace(told, key=key) for key in updates]

    def push_tracking(self, notices: Mapping[str, c.TrackingNotice]) -> Sequence[Outcome]:
        def done() -> Outcome:
            self.notices.extend(notices.values())
            return Outcome("", "applied")

        told = self.replies.answer("", done)
        return [replace(told, key=key) for key in notices]


@dataclass
class Work:
    """What a 3PL was given under one reference. ``early``: shipped before it was stopped."""

    reference: str
    order: str
    asked: Mapping[str, int]
    shipped: dict[str, int] = field(default_factory=dict)
    stopped: bool = False
    early: dict[str, int] = field(default_factory=dict)

    def left(self, sku: str) -> int:
        return self.asked.get(sku, 0) - self.shipped.get(sku, 0)

    @property
    def live(self) -> bool:
        return not self.stopped and any(self.left(sku) > 0 for sku in self.asked)

    def will_have_shipped(self, sku: str) -> int:
        """Of what it was asked for: goods that left, or still will."""
        asked = self.asked.get(sku, 0)
        return min(asked, self.early.get(sku, 0)) if self.stopped else asked

    def stop(self) -> None:
        if not self.stopped:
            self.stopped, self.early = True, dict(self.shipped)


@dataclass(frozen=True)
class Report:
    """What a 3PL has to tell of one reference: goods that left, or that it will not ship."""

    reference: str
    order: str
    key: str
    at: datetime
    goods: Mapping[str, int] = field(default_factory=dict)

    def payload(self, telling: int) -> dict[str, Any]:
        """``telling``: told again it is not the same to the letter."""
        state = "shipped" if self.goods else "cancelled"
        lines = [{"sku": sku, "quantity": str(qty)} for sku, qty in self.goods.items()]
        moment = self.at.isoformat()
        written = (self.at + timedelta(seconds=telling)).isoformat()
        return {
            "shipment_key": self.key,
            "shipment": {"reference": self.reference, "state": state, "shipped_at": moment},
            "file": {"modified_at": written, "timezone": "UTC"},
            "packages": [{"tracking_number": f"T-{self.key}", "lines": lines}] if lines else [],
        }


class Depot(Party):
    """A 3PL that takes work by reference once. ``goods``: what stands there, in truth."""

    info = Info(
        name="3pl",
        title="A 3PL",
        kind="fulfilment",
        pushes={
            "push_fulfilment_orders": Push(1, "reference"),
            "cancel_fulfilment_orders": Push(1, "natural"),
        },
        definitions={"shipments": "csvdrop.shipments", "stock": "csvdrop.stock"},
    )

    def __init__(self, code: str) -> None:
        super().__init__()
        self.code = code
        self.goods = dict.fromkeys(SKUS, 0)
        self.works: dict[str, Work] = {}
        self.reports: list[Report] = []
        self.telling: list[Report] = []
        self.tellings = 0
        self.counts: list[tuple[datetime, Mapping[str, int]]] = []
        self.counted: tuple[datetime, Mapping[str, int]] | None = None
        self.changed_minds: list[str] = []
        """References that came again with other goods: they are no repeats."""

    def push_fulfilment_orders(
        self, requests: Mapping[str, c.FulfilmentRequest]
    ) -> Sequence[Outcome]:
        return [self._given(key, request) for key, request in requests.items()]

    def _given(self, key: str, request: c.FulfilmentRequest) -> Outcome:
        asked = {line.sku: int(line.quantity) for line in request.lines}
        known = self.works.get(request.reference)
        if known is not None and known.asked != asked:
            self.changed_minds.append(request.reference)

        def done() -> Outcome:
            work = Work(request.reference, request.order_name, asked)
            self.works.setdefault(request.reference, work)
            return Outcome(key, "applied", remote_id=f"R-{request.reference}")

        def refused() -> Outcome:
            return done() if known else Outcome(key, "rejected", message="not served")

        return self.replies.answer(key, done, refused=refused)

    def find_fulfilment_order(self, reference: str) -> str | None:
        return f"R-{reference}" if reference in self.works else None

    def cancel_fulfilment_orders(self, remote_ids: Mapping[str, str]) -> Sequence[Outcome]:
        return [self._asked_to_stop(key, remote_id) for key, remote_id in remote_ids.items()]

    def _asked_to_stop(self, key: str, remote_id: str) -> Outcome:
        work = self.works[remote_id.removeprefix("R-")]
        too_late = Outcome(key, "rejected", message="it is packed")

        def done() -> Outcome:
            if not work.live and not work.stopped:
                return too_late
            work.stop()
            return Outcome(key, "applied")

        def refused() -> Outcome:
            return done() if work.stopped else too_late

        return self.replies.answer(key, done, refused=refused, stalls=not work.stopped)

    def ship(self, work: Work, goods: Mapping[str, int], at: datetime) -> Report | None:
        """Send what there is of ``goods``; null when that is nothing."""
        going = {sku: min(qty, self.goods[sku]) for sku, qty in goods.items()}
        going = {sku: qty for sku, qty in going.items() if qty > 0}
        if not going:
            return None
        for sku, qty in going.items():
            self.goods[sku] -= qty
            work.shipped[sku] = work.shipped.get(sku, 0) + qty
        return self._report(work, at, going)

    def give_up(self, work: Work, at: datetime) -> Report:
        work.stop()
        return self._report(work, at, {})

    def _report(self, work: Work, at: datetime, goods: Mapping[str, int]) -> Report:
        key = f"{self.code}-{len(self.reports)}"
        self.reports.append(Report(work.reference, work.order, key, at, goods))
        return self.reports[-1]

    def count(self, at: datetime) -> None:
        self.counts.append((at, dict(self.goods)))

    def pull_shipments(self, cursor: Cursor | None, since: datetime) -> Iterator[Page]:
        self.tellings += 1
        records = [RawRecord.of(one.key, one.payload(self.tellings)) for one in self.telling]
        yield Page(records, {"n": self.tellings})

    def pull_stock(self, cursor: Cursor | None = None) -> Iterator[Page]:
        if self.counted is not None:
            at, goods = self.counted
            yield Page([self._counted(at, sku, qty) for sku, qty in goods.items()], {})

    def _counted(self, at: datetime, sku: str, qty: int) -> RawRecord:
        count = {"sku": sku, "on_hand": str(qty), "counted_at": at.isoformat()}
        file = {"modified_at": at.isoformat(), "timezone": "UTC"}
        record = {"count": count, "location_code": self.code, "file": file}
        return RawRecord.of(f"{sku}-{at.isoformat()}", record)


class Carrier(Party):
    """Sells labels, and never forgets one. ``bought``: how often each reference was paid for."""

    info = Info(
        name="carrier",
        title="A carrier",
        kind="carrier",
        pushes={"buy_labels": Push(1, "lookup", lookup_lag_s=60)},
    )

    def __init__(self) -> None:
        super().__init__()
        self.labels: dict[str, c.Label] = {}
        self.bought: dict[str, int] = {}
        self.contents: dict[str, Mapping[str, int]] = {}

    def quote_rates(self, request: c.LabelRequest) -> Sequence[c.RateQuote]:
        return []

    def buy_labels(self, requests: Mapping[str, c.LabelRequest]) -> Sequence[Outcome]:
        return [self._sold(key, request) for key, request in requests.items()]

    def _sold(self, key: str, request: c.LabelRequest) -> Outcome:
        def done() -> Outcome:
            number = len(self.labels) + 1
            label = c.Label(
                external_id=f"L{number}", tracking_number=f"T-L{number}", carrier="dhl",
                service_code="parcel", cost=499, currency="EUR",
            )  # fmt: skip
            self.labels[request.reference] = label
            self.bought[request.reference] = self.bought.get(request.reference, 0) + 1
            heavy, light = divmod(request.weight_g, WEIGHT_G["B"])
            self.contents[request.reference] = {"A": light, "B": heavy}
            return Outcome(key, "applied", remote_id=label.external_id, result=label)

        def refused() -> Outcome:
            return Outcome(key, "rejected", message="no such street")

        return self.replies.answer(key, done, refused=refused)

    def find_label(self, reference: str) -> c.Label | None:
        return self.labels.get(reference)

    def void_label(self, external_id: str) -> Outcome:
        return Outcome(external_id, "applied")


def units(goods: Mapping[_Name, Decimal | int]) -> dict[_Name, int]:
    """Whole units, without what is none."""
    return {name: int(qty) for name, qty in goods.items() if qty}
