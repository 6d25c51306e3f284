from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from mappings import canonical as c
from mappings.totals import calculated_total

_AT = datetime(2026, 11, 21, tzinfo=UTC)


def order(**parts: Any) -> c.Order:
    return c.Order(
        channel_order_id="1",
        status="ready",
        source_version="1",
        placed_at=_AT,
        channel_updated_at=_AT,
        currency="EUR",
        grand_total=0,
        **parts,
    )


def line(total: int, *taxes: c.TaxLine) -> c.OrderLine:
    return c.OrderLine(channel_line_id="1", quantity=Decimal(1), line_total=total, taxes=taxes)


def test_lines_adjustments_and_their_taxes_add_up() -> None:
    shipping = c.Adjustment(kind="shipping", amount=500, taxes=(c.TaxLine(amount=95),))
    gift_card = c.Adjustment(kind="other", amount=-300)
    parts = order(lines=(line(1000, c.TaxLine(amount=190)),), adjustments=(shipping, gift_card))
    assert calculated_total(parts) == 1000 + 190 + 500 + 95 - 300


def test_taxes_of_the_order_stand_for_those_of_its_parts() -> None:
    parts = order(lines=(line(1000, c.TaxLine(amount=191)),), taxes=(c.TaxLine(amount=190),))
    assert calculated_total(parts) == 1190


def test_included_taxes_are_in_the_lines_already() -> None:
    assert (
        calculated_total(order(lines=(line(1190, c.TaxLine(amount=190, included=True)),))) == 1190
    )


def test_an_order_without_lines_costs_nothing() -> None:
    assert calculated_total(order()) == 0
