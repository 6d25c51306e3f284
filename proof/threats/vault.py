"""T22: whoever has the store, a copy or a backup of it, and no key, learns nothing of a buyer.

The buyers, the shop and the marketplace are those of G16, both channels encrypted. Looked at is
every byte of the database, its log and its freed pages, and of a backup; vendors' own books say
that parcels still go to the right door.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from time import process_time
from typing import Any
from unittest import mock

import zstandard
from sqlalchemy import Table, select, update

from proof.buyers import CHANNELS, Trade, add_keys, pattern, traded
from proof.evidence import Evidence, Size
from state import backup, inbox, order_reports, vault
from state import tables as t
from state.errors import Tampered, VaultProblem
from state.store import Store
from state.vault import bodies, cipher, fields, keys, payloads, reports, rotation
from state.vault.keyring import Keyring, MasterKey

_BUYERS: dict[Size, int] = {"pull-request": 12, "nightly": 40}
_KEYS: dict[Size, int] = {"pull-request": 10_000, "nightly": 30_000}
_PLANTED_BUYERS = 4
_BETWEEN_LOOKS_S = 0.01
"""Real seconds, of who works on the store while its keys are exchanged."""


_LOOKED_AT = "bytes of the store without a key"


def prove(size: Size, seed: int = 1, postgres: str | None = None) -> Evidence:
    """``postgres``: the URL of a database with the store's tables and no row: there, too."""
    started = process_time()
    did: Counter[str] = Counter()
    violations: list[str] = []
    for url in (None, *filter(None, [postgres])):
        with _sealed(_BUYERS[size], seed, url) as trade:
            kind = "sqlite" if url is None else "postgresql"
            found = [*check(trade, did), *rotated(trade, _KEYS[size], did)]
            violations += [f"{kind}, seed {seed}: {one}" for one in found]
    looked_at = did.pop(_LOOKED_AT)
    planted = {name: _noticed(plant, seed) for name, plant in PLANTED.items()}
    return Evidence(
        "T22",
        "the store without its key tells nothing of a buyer",
        f"python -m proof T22 --size {size} --seed {seed}",
        _BUYERS[size] * (2 if postgres else 1),
        "buyers",
        str(seed),
        did,
        violations,
        planted,
        {
            "databases": "sqlite, postgresql" if postgres else "sqlite",
            "keys": _KEYS[size],
            _LOOKED_AT: looked_at,
        },
        process_time() - started,
    )


@contextmanager
def _sealed(count: int, seed: int, url: str | None) -> Iterator[Trade]:
    with traded(count, seed, url, encrypted=CHANNELS, talk=False) as trade:
        yield trade


# ---- what must hold --------------------------------------------------------------------------


def check(trade: Trade, did: Counter[str]) -> list[str]:
    """Everything that does not hold."""
    found = [f"in clear: {where}" for where in _in_clear(trade)]
    found += [f"in a backup: {where}" for where in _in_backup(trade)]
    did[_LOOKED_AT] += _size(trade)
    found += _keys_beside(trade)
    found += _arrived(trade)
    found += _swapped(trade, did)
    return found


def _in_clear(trade: Trade) -> list[str]:
    """As somebody finds it who has the files and no key."""
    wanted = pattern(list(trade.buyers))
    kept, trade.store.vault.vault = trade.store.vault.vault, None
    try:
        return trade.raw(wanted)
    finally:
        trade.store.vault.vault = kept


def _in_backup(trade: Trade) -> list[str]:
    path = trade.folder / "all.crossdock"
    backup.write(trade.store, path, trade.clock.now())
    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as content:
        lines = content.readall().splitlines()
    path.unlink()
    wanted = pattern(list(trade.buyers))
    return sorted({line[:60].decode() for line in lines if wanted.search(line)})


def _size(trade: Trade) -> int:
    if not trade.store.is_sqlite:
        return 0
    database = Path(str(trade.store.url.database))
    return sum(
        path.stat().st_size for path in database.parent.glob(f"{database.name}*") if path.is_file()
    )


def _keys_beside(trade: Trade) -> list[str]:
    """No key lies where the data lies: not the master's, and none of the data's in clear."""
    ring = _ring(trade.store)
    with trade.store.write() as conn:
        rows = conn.execute(select(t.data_key)).all()
        secrets = {key.secret for key in keys.by_id(conn, [row.id for row in rows]).values()}
    secrets.add(ring.current.secret)
    held = {
        bytes(value) if isinstance(value, bytes) else str(value).encode()
        for row in rows
        for value in row
    }
    bare = any(secret in value for secret in secrets for value in held)
    return ["a key stands in the store in clear"] * bare


def _arrived(trade: Trade) -> list[str]:
    """Those who ship have the addresses: what is encrypted came out as it went in."""
    told = str([order.body for order in trade.world.shipbob.orders.values()])
    told += str([label.shipment for label in trade.world.shipengine.labels.values()])
    known = {int(n) for n in re.findall(r"Canary(\d+)q", told)}
    missing = sorted({*trade.buyers} - known)
    return [f"nobody was told where buyer {missing[0]} lives"] if missing else []


def _swapped(trade: Trade, did: Counter[str]) -> list[str]:
    """What is encrypted of one row, put in the place of another row's, does not open there."""
    found = []
    for name, one in SWAPS.items():
        conn = trade.store.engine.connect()
        try:
            tried, opened = one(conn)
        finally:
            # Nothing of it stays.
            conn.rollback()
            conn.close()
        did[f"swapped: {name}"] += tried
        found += [f"swapped {name}: it was decrypted in another's place"] * (opened > 0)
    return found


def _swap(table: Table, column: str, read: Callable[[Any, Sequence[Any]], Any]) -> Any:
    """(how many rows were given another's, how many of these opened)."""

    def swap(conn: Any) -> tuple[int, int]:
        rows = [row for row in conn.execute(select(table).order_by(table.c.id)) if row_of(row)]
        tried = opened = 0
        for row, other in zip(rows, rows[1:] + rows[:1], strict=True):
            value = row_of(other)
            if value == row_of(row):
                continue
            put = update(table).where(table.c.id == row.id)
            conn.execute(put.values({column: value}))
            [changed] = conn.execute(select(table).where(table.c.id == row.id)).all()
            tried += 1
            try:
                read(conn, [changed])
            except Tampered:
                continue
            opened += 1
        return tried, opened

    def row_of(row: Any) -> Any:
        value = row._mapping[column]
        if isinstance(value, bytes):
            return value if payloads.is_sealed(value) else None
        if isinstance(value, dict):
            return value if bodies.sealed_texts(value) else None
        return value if fields.is_sealed(value) else None

    return swap


def _keys_swap(conn: Any) -> tuple[int, int]:
    rows = conn.execute(select(t.data_key).order_by(t.data_key.c.id)).all()
    opened = 0
    for row, other in pairwise(rows):
        conn.execute(
            update(t.data_key).where(t.data_key.c.id == row.id).values(wrapped=other.wrapped)
        )
        try:
            keys.by_id(conn, [row.id])
        except Tampered:
            continue
        opened += 1
    return len(rows) - 1, opened


def _clear_of(table: Table) -> Callable[[Any, Sequence[Any]], Any]:
    return lambda conn, rows: fields.clear(conn, table, rows)


SWAPS: dict[str, Callable[[Any], tuple[int, int]]] = {
    "names": _swap(t.address, "name", _clear_of(t.address)),
    "e-mail addresses": _swap(t.address, "email", _clear_of(t.address)),
    "notes": _swap(t.sales_order, "note", _clear_of(t.sales_order)),
    "payloads": _swap(t.inbox, "body", inbox.texts),
    "what was sent": _swap(t.intent, "body", bodies.clear),
    "keys": _keys_swap,
}


# ---- a new master key while everybody works --------------------------------------------------


def rotated(trade: Trade, count: int, did: Counter[str]) -> list[str]:
    """Exchange the master key of ``count`` data keys and more, while orders come in and addresses
    are read."""
    former = _ring(trade.store).current
    with trade.store.write() as conn:
        number = conn.scalar(select(t.connection.c.id).limit(1)) or 0
        for start in range(0, count, 1000):
            owners = [(number, "rotation", str(start + n)) for n in range(1000)]
            keys.for_writing(conn, owners)
    trouble: list[str] = []
    done = threading.Event()
    reader = threading.Thread(target=_work_on, args=(trade, done, trouble, did))
    reader.start()
    try:
        fresh = MasterKey.new()
        add_keys(trade.folder, former, fresh)
        changed = rotation.rewrap(trade.store, rest=done.wait)
    finally:
        done.set()
        reader.join()
    did["data keys encrypted anew"] += changed
    if changed < count:
        trouble.append(f"only {changed} data keys were encrypted anew")
    add_keys(trade.folder, fresh)
    trade.store.vault.vault = vault.Vault(
        Keyring([fresh]), trade.store.vault.vault.sealed if trade.store.vault.vault else frozenset()
    )
    with trade.store.read() as conn:
        if keys.count(conn).keys() != {fresh.name}:
            trouble.append("a data key is still encrypted by the former master key")
        try:
            fields.clear(conn, t.address, conn.execute(select(t.address)))
        except VaultProblem as problem:
            trouble.append(f"by the new key: {problem}")
    return trouble


def _work_on(trade: Trade, done: threading.Event, trouble: list[str], did: Counter[str]) -> None:
    """A daemon's work on the store, over a connection of its own."""
    store = Store(trade.store.url.render_as_string(hide_password=False))
    store.vault.vault = vault.Vault(
        Keyring.of_file(trade.folder / "secrets" / "crossdock.keys"),
        trade.store.vault.vault.sealed if trade.store.vault.vault else frozenset(),
    )
    number = 0
    try:
        while not done.wait(_BETWEEN_LOOKS_S):
            with store.write() as conn:
                fields.clear(conn, t.address, conn.execute(select(t.address)))
                keys.for_writing(conn, [(1, "rotation", f"meanwhile {number}")])
            number += 1
    except VaultProblem as problem:
        trouble.append(f"while keys were exchanged: {problem}")
    finally:
        store.close()
        did["looks while keys were exchanged"] += number


def _ring(store: Store) -> Keyring:
    assert store.vault.vault is not None
    return store.vault.vault.keyring


# ---- planted bugs ----------------------------------------------------------------------------


def _noticed(plant: Callable[[], Any], seed: int) -> str | None:
    """What noticed a planted bug: the first thing that did not hold."""
    with plant():
        try:
            with _sealed(_PLANTED_BUYERS, seed, None) as trade:
                found = check(trade, Counter())
        except VaultProblem as problem:
            return f"it could not be read back: {problem}"
    return found[0] if found else None


def _instead(target: object, name: str, other: Any) -> Callable[[], Any]:
    return lambda: mock.patch.object(target, name, other)


def _without(table: Table) -> Any:
    whole = reports.sealed

    def forgetful(key: Any, of: Table, row: Any, **own: Any) -> Any:
        return row if of is table else whole(key, of, row, **own)

    return forgetful


@contextmanager
def _unwrapped_keys() -> Iterator[None]:
    with (
        mock.patch.object(keys, "wrap", lambda _master, _owner, secret: secret),
        mock.patch.object(keys, "unwrap", lambda _ring, row: bytes(row.wrapped)),
    ):
        yield


PLANTED: dict[str, Callable[[], Any]] = {
    "nothing says where it belongs": _instead(cipher, "_bound", lambda _: b""),
    "payloads stay plain": _instead(payloads, "seal", lambda _key, packed, _: packed),
    "notes stay plain": _instead(order_reports, "sealed", _without(t.sales_order)),
    "addresses stay plain": _instead(order_reports, "sealed", _without(t.address)),
    "what is sent stays plain": _instead(bodies, "seal", lambda _key, body, _: body),
    "nobody is encrypted": _instead(vault, "seals", lambda *_: False),
    "a key stands beside what it opens": _unwrapped_keys,
}
