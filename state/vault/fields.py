"""Encrypted columns of rows, told by their text; reading them back, whichever they are.

A text begins with U+0002 and tells the key. No text of a channel begins so: mapping refuses it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Table

from mappings.storable import SEAL
from state import tables as t
from state.errors import Tampered
from state.personal.places import ADDRESS
from state.vault import keys
from state.vault.keys import DataKey

_TOKEN = re.compile(rf"{SEAL}1:(\d{{1,18}}):([A-Za-z0-9+/]+=*)")

COLUMNS: Mapping[Table, tuple[str, ...]] = {
    t.address: ADDRESS,
    t.sales_order: ("note",),
    t.refund: ("reason",),
    t.package: ("label_url", "tracking_url"),
}
"""What is encrypted, and beside it ``t.inbox.body`` and parts of ``t.intent.body``."""

_NAMED_BY: Mapping[Table, str] = {
    t.address: "id",
    t.sales_order: "channel_order_id",
    t.refund: "external_id",
    t.package: "package_reference",
}
"""What tells a row from the others; its encrypted columns are bound to it."""


class Opened:
    """A row with its encrypted columns in clear. ``stored``: the row as the store has it."""

    __slots__ = ("_mapping", "stored")

    def __init__(self, stored: Row[Any], clear: Mapping[str, Any]) -> None:
        self.stored = stored
        self._mapping = {**stored._mapping, **clear}

    def __getattr__(self, name: str) -> Any:
        try:
            return self._mapping[name]
        except KeyError:
            raise AttributeError(name) from None


def is_sealed(text: Any) -> bool:
    return isinstance(text, str) and text[:1] == SEAL and _TOKEN.fullmatch(text) is not None


def seal(key: DataKey, text: str, *belongs_to: str) -> str:
    """An empty text stays as it is: that somebody has no phone is no secret."""
    if not text:
        return text
    sealed = key.seal(text.encode(), *belongs_to)
    return f"{SEAL}1:{key.id}:{base64.b64encode(sealed).decode()}"


def key_id(text: str) -> int:
    found = _TOKEN.fullmatch(text)
    assert found is not None
    return int(found[1])


def unseal(found: Mapping[int, DataKey], text: str, *belongs_to: str) -> str:
    """Raises ``Tampered``."""
    parts = _TOKEN.fullmatch(text)
    assert parts is not None
    key = keys.need(dict(found), int(parts[1]), " ".join(belongs_to))
    try:
        sealed = base64.b64decode(parts[2])
    except ValueError:
        raise Tampered(f"what is encrypted in {' '.join(belongs_to)} was changed") from None
    return key.unseal(sealed, *belongs_to).decode()


def sealed_values(key: DataKey, table: Table, row: Mapping[str, Any]) -> dict[str, str]:
    """The columns of a row (all of it by name) that are to be encrypted and are not yet."""
    name = str(row[_NAMED_BY[table]])
    return {
        column: seal(key, row[column], str(table.name), column, name)
        for column in COLUMNS[table]
        if row.get(column) and not is_sealed(row[column])
    }


def clear(conn: Connection, table: Table, rows: Iterable[Row[Any]]) -> list[Any]:
    """The same rows, what is encrypted of them in clear. Plain rows cost a look at each text.

    Each row has the column that tells it from the others. Raises ``VaultProblem``.
    """
    given = list(rows)
    if not given:
        return []
    held = [name for name in COLUMNS[table] if name in given[0]._mapping]
    sealed = [_sealed_columns(row, held) for row in given]
    if not any(sealed):
        return given
    found = keys.by_id(conn, {key_id(text) for row in sealed for text in row.values()})
    return [
        _opened(found, table, row, columns) if columns else row
        for row, columns in zip(given, sealed, strict=True)
    ]


def _sealed_columns(row: Row[Any], names: Sequence[str]) -> dict[str, str]:
    told = row._mapping
    return {name: told[name] for name in names if is_sealed(told[name])}


def _opened(
    found: Mapping[int, DataKey], table: Table, row: Row[Any], columns: Mapping[str, str]
) -> Opened:
    name = str(row._mapping[_NAMED_BY[table]])
    return Opened(
        row,
        {
            column: unseal(found, text, str(table.name), column, name)
            for column, text in columns.items()
        },
    )
