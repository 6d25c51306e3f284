"""What ShipBob tells us: shipments of changed orders, and inventory levels.

* Orders carry no time of change, their shipments do; a list of them has page numbers and no total,
  and is sorted by age. Nothing leaves "changed since", so pages shift towards later ones only:
  records may come twice, and one that enters behind us is met by the overlap of the next pull.
* Inventory pages by a cursor inside the address ``next``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from connectors.base import Effect, Page, RawRecord
from connectors.errors import Retryable
from connectors.http import ApiClient
from connectors.paging import MOST_PAGES, TokenGuard
from connectors.replies import is_number

PER_PAGE = 250

OVERLAP = timedelta(minutes=5)
"""Read again before the watermark, for changes that became visible late or behind the reader."""


def changed_shipments(api: ApiClient, known: datetime, started: datetime) -> Iterator[Page]:
    """Pages of ``{order, shipment}`` for every order changed since ``known``.

    An order that has no shipment yet comes once, with null. The cursor's watermark is ShipBob's
    own latest time of change, but never past ``started``.
    """
    since = (known - OVERLAP).astimezone(UTC).isoformat(timespec="seconds")
    params = {"LastUpdateStartDate": since, "SortOrder": "Oldest", "Limit": PER_PAGE}
    newest, seen = known, set[int]()
    for number in range(1, MOST_PAGES):
        reply = api.get("/order", op="listOrders", params={**params, "Page": number})
        orders = reply.rows(having="id")
        with reply.reading():
            ids = {order["id"] for order in orders}
            changes = [min(_changed_at(order), started) for order in orders]
            records = [record for order in orders for record in _shipments(order)]
        if ids and ids <= seen:
            raise Retryable("orders: ShipBob repeats a page; stopped reading")
        seen |= ids
        newest = max([newest, *changes])
        last = len(orders) < PER_PAGE
        # The list is sorted by age and not by change: only its end proves the watermark.
        reached = newest if last else known
        yield Page(records, {"v": 1, "watermark": reached.isoformat()})
        if last:
            return
    raise Retryable(f"orders: more than {MOST_PAGES} pages; stopped reading")


def placed_orders(api: ApiClient, since: datetime, until: datetime) -> Iterator[Sequence[Effect]]:
    """Pages of the orders made in the time, also those that others made."""
    window = {
        name: moment.astimezone(UTC).isoformat(timespec="seconds")
        for name, moment in (("StartDate", since), ("EndDate", until))
    }
    params = {**window, "SortOrder": "Oldest", "Limit": PER_PAGE}
    for number in range(1, MOST_PAGES):
        reply = api.get("/order", op="listOrders", params={**params, "Page": number})
        orders = reply.rows(having="created_date")
        with reply.reading():
            effects = [_effect(order) for order in orders]
        yield effects
        if len(orders) < PER_PAGE:
            return
    raise Retryable(f"orders: more than {MOST_PAGES} pages; stopped reading")


def _effect(order: Mapping[str, Any]) -> Effect:
    if not is_number(order["id"]):
        # Of a number that is none the order would seem to be another one, and a double.
        raise ValueError(f"the id {order['id']!r}")
    return Effect(
        kind="fulfilment_order",
        reference=str(order.get("reference_id") or ""),
        external_id=str(order["id"]),
        live=order.get("status") != "Cancelled",
        placed_at=datetime.fromisoformat(order["created_date"]),
        remedy=f"cancel ShipBob order {order['id']} unless it shall ship",
    )


def stock_levels(api: ApiClient, center: int | None, location_code: str) -> Iterator[Page]:
    """Pages of ``{level, location, location_code}``; the last one carries the total.

    ``center``: ShipBob's id of the fulfilment center to count in, null for all of them together.
    """
    path = "/inventory-level" if center is None else "/inventory-level/locations"
    params: dict[str, Any] = {"PageSize": PER_PAGE, "LocationId": center}
    guard, rows = TokenGuard("inventory levels"), 0
    following: str | None = ""
    while following is not None:
        reply = api.get(path, op="listInventoryLevels", params=params)
        with reply.reading():
            body = reply.object()
            levels = body["items"] or []
            rows += len(levels)
            # The address may name any host; only its query is of use.
            more = dict(httpx.URL(body.get("next") or "").params)
            records = [
                RawRecord.of(
                    str(level["inventory_id"]),
                    {
                        "level": level,
                        "location": _in_center(level, center),
                        "location_code": location_code,
                    },
                )
                for level in levels
            ]
        following = guard.follow(body.get("next"), [record.external_id for record in records])
        params |= more
        yield Page(records, {}, total=rows if following is None else None)


def _in_center(level: Mapping[str, Any], center: int | None) -> Mapping[str, Any] | None:
    if center is None:
        return None
    rows = [row for row in level.get("locations") or [] if row["location_id"] == center]
    # A center that is not listed holds nothing of the item.
    return rows[0] if rows else {"location_id": center, "on_hand_quantity": 0}


def _changed_at(order: Mapping[str, Any]) -> datetime:
    times = [order.get("created_date")]
    times += [shipment.get("last_update_at") for shipment in order.get("shipments") or []]
    seen = [datetime.fromisoformat(text) for text in times if text]
    aware = [moment if moment.tzinfo else moment.replace(tzinfo=UTC) for moment in seen]
    return max(aware, default=datetime.min.replace(tzinfo=UTC))


def _shipments(order: Mapping[str, Any]) -> Iterator[RawRecord]:
    bare = {name: value for name, value in order.items() if name != "shipments"}
    for shipment in order.get("shipments") or [None]:
        number = shipment["id"] if shipment else order["id"]
        if not is_number(number):
            # Under another name the same shipment would leave twice.
            raise ValueError(f"the id {number!r}")
        yield RawRecord.of(str(number), {"order": bare, "shipment": shipment})
