"""Two definitions side by side over the inbox: the right counts, masked examples, no writing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from mappings import Definitions
from mappings.library import SHIPPED
from state import tables as t
from sync import intake
from sync.comparison import Comparison, Example, affected, compare
from tests.sync.conftest import Bench, woo_order

Draft = Callable[..., Definitions]


@pytest.fixture
def draft(tmp_path: Path) -> Draft:
    """The shipped definition for orders with texts replaced."""

    def make(*replacements: tuple[str, str]) -> Definitions:
        text = (SHIPPED / "woocommerce.orders.toml").read_text(encoding="utf-8")
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        file = tmp_path / "woocommerce.orders.toml"
        file.write_text(text, encoding="utf-8")
        return Definitions.load(draft=file)

    return make


def take(bench: Bench, *payloads: dict[str, Any]) -> None:
    bench.shop.pages = [list(payloads)]
    bench.run(intake.pull_orders, "shop")


def compared(bench: Bench, proposed: Definitions, since: datetime | None = None) -> Comparison:
    found = Comparison()
    told: list[int] = []
    links = [bench.hub.links["shop"]]
    (stream,) = affected(links, bench.hub.definitions, proposed, "woocommerce.orders")
    compare(bench.store, stream, since=since, into=found, progress=told.append)
    assert sum(told) == found.records
    return found


def test_the_same_definition_changes_no_record(bench: Bench, draft: Draft) -> None:
    take(bench, woo_order(1, {"A": 1}), woo_order(2, {"A": 1}, status="new-plugin-status"))
    found = compared(bench, draft())
    assert (found.records, found.unchanged, found.still_parked) == (2, 1, 1)
    assert found.fields == {}
    assert found.parking == {}


def test_each_field_is_counted_with_at_most_three_examples(bench: Bench, draft: Draft) -> None:
    take(bench, *(woo_order(n, {"A": 1, "B": 2}) for n in range(1, 6)))
    found = compared(bench, draft(('title = { from = "name"', 'title = { from = "sku"')))
    assert (found.records, found.changed) == (5, 5)
    assert list(found.fields) == ["lines[].title"]
    assert found.fields["lines[].title"].records == 5
    assert found.fields["lines[].title"].examples == [
        Example(str(n), "'Thing A'", "'A'") for n in (1, 2, 3)
    ]


def test_personal_values_are_masked(bench: Bench, draft: Draft) -> None:
    take(bench, woo_order(1, {"A": 1}, customer_note="ring at Lovelace"))
    proposed = draft(
        ('street = { from = "address_1"', 'street = { from = "last_name"'),
        ('note = { from = "customer_note"', 'note = { from = "billing.email"'),
    )
    found = compared(bench, proposed)
    assert set(found.fields) == {"ship_to.street", "bill_to.street", "note"}
    assert found.fields["ship_to.street"].examples[0].before == "text of 18 characters"
    shown = repr(found)
    for secret in ("Linden", "Lovelace", "ada@"):
        assert secret not in shown


def test_newly_parked_and_unparked_records_are_told_apart(bench: Bench, draft: Draft) -> None:
    take(bench, woo_order(1, {"A": 1}), woo_order(2, {"A": 1}, status="to-pack"))
    found = compared(bench, draft(('["processing"]', '["to-pack"]')))
    assert (found.newly_parked, found.unparked, found.still_parked) == (1, 1, 0)
    ((problem, change),) = found.parking.items()
    assert problem.startswith("status: ")
    assert change.examples == [Example("1", "", "'processing'")]


def test_items_that_cannot_be_read_any_more_are_told(bench: Bench, draft: Draft) -> None:
    take(bench, woo_order(1, {"A": 1, "B": 1}))
    proposed = draft(('quantity = { from = "quantity", as', 'quantity = { from = "name", as'))
    found = compared(bench, proposed)
    assert found.fields["lines[] that cannot be read"].examples == [Example("1", "0", "2")]


def test_only_the_newest_payload_of_a_record_counts(
    bench: Bench, draft: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.comparison.PAGE", 2)
    take(bench, *(woo_order(n, {"A": 1}) for n in range(1, 5)))
    edited = woo_order(1, {"A": 2}, date_modified_gmt="2026-11-02T07:30:00")
    bench.clock.sleep(3600)
    start = bench.clock.now()
    take(bench, edited)
    assert compared(bench, draft()).records == 4
    assert compared(bench, draft(), since=start).records == 1


def test_nothing_is_written(bench: Bench, draft: Draft) -> None:
    take(bench, woo_order(1, {"A": 1}, status="to-pack"))
    with bench.store.read() as conn:
        before = conn.execute(select(t.inbox)).all()
    assert compared(bench, draft(('["processing"]', '["to-pack"]'))).unparked == 1
    with bench.store.read() as conn:
        assert conn.execute(select(t.inbox)).all() == before
        assert conn.execute(select(t.sales_order)).all() == []
