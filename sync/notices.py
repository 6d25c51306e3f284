"""Telling the channel what has shipped: by package, in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import Connection, Row

from connectors.base import Outcome, PushesTracking
from mappings import canonical as c
from state import fulfilment, history, intents, orders
from state.vault import keys
from sync import bundles
from sync.context import Hub, Link


def plan(conn: Connection, hub: Hub, order_id: int, now: datetime) -> set[str]:
    """Write down a notice for every package that the channel was not told of, or not of all of it.

    A package without a tracking number waits until it has one. Returns the stream to wake.
    """
    order = orders.get(conn, order_id)
    return plan_at(conn, hub.link_by_id(order.connection_id), order, now)


def plan_at(conn: Connection, link: Link, order: Row[Any], now: datetime) -> set[str]:
    """As ``plan``, at the channel of the order.

    Where all that was missing is not wanted any more once the last package was told, that one is
    told again: nothing else would tell the channel that its order is complete.
    """
    order_id = order.id
    if not isinstance(link.connector, PushesTracking):
        return set()
    every = fulfilment.packages_of_order(conn, order_id)
    holds = fulfilment.package_lines(conn, [p.id for p in every])
    work = fulfilment.lines_of(conn, {p.ffo_id for p in every})
    inside = bundles.by_parcel(
        [(p.id, holds.get(p.id, [])) for p in every],
        [line for lines in work.values() for line in lines],
    )
    # A parcel of parts whose bundle is not complete yet holds nothing that the channel knows.
    packages = [p for p in every if p.tracking_number and (inside[p.id] or p.id not in holds)]
    told: dict[str, list[Row[Any]]] = {}
    for row in intents.of_subject(conn, "tracking", order_id):
        told.setdefault(row.body["package_reference"], []).append(row)
    fresh = [p for p in packages if _is_news(inside[p.id], told.get(p.package_reference))]
    # One that the channel has cancelled stays so there, whatever left: a person was told of it.
    cancelled = order.channel_status == "cancelled"
    complete = not cancelled and _complete(orders.lines(conn, [order_id])[order_id])
    if complete and not fresh and _ended_since(link, order, told):
        fresh = [p for p in packages if p.package_reference in told][-1:]
    for package in fresh:
        last = complete and package.id == fresh[-1].id
        notice = _notice(order, package, packages, inside, complete=last)
        intents.plan(
            conn,
            connection_id=link.id,
            kind="tracking",
            subject=("sales_order", order_id),
            key=_key(package, told.get(package.package_reference, ())),
            body=msgspec.to_builtins(notice),
            now=now,
            of=keys.of_order(order.connection_id, order.channel_order_id),
        )
    return {f"push:{link.name}"} if fresh else set()


def _ended_since(link: Link, order: Row[Any], told: Mapping[str, Sequence[Row[Any]]]) -> bool:
    """Was the channel told of all packages, and never that they are all?

    Only where a notice sets what the channel shows: elsewhere the package would be there twice.
    """
    rows = [row for rows in told.values() for row in rows]
    absolute = link.connector.info.pushes["push_tracking"].idempotency == "absolute"
    ended = any(row.body["complete"] for row in rows)
    return absolute and order.channel_status == "ready" and bool(rows) and not ended


def _key(package: Row[Any], told: Sequence[Row[Any]]) -> str:
    return f"tracking:{package.package_reference}" + (f":{len(told) + 1}" if told else "")


def _is_news(inside: Sequence[c.ShippedLine], told: Sequence[Row[Any]] | None) -> bool:
    """Was the package not told, or with less than it is known to hold by now?

    The order may have room only later for a part of what left in one parcel.
    """
    if told is None:
        return True
    said = sum(Decimal(line["quantity"]) for line in told[-1].body["lines"])
    return sum(line.quantity for line in inside) > said


def _complete(lines: Sequence[Row[Any]]) -> bool:
    """Has everything left that ever will? A parked line may still be shipped one day."""
    return all(
        not line.requires_shipping or line.qty_shipped + line.qty_cancelled >= line.qty_ordered
        for line in lines
        if line.park_reason != "mapping"
    ) and not any(line.park_reason == "mapping" for line in lines)


def _notice(
    order: Row[Any],
    package: Row[Any],
    packages: Sequence[Row[Any]],
    inside: Mapping[int, Sequence[c.ShippedLine]],
    *,
    complete: bool,
) -> c.TrackingNotice:
    return c.TrackingNotice(
        channel_order_id=order.channel_order_id,
        sub_channel=order.sub_channel,
        package_reference=package.package_reference,
        carrier=package.carrier,
        service_name=package.service_code,
        tracking_number=package.tracking_number,
        tracking_url=package.tracking_url,
        shipped_at=package.shipped_at,
        lines=tuple(inside[package.id]),
        complete=complete,
        shipped_so_far=tuple(
            c.Package(
                tracking_number=earlier.tracking_number,
                carrier=earlier.carrier,
                tracking_url=earlier.tracking_url,
                lines=tuple(inside[earlier.id]),
            )
            for earlier in packages
            if earlier.id <= package.id
        ),
    )


def send(connector: PushesTracking, bodies: dict[str, Any]) -> list[Outcome]:
    notices = {key: msgspec.convert(b, c.TrackingNotice) for key, b in bodies.items()}
    return list(connector.push_tracking(notices))


def settle(conn: Connection, hub: Hub, intent: Row[Any], outcome: Outcome) -> set[str]:
    """The channel knows of the package, or refuses to."""
    now = hub.clock.now()
    number = intent.body["tracking_number"]
    if outcome.status == "rejected":
        history.place_hold(
            conn,
            intent.subject_id,
            "manual",
            f"the channel refused tracking {number}: {outcome.message}",
            "enter it in the channel by hand, then 'crossdock release ORDER'",
            now,
        )
    else:
        history.event(conn, intent.subject_id, "channel_told", f"tracking {number}", now)
    return set()
