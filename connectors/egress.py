"""Sockets to vendors: each name is looked up once, its addresses are vetted, and the one that was
vetted is the one connected to, so that a name cannot lead to our own network in between.

TLS is done for the name, whatever address it has. Proxies of the environment are not asked.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Any

import httpcore
import httpx

from connectors import name_service

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Iterable[str]]
"""(host, port) -> its addresses as text. Raises ``OSError`` when it has none."""

_NOT_PUBLIC = [
    ip_network(text)
    # What ``is_global`` of Python 3.11 lets pass: relays into IPv4, multicast, a cloud's own.
    for text in (
        *("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96", "fec0::/10"),
        *("192.88.99.0/24", "192.0.0.0/24", "224.0.0.0/4", "ff00::/8", "168.63.129.16/32"),
    )
]
_NEVER = [
    ip_network(text)
    # Where clouds hand out credentials, and what no machine has. Loopback and private networks
    # can be trusted by name; these cannot.
    for text in (
        *("169.254.0.0/16", "fe80::/10", "fd00:ec2::/32", "100.100.100.200/32"),
        *("168.63.129.16/32", "0.0.0.0/8", "::/128", "224.0.0.0/4", "240.0.0.0/4", "ff00::/8"),
    )
]

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def ending_at(deadline: float) -> Iterator[None]:
    """Whatever is sent or read in the block ends at this reading of the stopwatch.

    A timeout of the socket is about one read of it: a server that sends a byte now and then never
    trips it, nor one that goes on with headers for ever.
    """
    token = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(token)


def is_public(address: Address) -> bool:
    """Whether anybody's vendor may live there: global, no relay to another address, no multicast.

    An IPv4 address in IPv6 clothes is judged as what it is.
    """
    plain = _plain(address)
    return plain.is_global and not _within(plain, _NOT_PUBLIC)


def is_literal(host: str) -> bool:
    """Whether a host names an address, or this machine, and not something to be looked up."""
    return host == "localhost" or _literal(host) is not None


def allowed(address: Address, *, trusted: bool) -> bool:
    """Whether a host at ``address`` may be connected to. ``trusted``: ops named the host as one of
    their own network.
    """
    return is_public(address) or (trusted and not _within(_plain(address), _NEVER))


def trusting(authorities: Path | None) -> ssl.SSLContext:
    """Certificates of the public authorities, for the name that was asked for, and besides them
    those of a file (PEM) of ops' own. Nothing else is believed, whatever the environment says.

    Raises ``OSError`` and ``ssl.SSLError`` for a file that cannot be used.
    """
    context = httpx.create_ssl_context(trust_env=False)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if authorities is not None:
        context.load_verify_locations(authorities)
    return context


class Egress(httpx.BaseTransport):
    """The network. ``trusted``: hosts that may be at a private address. Safe to share."""

    def __init__(
        self,
        trusted: Collection[str],
        stopwatch: Callable[[], float],
        *,
        limits: httpx.Limits,
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls or trusting(None),
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=_Vetted(
                frozenset(trusted), stopwatch, resolve or name_service.addresses
            ),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.SyncByteStream)
        asked = httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _as_httpx():
            answer = self._pool.handle_request(asked)
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(answer),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        with _as_httpx():
            yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


class _Vetted(httpcore.NetworkBackend):
    """Connects to vetted addresses only."""

    def __init__(
        self, trusted: frozenset[str], stopwatch: Callable[[], float], resolve: Resolve
    ) -> None:
        self._trusted = trusted
        self._stopwatch = stopwatch
        self._resolve = resolve
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        patience = _left(timeout, self._stopwatch, httpcore.ConnectTimeout)
        for address in self._vetted(host, port, patience):
            left = _left(timeout, self._stopwatch, httpcore.ConnectTimeout)
            try:
                stream = self._sockets.connect_tcp(
                    address, port, left, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _Timed(stream, self._stopwatch)
        raise failure

    def _vetted(self, host: str, port: int, patience_s: float | None) -> list[str]:
        # What is spelt as an address is looked up by nobody.
        seconds = None if is_literal(host) else patience_s
        try:
            told = name_service.within(seconds, self._resolve, host, port)
            found = [ip_address(text) for text in told]
        except (OSError, ValueError, UnicodeError) as error:
            raise httpcore.ConnectError(f"its name leads nowhere: {error}") from None
        trusted = host in self._trusted
        passed = [str(one) for one in found if allowed(one, trusted=trusted)]
        if found and not passed:
            raise httpcore.ConnectError(
                f"{host} is at {found[0]}, which is no public address. If it is a machine of your "
                "own, name it in private_hosts under [network] in the settings"
            )
        return passed


class _Timed(httpcore.NetworkStream):
    """A stream whose every step also ends at the deadline of the call it is part of."""

    def __init__(self, inner: httpcore.NetworkStream, stopwatch: Callable[[], float]) -> None:
        self._inner = inner
        self._stopwatch = stopwatch

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout, self._stopwatch, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(timeout, self._stopwatch, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(timeout, self._stopwatch, httpcore.ConnectTimeout)
        return _Timed(self._inner.start_tls(ssl_context, server_hostname, left), self._stopwatch)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _left(
    timeout: float | None, stopwatch: Callable[[], float], late: type[Exception]
) -> float | None:
    """Seconds for one step: its own, or what is left of the call. Raises ``late`` at the end."""
    deadline = _deadline.get()
    if deadline is None:
        return timeout
    left = deadline - stopwatch()
    if left <= 0:
        raise late("the time for the whole call is over")
    return left if timeout is None else min(timeout, left)


@contextmanager
def _as_httpx() -> Iterator[None]:
    """httpcore's errors under the names that httpx gives them."""
    try:
        yield
    except (
        httpcore.TimeoutException,
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.UnsupportedProtocol,
    ) as error:
        known: type[httpx.TransportError] = getattr(httpx, type(error).__name__)
        raise known(str(error)) from error


def _plain(address: Address) -> Address:
    return getattr(address, "ipv4_mapped", None) or address


def _within(address: Address, networks: Iterable[Any]) -> bool:
    return any(address in network for network in networks)


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None
