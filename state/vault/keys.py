"""Data keys: one for each record, made when it is first needed, destroyed when it is erased."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select

from state import tables as t
from state import vault
from state.batches import among, insert_rows
from state.errors import Tampered, VaultProblem
from state.vault import cipher
from state.vault.keyring import Keyring, MasterKey

Owner = tuple[int, str, str]
"""(connection id, topic, external id): the record that a key is of, as in the inbox."""

_key = t.data_key


@dataclass(frozen=True, slots=True)
class DataKey:
    id: int
    owner: Owner
    secret: bytes = field(repr=False)

    def seal(self, plain: bytes, *belongs_to: str) -> bytes:
        return cipher.seal(self.secret, plain, belongs_to)

    def unseal(self, sealed: bytes, *belongs_to: str) -> bytes:
        return cipher.unseal(self.secret, sealed, belongs_to)


def of_order(connection_id: int, channel_order_id: str) -> Owner:
    return connection_id, "orders", channel_order_id


def for_writing(conn: Connection, owners: Iterable[Owner]) -> dict[Owner, DataKey]:
    """Their keys, made where there are none. Until the transaction ends nobody destroys them."""
    wanted = sorted(set(owners))
    found = _of_owners(conn, wanted)
    lacking = [owner for owner in wanted if owner not in found]
    if lacking:
        master = vault.keyring(conn).current
        rows = [_row(owner, master) for owner in lacking]
        insert_rows(conn, _key, rows, unless_known=True)
        # Somebody else may have been quicker: theirs counts.
        found |= _of_owners(conn, lacking)
    return found


def for_reading(conn: Connection, owner: Owner) -> DataKey | None:
    """The key of a record, locked against nobody; null where there is none."""
    where = (
        _key.c.connection_id == owner[0],
        _key.c.topic == owner[1],
        _key.c.external_id == owner[2],
    )
    return next(_unwrapped(conn, conn.execute(select(_key).where(*where))), None)


def by_id(conn: Connection, ids: Iterable[int]) -> dict[int, DataKey]:
    """Keys that are there; one that was destroyed is not."""
    found = conn.execute(select(_key).where(among(_key.c.id, set(ids))))
    return {key.id: key for key in _unwrapped(conn, found)}


def destroy(conn: Connection, owners: Iterable[Owner]) -> None:
    """Whatever is still encrypted by these keys, nobody reads any more."""
    for (connection_id, topic), names in _grouped(owners).items():
        conn.execute(
            delete(_key).where(
                _key.c.connection_id == connection_id,
                _key.c.topic == topic,
                among(_key.c.external_id, names),
            )
        )


def destroy_unused(conn: Connection, owners: Iterable[Owner]) -> None:
    """Destroy those of which no payload and no order with personal data is left."""
    row, order = t.inbox.c, t.sales_order.c
    for connection_id, topic, name in sorted(set(owners)):
        payload = select(row.id).where(
            row.connection_id == connection_id,
            row.topic == topic,
            row.external_id == name,
            func.length(row.body) > 0,
        )
        held = select(order.id).where(
            order.connection_id == connection_id,
            order.channel_order_id == name,
            order.erased_at.is_(None),
        )
        used = conn.execute(payload).first() or (topic == "orders" and conn.execute(held).first())
        if not used:
            destroy(conn, [(connection_id, topic, name)])


def count(conn: Connection) -> dict[str, int]:
    """How many data keys each master key encrypts, by its name."""
    query = select(_key.c.master, func.count()).group_by(_key.c.master)
    return {row[0]: row[1] for row in conn.execute(query)}


def with_keys(conn: Connection, connection_ids: Iterable[int]) -> set[int]:
    """Of these connections those that anything was encrypted of."""
    return {
        one
        for one in connection_ids
        if conn.execute(select(_key.c.id).where(_key.c.connection_id == one).limit(1)).first()
    }


def wrap(master: MasterKey, owner: Owner, secret: bytes) -> bytes:
    return cipher.seal(master.secret, secret, _belongs_to(owner))


def unwrap(keyring: Keyring, row: Row[Any]) -> bytes:
    """Raises ``VaultProblem`` when its master key is not there."""
    master = keyring.get(row.master)
    if master is None:
        raise VaultProblem(lost([row.master]))
    return cipher.unseal(master.secret, bytes(row.wrapped), _belongs_to(owner_of(row)))


def lost(names: Sequence[str]) -> str:
    return (
        f"personal data in the store is encrypted by {', '.join(names)}, and the keys that "
        "[encryption] keys names do not have it: put it back (docs/operations.md: Keys)"
    )


def need(found: dict[int, DataKey], number: int, where: str) -> DataKey:
    if number not in found:
        raise Tampered(f"the key of {where} is not in the store: it was destroyed, or changed")
    return found[number]


def _row(owner: Owner, master: MasterKey) -> dict[str, Any]:
    return {
        "connection_id": owner[0],
        "topic": owner[1],
        "external_id": owner[2],
        "master": master.name,
        "wrapped": wrap(master, owner, cipher.new_key()),
    }


def _of_owners(conn: Connection, owners: Sequence[Owner]) -> dict[Owner, DataKey]:
    found: dict[Owner, DataKey] = {}
    for (connection_id, topic), names in _grouped(owners).items():
        query = (
            select(_key)
            .where(
                _key.c.connection_id == connection_id,
                _key.c.topic == topic,
                among(_key.c.external_id, names),
            )
            .order_by(_key.c.id)
            .with_for_update(read=True, key_share=True)
        )
        found |= {key.owner: key for key in _unwrapped(conn, conn.execute(query))}
    return found


def _unwrapped(conn: Connection, rows: Iterable[Row[Any]]) -> Iterator[DataKey]:
    found = list(rows)
    if not found:
        return
    keyring = vault.keyring(conn)
    for row in found:
        yield DataKey(row.id, owner_of(row), unwrap(keyring, row))


def owner_of(row: Row[Any]) -> Owner:
    return row.connection_id, row.topic, row.external_id


def _grouped(owners: Iterable[Owner]) -> dict[tuple[int, str], list[str]]:
    groups: dict[tuple[int, str], list[str]] = defaultdict(list)
    for connection_id, topic, name in owners:
        groups[connection_id, topic].append(name)
    return groups


def _belongs_to(owner: Owner) -> tuple[str, ...]:
    return "data_key", "wrapped", *map(str, owner)
