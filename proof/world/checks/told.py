"""What was told and paid: parcels that channels know of, money that came back, labels' prices."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

from sqlalchemy import func, select

from proof.world.checks.picture import CHANNELS, UNPAID, Picture
from proof.world.checks.violation import Violation
from state import tables as t

_TRACKING_ITEMS = "_wc_shipment_tracking_items"


def differences(seen: Picture) -> Iterator[Violation]:
    yield from _unpaid(seen)
    yield from _parcels(seen)
    yield from _paid_back(seen)
    yield from _postage(seen)


def _unpaid(seen: Picture) -> Iterator[Violation]:
    """Told that it was complete, which only we do, before anybody had paid."""
    for number, order in seen.placed["shop-eu"].items():
        if any(was in UNPAID and is_ == "completed" for was, is_ in pairwise(order["history"])):
            yield Violation("I12", f"shop-eu {number}", "was completed, and nobody had paid")


def _parcels(seen: Picture) -> Iterator[Violation]:
    """A channel knows parcels of the order, and of no other."""
    for channel in CHANNELS:
        for number in sorted(seen.placed[channel]):
            strange = _told(seen, channel, number) - seen.parcels.get((channel, number), set())
            if strange:
                what = f"was told of {sorted(strange)}, which is none of its parcels"
                yield Violation("I10", f"{channel} {number}", what)


def _told(seen: Picture, channel: str, number: str) -> set[str]:
    if channel == "shop-eu":
        items = seen.placed[channel][number]["meta"].get(_TRACKING_ITEMS) or []
        return {item["tracking_number"] for item in items}
    order = seen.world.seller.orders[number]
    # What Amazon itself sends is none of ours.
    ours = order.packages.values() if order.fulfilled_by == "MERCHANT" else ()
    return {package.tracking for package in ours}


def _paid_back(seen: Picture) -> Iterator[Violation]:
    """Refunds of the shop, in minor units."""
    row = t.refund.c
    query = select(row.order_id, func.sum(row.amount).label("amount")).group_by(row.order_id)
    ours = {one.order_id: one.amount for one in seen.conn.execute(query)}
    for number, order in sorted(seen.placed["shop-eu"].items()):
        known = seen.known["shop-eu"].get(number)
        if known is None or number in seen.parked["shop-eu"]:
            continue
        if ours.get(known.id, 0) != order["refunded"]:
            told = f"{ours.get(known.id, 0)} paid back here, {order['refunded']} there"
            yield Violation("I5", f"shop-eu {number}", told)


def _postage(seen: Picture) -> Iterator[Violation]:
    """What each label cost, in cents: the carrier's account and ours."""
    shipment, work = t.shipment.c, t.fulfilment_order.c
    query = (
        select(work.reference, shipment.label_cost)
        .join(t.fulfilment_order, work.id == shipment.ffo_id)
        .where(shipment.label_cost.is_not(None))
    )
    ours: Counter[str] = Counter()
    for reference, cost in seen.conn.execute(query):
        ours[reference] += cost
    theirs: defaultdict[str, int] = defaultdict(int)
    for reference, label in seen.labels.items():
        theirs[reference] = label["charged"] - label["paid_back"]
    for reference in sorted({*ours, *theirs}):
        if ours[reference] != theirs[reference]:
            told = f"{ours[reference]} here, {theirs[reference]} there"
            yield Violation("I5", f"label {reference}", told)
