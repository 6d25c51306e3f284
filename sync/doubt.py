"""Which work may not move yet, since the store came out of a backup and nobody was asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row

from state import restorations


def not_in_doubt(conn: Connection, work: Sequence[Row[Any]]) -> list[int]:
    """Ids of the fulfilment orders whose orders others were asked about, where that is needed."""
    doubtful = _unchecked(conn, [row.order_id for row in work])
    return [row.id for row in work if row.order_id not in doubtful]


def known_well(conn: Connection, order_ids: Sequence[int]) -> list[int]:
    """Those of the orders that may be planned: others were asked about them, or need not be."""
    doubtful = _unchecked(conn, order_ids)
    return [order_id for order_id in order_ids if order_id not in doubtful]


def not_about_doubtful(conn: Connection, rows: Sequence[Row[Any]]) -> list[Row[Any]]:
    """Intents without those whose order others have still to be asked about."""
    if not rows:
        return []
    about = restorations.orders_of_intents(conn, rows)
    doubtful = _unchecked(conn, about.values())
    return [row for row in rows if about.get(row.id) not in doubtful]


def _unchecked(conn: Connection, order_ids: Iterable[int]) -> set[int]:
    since = restorations.latest(conn)
    return set() if since is None else set(restorations.unchecked(conn, since, set(order_ids)))
