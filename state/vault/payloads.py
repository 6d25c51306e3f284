"""Payloads of the inbox: compressed, then encrypted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row

from state.vault import keys
from state.vault.keys import DataKey

MAGIC = b"\x00CDV1"
"""What an encrypted payload begins with, then 8 bytes of its key's id; a plain one begins as every
zstd frame does."""

_HEAD = len(MAGIC) + 8


def is_sealed(body: bytes) -> bool:
    return body.startswith(MAGIC)


def seal(key: DataKey, packed: bytes, sha256: bytes) -> bytes:
    """``sha256``: of the payload as it came, to which it is bound."""
    if not packed:
        return packed
    sealed = key.seal(packed, "inbox", "body", sha256.hex())
    return MAGIC + key.id.to_bytes(8, "big") + sealed


def clear(conn: Connection, rows: Sequence[Row[Any]]) -> list[bytes]:
    """The packed payloads of inbox rows, each with body and sha256. Raises ``VaultProblem``."""
    bodies = [bytes(row.body) for row in rows]
    wanted = {_key_id(body) for body in bodies if is_sealed(body)}
    if not wanted:
        return bodies
    found = keys.by_id(conn, wanted)
    return [
        keys.need(found, _key_id(body), "a payload").unseal(
            body[_HEAD:], "inbox", "body", bytes(row.sha256).hex()
        )
        if is_sealed(body)
        else body
        for row, body in zip(rows, bodies, strict=True)
    ]


def _key_id(body: bytes) -> int:
    return int.from_bytes(body[len(MAGIC) : _HEAD], "big")
