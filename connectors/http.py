"""The one door to the network: limits, timeouts, retries, redaction, and one error per outcome.

What is repeated here is only what certainly did nothing: a call that was never sent or answered
429, and reads. A write whose reply was lost, late, unreadable or 5xx raises ``Ambiguous`` and is
the engine's to resolve, unless the caller says that it sets absolute values (``idempotent``).
"""

from __future__ import annotations

import random
import ssl
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import httpx
import msgspec
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from connectors import clock as real_time
from connectors.addresses import BaseUrl, Params, require_document_host, segment
from connectors.base import Clock, Rate
from connectors.breaker import Breaker, NoBreaker, Passage, passing
from connectors.deadline import TooLate
from connectors.egress import is_literal
from connectors.errors import RateLimited, Retryable, Unreachable, VendorDown
from connectors.judgement import Judge
from connectors.replies import Reply, http_date, retry_after_s
from connectors.wire import Answer, Ask, Bounds, Failure, Wire

__all__ = ["ApiClient", "Bounds", "Call", "Door", "Limiter", "Renewable", "Reply", "segment"]

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_POLITE = Rate(per_second=5, burst=10)
"""For operations a connector declares no limit for."""


class Limiter(Protocol):
    """Rate limits shared by all threads and processes, and kept across restarts."""

    def wait_s(self, key: str, rate: Rate, patience_s: float) -> float:
        """Take one token and return the seconds to wait before the call may be made.

        When that is more than ``patience_s`` nothing is taken: the caller gives up, and a token
        it never uses would push every later call further away.
        """
        ...

    def block(self, key: str, seconds: float) -> None:
        """The vendor said stop: nobody calls before ``seconds`` have passed, burst or not."""
        ...


@runtime_checkable
class Renewable(Protocol):
    """Credentials that expire: an ``httpx.Auth`` that can fetch itself a new token."""

    def renew(self, request: httpx.Request) -> bool:
        """Replace the token ``request`` was refused with; false when that cannot help."""
        ...


@dataclass(frozen=True, slots=True)
class Call:
    """One request that left us. ``status`` is 0 when no reply came; ``seconds`` are real ones."""

    connection: str
    op: str
    status: int
    seconds: float


def _ignore(_: Call) -> None:
    """The listener of a door nobody listens at."""


@dataclass(frozen=True, slots=True)
class Door:
    """What a connection needs to reach the network; built once per connection."""

    connection: str
    clock: Clock
    limiter: Limiter
    transport: httpx.BaseTransport | None = None
    """Null: the real network. Never closed here."""
    on_call: Callable[[Call], None] = _ignore
    bounds: Bounds = field(default_factory=Bounds)
    private_hosts: Collection[str] = ()
    """Names of ops' own network: elsewhere a name must have a public address. What a base URL
    spells as an address, or ``localhost``, ops have named already."""
    tls: ssl.SSLContext | None = None
    """Whose certificates are believed; null: those of the public authorities."""
    stopwatch: Callable[[], float] = real_time.stopwatch
    dice: random.Random = field(default_factory=random.Random)
    """Jitter; a seeded one makes a run repeatable."""
    breaker: Breaker = field(default_factory=NoBreaker)
    """Keeps from asking a vendor that is down."""

    def client(
        self,
        base_url: str,
        *,
        auth: httpx.Auth | None = None,
        limits: Mapping[str, Rate],
        headers: Mapping[str, str] | None = None,
        secrets: Sequence[str] = (),
        document_hosts: Sequence[str] = (),
        on_the_way: bool = False,
    ) -> ApiClient:
        """A client bound to ``base_url``.

        ``limits`` is keyed by operation, ``*`` being one bucket shared by all others.
        ``secrets`` never show in a message; values of headers and of auth need not be named.
        ``document_hosts``: further hosts, with their subdomains, for ``download`` and ``upload``.
        ``on_the_way``: it asks for what calls of another client need, so it is that one's breaker
        that lets it through; its answers say nothing about the vendor's API.
        """
        base = BaseUrl(base_url, insecure_allowed=self.transport is not None)
        trusted = {*self.private_hosts, *([base.host] if is_literal(base.host) else [])}
        wire = Wire(
            self.transport, auth, headers or {}, self.bounds, self.stopwatch, trusted, self.tls
        )
        judge = Judge(self.connection, self.clock, tuple(secrets))
        breaker = NoBreaker() if on_the_way else self.breaker
        return ApiClient(self, base, wire, judge, auth, limits, document_hosts, breaker)


class ApiClient:
    """Requests to one vendor account. Safe to share between threads."""

    def __init__(
        self,
        door: Door,
        base: BaseUrl,
        wire: Wire,
        judge: Judge,
        auth: httpx.Auth | None,
        limits: Mapping[str, Rate],
        document_hosts: Sequence[str],
        breaker: Breaker,
    ) -> None:
        self.last_skew_s: float | None = None
        """The vendor's clock minus ours at the last reply; its ``Date`` has whole seconds."""
        self._door = door
        self._base = base
        self._wire = wire
        self._judge = judge
        self._auth = auth
        self._limits = limits
        self._document_hosts = document_hosts
        self._breaker = breaker
        self._silent: set[str] = set()
        """Operations that gave no usable answer the last time, for all the attempts."""

    def __repr__(self) -> str:
        return f"ApiClient({self._door.connection!r}, {self._base.host!r})"

    def close(self) -> None:
        self._wire.close()

    def get(self, path: str, *, op: str, **more: Any) -> Reply:
        return self.request("GET", path, op=op, **more)

    def post(self, path: str, *, op: str, **more: Any) -> Reply:
        return self.request("POST", path, op=op, **more)

    def put(self, path: str, *, op: str, **more: Any) -> Reply:
        return self.request("PUT", path, op=op, **more)

    def patch(self, path: str, *, op: str, **more: Any) -> Reply:
        return self.request("PATCH", path, op=op, **more)

    def delete(self, path: str, *, op: str, **more: Any) -> Reply:
        return self.request("DELETE", path, op=op, **more)

    def request(
        self,
        method: str,
        path: str,
        *,
        op: str,
        params: Params | None = None,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        idempotent: bool = False,
        shape: Any = Any,
    ) -> Reply:
        """Call ``path`` below the base URL; ``op`` names the operation for limits and counts.

        Values from records enter ``path`` through ``segment``; a null parameter is left out.
        ``json`` may hold ``Decimal`` (a JSON number) and ``datetime`` (RFC 3339).
        ``idempotent``: the write sets absolute values, so it is repeated like a read.
        ``shape``: the type that the reply is decoded as; a listing whose records are
        ``msgspec.Raw`` is only cut into their texts.
        Raises an error of ``connectors.errors``, each with a sentence for the operator.
        """
        given = dict(headers or {})
        if json is not None:
            content = _ENCODER.encode(json)
            given["Content-Type"] = "application/json"
        harmless = idempotent or method in ("GET", "HEAD")
        url = self._base.join(path, params)
        return self._call(Ask(method, url, op, harmless, content, given, shape=shape))

    def download(self, url: str, *, op: str) -> Reply:
        """Fetch a document the vendor points to (presigned), without our credentials."""
        target = require_document_host(url, self._base, self._document_hosts)
        return self._call(Ask("GET", target, op, harmless=True, foreign=True))

    def upload(self, url: str, content: bytes, content_type: str, *, op: str) -> Reply:
        """Put a document where the vendor wants it. Absolute, so it is repeated like a read."""
        target = require_document_host(url, self._base, self._document_hosts)
        headers = {"Content-Type": content_type}
        return self._call(Ask("PUT", target, op, True, content, headers, foreign=True))

    def _call(self, ask: Ask) -> Reply:
        """Repeat what is worth it. Of a vendor that is down one attempt a run finds out enough:
        four for each would meet it with a multiple of the load that it broke down under."""
        try:
            reply = self._repeated(ask, 1 if ask.op in self._silent else self._door.bounds.attempts)
        except Unreachable:
            self._silent.add(ask.op)
            raise
        self._silent.discard(ask.op)
        return reply

    def _repeated(self, ask: Ask, attempts: int) -> Reply:
        met: list[Retryable] = []

        def attempt() -> Reply:
            try:
                return self._attempt(ask)
            except VendorDown:
                if met:
                    # It was tried before others found out: what that met is what is told.
                    raise met[-1] from None
                raise
            except Retryable as trouble:
                met.append(trouble)
                raise

        retrying = Retrying(
            stop=stop_after_attempt(attempts),
            retry=retry_if_exception(self._worth_repeating),
            wait=self._pause_s,
            sleep=self._door.clock.sleep,
            reraise=True,
        )
        return retrying(attempt)

    def _worth_repeating(self, error: BaseException) -> bool:
        # The kind of error already says that a repeat is harmless; only the wait is in question.
        if not isinstance(error, Retryable) or isinstance(error, TooLate | VendorDown):
            return False
        wait = error.retry_after or 0.0
        return wait <= self._door.bounds.max_wait_s and not self._is_down()

    def _is_down(self) -> bool:
        return self._breaker.is_open(self._door.connection)

    def _pause_s(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, Retryable) else None
        if asked is not None:
            return asked * self._door.dice.uniform(1.0, 1.1)
        return self._door.dice.uniform(0.1, min(0.5 * 2.0**state.attempt_number, 8.0))

    def _attempt(self, ask: Ask) -> Reply:
        key, rate, answer = self._admitted(ask)
        if self._renewed(ask, answer):
            # Certainly not done, and no sign that they are down: the same attempt goes on.
            key, rate, answer = self._admitted(ask)
            if self._renewed(ask, answer):
                raise self._judge.renewed(ask, answer)
        # One token's refill: after that a token bucket has one again.
        refill_s = min(max(1 / rate.per_second, 1.0), 300.0)
        try:
            return self._judge.reply(ask, answer, refill_s)
        except RateLimited as stop:
            self._door.limiter.block(key, stop.retry_after or 0.0)
            raise

    def _admitted(self, ask: Ask) -> tuple[str, Rate, Answer]:
        """The answer, and the limit that the call went by."""
        with passing(NoBreaker() if ask.foreign else self._breaker, self._door.connection) as way:
            key, rate = self._take_token(ask)
            answer = self._exchange(ask, way)
        if not ask.foreign:
            self._note_skew(answer.headers)
        return key, rate, answer

    def _take_token(self, ask: Ask) -> tuple[str, Rate]:
        name = ask.op if ask.op in self._limits else "*"
        key, rate = f"{self._door.connection}/{name}", self._limits.get(name, _POLITE)
        patience = self._door.bounds.max_wait_s
        wait = self._door.limiter.wait_s(key, rate, patience)
        if wait > patience:
            raise self._judge.limited(ask, wait)
        if wait > 0:
            self._door.clock.sleep(wait)
        return key, rate

    def _exchange(self, ask: Ask, passage: Passage) -> Answer:
        started, status = self._door.stopwatch(), 0
        try:
            answer = self._wire.exchange(ask)
            status = answer.status
            now = self._door.clock.now()
            passage.met(status, retry_after_s(answer.headers, now) if status >= 500 else None)
        except Failure as failure:
            status = failure.status
            # A body that breaks off after its head says neither that they are well nor down.
            if status == 0 or status >= 500:
                passage.met(status)
            raise self._judge.failure(ask, failure) from None
        except Unreachable:
            # Of the token that the call needs: without one their API is as good as down.
            passage.met(0)
            raise
        finally:
            seconds = self._door.stopwatch() - started
            self._door.on_call(Call(self._door.connection, ask.op, status, seconds))
        return answer

    def _renewed(self, ask: Ask, answer: Answer) -> bool:
        """Was the access token refused, and is there another one now?"""
        refused = answer.status in (401, 403) and not ask.foreign
        return refused and isinstance(self._auth, Renewable) and self._auth.renew(answer.request)

    def _note_skew(self, headers: httpx.Headers) -> None:
        date = http_date(headers.get("date", ""))
        if date is not None:
            self.last_skew_s = (date - self._door.clock.now()).total_seconds()
