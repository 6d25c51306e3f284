"""T10 and T11: no address that a vendor, a name server or a redirect gives leads into our own
network, and no credential of ours goes along to another host."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from ipaddress import IPv4Address, ip_address
from typing import Any

import httpcore
import httpx

from connectors import egress, name_service, wire
from connectors.errors import CrossdockError
from connectors.http import ApiClient, Bounds, Door
from connectors.rest.paging import Links
from proof.fuzz.files import NoLimit
from proof.planting import Planted
from proof.threats.check import Checked, verdict
from sandbox.clock import ManualClock

NOW = datetime(2026, 11, 2, tzinfo=UTC)
_HEADERS = (
    *("Authorization", "Proxy-Authorization", "Cookie", "X-API-Key", "API-Key", "ApiKey", "Token"),
    *("X-Auth-Token", "X-Access-Token", "X-Amz-Access-Token", "X-Shopify-Access-Token", "X-Token"),
    *("X-Auth-Key", "X-Session", "X-Csrf-Token", "X-WP-Nonce", "X-Secret", "X-Signature", "X-HMAC"),
    *("Shipbob_Channel_Id", "X-Client-Secret", "X-Client-Id", "X-User", "X-Password", "Api_Key"),
    *("X-Vault-Token", "X-Forwarded-Authorization", "X-Amz-Security-Token", "Private-Token", "SID"),
)


class Canary:
    """A listener on loopback that counts who connects, and answers what it is told to."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") -> None:
        self.seen: list[bytes] = []
        self.connections = 0
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            with peer:
                peer.settimeout(1)
                try:
                    self.seen.append(peer.recv(65_536))
                    peer.sendall(self._answer)
                except OSError:
                    continue

    def close(self) -> None:
        # A closed listener leaves a blocked ``accept`` waiting; shutting it down ends it.
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)


def urls(port: int) -> list[str]:
    """Spellings of addresses in our own network, and of hosts that are somebody else's."""
    hosts = [*_spellings("127.0.0.1"), *_spellings("169.254.169.254"), *_spellings("10.0.0.1")]
    hosts += [*_spellings("192.168.0.1"), *_spellings("172.16.0.1"), *_spellings("100.64.0.1")]
    hosts += ["localhost", "LOCALHOST", "localhost.", "localhost.localdomain", "ip6-localhost"]
    hosts += ["[::]", "[::1]", "[0:0:0:0:0:0:0:1]", "[fe80::1]", "[fc00::1]", "[fd00:ec2::254]"]
    hosts += ["metadata.google.internal", "metadata", "instance-data", "kubernetes.default.svc"]
    hosts += ["127。0。0。1", "127．0．0．1", "①②⑦.⓪.⓪.①", "ⓛocalhost", "0", "224.0.0.1"]
    hosts += ["rebind.amazonaws.com", "internal.amazonaws.com", "evilamazonaws.com"]
    hosts += ["amazonaws.com.evil.example", "a.amazonaws.com.", "amazonaws.com%00.evil.example"]
    found = [f"{scheme}://{host}:{port}/x" for host in hosts for scheme in ("http", "https")]
    found += [f"https://{host}/x" for host in hosts]
    found += [f"https://docs.amazonaws.com@{host}:{port}/x" for host in hosts[:8]]
    found += [f"https://{host}:{port}#@docs.amazonaws.com/" for host in hosts[:8]]
    found += [f"https://{host}:{port}\\@docs.amazonaws.com/" for host in hosts[:4]]
    found += ["file:///etc/passwd", "gopher://127.0.0.1/", "ftp://127.0.0.1/", "//127.0.0.1/x"]
    found += ["https:///x", "https://", "javascript:alert(1)", "data:text/plain,x", "unix:/x"]
    return list(dict.fromkeys(found))


def _spellings(text: str) -> Iterator[str]:
    parts = [int(part) for part in text.split(".")]
    whole = int(IPv4Address(text))
    yield text
    yield f"{text}."
    yield str(whole)
    yield hex(whole)
    yield oct(whole).replace("0o", "0")
    yield ".".join(hex(part) for part in parts)
    yield ".".join(f"{part:04o}" for part in parts)
    yield f"{parts[0]}.{(parts[1] << 16) + (parts[2] << 8) + parts[3]}"
    yield f"[::ffff:{text}]"
    yield f"[::{text}]"
    yield f"[64:ff9b::{text}]"
    yield f"[64:ff9b:1::{text}]"
    yield f"[2002:{whole >> 16:x}:{whole & 0xFFFF:x}::1]"
    yield f"{text}.nip.example"


def private(host: str, _port: int) -> list[str]:
    """A name server in the wrong hands: every name is an address of ours."""
    try:
        return [str(ip_address(host.strip("[]")))]
    except ValueError:
        return ["127.0.0.1", "::1", "169.254.169.254", "10.0.0.1"]


@contextmanager
def _names(resolve: Callable[[str, int], list[str]]) -> Iterator[None]:
    with Planted("", [(name_service, "addresses", resolve)]).in_place():
        yield


@contextmanager
def _attempts() -> Iterator[list[str]]:
    """Every address that a socket is opened to: the canary hears one port of one of them only."""
    made: list[str] = []
    really = httpcore.SyncBackend.connect_tcp

    def connect(
        self: httpcore.SyncBackend, host: str, *more: Any, **named: Any
    ) -> httpcore.NetworkStream:
        made.append(host)
        return really(self, host, *more, **named)

    with Planted("", [(httpcore.SyncBackend, "connect_tcp", connect)]).in_place():
        yield made


def _door(transport: httpx.BaseTransport | None = None) -> Door:
    bounds = Bounds(attempts=1, connect_s=0.5, read_s=1, total_s=2)
    return Door("threat", ManualClock(NOW), NoLimit(), transport, bounds=bounds)


def _refused(move: Callable[[], object]) -> None:
    """Whatever the door says: what counts is who was connected to."""
    try:
        move()
    except (CrossdockError, ValueError):
        return


def t10() -> Checked:
    """Addresses from documents, ``next`` links, redirects and name servers."""
    violations, tried = _t10()
    planted = {}
    for bug in (
        Planted("any address is allowed", [(egress, "allowed", lambda *_, **__: True)]),
        Planted(
            "a name that ops did not name is trusted",
            [(egress, "is_public", lambda _: True)],
        ),
    ):
        with bug.in_place():
            planted[f"T10: {bug.name}"] = verdict(_t10()[0])
    return Checked("T10", tried, f"{tried} addresses, 0 connections", violations, planted)


def _t10() -> tuple[list[str], int]:
    violations: list[str] = []
    with closing(Canary()) as canary, _names(private), _attempts() as attempts:
        listed = urls(canary.port)
        with closing(
            _door().client(
                f"https://shop.example:{canary.port}",
                limits={},
                document_hosts=["amazonaws.com"],
            )
        ) as client:
            for url in listed:
                _refused(partial(client.download, url, op="document"))
                _refused(partial(client.upload, url, b"x", "text/plain", op="document"))
            _refused(partial(client.get, "/x", op="list"))
            for url in listed:
                _refused(partial(_followed, client, url))
        if canary.connections or attempts:
            told = f"{canary.connections} connections, {len(attempts)} attempts"
            violations.append(f"the canary: {told} to our own network")
    return violations + _redirects(), 2 * len(listed)


def _followed(client: ApiClient, url: str) -> None:
    """The next page, as a ``rest`` connection would fetch it."""
    walk = Links("orders", lambda _: None, lambda _: url, "https://shop.example")
    walk.take(httpx.Response(200), ["1"])  # type: ignore[arg-type]  # only handed to ``lambda _``
    target = walk.target()
    if target is not None:
        client.get(target[0], op="list", params=target[1])


def _redirects() -> list[str]:
    """The configured host redirects to the canary: nobody goes there."""
    violations = []
    with closing(Canary()) as canary:
        target = f"http://127.0.0.1:{canary.port}/secret"
        for status in (301, 302, 303, 307, 308):
            answer = f"HTTP/1.1 {status} X\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n"
            with closing(Canary(answer.encode())) as vendor:
                base = f"http://127.0.0.1:{vendor.port}"
                with closing(_door().client(base, limits={})) as client:
                    _refused(partial(client.get, "/x", op="list"))
                if vendor.connections != 1:
                    violations.append(f"the vendor of redirect {status} was not asked")
        if canary.connections:
            violations.append(f"the canary: {canary.connections} redirects were followed")
    return violations


def t11() -> Checked:
    """Headers that connectors set stay with the host that they were set for."""
    violations = _t11()

    def with_headers(self: wire.Wire, ask: wire.Ask) -> httpx.Request:
        return httpx.Request(ask.method, ask.url, headers=self._headers, content=ask.content)

    bug = Planted("documents are fetched as the API is", [(wire.Wire, "_build", with_headers)])
    with bug.in_place():
        planted = {f"T11: {bug.name}": verdict(_t11())}
    tried = len(_HEADERS)
    return Checked("T11", tried, f"{tried} header names, 0 left their host", violations, planted)


def _t11() -> list[str]:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={}, headers={"set-cookie": "sid=CANARY"})

    headers = {name: f"CANARY-{number}" for number, name in enumerate(_HEADERS)}
    with closing(
        _door(httpx.MockTransport(answer)).client(
            "https://shop.example",
            limits={},
            headers=headers,
            auth=httpx.BasicAuth("CANARY", "CANARY"),
            document_hosts=["amazonaws.com"],
        )
    ) as client:
        client.get("/x", op="list")
        for host in ("a.amazonaws.com", "shop.amazonaws.com"):
            client.download(f"https://{host}/x", op="document")
            client.upload(f"https://{host}/x", b"x", "text/plain", op="document")
    violations = []
    for request in seen:
        sent = f"{request.url} {request.headers.raw}"
        if request.url.host != "shop.example" and "CANARY" in sent:
            violations.append(f"the headers: credentials went to {request.url.host}")
    if len(seen) != 5:
        violations.append(f"the headers: {len(seen)} of 5 requests were made")
    return violations
