"""Encrypting a channel's reports of orders on their way into the store."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, Table

from state import vault
from state.vault import keys, marks
from state.vault.fields import sealed_values
from state.vault.keys import DataKey, Owner

_Struct = TypeVar("_Struct", bound=msgspec.Struct)


class Sealer:
    """Hands out the keys of orders; of those that stay plain it costs a look at their channel."""

    def __init__(self, conn: Connection, coming: Iterable[Owner] = ()) -> None:
        """``coming``: records whose keys will be asked for, to be read together."""
        self._conn = conn
        found = vault.of(conn)
        self._sealed = found.sealed if found else frozenset[int]()
        wanted = [owner for owner in coming if owner[0] in self._sealed] if found else []
        self._keys = keys.for_writing(conn, wanted)
        self._marks: DataKey | None = None

    def key_of(self, order: Any) -> DataKey | None:
        """``order``: has connection_id and channel_order_id. Null: it is not to be encrypted."""
        if order.connection_id not in self._sealed:
            return None
        owner = keys.of_order(order.connection_id, order.channel_order_id)
        if owner not in self._keys:
            self._keys |= keys.for_writing(self._conn, [owner])
        return self._keys[owner]

    def mark(self, address: Any) -> str:
        """By what the address is found when its e-mail is encrypted."""
        if self._marks is None:
            self._marks = marks.key(self._conn)
        return marks.mark(self._marks, address.email)


def sealed(key: DataKey, table: Table, row: _Struct, **own: Any) -> _Struct:
    """The same with what is to be encrypted; ``own``: the columns that it does not have itself."""
    values = {**msgspec.structs.asdict(row), **own}
    return msgspec.structs.replace(row, **sealed_values(key, table, values))
