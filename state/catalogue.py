"""SKUs, their other names, and the listings of each channel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from mappings import canonical as c
from state import tables as t
from state.batches import among
from state.ids import insert_unless_known

_CODES = select(t.sku.c.code, t.sku.c.id).where(among(t.sku.c.code, "words"))
_ALIASES = select(t.sku_alias.c.value, t.sku_alias.c.sku_id).where(
    among(t.sku_alias.c.value, "words"),
    t.sku_alias.c.scheme.in_(("channel_sku", "old_code", "three_pl")),
)
# Apart: with an OR neither database looks the words up in the index.
_ALIASES_EVERYWHERE = _ALIASES.where(t.sku_alias.c.connection_id.is_(None))
_ALIASES_HERE = _ALIASES.where(t.sku_alias.c.connection_id == bindparam("connection"))


def resolve(conn: Connection, connection_id: int, names: Iterable[str]) -> dict[str, int]:
    """Our SKU ids for a channel's SKU words: its own aliases first, global ones, our codes."""
    words = sorted({name for name in names if name})
    found: dict[str, int] = {}
    for query in (_CODES, _ALIASES_EVERYWHERE, _ALIASES_HERE):
        found.update(conn.execute(query, {"words": words, "connection": connection_id}).all())
    return found


def by_code(conn: Connection, code: str) -> Row[Any] | None:
    return conn.execute(select(t.sku).where(t.sku.c.code == code)).first()


def existing_codes(conn: Connection, codes: Iterable[str]) -> set[str]:
    return set(conn.scalars(select(t.sku.c.code).where(among(t.sku.c.code, codes))))


def by_ids(conn: Connection, sku_ids: Iterable[int]) -> dict[int, Row[Any]]:
    query = select(t.sku).where(among(t.sku.c.id, set(sku_ids)))
    return {row.id: row for row in conn.execute(query)}


def tags_of(conn: Connection, sku_ids: Iterable[int]) -> dict[int, tuple[str, ...]]:
    """The tags of those SKUs that have any, in alphabetical order."""
    tag = t.sku_tag
    query = select(tag).where(among(tag.c.sku_id, set(sku_ids))).order_by(tag.c.sku_id, tag.c.tag)
    found: dict[int, tuple[str, ...]] = {}
    for row in conn.execute(query):
        found[row.sku_id] = (*found.get(row.sku_id, ()), row.tag)
    return found


def connection_id(conn: Connection, name: str) -> int:
    query = select(t.connection.c.id).where(t.connection.c.name == name)
    return int(conn.execute(query).scalar_one())


def upsert_sku(
    conn: Connection,
    *,
    code: str,
    title: str,
    gtin: str,
    weight_g: int,
    hazmat: bool | None = None,
) -> bool:
    """Add or amend a SKU; true when it is new. ``hazmat``: null leaves it as it is."""
    values: dict[str, Any] = {"title": title, "gtin": gtin, "weight_g": weight_g, "active": True}
    if hazmat is not None:
        values["hazmat"] = hazmat
    amended = update(t.sku).where(t.sku.c.code == code).values(values)
    if conn.execute(amended).rowcount:
        return False
    if insert_unless_known(conn, t.sku, code=code, **values) is not None:
        return True
    # Somebody else has added it meanwhile.
    conn.execute(amended)
    return False


def add_alias(
    conn: Connection, *, sku_id: int, value: str, connection_id: int | None, scheme: str
) -> None:
    """Give a SKU another name; on one connection, or (null) everywhere.

    A name that already means another SKU is moved to this one: the newest decision counts.
    """
    where = (t.sku_alias.c.value == value) & (t.sku_alias.c.scheme == scheme)
    same = t.sku_alias.c.connection_id
    where &= same.is_(None) if connection_id is None else same == connection_id
    if not conn.execute(update(t.sku_alias).where(where).values(sku_id=sku_id)).rowcount:
        conn.execute(
            insert(t.sku_alias).values(
                sku_id=sku_id,
                scheme=scheme,
                value=value,
                connection_id=connection_id,
                qty_per=Decimal(1),
                source="agent",
            )
        )


def upsert_listings(
    conn: Connection,
    connection_id: int,
    listings: Sequence[c.Listing],
    skus: Mapping[str, int],
    now: datetime,
) -> set[int]:
    """Take in what a channel lists; returns the SKUs whose set of listings changed."""
    table = t.channel_listing
    query = select(table).where(
        table.c.connection_id == connection_id,
        among(table.c.external_variant_id, [listing.external_variant_id for listing in listings]),
    )
    known = {row.external_variant_id: row for row in conn.execute(query)}
    touched: set[int] = set()
    new: list[dict[str, Any]] = []
    for listing in listings:
        values = _listing_values(listing, skus.get(listing.external_sku), now)
        row = known.get(listing.external_variant_id)
        if row is None:
            new.append(
                {
                    "connection_id": connection_id,
                    "external_variant_id": listing.external_variant_id,
                    **values,
                }
            )
        else:
            conn.execute(update(table).where(table.c.id == row.id).values(values))
        changed = row is None or any(
            getattr(row, name) != values[name]
            for name in ("sku_id", "status", "qty_managed_by", "fulfilment_flag")
        )
        if changed and values["sku_id"] is not None:
            touched.add(values["sku_id"])
    if new:
        conn.execute(insert(table), new)
    return touched


def _listing_values(listing: c.Listing, sku_id: int | None, now: datetime) -> dict[str, Any]:
    return {
        "external_product_id": listing.external_product_id,
        "external_sku": listing.external_sku,
        "title": listing.title,
        "product_type": listing.product_type,
        "sku_id": sku_id,
        "match_state": "unmatched" if sku_id is None else "matched",
        "fulfilment_flag": listing.fulfilment_flag,
        "status": listing.status,
        "qty_managed_by": "hub" if listing.quantity_managed else "channel",
        "offered_qty": listing.quantity,
        "last_seen_at": now,
    }


def all_skus(conn: Connection) -> list[Row[Any]]:
    """Code, title and GTIN of every SKU in use."""
    table = t.sku
    query = select(table.c.id, table.c.code, table.c.title, table.c.gtin)
    return list(conn.execute(query.where(table.c.active).order_by(table.c.code)))


def all_aliases(conn: Connection) -> list[Row[Any]]:
    """Every other name of a SKU, with the connection it holds on (null: everywhere)."""
    alias, link = t.sku_alias, t.connection
    query = (
        select(alias.c.sku_id, alias.c.scheme, alias.c.value, link.c.name.label("connection"))
        .outerjoin(link, link.c.id == alias.c.connection_id)
        .order_by(alias.c.id)
    )
    return list(conn.execute(query))
