"""The inbox: every inbound payload as it came, once per content, and what became of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import zstandard
from sqlalchemy import Connection, Row, bindparam, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from mappings.storable import KEY_MAX, NUL
from state import tables as t
from state import vault
from state.batches import among, insert_rows
from state.card_numbers import without_card_numbers
from state.errors import Overtaken
from state.ids import take_ids
from state.store import is_there_already
from state.vault import keys, payloads

_compressor = zstandard.ZstdCompressor(level=1)

_SHOWN = 60
"""Characters of an id that is too long."""

_OF_THESE = (
    t.inbox.c.connection_id == bindparam("connection"),
    t.inbox.c.topic == bindparam("of_topic"),
    among(t.inbox.c.external_id, "external_ids"),
)
_KNOWN = select(t.inbox.c.external_id, t.inbox.c.sha256).where(*_OF_THESE)
_SUPERSEDE = update(t.inbox).where(*_OF_THESE, t.inbox.c.state == "parked").values(state="stale")

_order, _line = t.sales_order, t.order_line
_current, _later = t.inbox.alias("current"), t.inbox.alias("later")
_SEEN = select(t.inbox.c.external_id, t.inbox.c.sha256, t.inbox.c.id)
_OF_THESE_ORDERS = (
    _order.c.connection_id == bindparam("connection"),
    among(_order.c.channel_order_id, "external_ids"),
)
_BEFORE_A_PARKED_REPORT = (
    _SEEN.join(_order, _order.c.raw_id == t.inbox.c.id)
    .join(_later, _later.c.external_id == _order.c.channel_order_id)
    .where(
        *_OF_THESE_ORDERS,
        _later.c.connection_id == bindparam("connection"),
        _later.c.topic == "orders",
        _later.c.state == "parked",
        _later.c.id > t.inbox.c.id,
    )
    .group_by(t.inbox.c.external_id, t.inbox.c.sha256, t.inbox.c.id)
    .having(func.max(_later.c.received_at) <= bindparam("before"))
)
_BEFORE_A_DOUBTFUL_ONE = (
    _SEEN.join(_order, _order.c.channel_order_id == t.inbox.c.external_id)
    .join(_current, _current.c.id == _order.c.raw_id)
    .where(
        *_OF_THESE_ORDERS,
        or_(
            _order.c.intake_state == "parked",
            exists().where(_line.c.order_id == _order.c.id, _line.c.park_reason == "mapping"),
        ),
        t.inbox.c.connection_id == bindparam("connection"),
        t.inbox.c.topic == "orders",
        t.inbox.c.state == "mapped",
        t.inbox.c.id != _order.c.raw_id,
        _current.c.received_at <= bindparam("before"),
    )
)

State = str
"""mapped, parked, stale, ignored."""


NO_CONTENT = b""
"""In the place of a hash: the record's payloads were erased, and what comes of it later is kept
without its content. In the place of a body: it was erased, or never kept for that reason."""


@dataclass(slots=True)
class Received:
    """One payload on its way into the inbox. ``body`` is its JSON text as it came, or empty where
    its content must not be kept."""

    external_id: str
    body: bytes
    sha256: bytes
    state: State = "mapped"
    problems: list[dict[str, str]] | None = None
    mapping_version: str = ""


def received(external_id: str, body: bytes) -> Received:
    """A payload to be kept, without card numbers in it. The hash is that of what came.

    Of an id that no database keeps as a key there is the begin and a hash; such a record does not
    map either, and is parked.
    """
    if len(external_id) > KEY_MAX or NUL in external_id:
        mark = hashlib.sha256(external_id.encode("utf-8", "surrogatepass")).hexdigest()
        external_id = f"{external_id[:_SHOWN].replace(NUL, ' ')}... (sha256 {mark})"
    return Received(external_id, without_card_numbers(body), hashlib.sha256(body).digest())


def known(
    conn: Connection, connection_id: int, topic: str, external_ids: Sequence[str]
) -> set[tuple[str, bytes]]:
    """The (external id, content hash) pairs already taken in, among these ids; with the hash
    ``NO_CONTENT`` those whose content must not be kept."""
    given = {"connection": connection_id, "of_topic": topic, "external_ids": external_ids}
    return {(row[0], bytes(row[1])) for row in conn.execute(_KNOWN, given)}


def doubted(
    conn: Connection, connection_id: int, external_ids: Sequence[str], before: datetime
) -> dict[tuple[str, bytes], int]:
    """What was read of these orders beside a report of theirs that makes no sense, be it that it
    does not map, or that the order waits for a person since: (external id, content hash) -> id.
    Not where that report came after ``before``."""
    given = {"connection": connection_id, "external_ids": external_ids, "before": before}
    rows = [
        *conn.execute(_BEFORE_A_PARKED_REPORT, given),
        *conn.execute(_BEFORE_A_DOUBTFUL_ONE, given),
    ]
    return {(row[0], bytes(row[1])): row[2] for row in rows}


def add(
    conn: Connection, connection_id: int, topic: str, items: Sequence[Received], now: datetime
) -> list[int]:
    """Store payloads not yet known; returns their ids, in order.

    Raises ``Overtaken`` where another run has stored one of them since they were looked up: a pull
    and a second look far back may read the same records at once.
    """
    ids = take_ids(conn, t.inbox, len(items))
    bodies = [item.body and _compressor.compress(item.body) for item in items]
    if vault.seals(conn, connection_id):
        bodies = _sealed(conn, connection_id, topic, items, bodies)
    rows = [
        {
            "id": id_,
            "connection_id": connection_id,
            "topic": topic,
            "external_id": item.external_id,
            "sha256": item.sha256,
            "body": body,
            "received_at": now,
            "state": item.state,
            "problems": item.problems,
            "mapping_version": item.mapping_version,
        }
        for id_, item, body in zip(ids, items, bodies, strict=True)
    ]
    try:
        insert_rows(conn, t.inbox, rows)
    except IntegrityError as error:
        if is_there_already(error):
            raise Overtaken("another run has just stored the same records") from error
        raise
    return ids


def _sealed(
    conn: Connection,
    connection_id: int,
    topic: str,
    items: Sequence[Received],
    bodies: Sequence[bytes],
) -> list[bytes]:
    owners = [(connection_id, topic, item.external_id) for item in items]
    kept = [owner for owner, body in zip(owners, bodies, strict=True) if body]
    found = keys.for_writing(conn, kept)
    return [
        payloads.seal(found[owner], body, item.sha256) if body else body
        for owner, item, body in zip(owners, items, bodies, strict=True)
    ]


def is_erased(row: Row[Any]) -> bool:
    """Whether an inbox row has no payload any more."""
    return not row.body


def text(conn: Connection, row: Row[Any]) -> bytes:
    """The payload of an inbox row, one not erased, as JSON, as the vendor sent it."""
    return texts(conn, [row])[0]


def texts(conn: Connection, rows: Sequence[Row[Any]]) -> list[bytes]:
    """The same of many rows. Raises ``VaultProblem``."""
    unpack = zstandard.ZstdDecompressor().decompress
    return [unpack(packed) for packed in payloads.clear(conn, rows)]


def texts_by_id(conn: Connection, rows: Sequence[Row[Any]]) -> dict[int, bytes]:
    """The same by the rows' ids; those erased are left out."""
    held = [row for row in rows if not is_erased(row)]
    return dict(zip([row.id for row in held], texts(conn, held), strict=True))


def payload(conn: Connection, row: Row[Any]) -> dict[str, Any]:
    """The payload of an inbox row, decoded."""
    return dict(msgspec.json.decode(text(conn, row)))


_PAGE = 500


def held(conn: Connection, topic: str | None = None) -> Iterator[list[tuple[Row[Any], str]]]:
    """Every row that has its payload, by id and in pages, with its ``connection``'s name; beside it
    the text, in which each character stands for itself."""
    query = (
        select(t.inbox, t.connection.c.name.label("connection"))
        .join(t.connection, t.connection.c.id == t.inbox.c.connection_id)
        .where(func.length(t.inbox.c.body) > 0)
        .order_by(t.inbox.c.id)
        .limit(_PAGE)
    )
    if topic is not None:
        query = query.where(t.inbox.c.topic == topic)
    last = 0
    while page := list[Row[Any]](conn.execute(query.where(t.inbox.c.id > last))):
        yield list(zip(page, map(_spelled_out, texts(conn, page)), strict=True))
        last = page[-1].id


def _spelled_out(text: bytes) -> str:
    if b"\\u" in text:
        # JSON may spell any character by its number.
        text = msgspec.json.encode(msgspec.json.decode(text))
    return text.decode("utf-8", "replace")


def parked(
    conn: Connection,
    connection_id: int | None = None,
    topic: str | None = None,
    limit: int | None = None,
) -> list[Row[Any]]:
    """Rows that did not map, newest first, with their connection's name."""
    query = (
        select(t.inbox, t.connection.c.name.label("connection"))
        .join(t.connection, t.connection.c.id == t.inbox.c.connection_id)
        .where(t.inbox.c.state == "parked")
        .order_by(t.inbox.c.id.desc())
    )
    if connection_id is not None:
        query = query.where(t.inbox.c.connection_id == connection_id)
    if topic is not None:
        query = query.where(t.inbox.c.topic == topic)
    return list(conn.execute(query.limit(limit)))


def settle(conn: Connection, ids: Iterable[int], state: State) -> None:
    """Record what became of rows; a mapped row has no problems any more."""
    conn.execute(update(t.inbox).where(among(t.inbox.c.id, ids)).values(state=state, problems=None))


def supersede_parked(
    conn: Connection, connection_id: int, topic: str, external_ids: Sequence[str]
) -> None:
    """These records have been read by now: their parked payloads need nobody any more."""
    given = {"connection": connection_id, "of_topic": topic, "external_ids": external_ids}
    conn.execute(_SUPERSEDE, given)


def amend_problems(
    conn: Connection, raw_id: int, problems: list[dict[str, str]] | None, mapping_version: str
) -> None:
    """A parked row was read again and still does not map: say why by today's definition."""
    values = {"problems": problems, "mapping_version": mapping_version}
    conn.execute(update(t.inbox).where(t.inbox.c.id == raw_id).values(values))


_COUNTING = ("mapped", "parked")


def newest(
    conn: Connection,
    connection_id: int,
    topic: str,
    *,
    since: datetime | None,
    after: int,
    limit: int,
    parked_only: bool = False,
) -> tuple[list[Row[Any]], int | None]:
    """The last payload of each record, mapped or parked, among the ``limit`` rows from ``after``.

    Returns them by id, and the id to go on after; null where there is no more.
    """
    row = t.inbox
    states = ("parked",) if parked_only else _COUNTING
    query = select(row).where(
        row.c.connection_id == connection_id,
        row.c.topic == topic,
        row.c.state.in_(states),
        row.c.id > after,
    )
    if since is not None:
        query = query.where(row.c.received_at >= since)
    page = list(conn.execute(query.order_by(row.c.id).limit(limit)))
    last = _last_ids(conn, connection_id, topic, {item.external_id for item in page})
    newest = [item for item in page if item.id == last[item.external_id]]
    return newest, page[-1].id if len(page) == limit else None


def _last_ids(
    conn: Connection, connection_id: int, topic: str, external_ids: Iterable[str]
) -> dict[str, int]:
    """The highest id of each record. Asked apart: joined, SQLite walks all rows for each."""
    row = t.inbox
    query = (
        select(row.c.external_id, func.max(row.c.id))
        .where(
            row.c.connection_id == connection_id,
            row.c.topic == topic,
            among(row.c.external_id, external_ids),
            row.c.state.in_(_COUNTING),
        )
        .group_by(row.c.external_id)
    )
    return {item[0]: item[1] for item in conn.execute(query)}


def of_orders(
    conn: Connection, connection_id: int, *, since: datetime | None, after: int, limit: int
) -> list[Row[Any]]:
    """Orders by id from ``after`` on, each with the payload (``body``) that it was made of."""
    order = t.sales_order
    query = (
        select(order, t.inbox.c.external_id, t.inbox.c.body, t.inbox.c.sha256)
        .join(t.inbox, t.inbox.c.id == order.c.raw_id)
        .where(order.c.connection_id == connection_id, order.c.id > after)
    )
    if since is not None:
        query = query.where(t.inbox.c.received_at >= since)
    return list(conn.execute(query.order_by(order.c.id).limit(limit)))


def unpark(conn: Connection, raw_id: int) -> bool:
    """A parked row maps by now; false when somebody else has dealt with it meanwhile."""
    where = (t.inbox.c.id == raw_id) & (t.inbox.c.state == "parked")
    values = {"state": "mapped", "problems": None}
    return bool(conn.execute(update(t.inbox).where(where).values(values)).rowcount)
