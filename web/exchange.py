"""One connection: a bounded request in, one answer out, and goodbye.

h11 reads the bytes; what is bounded is counted here. A connection serves one request: nothing that
is left in it can be taken for the next one.
"""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

import h11

from web.bounds import Bounds

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

CHUNK = 64 * 1024
PIECES_MAX = 10_000
"""Of one body: whoever says it in chunks of a byte would cost us seconds."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back; ``headers`` as WSGI has them."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""


Respond = Callable[["WSGIEnvironment"], Awaitable[Reply]]


class TooMuch(Exception):
    """The request is larger than we take."""


class Gone(Exception):
    """The caller hung up before it had said everything."""


def plain(status: int, retry_after_s: int | None = None) -> Reply:
    """An answer that the application has no part in."""
    body = f"{HTTPStatus(status).phrase.lower()}\n".encode()
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
    if retry_after_s is not None:
        headers.append(("Retry-After", str(retry_after_s)))
    return Reply(status, headers, body)


class Exchange:
    """One request and its answer over one connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, bounds: Bounds
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._bounds = bounds
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=bounds.head_max)
        self._wants_head_only = False

    async def serve(self, respond: Respond, received: Callable[[], None]) -> None:
        """``received`` is called when the whole request is here, before it is worked on."""
        try:
            async with asyncio.timeout(self._bounds.receive_s):
                request, body = await self._request()
        except TimeoutError:
            await self._send(plain(408))
            return
        except TooMuch:
            await self._send(plain(413))
            return
        except h11.RemoteProtocolError as error:
            await self._send(plain(error.error_status_hint))
            return
        except Gone:
            return
        received()
        await self._send(await respond(environ_of(request, body)))

    async def _request(self) -> tuple[h11.Request, bytes]:
        request = await self._event()
        if not isinstance(request, h11.Request):
            raise Gone
        self._wants_head_only = request.method == b"HEAD"
        # h11 bounds a head that comes in pieces; one that came at once was never incomplete.
        if sum(len(name) + len(value) for name, value in request.headers) > self._bounds.head_max:
            raise h11.RemoteProtocolError("the head is too large", error_status_hint=431)
        length = next((value for name, value in request.headers if name == b"content-length"), b"0")
        if int(length) > self._bounds.body_max:
            raise TooMuch
        body, pieces = bytearray(), 0
        while not isinstance(event := await self._event(), h11.EndOfMessage):
            if not isinstance(event, h11.Data):
                raise Gone
            body += event.data
            pieces += 1
            if len(body) > self._bounds.body_max or pieces > PIECES_MAX:
                raise TooMuch
        return request, bytes(body)

    async def _event(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                told = h11.InformationalResponse(status_code=100, headers=[])
                self._writer.write(self._http.send(told) or b"")
            data = await self._reader.read(CHUNK)
            if not data and self._http.their_state is h11.IDLE:
                raise Gone
            self._http.receive_data(data)
        return event

    async def _send(self, reply: Reply) -> None:
        """Say it and hang up; a caller that does not take it is left."""
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        headers = [
            *((name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers),
            (b"Connection", b"close"),
        ]
        phrase = HTTPStatus(reply.status).phrase.encode()
        response = h11.Response(status_code=reply.status, headers=headers, reason=phrase)
        said = [self._http.send(response)]
        if not self._wants_head_only:
            said.append(self._http.send(h11.Data(data=reply.body)))
        said.append(self._http.send(h11.EndOfMessage()))
        self._writer.write(b"".join(part for part in said if part))
        try:
            async with asyncio.timeout(self._bounds.send_s):
                await self._writer.drain()
                self._writer.write_eof()
                await self._drop_the_rest()
        except (TimeoutError, OSError):
            return

    async def _drop_the_rest(self) -> None:
        """Take what is still on its way: a reset would overtake the answer."""
        left = self._bounds.body_max
        while left > 0 and (data := await self._reader.read(CHUNK)):
            left -= len(data)


def environ_of(request: h11.Request, body: bytes) -> WSGIEnvironment:
    """The request as PEP 3333 has it, with the whole body at hand."""
    path, _, query = request.target.partition(b"?")
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": request.method.decode("latin-1"),
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "SERVER_NAME": "crossdock",
        "SERVER_PORT": "",
        "SERVER_PROTOCOL": f"HTTP/{request.http_version.decode('latin-1')}",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers:
        # An underscore and a dash would become one name: the caller could say one thing twice.
        if b"_" in name:
            continue
        key = f"HTTP_{name.decode('latin-1').upper().replace('-', '_')}"
        text = value.decode("latin-1")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ
