"""Bytes out, bytes in: one exchange over httpx, bounded in time and size, judged by nobody yet."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
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

Params = Mapping[str, str | int | Sequence[str] | None]

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
    params: Params | None = None
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
    """Holds the httpx client of one vendor account. Safe to share between threads."""

    def __init__(
        self,
        transport: httpx.BaseTransport | None,
        auth: httpx.Auth | None,
        headers: Mapping[str, str],
        bounds: Bounds,
        stopwatch: Callable[[], float],
        trusted: Collection[str] = (),
    ) -> None:
        """``transport``: null for the network. ``trusted``: hosts that may be in a private one."""
        _require_sendable(headers)
        self._auth = auth
        self._bounds = bounds
        self._stopwatch = stopwatch
        # Shorter than the 5 s after which common servers hang up: a write on a dead
        # connection would end as ambiguous.
        limits = httpx.Limits(max_connections=20, keepalive_expiry=3.0)
        self._http = httpx.Client(
            transport=_Borrowed(transport)
            if transport
            else Egress(trusted, stopwatch, limits=limits),
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "User-Agent": _USER_AGENT,
                **headers,
            },
            timeout=httpx.Timeout(bounds.read_s, connect=bounds.connect_s),
            follow_redirects=False,
            trust_env=False,
            event_hooks={"request": [_in_time]},
        )

    def close(self) -> None:
        self._http.close()

    def exchange(self, ask: Ask) -> Answer:
        """Send, and read the body within the bounds. Raises ``Failure``."""
        request = self._build(ask)
        deadline = self._stopwatch() + self._bounds.total_s
        status = 0
        try:
            with ending_at(deadline):
                auth = None if ask.foreign else self._auth
                response = self._http.send(request, stream=True, auth=auth)
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
        if ask.foreign:
            # Made by hand: the client's own builder would add its headers and cookies.
            return httpx.Request(
                ask.method,
                ask.url,
                headers={"User-Agent": _USER_AGENT, **ask.headers},
                content=ask.content,
            )
        params = {name: value for name, value in (ask.params or {}).items() if value is not None}
        return self._http.build_request(
            ask.method, ask.url, params=params or None, headers=ask.headers, content=ask.content
        )

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


class _Borrowed(httpx.BaseTransport):
    """A transport that stays open when the client closes: whoever made it closes it."""

    def __init__(self, transport: httpx.BaseTransport) -> None:
        self._transport = transport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._transport.handle_request(request)


def _require_sendable(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not value.isascii() or not value.isprintable():
            raise ConfigProblem(
                f"The value for header {name} holds a character that cannot be sent. "
                "Copy the credential again, without line breaks and typographic dashes."
            )
