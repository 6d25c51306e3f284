"""Bytes out, bytes in: one exchange over httpx, bounded in time and size, judged by nobody yet."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from connectors.deadline import require_time
from connectors.egress import Egress, ending_at
from connectors.errors import ConfigProblem
from connectors.inflating import Damaged, inflated

# httpx logs every URL at INFO, and a presigned URL is a credential.
logging.getLogger("httpx").setLevel(logging.WARNING)
logging.getLogger("httpcore").setLevel(logging.WARNING)

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_READS = ("GET", "HEAD")
_USER_AGENT = "Crossdock/0.1 (Language=Python)"


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long and how much a call may take. Seconds and bytes of real time and memory."""

    connect_s: float = 10.0
    read_s: float = 30.0
    total_s: float = 120.0
    """From connecting to the last byte of the body: a server that trickles its headers or its body
    never trips ``read_s``."""
    body_bytes: int = 32 * 1024 * 1024
    attempts: int = 4
    max_wait_s: float = 5.0
    """A longer wait for a limit gives the thread back: the stream is due again later."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One call as the caller put it."""

    method: str
    url: httpx.URL
    op: str
    harmless: bool
    """Repeating it cannot do damage."""
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    foreign: bool = False
    """To a document host, where our credentials must not go and whose replies are not JSON."""
    shape: Any = Any
    """The type that msgspec decodes the reply's JSON as."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, complete."""

    request: httpx.Request
    status: int
    headers: httpx.Headers
    content: bytes


class Failure(Exception):
    """No complete answer. ``status`` is 0 where not even the head of one came."""

    def __init__(self, request: httpx.Request, detail: str, *, sent: bool, status: int) -> None:
        super().__init__(detail)
        self.request = request
        self.sent = sent
        self.status = status


class Wire:
    """The way to one vendor account. Safe to share between threads.

    Requests go to the transport as they are built here: no cookie is kept or sent, no redirect
    followed, no proxy asked.
    """

    def __init__(
        self,
        transport: httpx.BaseTransport | None,
        auth: httpx.Auth | None,
        headers: Mapping[str, str],
        bounds: Bounds,
        stopwatch: Callable[[], float],
        trusted: Collection[str] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """``transport``: null for the network; one that is given is not closed here.
        ``trusted``: hosts that may be in a private network. ``tls``: null for the public
        authorities alone."""
        _require_sendable(headers)
        self._auth = auth or httpx.Auth()
        self._bounds = bounds
        self._stopwatch = stopwatch
        # Shorter than the 5 s after which common servers hang up: a write on a dead
        # connection would end as ambiguous.
        limits = httpx.Limits(max_connections=20, keepalive_expiry=3.0)
        self._transport = transport or Egress(trusted, stopwatch, limits=limits, tls=tls)
        self._is_borrowed = transport is not None
        ours = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": _USER_AGENT}
        self._headers = httpx.Headers({**ours, **headers})
        timeout = httpx.Timeout(bounds.read_s, connect=bounds.connect_s)
        self._extensions = {"timeout": timeout.as_dict()}

    def close(self) -> None:
        if not self._is_borrowed:
            self._transport.close()

    def exchange(self, ask: Ask) -> Answer:
        """Send, and read the body within the bounds. Raises ``Failure``."""
        request = self._build(ask)
        deadline = self._stopwatch() + self._bounds.total_s
        status = 0
        try:
            with ending_at(deadline):
                response = self._sent(request, httpx.Auth() if ask.foreign else self._auth)
                status = response.status_code
                content = self._body(response, deadline)
        except _NEVER_SENT as error:
            detail = f"cannot be reached: {error or type(error).__name__}"
            raise Failure(request, detail, sent=False, status=0) from None
        except httpx.TimeoutException as error:
            detail = f"did not answer in time ({type(error).__name__})"
            raise Failure(request, detail, sent=True, status=status) from None
        except httpx.HTTPError as error:
            detail = f"broke off the exchange ({type(error).__name__}: {error})"
            raise Failure(request, detail, sent=True, status=status) from None
        except (_OutOfBounds, Damaged) as error:
            raise Failure(request, str(error), sent=True, status=status) from None
        return Answer(response.request, status, response.headers, content)

    def _build(self, ask: Ask) -> httpx.Request:
        headers = httpx.Headers({"User-Agent": _USER_AGENT} if ask.foreign else self._headers)
        headers.update(ask.headers)
        return httpx.Request(
            ask.method, ask.url, headers=headers, content=ask.content, extensions=self._extensions
        )

    def _sent(self, request: httpx.Request, auth: httpx.Auth) -> httpx.Response:
        """The head of the last answer that the credentials ask for."""
        flow = auth.sync_auth_flow(request)
        try:
            asked = next(flow)
            while True:
                _in_time(asked)
                response = self._transport.handle_request(asked)
                response.request = asked
                try:
                    asked = flow.send(response)
                except StopIteration:
                    return response
                except BaseException:
                    response.close()
                    raise
                response.close()
        finally:
            flow.close()

    def _body(self, response: httpx.Response, deadline: float) -> bytes:
        parts: list[bytes] = []
        size = 0
        try:
            coding = response.headers.get("content-encoding", "identity").lower()
            if coding not in ("identity", "gzip", "deflate"):
                # Asked for gzip only: other codings can swell without a bound on the ratio.
                raise _OutOfBounds(f"answered in the unasked encoding {coding}")
            for chunk in _unpacked(response, coding):
                size += len(chunk)
                if size > self._bounds.body_bytes:
                    raise _OutOfBounds(f"answered more than {self._bounds.body_bytes} bytes")
                if self._stopwatch() > deadline:
                    raise _OutOfBounds(f"took longer than {self._bounds.total_s:.0f} s")
                parts.append(chunk)
        finally:
            response.close()
        return b"".join(parts)


def _in_time(request: httpx.Request) -> None:
    """Let no write begin too late: asked after authentication, and again once connected."""
    if request.method in _READS:
        return
    require_time()
    request.extensions = {**request.extensions, "trace": _before_the_head}


def _before_the_head(event: str, _: Mapping[str, Any]) -> None:
    # httpcore tells every step; a new connection may have taken its time to come about.
    if event.endswith(".send_request_headers.started"):
        require_time()


def _unpacked(response: httpx.Response, coding: str) -> Iterator[bytes]:
    """The body as it comes, never more than a piece of it unpacked at once."""
    if response.is_stream_consumed:
        # In-process transports may hand over what is whole, and unpacked, already.
        return response.iter_bytes()
    raw = response.iter_raw()
    return raw if coding == "identity" else inflated(raw, coding)


class _OutOfBounds(Exception):
    """The body is more than we are willing to read."""


def _require_sendable(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not value.isascii() or not value.isprintable():
            raise ConfigProblem(
                f"The value for header {name} holds a character that cannot be sent. "
                "Copy the credential again, without line breaks and typographic dashes."
            )
