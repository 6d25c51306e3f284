"""Is an order, or one of its lines, fit to go on? If not: why, and what a person can do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from mappings import canonical as c

# Holds that only the channel's next report or a changed mapping can lift; re-judged every time.
JUDGED = ("address", "mapping", "total_variance", "no_lines")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is set aside, and the remedy in a sentence."""

    kind: str
    reason: str
    remedy: str


def holds_of(order: c.Order, variance: int, item_problems: Sequence[Any]) -> list[Reason]:
    """Everything that keeps an order that the channel calls ready from being shipped."""
    if order.status in ("ignored", "cancelled", "fulfilled"):
        return []
    found: list[Reason] = []
    if not order.lines and not item_problems:
        found.append(
            Reason(
                "no_lines",
                "the order has no lines",
                "see it in the channel; it is taken again when it changes",
            )
        )
    # Without lines nothing adds up: one reason says it.
    if variance and order.lines and not item_problems:
        found.append(
            Reason(
                "total_variance",
                f"lines, adjustments and taxes differ from the channel's total by {variance} "
                f"minor units of {order.currency}",
                "correct the mapping definition and run 'crossdock retry', or accept the "
                "difference with 'crossdock release ORDER'",
            )
        )
    ships = any(line.requires_shipping for line in order.lines)
    if order.status == "ready" and ships and not _deliverable(order.ship_to):
        found.append(
            Reason(
                "address",
                "no address that a parcel could be sent to",
                "complete the address in the channel",
            )
        )
    return found


def _deliverable(address: c.Address | None) -> bool:
    return bool(address and address.street and address.city and address.country)


def park_reason(line: c.OrderLine, sku_id: int | None) -> tuple[str | None, str]:
    """Why one line is set aside (null: it is not), with the detail for the operator."""
    if line.quantity <= 0 or line.quantity != line.quantity.to_integral_value():
        return "bad_qty", f"quantity {line.quantity} cannot be shipped; correct it in the channel"
    if sku_id is None and line.requires_shipping:
        shown = line.channel_sku or "(no SKU)"
        return "unmapped", (
            f"no SKU of ours is known as {shown!r}; "
            "'crossdock sku candidates' proposes some, "
            f"'crossdock sku link {shown} OUR-SKU' frees the line"
        )
    return None, ""


def has_count(park_reason: str | None) -> bool:
    """Is it known how many of a line the channel still wants?

    Not where its quantity makes no sense or nothing of it could be read. A name that nobody knows
    leaves the numbers as they are: what was cancelled meanwhile shall not leave once it is known.
    """
    return park_reason in (None, "unmapped")


def cancelled_quantity(line: c.OrderLine, refunds: Sequence[c.Refund], shipped: Decimal) -> Decimal:
    """What of a line will not be shipped any more.

    Money given back for goods that have not left means that they shall not leave; once all have
    left it is a return, and cancels nothing. While some have left and others wait, no channel says
    which of them it is for: it is taken for those that wait, which can still be kept.
    """
    if not refunds and not line.quantity_cancelled:
        return Decimal(0)
    refunded = Decimal(0)
    for refund in refunds:
        for part in refund.lines:
            if part.channel_line_id == line.channel_line_id:
                refunded += part.quantity
    unshipped = max(Decimal(0), line.quantity - shipped)
    return min(max(line.quantity_cancelled, refunded), unshipped)
