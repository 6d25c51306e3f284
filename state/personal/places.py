"""Every column that may tell who an order's buyer is, and the order it belongs to.

One list serves both ways: what is exported is what is erased. A column that is added to the store
and may hold personal data belongs in here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, or_, select

from mappings.canonical import Address
from state import tables as t

ADDRESS = tuple(name for name in Address.__struct_fields__ if name != "country")
"""Without the country: taxes are owed by it."""

_ffos = select(t.fulfilment_order.c.id)
_of_ffo = ("fulfilment_order", "label", "cancel_fulfilment_order")


def _ffo_ids(order_id: int) -> Select[tuple[int]]:
    return _ffos.where(t.fulfilment_order.c.order_id == order_id)


def packages(order_id: int) -> Select[tuple[int]]:
    shipments = select(t.shipment.c.id).where(t.shipment.c.ffo_id.in_(_ffo_ids(order_id)))
    return select(t.package.c.id).where(t.package.c.shipment_id.in_(shipments))


def addresses(order_id: int) -> ColumnElement[bool]:
    order = t.sales_order.c
    used = [
        select(column).where(order.id == order_id)
        for column in (order.bill_to_id, order.ship_to_id)
    ]
    return or_(*(t.address.c.id.in_(one) for one in used))


def intents(order_id: int) -> ColumnElement[bool]:
    """What was told to locations, carriers and the channel about an order."""
    intent = t.intent.c
    return or_(
        intent.kind.in_(_of_ffo) & intent.subject_id.in_(_ffo_ids(order_id)),
        (intent.kind == "tracking") & (intent.subject_id == order_id),
    )


def _returns(order_id: int) -> ColumnElement[bool]:
    returns = select(t.order_return.c.id).where(t.order_return.c.order_id == order_id)
    return t.return_line.c.return_id.in_(returns)


def _audits(order_id: int) -> ColumnElement[bool]:
    audit = t.audit_event.c
    return or_(
        (audit.subject_type == "sales_order") & (audit.subject_id == order_id),
        (audit.subject_type == "fulfilment_order") & audit.subject_id.in_(_ffo_ids(order_id)),
    )


@dataclass(frozen=True, slots=True)
class Place:
    """Columns of one table.

    ``blank``: hold nothing but personal data, or words that people typed. ``scrub``: free text of
    ours or of a vendor's, in which the person's words are looked for.
    """

    table: Table
    rows: Callable[[int], ColumnElement[bool]]
    blank: tuple[str, ...] = ()
    scrub: tuple[str, ...] = ()


def _by_order(table: Table) -> Callable[[int], ColumnElement[bool]]:
    return lambda order_id: table.c.order_id == order_id


PLACES: Sequence[Place] = (
    Place(t.address, addresses, blank=ADDRESS),
    Place(t.sales_order, lambda order_id: t.sales_order.c.id == order_id, blank=("note",)),
    Place(t.order_line, _by_order(t.order_line), scrub=("title", "variant_title", "park_detail")),
    Place(t.order_adjustment, _by_order(t.order_adjustment), scrub=("code", "title")),
    Place(t.refund, _by_order(t.refund), blank=("reason",)),
    Place(t.return_line, _returns, scrub=("reason_code",)),
    Place(t.hold, _by_order(t.hold), scrub=("reason", "remedy")),
    Place(t.order_event, _by_order(t.order_event), scrub=("summary", "details")),
    Place(t.fulfilment_order, _by_order(t.fulfilment_order), scrub=("refused_reason",)),
    Place(
        t.package,
        lambda order_id: t.package.c.id.in_(packages(order_id)),
        # The label itself, with the address on it; pages that may ask for or name the postcode.
        blank=("label_url", "tracking_url"),
    ),
    Place(
        t.tracking_event,
        lambda order_id: t.tracking_event.c.package_id.in_(packages(order_id)),
        blank=("place",),
    ),
    Place(t.intent, intents, scrub=("code", "message")),
    Place(t.audit_event, _audits, scrub=("before", "after", "reason")),
)

Key = tuple[int, str, str]
"""(connection id, topic, external id): what names a record of the inbox."""


def payloads(conn: Connection, order: Row[object]) -> list[Key]:
    """The records that an order, and what locations said of it, were read from.

    Not every report is found by its name: see ``reports``.
    """
    raw = select(t.order_event.c.raw_id).where(t.order_event.c.order_id == order.id)
    of_raw = or_(t.inbox.c.id == order.raw_id, t.inbox.c.id.in_(raw))
    row = t.inbox.c
    read = conn.execute(select(row.connection_id, row.topic, row.external_id).where(of_raw))
    found = {tuple(one) for one in read} | {(order.connection_id, "orders", order.channel_order_id)}
    work, place = t.fulfilment_order.c, t.location.c
    told = (
        select(
            place.connection_id,
            work.external_id,
            work.reference,
            t.shipment.c.external_id.label("shipment"),
        )
        .join(t.location, place.id == work.location_id)
        .outerjoin(t.shipment, t.shipment.c.ffo_id == work.id)
        .where(work.order_id == order.id, place.connection_id.is_not(None))
    )
    # A location names its report by the work, or by each shipment of it.
    for connection_id, *names in conn.execute(told):
        found |= {(connection_id, "shipments", name) for name in names if name}
    return sorted(found)


def of_record(key: Key) -> ColumnElement[bool]:
    row = t.inbox.c
    return (row.connection_id == key[0]) & (row.topic == key[1]) & (row.external_id == key[2])
