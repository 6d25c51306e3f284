"""A new master key: every data key encrypted anew by it, a few at a time, while others work."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import bindparam, select, update

from state import tables as t
from state import vault
from state.store import Store
from state.vault import keys

AT_ONCE = 500
"""Keys of one transaction: nobody waits for longer than these take."""

REST_S = 0.05
"""Between two of them: SQLite gives its lock to whoever asks first, and others look again only
after some milliseconds."""


def rewrap(
    store: Store, *, rest: Callable[[float], object], told: Callable[[int], None] = lambda _: None
) -> int:
    """Encrypt every data key by the current master key; returns how many were changed.

    ``rest`` waits for so many seconds. What they encrypt stays as it is. Whoever is interrupted
    begins again, and has that much less to do. Raises ``VaultProblem`` when a former master key
    is not there.
    """
    changed = 0
    while done := _batch(store):
        changed += done
        told(changed)
        rest(REST_S)
    return changed


def _batch(store: Store) -> int:
    key = t.data_key
    with store.write() as conn:
        ring = vault.keyring(conn)
        master = ring.current
        query = (
            select(key)
            .where(key.c.master != master.name)
            .order_by(key.c.id)
            .limit(AT_ONCE)
            .with_for_update()
        )
        rows = conn.execute(query).all()
        if not rows:
            return 0
        wrapped = [
            {
                "of": row.id,
                "by": master.name,
                "outcome": keys.wrap(master, keys.owner_of(row), keys.unwrap(ring, row)),
            }
            for row in rows
        ]
        conn.execute(
            update(key)
            .where(key.c.id == bindparam("of"))
            .values(master=bindparam("by"), wrapped=bindparam("outcome")),
            wrapped,
        )
    return len(rows)
