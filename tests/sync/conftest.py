"""A hub over a real store, and connectors that do what a test tells them to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, insert

from connectors.base import Config, Cursor, Finding, Info, Outcome, Page, Push, RawRecord
from jobs.clock import ManualClock
from mappings import Definitions
from mappings import canonical as c
from state import catalogue, stock
from state import tables as t
from state.store import Store
from sync.context import Hub, Link, Policy

T0 = datetime(2026, 11, 2, 8, tzinfo=UTC)


class ShopConnector:
    """A channel whose pages and answers the test writes; orders in WooCommerce's own shape."""

    info = Info(
        name="shop",
        title="Scripted shop",
        kind="channel",
        pushes={"push_stock": Push(100, "absolute"), "push_tracking": Push(10, "natural")},
        definitions={"orders": "woocommerce.orders", "listings": "woocommerce.listings"},
    )
    config_model = Config

    def __init__(self) -> None:
        self.pages: list[list[dict[str, Any]]] = []
        self.listings: list[dict[str, Any]] = []
        self.stock: dict[str, int] = {}
        self.notices: list[c.TrackingNotice] = []
        self.answers: list[Any] = []

    def check(self) -> Sequence[Finding]:
        return []

    def pull_orders(self, cursor: Cursor | None, since: datetime) -> Iterator[Page]:
        done = (cursor or {"n": 0})["n"]
        for number, page in enumerate(self.pages[done:], start=done + 1):
            yield Page([RawRecord.of(str(o["id"]), o) for o in page], {"n": number})

    def pull_listings(self) -> Iterator[Page]:
        yield Page([RawRecord.of(str(row["id"]), row) for row in self.listings], {})

    def _answer(self, keys: Sequence[str]) -> list[Outcome]:
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return [Outcome(key, **answer) for key in keys]
        return [Outcome(key, "applied") for key in keys]

    def push_stock(self, updates: Mapping[str, c.StockUpdate]) -> Sequence[Outcome]:
        outcomes = self._answer(list(updates))
        for update in updates.values():
            self.stock[update.external_variant_id] = update.quantity
        return outcomes

    def push_tracking(self, notices: Mapping[str, c.TrackingNotice]) -> Sequence[Outcome]:
        outcomes = self._answer(list(notices))
        self.notices.extend(notices.values())
        return outcomes


class WarehouseConnector:
    """A 3PL in memory: takes work by reference once, and answers what the test asks for."""

    info = Info(
        name="3pl",
        title="Scripted 3PL",
        kind="fulfilment",
        pushes={
            "push_fulfilment_orders": Push(1, "reference"),
            "cancel_fulfilment_orders": Push(1, "natural"),
        },
        definitions={"shipments": "csvdrop.shipments"},
    )
    config_model = Config

    def __init__(self) -> None:
        self.taken: dict[str, c.FulfilmentRequest] = {}
        self.shipments: list[dict[str, Any]] = []
        self.cancelled: list[str] = []
        self.answers: list[Any] = []
        self.refuse_cancel = False

    def check(self) -> Sequence[Finding]:
        return []

    def push_fulfilment_orders(
        self, requests: Mapping[str, c.FulfilmentRequest]
    ) -> Sequence[Outcome]:
        if self.answers:
            answer = self.answers.pop(0)
            if callable(answer):
                answer(requests, self.taken)
            elif isinstance(answer, Exception):
                raise answer
            else:
                return [Outcome(key, **answer) for key in requests]
        self.taken.update({r.reference: r for r in requests.values()})
        return [Outcome(k, "applied", remote_id=f"R-{r.reference}") for k, r in requests.items()]

    def pull_shipments(self, cursor: Cursor | None, since: datetime) -> Iterator[Page]:
        yield Page(
            [RawRecord.of(str(row["shipment_key"]), row) for row in self.shipments], {"n": 1}
        )

    def find_fulfilment_order(self, reference: str) -> str | None:
        return f"R-{reference}" if reference in self.taken else None

    def cancel_fulfilment_orders(self, remote_ids: Mapping[str, str]) -> Sequence[Outcome]:
        if self.refuse_cancel:
            return [Outcome(key, "rejected", message="already packed") for key in remote_ids]
        self.cancelled.extend(remote_ids.values())
        return [Outcome(key, "applied") for key in remote_ids]


class CarrierConnector:
    """A carrier that charges for every label and never forgets one."""

    info = Info(
        name="carrier",
        title="Scripted carrier",
        kind="carrier",
        pushes={"buy_labels": Push(1, "lookup", lookup_lag_s=60)},
    )
    config_model = Config

    def __init__(self) -> None:
        self.labels: dict[str, c.Label] = {}
        self.labels_asked: list[c.LabelRequest] = []
        self.bought = 0
        self.answers: list[Any] = []

    def check(self) -> Sequence[Finding]:
        return []

    def quote_rates(self, request: c.LabelRequest) -> Sequence[c.RateQuote]:
        return []

    def _buy(self, request: c.LabelRequest) -> c.Label:
        self.bought += 1
        self.labels_asked.append(request)
        label = c.Label(
            external_id=f"L{self.bought}",
            tracking_number=f"TRACK{self.bought}",
            carrier="dhl",
            service_code="parcel",
            cost=499,
            currency="EUR",
        )
        self.labels.setdefault(request.reference, label)
        return label

    def buy_labels(self, requests: Mapping[str, c.LabelRequest]) -> Sequence[Outcome]:
        bought = {}
        lost = self.answers.pop(0) if self.answers else None
        for key, request in requests.items():
            if lost is None or getattr(lost, "after_effect", True):
                bought[key] = self._buy(request)
        if lost is not None:
            raise lost
        return [
            Outcome(key, "applied", remote_id=label.external_id, result=label)
            for key, label in bought.items()
        ]

    def find_label(self, reference: str) -> c.Label | None:
        return self.labels.get(reference)

    def void_label(self, external_id: str) -> Outcome:
        return Outcome(external_id, "applied")


@dataclass
class JobRun:
    """The run of one job, without the engine."""

    store: Store
    connection: str | None = None
    job: str = "test"
    since: datetime | None = None
    dry_run: bool = False
    cursor: Cursor | None = None
    stopping: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    wanted: list[str] = field(default_factory=list)

    @contextmanager
    def commit(self) -> Iterator[Connection]:
        with self.store.write() as conn:
            yield conn

    def save_cursor(self, conn: Connection, cursor: Cursor) -> None:
        self.cursor = cursor

    def count(self, name: str, n: int = 1) -> None:
        self.counts[name] += n

    def request(self, conn: Connection, key: str) -> None:
        self.wanted.append(key)


@dataclass
class Bench:
    """A hub with one shop, one 3PL and one own warehouse, and the SKUs A, B and C."""

    hub: Hub
    clock: ManualClock
    shop: ShopConnector
    warehouse: WarehouseConnector
    carrier: CarrierConnector
    skus: dict[str, int]
    places: dict[str, int]

    @property
    def store(self) -> Store:
        return self.hub.store

    def run(self, job: Any, connection: str | None = None, **given: Any) -> JobRun:
        run = JobRun(self.store, connection, **given)
        job(self.hub, run)
        return run

    def put(self, sku: str, place: str, qty: int) -> None:
        """Count stock."""
        with self.store.write() as conn:
            stock.set_count(
                conn,
                sku_id=self.skus[sku],
                location_id=self.places[place],
                authority="hub",
                on_hand=Decimal(qty),
                reason="adjust_count",
                key=f"put:{sku}:{place}:{self.clock.now().isoformat()}:{qty}",
                now=self.clock.now(),
            )


@pytest.fixture(scope="session")
def definitions() -> Definitions:
    return Definitions.load()


@pytest.fixture
def bench(store: Store, clock: ManualClock, definitions: Definitions) -> Bench:
    shop, warehouse, carrier = ShopConnector(), WarehouseConnector(), CarrierConnector()
    links = {}
    places, skus = {}, {}
    with store.write() as conn:
        for name, connector in (("shop", shop), ("bob", warehouse), ("labels", carrier)):
            key = conn.execute(
                insert(t.connection).values(
                    name=name, connector=connector.info.name, kind=connector.info.kind
                )
            ).inserted_primary_key
            assert key is not None
            links[name] = Link(key[0], name, connector, ZoneInfo("Europe/Berlin"), T0)
        for rank, (code, taker, country, postcode) in enumerate(
            [("berlin", "labels", "DE", "10115"), ("jersey", "bob", "US", "07001")]
        ):
            key = conn.execute(
                insert(t.location).values(
                    code=code,
                    kind="warehouse",
                    authority="hub",
                    active=True,
                    connection_id=links[taker].id,
                    country=country,
                    postcode=postcode,
                )
            ).inserted_primary_key
            assert key is not None
            places[code] = key[0]
            conn.execute(
                insert(t.channel_location).values(
                    connection_id=links["shop"].id, location_id=key[0], rank=rank
                )
            )
        for code in ("A", "B", "C"):
            catalogue.upsert_sku(conn, code=code, title=f"Thing {code}", gtin="", weight_g=200)
            row = catalogue.by_code(conn, code)
            assert row is not None
            skus[code] = row.id
    hub = Hub(store, clock, definitions, links, Policy())
    return Bench(hub, clock, shop, warehouse, carrier, skus, places)


def woo_order(number: int, lines: dict[str, int], **given: Any) -> dict[str, Any]:
    """A WooCommerce order of 10.00 a piece plus 5.00 shipping, without tax."""
    items = [
        {
            "id": number * 100 + n,
            "name": f"Thing {sku}",
            "product_id": n,
            "variation_id": 0,
            "quantity": qty,
            "sku": sku,
            "price": 10,
            "subtotal": f"{10 * qty}.00",
            "total": f"{10 * qty}.00",
            "total_tax": "0.00",
            "taxes": [],
        }
        for n, (sku, qty) in enumerate(lines.items(), start=1)
    ]
    total = sum(max(0, qty) * 10 for qty in lines.values()) + 5
    order = {
        "id": number,
        "number": str(number),
        "status": "processing",
        "currency": "EUR",
        "prices_include_tax": False,
        "date_created_gmt": "2026-11-02T07:00:00",
        "date_modified_gmt": "2026-11-02T07:00:00",
        "date_paid_gmt": "2026-11-02T07:00:00",
        "discount_total": "0.00",
        "shipping_total": "5.00",
        "shipping_tax": "0.00",
        "total": f"{total}.00",
        "total_tax": "0.00",
        "payment_method": "card",
        "transaction_id": f"tx{number}",
        "customer_note": "",
        "billing": {"first_name": "Ada", "last_name": "Lovelace", "email": "ada@example.org"},
        "shipping": {
            "first_name": "Ada",
            "last_name": "Lovelace",
            "address_1": "Unter den Linden 1",
            "city": "Berlin",
            "postcode": "10117",
            "country": "DE",
        },
        "line_items": items,
        "shipping_lines": [
            {"id": number * 100 + 90, "method_title": "DHL", "total": "5.00", "total_tax": "0.00"}
        ],
        "tax_lines": [],
        "fee_lines": [],
        "coupon_lines": [],
        "refunds": [],
    }
    return {**order, **given}
