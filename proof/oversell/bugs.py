"""Planted bugs of stock and store that a race must notice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Engine, event, select, update

from proof.planting import Planted
from state import store as stores
from state.errors import OutOfStock
from state.stock import reservations
from state.stock.levels import AVAILABLE, level
from state.store import Store


@dataclass(frozen=True, slots=True)
class Bug:
    """``checks``: whether the tables keep their CHECKs; ``on``: the database it is planted on."""

    planted: Planted
    checks: bool = True
    on: str = "sqlite"

    @contextmanager
    def in_place(self) -> Iterator[None]:
        if not self.checks:
            event.listen(Engine, "connect", _without_checks)
        try:
            with self.planted.in_place():
                yield
        finally:
            if not self.checks:
                event.remove(Engine, "connect", _without_checks)


def _without_checks(dbapi: Any, _record: Any) -> None:
    dbapi.execute("PRAGMA ignore_check_constraints = ON")


def _take_anyhow(conn: Connection, sku_id: int, location_id: int, qty: Decimal) -> bool:
    mine = (level.c.sku_id == sku_id, level.c.location_id == location_id)
    raised = update(level).where(*mine).values(reserved=level.c.reserved + qty)
    return conn.execute(raised).rowcount > 0


def _look_then_take(conn: Connection, sku_id: int, location_id: int, qty: Decimal) -> bool:
    """What was seen is written back, and what another took meanwhile is forgotten. Before the
    transaction where somebody looked there: SQLite lets only one write at a time."""
    mine = (level.c.sku_id == sku_id, level.c.location_id == location_id)
    look = select(AVAILABLE.label("available"), level.c.reserved).where(*mine)
    seen = getattr(_looked, "levels", {}).get((sku_id, location_id)) or conn.execute(look).one()
    if qty > seen.available:
        return False
    conn.execute(update(level).where(*mine).values(reserved=seen.reserved + qty))
    return True


_looked = threading.local()
_transact = Store.transact


def _look_first(store: Store, work: Callable[[Connection], Any]) -> Any:
    with store.read() as conn:
        rows = conn.execute(
            select(
                level.c.sku_id, level.c.location_id, level.c.reserved, AVAILABLE.label("available")
            )
        )
        _looked.levels = {(row.sku_id, row.location_id): row for row in rows}
    try:
        return _transact(store, work)
    finally:
        _looked.levels = {}


def _keep_the_half(store: Store, work: Callable[[Connection], Any]) -> Any:
    """What an order had before it was refused stays with it."""

    def worked(conn: Connection) -> Any:
        try:
            return work(conn)
        except OutOfStock as error:
            return error

    done = _transact(store, worked)
    if isinstance(done, OutOfStock):
        raise done
    return done


def _remember_refusals() -> Callable[..., bool]:
    """Sold out once is sold out for ever: nobody hears that an order was given back."""
    gone: set[tuple[int, int]] = set()
    raise_reserved = reservations._raise_reserved

    def remembering(conn: Connection, sku_id: int, location_id: int, qty: Decimal) -> bool:
        if qty > 0 and (sku_id, location_id) in gone:
            return False
        raised = raise_reserved(conn, sku_id, location_id, qty)
        if not raised:
            gone.add((sku_id, location_id))
        return raised

    return remembering


def _never(_error: BaseException) -> bool:
    return False


def bugs() -> list[Bug]:
    """New ones: one of them remembers."""
    taking = "_raise_reserved"
    return [
        Bug(Planted("taken without a look", [(reservations, taking, _take_anyhow)])),
        Bug(
            Planted("taken without a look, and no CHECK", [(reservations, taking, _take_anyhow)]),
            checks=False,
        ),
        Bug(
            Planted(
                "looked, then taken",
                [(reservations, taking, _look_then_take), (Store, "transact", _look_first)],
            )
        ),
        Bug(
            Planted("looked, then taken", [(reservations, taking, _look_then_take)]),
            on="postgresql",
        ),
        Bug(Planted("half an order is kept", [(Store, "transact", _keep_the_half)])),
        Bug(Planted("a refusal is remembered", [(reservations, taking, _remember_refusals())])),
        Bug(
            Planted("a deadlock is the caller's", [(stores, "was_given_up", _never)]),
            on="postgresql",
        ),
    ]
