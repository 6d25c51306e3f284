"""A hub's store with one shop, three locations and a carrier.

* ``berlin`` is ours, and buys labels; what stands there is what we believe.
* ``nina`` is a 3PL whose stock we keep; ``bob`` is one that counts for itself.
"""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import event, insert

from mappings import Definitions
from state import tables as t
from state.store import Store
from tests.sync.conftest import T0
from tests.sync.machine.outside import SKUS, WEIGHT_G

PLACES = ("berlin", "nina", "bob")
OURS = ("berlin", "nina")
DEPOTS = ("nina", "bob")
STEP = timedelta(seconds=61, microseconds=7)
"""Between two things that happen; never on a round second, which would mean "some time then"."""

RELEASE_AFTER_S = 120.0

LINKS = (("shop", "channel"), ("bob", "fulfilment"), ("nina", "fulfilment"), ("labels", "carrier"))
_PLACES = (
    ("berlin", "labels", "hub", "DE", "10115"),
    ("nina", "nina", "hub", "US", "07001"),
    ("bob", "bob", "external", "US", "90001"),
)


def furnish(store: Store) -> None:
    """Connections, locations, SKUs and listings, numbered in the order in which they stand here."""
    with store.write() as conn:
        for number, (name, kind) in enumerate(LINKS, start=1):
            conn.execute(insert(t.connection).values(id=number, name=name, kind=kind))
        names = [name for name, _ in LINKS]
        for number, (code, taker, authority, country, postcode) in enumerate(_PLACES, start=1):
            conn.execute(
                insert(t.location).values(
                    id=number, code=code, kind="warehouse", authority=authority, active=True,
                    connection_id=names.index(taker) + 1, country=country, postcode=postcode,
                )
            )  # fmt: skip
            conn.execute(
                insert(t.channel_location).values(connection_id=1, location_id=number, rank=number)
            )
        for number, sku in enumerate(SKUS, start=1):
            conn.execute(
                insert(t.sku).values(id=number, code=sku, weight_g=WEIGHT_G[sku], active=True)
            )
            conn.execute(
                insert(t.channel_listing).values(
                    id=number, connection_id=1, external_variant_id=sku, external_sku=sku,
                    sku_id=number, match_state="matched", fulfilment_flag="merchant",
                    status="live", qty_managed_by="hub", last_seen_at=T0,
                )
            )  # fmt: skip


@cache
def furnished() -> bytes:
    """A SQLite file as ``furnish`` leaves it."""
    with TemporaryDirectory(prefix="crossdock-machine-") as folder:
        store = Store(f"sqlite:///{folder}/store.db")
        with store.write() as conn:
            t.metadata.create_all(conn)
        furnish(store)
        store.close()
        return (Path(folder) / "store.db").read_bytes()


_IDLE: list[Store] = []
"""Stores to be used again: an engine remembers how it has compiled its statements."""


@contextmanager
def on_sqlite() -> Iterator[Store]:
    """An empty furnished store."""
    store = _IDLE.pop() if _IDLE else _sqlite_store()
    path = Path(store.url.database or "")
    path.write_bytes(furnished())
    try:
        yield store
    finally:
        # The last connection to close takes the -wal file with it.
        store.close()
        _IDLE.append(store)


def _sqlite_store() -> Store:
    folder = TemporaryDirectory(prefix="crossdock-machine-")
    atexit.register(folder.cleanup)
    store = Store(f"sqlite:///{folder.name}/store.db")
    event.listen(store.engine, "connect", _hurry)
    return store


def _hurry(dbapi: Any, _record: Any) -> None:
    """A store that lives for one example may lose its data in a power cut."""
    dbapi.execute("PRAGMA synchronous = OFF")


@cache
def definitions() -> Definitions:
    return Definitions.load()
