"""What finance is told of a period: every order, to the minor unit, and sums that hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from mappings import canonical as c
from mappings.numbers import major_units
from mappings.totals import calculated_total
from state import inbox, orders
from state import tables as t
from sync import allocation, drain, intake
from sync.reading import Reading
from sync.reconciliation import period
from sync.reconciliation.columns import AMOUNTS, UNITS, rate_column, tables
from sync.reconciliation.period import unexplained
from tests.sync.conftest import Bench, woo_order

CURRENCIES = ("EUR", "JPY", "KWD", "CLF")
RATES = (Decimal(19), Decimal("7.7"), Decimal(0), None)
NOVEMBER = date(2026, 11, 1), date(2026, 11, 30)
_DAYS = count()

Row = dict[str, Any]


@dataclass(frozen=True)
class Read:
    """A whole reconciliation, read at once."""

    orders: list[Row]
    tax: list[Row]
    summary: list[Row]
    found: period.Reconciliation


def read(bench: Bench, first: date, last: date) -> Read:
    with period.reconcile(bench.store, first, last) as found:
        summary = period.Summary(found.rates)
        order_rows: list[Row] = []
        tax_rows: list[Row] = []
        for batch in found.batches:
            order_rows += batch.orders
            tax_rows += batch.tax
            summary.add(batch.orders)
        return Read(order_rows, tax_rows, summary.rows(), found)


def take(bench: Bench, *payloads: dict[str, Any]) -> None:
    bench.shop.pages.append(list(payloads))
    bench.run(intake.pull_orders, "shop", cursor={"n": len(bench.shop.pages) - 1})


def minor_amounts(most: int = 10**7) -> st.SearchStrategy[int]:
    return st.integers(0, most) | st.sampled_from([0, 1, 10**12])


def taxes() -> st.SearchStrategy[tuple[c.TaxLine, ...]]:
    one = st.builds(
        c.TaxLine,
        title=st.sampled_from(["VAT", "State", ""]),
        tax_type=st.sampled_from(["vat", "sales"]),
        rate=st.sampled_from(RATES),
        amount=minor_amounts(),
        included=st.booleans(),
        collected_by=st.sampled_from(["merchant", "marketplace"]),
    )
    return st.lists(one, max_size=3).map(tuple)


@st.composite
def order_lines(draw: st.DrawFn) -> tuple[c.OrderLine, ...]:
    quantities = st.integers(1, 5).map(Decimal) | st.sampled_from([Decimal(0), Decimal("1.5")])
    return tuple(
        c.OrderLine(
            channel_line_id=str(number),
            channel_sku=draw(st.sampled_from(["A", "B", "unheard-of"])),
            quantity=draw(quantities),
            line_discount_total=draw(minor_amounts()),
            line_total=draw(minor_amounts()),
            taxes=draw(taxes()),
        )
        for number in range(draw(st.integers(0, 3)))
    )


def adjustments() -> st.SearchStrategy[tuple[c.Adjustment, ...]]:
    charged = st.builds(
        c.Adjustment,
        kind=st.sampled_from(["shipping", "fee", "tip", "gift_wrap"]),
        amount=minor_amounts(),
        taxes=taxes(),
    )
    granted = st.builds(
        c.Adjustment,
        kind=st.sampled_from(["discount", "shipping_discount", "rounding", "other"]),
        amount=minor_amounts().map(int.__neg__),
    )
    return st.lists(charged | granted, max_size=4).map(tuple)


@st.composite
def refunds(draw: st.DrawFn, lines: Sequence[c.OrderLine]) -> tuple[c.Refund, ...]:
    given_back = [
        c.RefundLine(channel_line_id=line.channel_line_id, quantity=Decimal(1), amount=1)
        for line in lines
    ]
    return tuple(
        c.Refund(
            external_id=str(number),
            amount=draw(minor_amounts()),
            lines=draw(st.sampled_from([(), tuple(given_back)])),
        )
        for number in range(draw(st.integers(0, 2)))
    )


@st.composite
def canonical_orders(draw: st.DrawFn) -> c.Order:
    """Any order that a mapping may yield, its number and its time apart."""
    lines = draw(order_lines())
    order = c.Order(
        channel_order_id="",
        status=draw(st.sampled_from(["ready", "ready", "pending", "fulfilled", "cancelled"])),
        source_version="1",
        placed_at=datetime(2026, 1, 1, tzinfo=UTC),
        channel_updated_at=datetime(2026, 1, 1, tzinfo=UTC),
        currency=draw(st.sampled_from(CURRENCIES)),
        grand_total=0,
        ship_to=c.Address(street="Unter den Linden 1", city="Berlin", country="DE"),
        lines=lines,
        adjustments=draw(adjustments()),
        taxes=draw(taxes()),
        payments=tuple(
            c.Payment(state="captured", amount_captured=amount)
            for amount in draw(st.lists(minor_amounts(), max_size=2))
        ),
        refunds=draw(refunds(lines)),
    )
    drift = draw(st.sampled_from([0, 0, 0, -1, 250]))
    return _with(order, grand_total=calculated_total(order) + drift)


def _with(order: c.Order, **changes: Any) -> c.Order:
    fields = {name: getattr(order, name) for name in order.__struct_fields__}
    return c.Order(**{**fields, **changes})


def put(bench: Bench, drawn: Sequence[c.Order]) -> tuple[date, list[c.Order]]:
    """Take the orders in on a business day of their own, and ship one unit of what can ship."""
    day = date(2027, 1, 1) + timedelta(days=next(_DAYS))
    placed = datetime.combine(day, time(12), UTC)
    taken = [
        _with(order, channel_order_id=f"{day}/{n}", channel_order_name="same", placed_at=placed)
        for n, order in enumerate(drawn)
    ]
    link = bench.hub.links["shop"]
    arrivals = [Reading(inbox.received(o.channel_order_id, b"{}"), o) for o in taken]
    with bench.store.write() as conn:
        intake.take_in(conn, link, arrivals, bench.clock.now())
        found = orders.existing(conn, link.id, [o.channel_order_id for o in taken])
        lines = orders.lines(conn, [row.id for row in found.values()])
        for line in (line for lines_of_one in lines.values() for line in lines_of_one):
            if line.park_reason is None and line.qty_ordered - line.qty_cancelled >= 1:
                orders.move_line(conn, line.id, qty_shipped=Decimal(1))
    return day, taken


def expected(order: c.Order) -> dict[str, int]:
    """The amounts of a row in minor units, reckoned from the canonical order alone."""
    parts = [line.taxes for line in order.lines] + [a.taxes for a in order.adjustments]
    own = order.taxes or tuple(tax for taxes in parts for tax in taxes)
    off = [a.amount for a in order.adjustments if a.kind in ("discount", "shipping_discount")]
    shipping = [a.amount for a in order.adjustments if a.kind == "shipping"]
    discounted = sum(line.line_discount_total for line in order.lines)
    amounts = {
        "gross": sum(line.line_total for line in order.lines) + discounted,
        "discounts": discounted - sum(off),
        "shipping": sum(shipping),
        "fees_and_other": sum(a.amount for a in order.adjustments) - sum(off) - sum(shipping),
        "tax_included": sum(tax.amount for tax in own if tax.included),
        "tax_not_included": sum(tax.amount for tax in own if not tax.included),
        "channel_total": order.grand_total,
        "payments": sum(payment.amount_captured for payment in order.payments),
        "refunds": sum(refund.amount for refund in order.refunds),
    }
    for rate in RATES:
        name = rate_column("unknown" if rate is None else format(rate, "f"))
        amounts[name] = sum(tax.amount for tax in own if tax.rate == rate)
    return amounts


ON_THE_STORE = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@ON_THE_STORE
@given(drawn=st.lists(canonical_orders(), max_size=6))
def test_every_row_adds_up_and_the_summary_adds_up_to_the_rows(
    bench: Bench, drawn: list[c.Order]
) -> None:
    day, taken = put(bench, drawn)
    result = read(bench, day, day)
    by_id = {row["channel_order_id"]: row for row in result.orders}
    assert sorted(by_id) == sorted(order.channel_order_id for order in taken)
    for order in taken:
        row = by_id[order.channel_order_id]
        assert unexplained(row) == 0
        assert row["calculated_total"] - row["channel_total"] == row["variance"]
        assert row["tax_included"] + row["tax_not_included"] == row["tax_total"]
        assert sum(row[rate_column(rate)] for rate in result.found.rates) == row["tax_total"]
        for name, amount in expected(order).items():
            assert row.get(name, 0) == major_units(amount, order.currency), name
    summed = (*AMOUNTS, *UNITS, *map(rate_column, result.found.rates))
    assert len(result.summary) == len({order.currency for order in taken})
    for total in result.summary:
        rows = [row for row in result.orders if row["currency"] == total["currency"]]
        assert total["orders"] == len(rows)
        assert total["parked"] == sum(row["state"] == "parked" for row in rows)
        assert total["with_variance"] == sum(row["variance"] != 0 for row in rows)
        for name in summed:
            assert total[name] == sum(row[name] for row in rows), name


@ON_THE_STORE
@given(drawn=st.lists(canonical_orders(), min_size=1, max_size=4))
def test_the_tax_table_holds_the_tax_of_every_order_once(
    bench: Bench, drawn: list[c.Order]
) -> None:
    day, _ = put(bench, drawn)
    result = read(bench, day, day)
    columns = tables(result.found.rates)
    assert all(list(row) == [column.name for column in columns["tax"]] for row in result.tax)
    for order in result.orders:
        assert set(order) == {column.name for column in columns["orders"]}
        rows = [r for r in result.tax if r["channel_order_id"] == order["channel_order_id"]]
        inside = [r["amount"] for r in rows if r["included_in_price"]]
        assert sum(row["amount"] for row in rows) == order["tax_total"]
        assert sum(inside) == order["tax_included"]


def test_tax_that_is_told_for_the_order_and_its_lines_counts_once(bench: Bench) -> None:
    order = woo_order(1, {"A": 1}, total="17.85", total_tax="2.85")
    order["tax_lines"] = [
        {"id": 9, "rate_id": 3, "label": "VAT", "rate_percent": 19, "tax_total": "1.90",
         "shipping_tax_total": "0.95"}
    ]  # fmt: skip
    order["line_items"][0]["taxes"] = [{"id": 3, "total": "1.9", "subtotal": "1.9"}]
    order["shipping_lines"][0]["taxes"] = [{"id": 3, "total": "0.95"}]
    take(bench, order)
    [row] = read(bench, *NOVEMBER).orders
    assert row["tax_rate_19"] == row["tax_not_included"] == Decimal("2.85")
    assert row["gross"] == Decimal("10.00")
    assert row["variance"] == 0


def test_rates_come_by_size_and_the_unknown_last(bench: Bench) -> None:
    rates = [None, Decimal(19), Decimal("7.7"), Decimal(0)]
    order = c.Order(
        channel_order_id="",
        status="ready",
        source_version="1",
        placed_at=datetime(2026, 1, 1, tzinfo=UTC),
        channel_updated_at=datetime(2026, 1, 1, tzinfo=UTC),
        currency="EUR",
        grand_total=0,
        taxes=tuple(c.TaxLine(rate=rate, amount=1) for rate in rates),
    )
    day, _ = put(bench, [order])
    result = read(bench, day, day)
    assert result.found.rates == ("0", "7.7", "19", "unknown")
    assert [row["rate_percent"] for row in result.tax] == ["0", "7.7", "19", "unknown"]


def test_the_day_is_that_of_the_channel_and_both_ends_belong_to_the_period(bench: Bench) -> None:
    moments = ["2026-10-31T22:59:59", "2026-10-31T23:00:00", "2026-11-30T22:59:59",
               "2026-11-30T23:00:00"]  # fmt: skip
    take(bench, *(
        woo_order(n, {"A": 1}, date_created_gmt=at) for n, at in enumerate(moments, start=1)
    ))  # fmt: skip
    rows = read(bench, *NOVEMBER).orders
    assert [(row["order"], row["business_date"]) for row in rows] == [
        ("2", date(2026, 11, 1)),
        ("3", date(2026, 11, 30)),
    ], "midnight in Berlin is 23:00 UTC"


def test_goods_count_as_shipped_for_what_has_left(bench: Bench) -> None:
    bench.put("A", "berlin", 1)
    take(bench, woo_order(1, {"A": 3}))
    bench.run(allocation.allocate)
    bench.run(drain.push, "labels")
    [row] = read(bench, *NOVEMBER).orders
    assert row["units_ordered"] == 3
    assert row["units_shipped"] == 1
    assert row["goods_shipped"] == Decimal("10.00")
    bench.put("A", "berlin", 5)
    bench.run(allocation.allocate)
    bench.run(drain.push, "labels")
    [row] = read(bench, *NOVEMBER).orders
    assert row["goods_shipped"] == row["gross"] - row["discounts"] == Decimal("30.00")


def test_a_part_of_a_line_is_worth_no_fraction_of_a_minor_unit(bench: Bench) -> None:
    bench.put("A", "berlin", 1)
    order = woo_order(1, {"A": 3}, total="15.00")
    order["line_items"][0]["total"] = "10.00"
    order["line_items"][0]["subtotal"] = "10.00"
    take(bench, order)
    bench.run(allocation.allocate)
    bench.run(drain.push, "labels")
    assert read(bench, *NOVEMBER).orders[0]["goods_shipped"] == Decimal("3.33")


def test_an_order_that_differs_from_the_channels_total_is_there_with_its_variance(
    bench: Bench,
) -> None:
    take(bench, woo_order(1, {"A": 1}, total="14.99"), woo_order(2, {"A": 1}))
    result = read(bench, *NOVEMBER)
    assert [(r["order"], r["state"], r["variance"]) for r in result.orders] == [
        ("1", "parked", Decimal("0.01")),
        ("2", "accepted", Decimal("0.00")),
    ]
    assert result.summary[0]["parked"] == 1
    assert result.summary[0]["variance"] == Decimal("0.01")


def test_cancelled_orders_are_told_apart_in_the_summary(bench: Bench) -> None:
    take(bench, woo_order(1, {"A": 1}), woo_order(2, {"A": 2}, status="cancelled"))
    [total] = read(bench, *NOVEMBER).summary
    assert (total["orders"], total["cancelled"]) == (2, 1)
    assert total["channel_total"] == Decimal("40.00")
    assert total["cancelled_total"] == Decimal("25.00")


def test_a_refund_counts_when_it_is_confirmed(bench: Bench) -> None:
    refunds = [{"id": 7, "reason": "late", "total": "-4.00"}, {"id": 8, "total": "-1.50"}]
    take(bench, woo_order(1, {"A": 1}, refunds=refunds))
    with bench.store.write() as conn:
        conn.execute(update(t.refund).where(t.refund.c.external_id == "8").values(state="failed"))
    assert read(bench, *NOVEMBER).orders[0]["refunds"] == Decimal("4.00")


def test_what_is_left_out_is_counted(bench: Bench) -> None:
    broken = woo_order(3, {"A": 1}, currency="???")
    take(bench, woo_order(1, {"A": 1}), woo_order(2, {"A": 1}, status="checkout-draft"), broken)
    take(bench, {**broken, "customer_note": "again"})
    found = read(bench, *NOVEMBER).found
    assert found.ignored_orders == 1
    assert found.parked_records == 1, "one order, however often it came"


def test_an_unreadable_report_of_a_known_order_leaves_the_order_in(bench: Bench) -> None:
    take(bench, woo_order(1, {"A": 1}))
    take(bench, woo_order(1, {"A": 1}, currency="???", date_modified_gmt="2026-11-02T07:30:00"))
    result = read(bench, *NOVEMBER)
    assert [(row["order"], row["state"]) for row in result.orders] == [("1", "accepted")]
    assert result.found.parked_records == 0


def test_the_rows_do_not_depend_on_when_the_orders_came(bench: Bench) -> None:
    hours = {1: "09", 2: "07", 3: "08"}
    for number, hour in hours.items():
        take(bench, woo_order(number, {"A": 1}, date_created_gmt=f"2026-11-02T{hour}:00:00"))
    assert [row["order"] for row in read(bench, *NOVEMBER).orders] == ["2", "3", "1"]


def test_an_export_sees_one_moment_of_the_store(bench: Bench) -> None:
    take(bench, woo_order(1, {"A": 1}))
    with period.reconcile(bench.store, *NOVEMBER) as found:
        take(bench, woo_order(1, {"A": 2}, date_modified_gmt="2026-11-02T07:30:00"))
        take(bench, woo_order(2, {"A": 1}))
        rows = [row for batch in found.batches for row in batch.orders]
    assert [(row["order"], row["channel_total"]) for row in rows] == [("1", Decimal("15.00"))]
    assert unexplained(rows[0]) == 0
    later = read(bench, *NOVEMBER).orders
    assert [row["channel_total"] for row in later] == [Decimal("25.00"), Decimal("15.00")]


def test_more_orders_than_fit_into_one_batch_are_all_there(bench: Bench) -> None:
    bench.shop.pages = [[woo_order(n, {"A": 1}) for n in range(1, 1202)]]
    bench.run(intake.pull_orders, "shop")
    with period.reconcile(bench.store, *NOVEMBER) as found:
        sizes = [len(batch.orders) for batch in found.batches]
    assert sum(sizes) == 1201
    assert len(sizes) > 2, "they come in batches"


def test_a_part_that_the_store_has_lost_is_noticed(bench: Bench) -> None:
    take(bench, woo_order(1, {"A": 1}))
    with bench.store.write() as conn:
        conn.execute(delete(t.order_adjustment))
        assert conn.scalar(select(t.sales_order.c.total_variance)) == 0
    [row] = read(bench, *NOVEMBER).orders
    assert unexplained(row) == Decimal("-5.00")
