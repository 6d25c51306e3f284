"""Fulfilment orders, shipments, packages: one location's work and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    case,
    func,
    insert,
    or_,
    select,
    tuple_,
    type_coerce,
    update,
)

from state import orders, vault
from state import tables as t
from state.batches import among, insert_rows
from state.ids import insert_one
from state.vault import destinations, fields, keys

ffo = t.fulfilment_order
ffo_line = t.fulfilment_order_line

HANDED_OVER = ("open", "in_progress", "part_shipped")
"""Work of which a location may know, and that is not at its end."""

LIVE_WORK = ("planned", *HANDED_OVER)


def locations_of_channel(conn: Connection, connection_id: int) -> list[Row[Any]]:
    """Active locations that may serve a channel, in rank order."""
    query = (
        select(t.location, t.channel_location.c.rank)
        .join(t.channel_location, t.channel_location.c.location_id == t.location.c.id)
        .where(t.channel_location.c.connection_id == connection_id, t.location.c.active)
        .order_by(t.channel_location.c.rank, t.location.c.code)
    )
    return list(conn.execute(query))


def locations_worked_by(conn: Connection, connection_id: int) -> list[Row[Any]]:
    """Locations whose work a connection takes (the 3PL's own, or those a carrier labels for)."""
    query = select(t.location).where(t.location.c.connection_id == connection_id)
    return list(conn.execute(query.order_by(t.location.c.code)))


def location(conn: Connection, location_id: int) -> Row[Any]:
    return conn.execute(select(t.location).where(t.location.c.id == location_id)).one()


def location_by_code(conn: Connection, code: str) -> Row[Any] | None:
    return conn.execute(select(t.location).where(t.location.c.code == code)).first()


def add_decision(conn: Connection, **values: Any) -> int:
    return insert_one(conn, t.routing_decision, **values)


def decisions(conn: Connection, order_id: int) -> list[Row[Any]]:
    """Everything that was decided about an order, oldest first, with the rules' name."""
    decision, rules = t.routing_decision, t.routing_rules
    query = (
        select(decision, rules.c.name.label("rules_name"))
        .outerjoin(rules, rules.c.version == decision.c.rules_version)
        .where(decision.c.order_id == order_id)
    )
    return destinations.clear(conn, conn.execute(query.order_by(decision.c.id)))


def decisions_before(conn: Connection, before: int | None, limit: int) -> list[Row[Any]]:
    """Decisions about any order, the newest first; ``before``: only those older than this id."""
    decision = t.routing_decision
    query = select(decision).order_by(decision.c.id.desc()).limit(limit)
    found = conn.execute(query if before is None else query.where(decision.c.id < before))
    return destinations.clear(conn, found)


def last_decision(conn: Connection, order_id: int) -> Row[Any] | None:
    decision = t.routing_decision
    query = select(decision).where(decision.c.order_id == order_id)
    return conn.execute(query.order_by(decision.c.id.desc()).limit(1)).first()


def keep_rules(conn: Connection, version: str, name: str, body: Any, now: datetime) -> None:
    """Keep the rules of a version once, for as long as there are decisions made with them."""
    row = {"version": version, "name": name, "body": body, "first_used_at": now}
    insert_rows(conn, t.routing_rules, [row], unless_known=True)


def rules_body(conn: Connection, version: str) -> Any:
    """Raises ``NoResultFound`` for a version that no decision was made with."""
    query = select(t.routing_rules.c.body).where(t.routing_rules.c.version == version)
    return conn.execute(query).scalar_one()


def stock_version(conn: Connection) -> int | None:
    """The newest row of the stock ledger; null before the first."""
    newest: int | None = conn.scalar(select(func.max(t.inventory_ledger.c.id)))
    return newest


def due(conn: Connection, sku_ids: Iterable[int]) -> list[Row[Any]]:
    """Goods on their way with a day they are due: sku_id, location_id, due_on, qty still open."""
    sent = t.consignment
    qty = type_coerce(sent.c.qty - sent.c.qty_received - sent.c.qty_lost, sent.c.qty.type)
    query = (
        select(sent.c.sku_id, sent.c.to_location_id, sent.c.due_on, qty.label("qty"))
        .where(among(sent.c.sku_id, set(sku_ids)), sent.c.due_on.is_not(None), qty > 0)
        .order_by(sent.c.due_on, sent.c.id)
    )
    return list(conn.execute(query))


def given_since(conn: Connection, since: Mapping[int, datetime]) -> dict[int, tuple[int, Decimal]]:
    """(fulfilment orders, units) that each location was given since its moment in ``since``.

    Work that was cancelled or given up counts for what it still holds.
    """
    if not since:
        return {}
    left = ffo_line.c.qty - ffo_line.c.qty_cancelled
    mine = [(ffo.c.location_id == place) & (ffo.c.created_at >= at) for place, at in since.items()]
    query = (
        select(
            ffo.c.location_id,
            func.count(ffo.c.id.distinct()),
            func.sum(left, type_=ffo_line.c.qty.type),
        )
        .join(ffo_line, ffo_line.c.ffo_id == ffo.c.id)
        .where(or_(*mine), left > 0)
        .group_by(ffo.c.location_id)
    )
    return {row[0]: (row[1], Decimal(row[2])) for row in conn.execute(query)}


def given_up(conn: Connection, order_id: int) -> list[Row[Any]]:
    """Locations that refused the order or were too slow: location_id, given_up_at, reason."""
    query = select(ffo.c.location_id, ffo.c.given_up_at, ffo.c.refused_reason).where(
        ffo.c.order_id == order_id, ffo.c.given_up_at.is_not(None)
    )
    return list(conn.execute(query.order_by(ffo.c.id)))


def given_up_by(conn: Connection, order_ids: Iterable[int]) -> dict[int, tuple[int, ...]]:
    """The locations that gave up each of these orders, where any did."""
    query = (
        select(ffo.c.order_id, ffo.c.location_id)
        .where(among(ffo.c.order_id, order_ids), ffo.c.given_up_at.is_not(None))
        .order_by(ffo.c.id)
    )
    found: dict[int, tuple[int, ...]] = {}
    for order_id, location_id in conn.execute(query):
        found[order_id] = (*found.get(order_id, ()), location_id)
    return found


def overdue(conn: Connection, ffo_id: int | None = None) -> list[Row[Any]]:
    """Work that is with a location which has limits: for it to accept, or to ship.

    All of it, or just the one piece, if it is.
    """
    query = (
        select(ffo, t.location.c.ack_within_s, t.location.c.ship_within_s)
        .join(t.location, t.location.c.id == ffo.c.location_id)
        .where(
            ffo.c.given_up_at.is_(None),
            or_(
                (ffo.c.work_state == "open") & t.location.c.ack_within_s.is_not(None),
                ffo.c.work_state.in_(("in_progress", "part_shipped"))
                & ffo.c.request_state.in_(
                    ("accepted", "cancellation_requested", "cancellation_rejected")
                )
                & t.location.c.ship_within_s.is_not(None),
            ),
        )
    )
    if ffo_id is not None:
        query = query.where(ffo.c.id == ffo_id)
    return list(conn.execute(query.order_by(ffo.c.id)))


def add(
    conn: Connection,
    *,
    order_id: int,
    location_id: int,
    decision_id: int,
    reference: str,
    lines: Sequence[Mapping[str, Any]],
    now: datetime,
    pickup: bool = False,
) -> int:
    """Plan one location's work. Lines: order_line_id, sku_id, reservation_id, qty, per_bundle."""
    ffo_id = insert_one(
        conn,
        ffo,
        order_id=order_id,
        location_id=location_id,
        decision_id=decision_id,
        work_state="planned",
        reference=reference,
        created_at=now,
        pickup=pickup,
    )
    conn.execute(insert(ffo_line), [{"ffo_id": ffo_id, **line} for line in lines])
    return ffo_id


def get(conn: Connection, ffo_id: int) -> Row[Any]:
    return conn.execute(select(ffo).where(ffo.c.id == ffo_id)).one()


def by_reference(conn: Connection, reference: str) -> Row[Any] | None:
    return conn.execute(select(ffo).where(ffo.c.reference == reference)).first()


def orders_of(conn: Connection, references: Iterable[str]) -> list[int]:
    """The orders that pieces of work, by our references, are for."""
    where = among(ffo.c.reference, references)
    return list(conn.scalars(select(ffo.c.order_id).where(where)))


def erased_references(conn: Connection, references: Iterable[str]) -> set[str]:
    """Of our references those whose order has no personal data any more."""
    order = t.sales_order
    query = (
        select(ffo.c.reference)
        .join(order, order.c.id == ffo.c.order_id)
        .where(among(ffo.c.reference, references), order.c.erased_at.is_not(None))
    )
    return set(conn.scalars(query))


def of_order(conn: Connection, order_id: int) -> list[Row[Any]]:
    """An order's fulfilment orders with their location's code and who takes its work."""
    query = (
        select(
            ffo,
            t.location.c.code.label("location"),
            t.location.c.connection_id,
            t.connection.c.name.label("taker"),
        )
        .join(t.location, t.location.c.id == ffo.c.location_id)
        .outerjoin(t.connection, t.connection.c.id == t.location.c.connection_id)
        .where(ffo.c.order_id == order_id)
    )
    return list(conn.execute(query.order_by(ffo.c.id)))


def lines_of(conn: Connection, ffo_ids: Iterable[int]) -> dict[int, list[Row[Any]]]:
    """Lines by fulfilment order, each with its order line's words and the SKU's code and weight.

    A component has its own title; ``bundle`` is the code of what its order line names.
    """
    found: dict[int, list[Row[Any]]] = {}
    named = t.sku.alias()
    alone = ffo_line.c.per_bundle.is_(None)
    query = (
        select(
            ffo_line,
            t.sku.c.code.label("sku"),
            named.c.code.label("bundle"),
            t.sku.c.weight_g,
            t.order_line.c.channel_line_id,
            case((alone, t.order_line.c.title), else_=t.sku.c.title).label("title"),
            t.order_line.c.unit_price,
        )
        .join(t.sku, t.sku.c.id == ffo_line.c.sku_id)
        .join(t.order_line, t.order_line.c.id == ffo_line.c.order_line_id)
        .outerjoin(named, named.c.id == t.order_line.c.sku_id)
        .where(among(ffo_line.c.ffo_id, ffo_ids))
        .order_by(ffo_line.c.id)
    )
    for row in conn.execute(query):
        found.setdefault(row.ffo_id, []).append(row)
    return found


def due_for_release(conn: Connection, before: datetime) -> list[Row[Any]]:
    """Planned work created at or before ``before`` whose order may ship and is free of holds."""
    query = select(ffo).where(ffo.c.work_state == "planned", ffo.c.created_at <= before, _free())
    return list(conn.execute(query.order_by(ffo.c.id)))


def may_be_released(conn: Connection, ffo_id: int) -> bool:
    """Is it planned still, and does its order still let it go?"""
    query = select(ffo.c.id).where(ffo.c.id == ffo_id, ffo.c.work_state == "planned", _free())
    return conn.scalar(query) is not None


def _free() -> ColumnElement[bool]:
    order, hold = t.sales_order.c, t.hold.c
    ready = select(order.id).where(
        order.id == ffo.c.order_id,
        order.intake_state == "accepted",
        order.channel_status == "ready",
    )
    held = select(hold.id).where(hold.order_id == ffo.c.order_id, hold.released_at.is_(None))
    return and_(ready.exists(), ~held.exists())


def lock(conn: Connection, order_ids: Iterable[int]) -> None:
    """Lock orders, then the levels that their work holds goods of: each in ascending order.

    Every transaction that changes work of orders takes its locks in this order, so that no two
    wait for each other. SQLite has one writer at a time and needs none.
    """
    if conn.dialect.name == "sqlite":
        return
    ids = sorted(set(order_ids))
    orders.lock(conn, ids)
    level = t.inventory_level.c
    held = (
        select(ffo_line.c.sku_id, ffo.c.location_id)
        .join(ffo, ffo.c.id == ffo_line.c.ffo_id)
        .where(among(ffo.c.order_id, ids))
    )
    conn.execute(
        select(level.sku_id)
        .where(tuple_(level.sku_id, level.location_id).in_(held))
        .order_by(level.sku_id, level.location_id)
        .with_for_update()
    )


def locked(conn: Connection, ffo_id: int) -> Row[Any]:
    """A fulfilment order as it is once nobody else can change it, nor its order."""
    lock(conn, [get(conn, ffo_id).order_id])
    return get(conn, ffo_id)


def set_ffo(conn: Connection, ffo_id: int, **values: Any) -> None:
    conn.execute(update(ffo).where(ffo.c.id == ffo_id).values(values))


def set_ffo_line(conn: Connection, line_id: int, **values: Any) -> None:
    conn.execute(update(ffo_line).where(ffo_line.c.id == line_id).values(values))


def move_ffo_line(conn: Connection, line_id: int, **deltas: Decimal) -> None:
    changes = {name: ffo_line.c[name] + delta for name, delta in deltas.items()}
    conn.execute(update(ffo_line).where(ffo_line.c.id == line_id).values(changes))


def shipment(conn: Connection, ffo_id: int, external_id: str) -> Row[Any] | None:
    where = (t.shipment.c.ffo_id == ffo_id) & (t.shipment.c.external_id == external_id)
    return conn.execute(select(t.shipment).where(where)).first()


def shipment_by_id(conn: Connection, shipment_id: int) -> Row[Any]:
    """A shipment with the reference of the work that it is of."""
    query = select(t.shipment, ffo.c.reference).join(ffo, ffo.c.id == t.shipment.c.ffo_id)
    return conn.execute(query.where(t.shipment.c.id == shipment_id)).one()


def add_shipment(conn: Connection, **values: Any) -> int:
    return insert_one(conn, t.shipment, **values)


def add_package(conn: Connection, lines: Sequence[Mapping[str, Any]], **values: Any) -> int:
    """Add a package; ``lines``: ffo_line_id, qty, qty_over of each. Returns its id."""
    values |= _sealed_links(conn, values["shipment_id"], values)
    package_id = insert_one(conn, t.package, **values)
    if lines:
        conn.execute(insert(t.package_line), [{"package_id": package_id, **line} for line in lines])
    return package_id


def name_package(conn: Connection, package_id: int, number: str, url: str) -> None:
    """Give a package the tracking number that its location reported later."""
    where = t.package.c.id == package_id
    known = conn.execute(select(t.package).where(where)).one()
    values = {"tracking_number": number, "tracking_url": url}
    named = {**values, "package_reference": known.package_reference}
    values |= _sealed_links(conn, known.shipment_id, named)
    conn.execute(update(t.package).where(where).values(values))


def _sealed_links(conn: Connection, shipment_id: int, package: Mapping[str, Any]) -> dict[str, str]:
    """A package's links as they are to be stored, where its order's channel is encrypted."""
    if vault.of(conn) is None:
        return {}
    order = t.sales_order
    query = (
        select(order.c.connection_id, order.c.channel_order_id)
        .join(ffo, ffo.c.order_id == order.c.id)
        .join(t.shipment, t.shipment.c.ffo_id == ffo.c.id)
        .where(t.shipment.c.id == shipment_id)
    )
    row = conn.execute(query).one()
    if not vault.seals(conn, row.connection_id):
        return {}
    owner = keys.of_order(row.connection_id, row.channel_order_id)
    key = keys.for_writing(conn, [owner])[owner]
    return fields.sealed_values(key, t.package, package)


def packages_of_order(conn: Connection, order_id: int) -> list[Row[Any]]:
    """Every package of an order that is not voided, oldest first, with its shipment's facts."""
    query = (
        select(
            t.package,
            t.shipment.c.shipped_at,
            t.shipment.c.service_code,
            t.shipment.c.state,
            t.shipment.c.ffo_id,
            t.shipment.c.label_cost,
            t.shipment.c.label_currency,
        )
        .join(t.shipment, t.shipment.c.id == t.package.c.shipment_id)
        .join(ffo, ffo.c.id == t.shipment.c.ffo_id)
        .where(ffo.c.order_id == order_id, t.shipment.c.state != "voided")
    )
    return fields.clear(conn, t.package, conn.execute(query.order_by(t.package.c.id)))


def package_lines(conn: Connection, package_ids: Iterable[int]) -> dict[int, list[Row[Any]]]:
    """What is in each package: order line, channel line, SKU code, quantity."""
    found: dict[int, list[Row[Any]]] = {}
    query = (
        select(
            t.package_line,
            ffo_line.c.order_line_id,
            t.order_line.c.channel_line_id,
            t.sku.c.code.label("sku"),
        )
        .join(ffo_line, ffo_line.c.id == t.package_line.c.ffo_line_id)
        .join(t.order_line, t.order_line.c.id == ffo_line.c.order_line_id)
        .join(t.sku, t.sku.c.id == ffo_line.c.sku_id)
        .where(among(t.package_line.c.package_id, package_ids))
        .order_by(t.package_line.c.id)
    )
    for row in conn.execute(query):
        found.setdefault(row.package_id, []).append(row)
    return found


def undelivered(conn: Connection, connection_id: int) -> list[Row[Any]]:
    """Shipments labelled through a carrier connection that are still on their way."""
    query = (
        select(t.shipment, func.min(t.package.c.id).label("package_id"))
        .join(t.package, t.package.c.shipment_id == t.shipment.c.id)
        .join(ffo, ffo.c.id == t.shipment.c.ffo_id)
        .join(t.location, t.location.c.id == ffo.c.location_id)
        .where(
            t.location.c.connection_id == connection_id,
            t.shipment.c.state.in_(("label_bought", "shipped", "in_transit", "exception")),
        )
        .group_by(t.shipment.c.id)
        .order_by(t.shipment.c.id)
    )
    return list(conn.execute(query))
