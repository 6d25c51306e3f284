"""What does not map writes nothing, what maps is written whole, and neither stops the others."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import func, select

from connectors.base import Page, RawRecord
from mappings import Definition, Definitions, DefinitionsInvalid, Mapped, MappingError
from mappings import canonical as c
from proof.fuzz.mappings.definitions import inbound_definition
from proof.fuzz.mappings.payloads import random_payload, random_value
from state import tables as t
from state.store import Store
from sync import intake, invariants
from tests.sync.conftest import Bench, woo_order


def _spoiled(rng: Random, number: int) -> RawRecord:
    """An order with up to three of its values replaced by any others, as text: of what JSON can
    say, Python's own encoders refuse some."""
    order = woo_order(number, {sku: rng.randrange(1, 4) for sku in rng.sample("ABCDE", 2)})
    for _ in range(rng.randrange(4)):
        part: Any = order
        while True:
            keys = list(part) if isinstance(part, dict) else list(range(len(part)))
            key = rng.choice(keys)
            if isinstance(part[key], dict | list) and part[key] and rng.random() < 0.8:
                part = part[key]
                continue
            part[key] = random_value(rng, 2)
            break
    return RawRecord(f"R{number}", json.dumps(order).encode())


def _pull(bench: Bench, records: Sequence[RawRecord], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(bench.shop, "pull_orders", lambda *_: iter([Page(records, {"n": 1})]))
    return bench.run(intake.pull_orders, "shop")


def _mapped(definition: Definition, record: RawRecord) -> Mapped | None:
    try:
        return definition.apply(record.text)
    except MappingError:
        return None


def _written(store: Store, table: Any, order_id: int) -> int:
    with store.read() as conn:
        query = select(func.count()).select_from(table).where(table.c.order_id == order_id)
        return conn.scalar(query) or 0


def _assert_written(store: Store, records: Sequence[RawRecord], mapped: Sequence[Mapped]) -> None:
    """Just the orders that map are there, and the others' payloads are parked."""
    with store.read() as conn:
        ids = dict(conn.execute(select(t.sales_order.c.channel_order_id, t.sales_order.c.id)).all())
        parked = conn.scalars(select(t.inbox.c.external_id).where(t.inbox.c.state == "parked"))
        assert len(set(parked)) == len(records) - len(mapped)
        assert invariants.check(conn) == []
    orders = [one.record for one in mapped]
    assert set(ids) == {order.channel_order_id for order in orders}
    times = Counter(order.channel_order_id for order in orders)
    for one in mapped:
        order: c.Order = one.record
        if times[order.channel_order_id] > 1:
            continue  # a later version of the same order: it amends what the first one wrote
        key = ids[order.channel_order_id]
        lines = len(order.lines) + len([p for p in one.item_problems if p.field == "lines"])
        assert _written(store, t.order_line, key) == lines
        assert _written(store, t.order_adjustment, key) == len(order.adjustments)
        assert _written(store, t.payment, key) == len(order.payments)


def test_of_a_page_of_spoiled_orders_each_is_written_whole_or_not_at_all(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = Random(20261122)
    definition = bench.hub.definitions["woocommerce.orders"]
    records = [_spoiled(rng, number) for number in range(1, 121)]
    run = _pull(bench, records, monkeypatch)
    mapped = [made for made in (_mapped(definition, record) for record in records) if made]
    assert 15 < len(mapped) < 105
    assert run.counts["read"] == len(records)
    _assert_written(bench.store, records, mapped)
    again = _pull(bench, records, monkeypatch)
    assert again.counts["unchanged"] == len(records)


def test_random_definitions_write_whole_orders_or_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rng = Random(7)
    records: list[RawRecord] = []
    mapped: list[Mapped] = []
    used = 0
    while used < 25:
        definitions = _loaded(rng, tmp_path)
        if definitions is None:
            continue
        used += 1
        page = [_random_record(rng, len(records) + place) for place in range(6)]
        bench.hub = replace(bench.hub, definitions=definitions)
        _pull(bench, page, monkeypatch)
        definition = definitions["woocommerce.orders"]
        mapped += [made for made in (_mapped(definition, record) for record in page) if made]
        records += page
    assert len(records) // 20 < len(mapped) < len(records)
    _assert_written(bench.store, records, mapped)


def _loaded(rng: Random, folder: Path) -> Definitions | None:
    file = folder / "woocommerce.orders.toml"
    content = inbound_definition(rng, "woocommerce.orders", c.Order)
    file.write_bytes(content.encode("utf-8", "surrogatepass"))
    try:
        return Definitions.of([file])
    except DefinitionsInvalid:
        return None


def _random_record(rng: Random, number: int) -> RawRecord:
    """A random payload whose id is its own."""
    return RawRecord(f"R{number}", json.dumps({**random_payload(rng), "id": number}).encode())
