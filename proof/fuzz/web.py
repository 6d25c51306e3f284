"""The address that webhooks come in at: whole requests, from the first byte off the wire."""

from __future__ import annotations

import asyncio
import re
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, cast

from proof.fuzz.evil import TEXTS, noisy, spoiled
from proof.fuzz.judge import Case, Unsound
from proof.hooks import rig as rigs
from sandbox.hooks import Event, headers_of
from web.application import Application
from web.bounds import Bounds
from web.exchange import Exchange, Reply
from web.server import answer_of

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_BODIES = (
    b'{"id": 1001, "status": "processing", "date_modified_gmt": "2026-11-02T10:00:00"}',
    b'{"resource_type": "order", "resource_url": "https://3pl.example/order/7", "id": "7"}',
)
_METHODS = (
    *(b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"CONNECT", b"PATCH", b"post"),
    *(b"X" * 300, b"G T", b"", b"P\x00ST", b"PRI"),
)
_PATHS = (
    *(b"/", b"/hooks", b"/hooks/", b"/hooks//shop-eu", b"/hooks/../hooks/shop-eu", b"*", b""),
    *(b"/hooks/shop-eu/", b"/hooks/shop-eu?x=%00", b"/hooks/%73hop-eu", b"/hooks/%ff%fe", b"%"),
    *(b"http://169.254.169.254/hooks/shop-eu", b"/metrics", b"/hooks/" + b"a" * 20_000, b"//x/y"),
    *(b"/hooks/shop-closed", b"/hooks/nobody", b"/hooks/shop-eu#x", b"/hooks/shop-eu\x00"),
)
_HEADERS = (
    *((b"Content-Length", one) for one in (b"-1", b"+5", b"0", b"9" * 20, b"9" * 5_000, b"1, 2")),
    *((b"Transfer-Encoding", one) for one in (b"chunked", b"gzip", b"chunked, chunked", b"")),
    *((b"Expect", b"100-continue"), (b"Upgrade", b"h2c"), (b"Connection", b"upgrade, close")),
    *((b"Host", b"a"), (b"Content-Type", b"\xff"), (b"Content-Encoding", b"gzip")),
    *((b"X-WC-Webhook-Signature", one) for one in (b"", b"=", b"\xff\xfe", b"A" * 9_000)),
    *((b"webhook_id", b"msg_1"), (b"webhook-timestamp", b"9" * 400), (b"X" * 9_000, b"x")),
)
_ENDS = (b"\r\n", b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r")
_STATUS = re.compile(rb"HTTP/1\.1 ([2-5][0-9]{2}) ")
_UNKNOWN_CODING = 501
"""What RFC 9112 has a server say to a transfer coding that it does not know: no fault of ours."""


class Refused(Exception):
    """The caller was told that it is the caller's fault."""


class WebRoutes:
    """The surface: a hub whose shop and 3PL have secrets that the caller knows, or not."""

    name = "web routes"
    refusals = (Refused,)

    def __init__(self, folder: Path) -> None:
        # A store of its own: what another one was told already would be known.
        home = Path(tempfile.mkdtemp(dir=folder))
        opened = ExitStack()
        rig = opened.enter_context(rigs.opened(home))
        weakref.finalize(self, opened.close)
        self._application = Application(rig.intake)
        self._now = rig.clock.now()

    def evil(self) -> Sequence[tuple[str, Case]]:
        said = {**_evil_requests(), **{what: self._post(body) for what, body in _BODIES_OF_EVIL}}
        return [(what, self._of(request)) for what, request in said.items()]

    def random(self, rng: Random) -> Case:
        number, body = rng.randrange(2), rng.choice(_BODIES)
        if rng.random() < 0.7:
            body = spoiled(rng, body)
        topic = "order.updated" if rng.random() < 0.7 else rng.choice(TEXTS)
        name, headers = self._signed(number, body, topic, f"msg_{rng.randrange(10**6)}")
        if rng.random() < 0.3:
            body = spoiled(rng, body)
        method = b"POST" if rng.random() < 0.8 else rng.choice(_METHODS)
        path = name if rng.random() < 0.8 else rng.choice(_PATHS)
        fields = [*headers, (b"Content-Length", b"%d" % len(body))]
        for _ in range(rng.choice((0, 0, 0, 1, 2))):
            fields.insert(rng.randrange(len(fields) + 1), rng.choice(_HEADERS))
        if rng.random() < 0.1:
            del fields[rng.randrange(len(fields))]
        version = b"1.1" if rng.random() < 0.9 else rng.choice((b"1.0", b"0.9", b"2.0", b"x"))
        request = _request(method, path, fields, body, version=version, end=rng.choice(_ENDS))
        return self._of(noisy(rng, request) if rng.random() < 0.1 else request)

    def _post(self, body: bytes) -> bytes:
        """A body as the shop would send it."""
        path, headers = self._signed(0, body, "order.updated", "msg_1")
        return _request(b"POST", path, [*headers, (b"Content-Length", b"%d" % len(body))], body)

    def _signed(
        self, number: int, body: bytes, topic: str, event_id: str
    ) -> tuple[bytes, list[tuple[bytes, bytes]]]:
        """The path and the headers of a genuine webhook."""
        sender = (rigs.woo(), rigs.bob())[number]
        headers = headers_of(Event(event_id, sender, topic, body), self._now)
        fields = [(name.encode(), _on_one_line(value)) for name, value in headers.items()]
        path = sender.url.removeprefix(rigs.BASE).encode()
        return path, [(b"Host", b"hooks.test"), *fields]

    def _of(self, request: bytes) -> Case:
        return lambda: _judged(asyncio.run(_answered(self._application, request)))


class _Kept:
    """A connection's other end, as far as an exchange looks at it: what was said stays here."""

    def __init__(self) -> None:
        self.said = bytearray()

    def write(self, data: bytes) -> None:
        self.said += data

    async def drain(self) -> None:
        """Whoever listens takes everything at once."""

    def write_eof(self) -> None:
        """Nothing comes after it."""


async def _answered(application: Application, request: bytes) -> bytes:
    """What is said to a caller who sends these bytes and hangs up."""
    reader, writer = asyncio.StreamReader(), _Kept()
    reader.feed_data(request)
    reader.feed_eof()

    async def respond(environ: WSGIEnvironment) -> Reply:
        # Not through the server's threads, which make 500 of every exception: here each is seen.
        return answer_of(application, environ)

    exchange = Exchange(reader, cast(asyncio.StreamWriter, writer), Bounds())
    await exchange.serve(respond, lambda: None)
    return bytes(writer.said)


def _judged(said: bytes) -> str:
    """In a word, what was answered. Raises ``Refused`` for 4xx, ``Unsound`` for what is neither
    that nor an answer."""
    if not said:
        return "hung up"
    said = said.removeprefix(b"HTTP/1.1 100 \r\n\r\n")
    status = _STATUS.match(said)
    if status is None or b"\r\n\r\n" not in said:
        raise Unsound(f"answered {said[:80]!r}")
    code = int(status.group(1))
    if 400 <= code < 500 or code == _UNKNOWN_CODING:
        raise Refused(f"answered {code}")
    if code != 200:
        raise Unsound(f"answered {code}: {said[-80:]!r}")
    return "taken"


def _on_one_line(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def _request(
    method: bytes,
    path: bytes,
    headers: Sequence[tuple[bytes, bytes]],
    body: bytes = b"",
    *,
    version: bytes = b"1.1",
    end: bytes = b"\r\n",
) -> bytes:
    lines = [b"%b %b HTTP/%b" % (method, path, version), *(b"%b: %b" % one for one in headers)]
    return end.join([*lines, b"", body])


_BODIES_OF_EVIL = (
    ("a signed body nested without end", b'{"id": ' + b"[" * 400_000),
    ("a signed id without end", b'{"id": ' + b"9" * 900_000 + b"}"),
    ("a signed body that is no JSON", b"\xff\x00{"),
    ("a signed lone surrogate", b'{"id": "\\ud800", "date_modified_gmt": "\\u0000"}'),
    ("a signed body of a megabyte", b'{"id": "' + b"x" * 999_000 + b'"}'),
    ("a signed body beyond the bound", b"x" * 2_000_000),
)


def _evil_requests() -> Mapping[str, bytes]:
    host, shop = (b"Host", b"a"), b"/hooks/shop-eu"
    long, chunked = (b"Content-Length", b"2000000"), (b"Transfer-Encoding", b"chunked")
    found = {
        "nothing": b"",
        "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500,
        "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "a line without end": b"G" * 5_000_000,
        "10,000 headers": _request(b"GET", shop, [host] + [(b"X", b"y")] * 10_000),
        "chunks beyond the bound": _request(
            b"POST", shop, [host, chunked], b"10000\r\n" + b"x" * 65_536 + b"\r\n" * 40
        ),
        "many small chunks": _request(b"POST", shop, [host, chunked], b"1\r\nx\r\n" * 400_000),
        "a chunk without a length": _request(b"POST", shop, [host, chunked], b"zz\r\n"),
        "two lengths": _request(b"POST", shop, [host, long, (b"Content-Length", b"1")], b"x"),
        "length and chunks": _request(b"POST", shop, [host, long, chunked], b"0\r\n\r\n"),
    }
    for method in _METHODS[:8]:
        name = method.decode()
        found[f"{name} of an address"] = _request(method, shop, [host])
        found[f"{name} of none"] = _request(method, b"/nowhere", [host])
        found[f"{name} with too long a body"] = _request(method, shop, [host, long])
        found[f"{name} without a host"] = _request(method, shop, [])
    return found
