"""What was, or will be, sent: of an intent's body the address and the links are encrypted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row

from state.errors import Tampered
from state.vault import fields, keys
from state.vault.fields import Opened
from state.vault.keys import DataKey

_ADDRESS = "ship_to"
_SEALED = "sealed"
_LINK = "tracking_url"


def seal(key: DataKey, body: Mapping[str, Any], name: str) -> dict[str, Any]:
    """``name``: the intent's key. Of the address the country stays, by which people find it."""

    def address(given: Any) -> Any:
        if not isinstance(given, dict) or _SEALED in given or given.keys() <= {"country"}:
            return given
        text = msgspec.json.encode(given).decode()
        kept = {"country": given.get("country", "")}
        return {**kept, _SEALED: fields.seal(key, text, "intent", _ADDRESS, name)}

    def link(given: Any) -> Any:
        if not isinstance(given, str) or fields.is_sealed(given):
            return given
        return fields.seal(key, given, "intent", _LINK, name)

    changed: dict[str, Any] = _each(body, address, link)
    return changed


def clear(conn: Connection, rows: Sequence[Row[Any]]) -> list[Any]:
    """Intents with their bodies in clear. Raises ``VaultProblem``."""
    texts = [list(sealed_texts(row.body)) for row in rows]
    if not any(texts):
        return list(rows)
    found = keys.by_id(conn, {fields.key_id(text) for told in texts for text in told})
    return [
        Opened(row, {"body": _unsealed(found, row)}) if told else row
        for row, told in zip(rows, texts, strict=True)
    ]


def opens(conn: Connection, row: Row[Any]) -> bool:
    """Whether nothing in the body was exchanged or lost its key; plain ones always do."""
    try:
        clear(conn, [row])
    except Tampered:
        return False
    return True


def without_person(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body as it is kept after an erasure: of its address the country, and no links."""

    def address(given: Any) -> Any:
        return {"country": given.get("country", "")} if isinstance(given, dict) else given

    def link(given: Any) -> Any:
        return "" if isinstance(given, str) else given

    kept: dict[str, Any] = _each(body, address, link)
    return kept


def is_sealed(address: Any) -> bool:
    """Whether an address in a body is encrypted."""
    return isinstance(address, dict) and fields.is_sealed(address.get(_SEALED))


def _unsealed(found: Mapping[int, DataKey], row: Row[Any]) -> Any:
    name = row.idempotency_key

    def address(given: Any) -> Any:
        if not is_sealed(given):
            return given
        return msgspec.json.decode(fields.unseal(found, given[_SEALED], "intent", _ADDRESS, name))

    def link(given: Any) -> Any:
        if not fields.is_sealed(given):
            return given
        return fields.unseal(found, given, "intent", _LINK, name)

    return _each(row.body, address, link)


def sealed_texts(body: Any) -> list[str]:
    """Everything encrypted in a body."""
    found: list[str] = []

    def address(given: Any) -> Any:
        if is_sealed(given):
            found.append(given[_SEALED])
        return given

    def link(given: Any) -> Any:
        if fields.is_sealed(given):
            found.append(given)
        return given

    _each(body, address, link)
    return found


def _each(value: Any, address: Callable[[Any], Any], link: Callable[[Any], Any]) -> Any:
    if isinstance(value, Mapping):
        return {
            key: address(item)
            if key == _ADDRESS
            else link(item)
            if key == _LINK
            else _each(item, address, link)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_each(item, address, link) for item in value]
    return value
