"""The points at which something can come between: every commit, and every send."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import httpx
from sqlalchemy import Connection, event

from proof.world.database import share_what_is_compiled
from state.store import Store

Point = Literal["before commit", "within commit", "after commit", "before send", "after send"]
Gate = Callable[[Point, str], None]
"""Told the point, and which call is sent; at a commit whether it ``CHANGED`` what invariants are
about. What it raises happens there."""

CHANGED = "with changes"


_CHANGES = tuple(
    f"{verb} {table}"
    for verb in ("INSERT INTO", "UPDATE")
    for table in ("intent", "inventory_level", "sales_order")
)
_CURSOR = re.compile("UPDATE stream SET .*cursor=")
"""Streams are also touched by whoever looks whether there is work: only reading counts."""


class GatedStore(Store):
    """A store whose every durable transaction passes the gate.

    Hasty ones (tokens of the rate limits) are one statement each and decide nothing by
    themselves: they only make the simulation longer.
    """

    def __init__(self, url: str, gate: Gate) -> None:
        super().__init__(url)
        share_what_is_compiled(self)
        self.touched = False
        """Whether the transaction under way wrote anything that the invariants are about."""
        self._gate = gate
        event.listen(self.engine, "before_cursor_execute", self._look)
        if self.is_sqlite:
            event.listen(self.engine, "connect", _no_waiting_for_the_disk)

    def _look(self, _conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        changes = statement.startswith(_CHANGES) or _CURSOR.match(statement) is not None
        self.touched = self.touched or changes

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Connection]:
        if not durable:
            with super().write(durable=False) as conn:
                yield conn
            return
        self._gate("before commit", "")
        self.touched = False
        with super().write() as conn:
            yield conn
            self._gate("within commit", "")
        self._gate("after commit", CHANGED if self.touched else "")


def _no_waiting_for_the_disk(dbapi: Any, _record: Any) -> None:
    # Nobody cuts the power here; each commit would wait several milliseconds for it.
    dbapi.execute("PRAGMA synchronous = OFF").close()


class GatedTransport(httpx.BaseTransport):
    """A network whose every request passes the gate, on its way there and back."""

    def __init__(self, network: httpx.BaseTransport, gate: Gate) -> None:
        self._network = network
        self._gate = gate

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        call = f"{request.method} {request.url.path}"
        self._gate("before send", call)
        response = self._network.handle_request(request)
        self._gate("after send", call)
        return response
