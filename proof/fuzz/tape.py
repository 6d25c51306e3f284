"""What vendors answered, and what one that went bad answers: the same, with one reply spoilt."""

from __future__ import annotations

import gzip
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from random import Random

import httpx

from proof.fuzz.evil import spoiled

MOST_CALLS = 150
"""Of one input. A walk that goes on and on meets a vendor that is gone: that walks end at all is a
matter of ``connectors.paging`` and its tests."""


@dataclass(frozen=True, slots=True)
class Said:
    """A whole reply, the body unpacked."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Recorder(httpx.BaseTransport):
    """Keeps every reply of the transport behind it, by the path that was asked for."""

    inner: httpx.BaseTransport
    said: dict[tuple[str, str], list[Said]] = field(default_factory=lambda: defaultdict(list))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self.inner.handle_request(request)
        content = response.read()
        headers = {
            name: value
            for name, value in response.headers.items()
            if name not in ("content-length", "content-encoding", "transfer-encoding")
        }
        known = Said(response.status_code, headers, content)
        self.said[request.method, request.url.path].append(known)
        return response


class Gone(httpx.BaseTransport):
    """Answers as recorded; reply number ``spoilt`` is another one.

    Past the last reply to a path that one is given again; to an unknown path it says 404.
    """

    def __init__(
        self, said: Mapping[tuple[str, str], list[Said]], spoilt: int, instead: Instead
    ) -> None:
        self._said = said
        self._spoilt = spoilt
        self._instead = instead
        self._places: dict[tuple[str, str], int] = defaultdict(int)
        self.calls = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        if self.calls > MOST_CALLS:
            raise httpx.ConnectError("the vendor is gone")
        key = request.method, request.url.path
        known = self._said.get(key)
        if not known:
            return httpx.Response(404, json={"message": "not found"})
        place = min(self._places[key], len(known) - 1)
        self._places[key] += 1
        reply = known[place]
        if self.calls - 1 == self._spoilt:
            return self._instead.of(reply)
        return httpx.Response(reply.status, headers=reply.headers, stream=Bytes(reply.body))


class Bytes(httpx.SyncByteStream):
    """A body that is read as from a socket."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._content), 65_536):
            yield self._content[start : start + 65_536]


@dataclass(frozen=True, slots=True)
class Instead:
    """Spoils a reply in the way that its generator chooses."""

    rng: Random

    def of(self, said: Said) -> httpx.Response:
        rng, headers, status, body = self.rng, dict(said.headers), said.status, said.body
        match rng.randrange(12):
            case 0:
                status = rng.choice(_STATUSES)
            case 1:
                status, body = rng.choice(_STATUSES), spoiled(rng, body)
            case 2:
                headers |= dict([rng.choice(_HEADERS)])
            case 3:
                headers["content-encoding"] = rng.choice(("gzip", "deflate", "br", "gzip, gzip"))
                packed = gzip.compress(body)
                body = rng.choice((packed, packed[: len(packed) // 2], body, packed + packed))
            case _:
                body = spoiled(rng, body)
        return httpx.Response(status, headers=headers, stream=Bytes(body))


_STATUSES = (
    *(200, 201, 202, 204, 206, 301, 302, 307, 400, 401, 403, 404, 409, 410, 418, 422, 429),
    *(500, 502, 503, 504, 520, 599, 999),
)
_HEADERS = (
    *(("retry-after", one) for one in ("-1", "1e9", "nan", "inf", "x", "9" * 400)),
    *(("date", one) for one in ("x", "Mon, 99 Jan 9999 99:99:99 GMT")),
    ("date", "Mon, 01 Jan 99999999999 00:00:00 +9999"),
    ("retry-after", "Mon, 01 Jan 99999999999 00:00:00 -99999999999"),
    *(("x-wp-total", one) for one in ("-1", "1e3", "9" * 5_000, "", "x", "0", "100000")),
    *(("x-wp-totalpages", one) for one in ("-1", "9" * 5_000, "x")),
    *(("total-count", one) for one in ("-1", "9" * 5_000, "x")),
    *(("content-type", one) for one in ("text/html", "", "application/xml; charset=x")),
    *(("link", one) for one in ('<http://169.254.169.254/>; rel="next"', "<", ";;;", "<>" * 5_000)),
    ("location", "http://127.0.0.1:1/"),
    ("x-filler", "x" * 60_000),
)
