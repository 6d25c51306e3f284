"""The reconciliation of a period: one row per order, and a summary that adds up to the rows.

Amounts are decimals in units of the order's currency, exact to its minor unit; nothing is
converted, so the summary has one row per connection and currency. Which columns there are, and
which sums hold between them, ``columns`` says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from sqlalchemy import Connection, and_, func, select

from mappings.numbers import major_units
from state import tables as t
from state.store import Store
from sync.reconciliation import rows
from sync.reconciliation.columns import AMOUNTS, UNITS, rate_column
from sync.reconciliation.rows import Batch, Row

_COUNTS = ("orders", "parked", "cancelled", "with_variance")


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """A period, to be read once: ``batches`` come from the store as they are asked for.

    ``rates``: the tax rates that occur, as percentages in text, smallest first.
    ``parked_records``: orders of any date that could not be read, so that nobody knows theirs.
    ``ignored_orders``: orders of the period that are left out as not ours (test, draft, fulfilled
    by the marketplace).
    """

    first: date
    last: date
    rates: tuple[str, ...]
    parked_records: int
    ignored_orders: int
    batches: Iterator[Batch]


@contextmanager
def reconcile(store: Store, first: date, last: date) -> Iterator[Reconciliation]:
    """Every order whose business date lies in [first, last], as the store is at this moment."""
    with store.read() as conn:
        period = t.sales_order.c.business_date.between(first, last)
        ignored = t.sales_order.c.intake_state == "ignored"
        wanted = and_(period, ~ignored)
        rates = rows.rates(conn, wanted)
        yield Reconciliation(
            first=first,
            last=last,
            rates=rates,
            parked_records=_parked_records(conn),
            ignored_orders=conn.scalar(select(func.count()).where(period, ignored)) or 0,
            batches=rows.batches(conn, wanted, rates),
        )


def unexplained(row: Row) -> Decimal:
    """What the parts of an ``orders`` row leave open of its calculated total.

    Anything but zero means that the store has gained or lost a part of the order since the total
    was calculated.
    """
    parts = row["gross"] - row["discounts"] + row["shipping"] + row["fees_and_other"]
    gap: Decimal = parts + row["tax_not_included"] - row["calculated_total"]
    return gap


@dataclass(slots=True)
class Summary:
    """Running totals per connection and currency: by construction the sums of the rows.

    ``cancelled_total`` is what of channel_total belongs to cancelled orders. Variances of
    opposite sign cancel out in their sum, so ``with_variance`` counts the orders that have one.
    """

    rates: Sequence[str]
    _totals: dict[tuple[str, str], Row] = field(default_factory=dict)

    def add(self, orders: Iterable[Row]) -> None:
        sums = (*AMOUNTS, *map(rate_column, self.rates), *UNITS)
        for row in orders:
            mark = (row["connection"], row["currency"])
            if mark not in self._totals:
                self._totals[mark] = self._nothing(*mark)
            total = self._totals[mark]
            for name in sums:
                total[name] += row[name]
            total["orders"] += 1
            total["parked"] += row["state"] == "parked"
            total["with_variance"] += row["variance"] != 0
            if row["state"] == "cancelled":
                total["cancelled"] += 1
                total["cancelled_total"] += row["channel_total"]

    def rows(self) -> list[Row]:
        return [self._totals[mark] for mark in sorted(self._totals)]

    def _nothing(self, connection: str, currency: str) -> Row:
        amounts = (*AMOUNTS, *map(rate_column, self.rates), "cancelled_total")
        return {
            "connection": connection,
            "currency": currency,
            **dict.fromkeys(_COUNTS, 0),
            **dict.fromkeys(amounts, major_units(0, currency)),
            **dict.fromkeys(UNITS, Decimal(0)),
        }


def _parked_records(conn: Connection) -> int:
    """Order records that did not map and are in no order, however often they came."""
    inbox, order = t.inbox.c, t.sales_order.c
    known = select(order.id).where(
        order.connection_id == inbox.connection_id, order.channel_order_id == inbox.external_id
    )
    records = (
        select(inbox.connection_id, inbox.external_id)
        .where(inbox.state == "parked", inbox.topic == "orders", ~known.exists())
        .distinct()
        .subquery()
    )
    return conn.scalar(select(func.count()).select_from(records)) or 0
