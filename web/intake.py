"""The way of a webhook: proven on its raw bytes, kept, committed, answered, and only then acted on.

A webhook is a hint. All it does is to have a stream read earlier than its next interval, in the
same path that polling takes: what it says of the record is never believed, so one that is late,
out of order, repeated or replayed can do nothing to what we know. One that is lost is healed by the
next interval.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import structlog

from connectors.base import Clock, Delivery, Hook
from connectors.errors import HookRefused
from state import hook_events, streams
from state.store import Store
from sync import outcomes
from web.endpoints import Endpoint
from web.tally import Tally

log = structlog.get_logger()

RETRY_AFTER_S = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """``status`` is 200 only after the event is safe on the disk."""

    status: int
    text: str


ACCEPTED = Answer(200, "accepted")
KNOWN = Answer(200, "known")
PING = Answer(200, "here")
REFUSED = Answer(401, "refused")
CLOSED = Answer(404, "no such address")
LATER = Answer(503, "later")


def nobody(_: Collection[str]) -> None:
    """Where no engine listens: the daemon's next tick finds what is wanted."""


class Intake:
    """Takes webhooks for ``endpoints``, by name. Any number of threads may receive.

    ``store`` should give up soon: a vendor's webhook does not wait for a long lock. ``hint`` is
    told of the streams that are wanted now.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        endpoints: Mapping[str, Endpoint],
        hint: Callable[[Collection[str]], None] = nobody,
    ) -> None:
        self._store = store
        self._clock = clock
        self._endpoints = endpoints
        self._hint = hint
        self._tally = Tally(store, clock.now())
        # SQLite has whoever finds it locked look again after ever longer sleeps: our own threads
        # wait for one another here instead.
        self._turn: AbstractContextManager[object] = (
            threading.Lock() if store.is_sqlite else nullcontext()
        )

    def is_open(self, name: str) -> bool:
        endpoint = self._endpoints.get(name)
        return endpoint is not None and endpoint.is_open

    def receive(self, name: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Take one webhook in. ``headers`` have names in lower case."""
        endpoint = self._endpoints.get(name)
        if endpoint is None or not endpoint.is_open:
            return CLOSED
        delivery = Delivery(headers, body)
        try:
            hook = endpoint.connector.read_hook(delivery, self._clock.now())
        except HookRefused as refused:
            self._tally.note(endpoint, refused.reason, self._clock.now())
            return REFUSED
        return PING if hook is None else self._keep(endpoint, delivery, hook)

    def close(self) -> None:
        """Write down what was counted."""
        self._tally.write(self._clock.now())

    def _keep(self, endpoint: Endpoint, delivery: Delivery, hook: Hook) -> Answer:
        wanted = endpoint.nudged_by(hook)
        kept: list[bool] = []
        verdict = outcomes.attempt(lambda: kept.append(self._add(endpoint, delivery, hook, wanted)))
        if verdict is not None:
            self._tally.note(endpoint, "later", self._clock.now())
            log.error("webhook not kept", connection=endpoint.name, error=verdict.message)
            return LATER
        if not kept[0]:
            self._tally.note(endpoint, "repeated", self._clock.now())
            return KNOWN
        self._hint(wanted)
        return ACCEPTED

    def _add(
        self, endpoint: Endpoint, delivery: Delivery, hook: Hook, wanted: Collection[str]
    ) -> bool:
        """Event and want in one transaction: neither is there without the other."""
        with self._store.read() as conn:
            # Whoever sends the same over and over must not take the lock that others wait for.
            if hook_events.is_known(conn, endpoint.connection_id, hook.event_id):
                return False
        now = self._clock.now()
        with self._turn, self._store.write() as conn:
            new = hook_events.add(
                conn,
                connection_id=endpoint.connection_id,
                event_id=hook.event_id,
                topic=hook.topic,
                external_id=hook.external_id,
                version=hook.version,
                headers=endpoint.worth_keeping(delivery.headers),
                sha256=hashlib.sha256(delivery.body).digest(),
                size=len(delivery.body),
                nudged=bool(wanted),
                received_at=now,
            )
            if new:
                for key in wanted:
                    streams.request(conn, key, now)
        return new
