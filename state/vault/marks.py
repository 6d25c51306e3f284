"""E-mail addresses that are encrypted are found by a keyed hash of them.

Whoever has only the store cannot tell whose it is, and sees which orders are of the same buyer.
"""

from __future__ import annotations

import hmac

from sqlalchemy import Connection

from state import vault
from state.vault import keys
from state.vault.keys import DataKey

_OWNER = (0, "email", "")
"""Its key is encrypted as the others are, so a new master key leaves the marks as they are."""


def key(conn: Connection) -> DataKey:
    """What marks are made with, made where there is none."""
    return keys.for_writing(conn, [_OWNER])[_OWNER]


def mark(by: DataKey, email: str) -> str:
    """Of the address however it is capitalised; empty for none."""
    if not email:
        return ""
    return hmac.digest(by.secret, email.strip().lower().encode(), "sha256").hex()[:32]


def known_mark(conn: Connection, email: str) -> str:
    """The same where one can have been written, else empty: writes nothing."""
    if not email or vault.of(conn) is None:
        return ""
    by = keys.for_reading(conn, _OWNER)
    return mark(by, email) if by else ""
