"""Questions asked for every order are answered by an index, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, event

from state import fulfilment, hook_events, orders
from state.store import Store

NOW = datetime(2026, 11, 2, tzinfo=UTC)


def plan_of(store: Store, ask: Callable[[Connection], Any]) -> str:
    """How the database would answer the last statement of ``ask``, however few rows there are."""
    asked: list[tuple[str, Any]] = []

    def keep(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    with store.read() as conn:
        event.listen(conn, "before_cursor_execute", keep)
        ask(conn)
        event.remove(conn, "before_cursor_execute", keep)
        statement, parameters = asked[-1]
        explain = "EXPLAIN QUERY PLAN "
        if not store.is_sqlite:
            explain = "EXPLAIN "
            conn.exec_driver_sql("SET LOCAL enable_seqscan = off")
        rows = conn.exec_driver_sql(explain + statement, parameters).all()
    return "\n".join(str(row[-1]) for row in rows)


@pytest.mark.parametrize(
    ("ask", "indexes"),
    [
        (
            lambda conn: orders.earlier_of(conn, "Ada@Example.org", NOW),
            ["ix_address_email", "ix_sales_order_buyer"],
        ),
        (
            lambda conn: fulfilment.given_since(conn, {1: NOW, 2: NOW}),
            ["ix_fulfilment_order_given"],
        ),
        (lambda conn: hook_events.last_nudge(conn, 1, NOW), ["ix_hook_event_received_at"]),
    ],
    ids=["earlier orders", "a day's load", "the last webhook"],
)
def test_an_index_finds_it(
    store: Store, ask: Callable[[Connection], Any], indexes: list[str]
) -> None:
    plan = plan_of(store, ask)
    assert [name for name in indexes if name not in plan] == [], plan
