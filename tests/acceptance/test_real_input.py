"""The vendors' own payloads into a real store: each is an order or parked with a reason."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert, select

from connectors.amazon import Amazon
from connectors.base import RawRecord
from connectors.woocommerce import WooCommerce
from jobs.clock import ManualClock
from mappings import Definitions
from state import inbox
from state import tables as t
from state.store import Store
from sync import intake, invariants
from sync.context import Hub, Link

_EXPONENT = {"JPY": 0}

Payload = dict[str, Any]


@dataclass
class Reader:
    """The description of a real connector; the payloads come from files instead of calls."""

    info: Any
    config_model: Any

    def check(self) -> list[Any]:
        return []


@pytest.fixture(scope="session")
def definitions() -> Definitions:
    return Definitions.load()


@pytest.fixture
def hub(store: Store, clock: ManualClock, definitions: Definitions) -> Hub:
    return Hub(store, clock, definitions, {})


def channel(hub: Hub, name: str, connector: type[Any]) -> Link:
    """A connection of its own: files hold different states of one order side by side."""
    values = {"name": name, "connector": connector.info.name, "kind": "channel"}
    with hub.store.write() as conn:
        made = insert(t.connection).values(values).returning(t.connection.c.id)
        key = conn.execute(made).scalar_one()
    reader = Reader(connector.info, connector.config_model)
    return Link(key, name, reader, ZoneInfo("UTC"), hub.clock.now())


def take(hub: Hub, link: Link, records: Sequence[RawRecord]) -> tuple[int, Counter[str]]:
    """Read a page as the job does; (new, what became of them)."""
    arrivals = intake.read_page(hub, link, records)
    with hub.store.write() as conn:
        taken = intake.take_in(conn, link, arrivals, hub.clock.now())
    return len(arrivals), Counter(taken.counts)


def woo_orders_in(part: Any) -> Iterator[Payload]:
    """Orders anywhere in a document; request bodies have no id yet and are no orders."""
    if isinstance(part, list):
        for inner in part:
            yield from woo_orders_in(inner)
    elif isinstance(part, dict):
        if "line_items" in part and "status" in part and isinstance(part.get("id"), int | str):
            yield part
        for inner in part.values():
            yield from woo_orders_in(inner)


def woo_pages(specs: Path) -> dict[str, list[RawRecord]]:
    """file -> its orders, of the documented examples and the recorded answers.

    An order may come twice in a file; another state of it goes to a page of its own.
    """
    folder = specs / "woocommerce"
    files = [folder / "payloads" / "orders.json", *(folder / "recorded-responses").glob("*.json")]
    pages: dict[str, list[RawRecord]] = {}
    for file in sorted(files):
        for order in woo_orders_in(json.loads(file.read_text(encoding="utf-8"))):
            record, name = RawRecord.of(str(order["id"]), order), file.name
            while not _fits(pages.setdefault(name, []), record):
                name += "+"
            pages[name].append(record)
    return {name: page for name, page in pages.items() if page}


def _fits(page: Sequence[RawRecord], record: RawRecord) -> bool:
    return all(one.external_id != record.external_id or one == record for one in page)


def amazon_orders(specs: Path) -> dict[str, Payload]:
    """Every order in Amazon's own answers of Orders API 2026-01-01."""
    pairs = specs / "amazon-sp-api" / "sandbox-pairs" / "orders_2026-01-01.json"
    found: dict[str, Payload] = {}
    for pair in json.loads(pairs.read_text(encoding="utf-8")):
        for reply in (pair.get("response") or {}, pair.get("example") or {}):
            orders = [*reply.get("orders", []), *([reply["order"]] if "order" in reply else [])]
            found |= {order["orderId"]: order for order in orders}
    return found


def stored(store: Store, link: Link) -> dict[str, Any]:
    """channel's order id -> its row."""
    with store.read() as conn:
        query = select(t.sales_order).where(t.sales_order.c.connection_id == link.id)
        return {row.channel_order_id: row for row in conn.execute(query)}


def calculated(store: Store, order_id: int) -> int:
    """The total by the rows of the store: lines, adjustments and the taxes not in them."""
    line, part, tax = t.order_line.c, t.order_adjustment.c, t.tax_line.c
    with store.read() as conn:
        goods = sum(conn.scalars(select(line.line_total).where(line.order_id == order_id)))
        other = sum(conn.scalars(select(part.amount).where(part.order_id == order_id)))
        taxes = conn.execute(select(t.tax_line).where(tax.order_id == order_id)).all()
    whole = [row for row in taxes if row.order_line_id is None and row.adjustment_id is None]
    return int(goods + other + sum(row.amount for row in whole or taxes if not row.included))


def parked(store: Store, link: Link) -> dict[str, Any]:
    with store.read() as conn:
        return {row.external_id: row for row in inbox.parked(conn, link.id, "orders")}


def assert_nothing_lost(store: Store, link: Link, payloads: Mapping[str, Payload]) -> None:
    """Every payload is kept to the letter, and is an order or parked with its reasons."""
    with store.read() as conn:
        query = select(t.inbox).where(t.inbox.c.connection_id == link.id)
        raw = {row.external_id: inbox.payload(conn, row) for row in conn.execute(query)}
    assert raw == payloads
    orders, aside = stored(store, link), parked(store, link)
    assert {*orders, *aside} == set(payloads)
    assert not set(orders) & set(aside)
    for row in aside.values():
        assert row.problems
        assert all(problem["message"] for problem in row.problems)


def assert_total(store: Store, row: Any, total: str) -> None:
    assert row.grand_total == Decimal(total).scaleb(_EXPONENT.get(row.currency, 2))
    assert row.calc_grand_total == calculated(store, row.id)
    assert row.total_variance == row.calc_grand_total - row.grand_total


def test_every_recorded_shop_order_is_an_order_or_parked(
    specs: Path, store: Store, hub: Hub
) -> None:
    counts: Counter[str] = Counter()
    found = came = 0
    for name, page in woo_pages(specs).items():
        link = channel(hub, name, WooCommerce)
        new, became = take(hub, link, page)
        found, came, counts = found + len(page), came + new, counts + became
        payloads = {record.external_id: dict(record.body) for record in page}
        assert new == len(payloads)
        assert_nothing_lost(store, link, payloads)
        for order_id, row in stored(store, link).items():
            assert_total(store, row, payloads[order_id]["total"])
        assert take(hub, link, page) == (0, Counter())
    with store.read() as conn:
        reasons = conn.execute(select(t.hold)).all()
        differing = len(conn.execute(select(t.sales_order).where(_DIFFERS)).all())
        assert invariants.check(conn) == []
    assert all(row.reason and row.remedy for row in reasons)
    # Four are repeated to the letter within their file.
    assert (found, came) == (39, 35)
    assert counts == {"accepted": 19, "cancelled": 1, "closed": 3, "ignored": 1, "parked": 11}
    assert Counter(row.kind for row in reasons) == {"address": 4, "total_variance": 6}
    # One of them was cancelled, which needs no judgement.
    assert differing == 7


_DIFFERS = t.sales_order.c.total_variance != 0


def test_every_official_amazon_order_is_an_order(specs: Path, store: Store, hub: Hub) -> None:
    payloads = amazon_orders(specs)
    page = [RawRecord.of(order_id, body) for order_id, body in payloads.items()]
    link = channel(hub, "amazon", Amazon)
    assert take(hub, link, page) == (8, {"closed": 4, "accepted": 3, "ignored": 1})
    assert_nothing_lost(store, link, payloads)
    assert parked(store, link) == {}
    for order_id, row in stored(store, link).items():
        total = payloads[order_id]["proceeds"]["grandTotal"]
        assert row.currency == total["currencyCode"]
        assert row.total_variance == 0
        assert_total(store, row, total["amount"])
    assert take(hub, link, page) == (0, Counter())


def test_the_times_and_lines_of_a_recorded_order_arrive(
    specs: Path, store: Store, hub: Hub
) -> None:
    page = woo_pages(specs)["order.json"]
    link = channel(hub, "order.json", WooCommerce)
    take(hub, link, page)
    [payload] = [record.body for record in page]
    row = stored(store, link)[str(payload["id"])]
    assert row.placed_at == datetime.fromisoformat(f"{payload['date_created_gmt']}+00:00")
    with store.read() as conn:
        lines = conn.execute(select(t.order_line).where(t.order_line.c.order_id == row.id)).all()
    told = [(str(p["id"]), p["sku"], Decimal(p["quantity"])) for p in payload["line_items"]]
    assert [(one.channel_line_id, one.channel_sku, one.qty_ordered) for one in lines] == told
    # No SKU of ours is known yet: each line waits, and says by which command it goes on.
    assert all("sku link" in one.park_detail for one in lines if one.park_reason == "unmapped")
