"""The door against leaks: secrets, addresses that lead elsewhere, bodies without end."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import (
    Ambiguous,
    ConfigProblem,
    CrossdockError,
    Rejected,
    Unreachable,
)
from connectors.http import ApiClient, Bounds, Door, segment

BASE = "https://shop.example/api"
Scripted = Callable[..., Any]
Connect = Callable[..., ApiClient]


def ok(**more: Any) -> httpx.Response:
    return httpx.Response(200, json={"fine": True}, **more)


# ---- secrets ---------------------------------------------------------------------------------


def test_secrets_show_nowhere(
    connect: Connect, scripted: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    canaries = ["tok-CANARY-1", "cs_CANARY_2", "CANARY+/3==", "ck_CANARY_4"]
    echo = {"message": f"bad {canaries} Authorization: Basic Y2tfQ0FOQVJZXzQ6Y3NfQ0FOQVJZXzI="}
    for answer in (
        httpx.Response(401, json=echo),
        httpx.Response(400, json=echo),
        httpx.Response(500, json=echo),
        httpx.ConnectError(f"cannot reach {canaries}"),
        httpx.ReadError(f"broken at {canaries}"),
    ):
        client = connect(
            scripted(answer),
            headers={"API-Key": canaries[0]},
            auth=httpx.BasicAuth(canaries[3], canaries[1]),
            secrets=[canaries[2]],
        )
        with pytest.raises(CrossdockError) as caught:
            client.post("/orders", op="write", json={})
        shown = f"{caught.value!r} {client!r} {caplog.text}"
        assert "CANARY" not in shown
        assert "Y2tfQ0FOQVJZ" not in shown


def test_what_looks_like_a_credential_is_masked_although_nobody_named_it(
    connect: Connect, scripted: Scripted
) -> None:
    text = (
        'access_token: "eyJhbGciOi", Bearer abcdefghijklmnop, consumer_key=ck_123456 and\n\x1b[2J'
    )
    client = connect(scripted(httpx.Response(400, json={"message": text})))
    with pytest.raises(Rejected) as caught:
        client.get("/orders", op="list")
    for leak in ("eyJhbGciOi", "abcdefghijklmnop", "ck_123456", "\x1b", "\n"):
        assert leak not in str(caught.value)


def test_a_credential_that_cannot_be_sent_is_explained(
    connect: Connect, scripted: Scripted
) -> None:
    with pytest.raises(ConfigProblem, match="API-Key holds a character"):
        connect(scripted(ok()), headers={"API-Key": "abc–def"})


# ---- addresses -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "orders",
        "//evil.example/x",
        "/../admin",
        "/a/%2e%2e/b",
        "/a?b=c",
        "/a#b",
        "/a\\b",
        "/a b",
        "https://evil.example/",
        "/@evil.example",
        "/ünïcode",
    ],
)
def test_a_path_cannot_leave_the_base(connect: Connect, scripted: Scripted, path: str) -> None:
    script = scripted(ok())
    with pytest.raises(ValueError):
        connect(script).get(path, op="list")
    assert script.requests == []


@given(st.text(max_size=40))
def test_any_text_from_a_record_is_one_segment_or_refused(text: str) -> None:
    try:
        quoted = segment(text)
    except Rejected:
        assert not text or {".", ".."} & set(text.split("/"))
    else:
        url = httpx.URL(f"https://shop.example/api/items/{quoted}")
        assert url.host == "shop.example"
        assert url.raw_path.count(b"/") == 3


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example",
        "ftp://shop.example",
        "shop.example",
        "https://user:pw@shop.example",
        "https://shop.example/?key=1",
        "https://",
        "https://[::1",
        "",
    ],
)
def test_a_base_url_that_will_not_do_is_refused(open_door: Callable[..., Door], url: str) -> None:
    with pytest.raises(ConfigProblem, match="url:"):
        open_door(None).client(url, limits={})


@pytest.mark.parametrize(
    "url",
    [
        "http://docs.amazonaws.com/x",
        "https://evilamazonaws.com/x",
        "https://amazonaws.com.evil.io",
        "https://a.amazonaws.com:8443/x",
        "https://u:p@a.amazonaws.com/x",
        "https://169.254.169.254/",
        "file:///etc/passwd",
        "https://[::",
        "https://shop.example:444/x",
    ],
)
def test_documents_come_from_allowed_hosts_only(
    connect: Connect, scripted: Scripted, url: str
) -> None:
    script = scripted(ok())
    client = connect(script, document_hosts=["amazonaws.com"])
    for move in (client.download, lambda u, op: client.upload(u, b"", "text/plain", op=op)):
        with pytest.raises(Unreachable, match="not allowed"):
            move(url, op="document")
    assert script.requests == []


def test_documents_travel_without_our_credentials(connect: Connect, scripted: Scripted) -> None:
    script = scripted(httpx.Response(200, content=b"<xml/>"))
    client = connect(
        script,
        headers={"API-Key": "sekrit-key"},
        auth=httpx.BasicAuth("user", "password"),
        document_hosts=["amazonaws.com"],
    )
    reply = client.download("https://a.s3.amazonaws.com/doc?X-Amz-Signature=1", op="document")
    client.upload(f"{BASE}/doc", b"{}", "application/json", op="document")
    assert reply.content == b"<xml/>"
    for request in script.requests:
        assert not {"authorization", "api-key", "cookie"} & set(request.headers)


def test_an_expired_presigned_address_is_no_matter_of_configuration(
    connect: Connect, scripted: Scripted
) -> None:
    expired = httpx.Response(403, text="<Error><Code>AccessDenied</Code></Error>")
    with pytest.raises(Unreachable):
        connect(scripted(expired)).download(f"{BASE}/doc", op="document")


# ---- bounds ----------------------------------------------------------------------------------


class Stream(httpx.SyncByteStream):
    """A body that goes on for ever."""

    def __init__(self, piece: bytes) -> None:
        self.given = 0
        self._piece = piece

    def __iter__(self) -> Iterator[bytes]:
        while True:
            self.given += 1
            yield self._piece


def test_a_body_is_read_up_to_the_cap_only(connect: Connect, scripted: Scripted) -> None:
    endless = Stream(b"x" * 1000)
    bounds = Bounds(body_bytes=10_000, attempts=1)
    with pytest.raises(Unreachable, match="more than 10000 bytes"):
        connect(scripted(httpx.Response(200, stream=endless)), door={"bounds": bounds}).get(
            "/x", op="list"
        )
    assert endless.given == 11


def test_the_cap_counts_what_a_packed_body_unpacks_to(connect: Connect, scripted: Scripted) -> None:
    packed = gzip.compress(b" " * 1_000_000)
    answer = httpx.Response(
        200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(packed)
    )
    bounds = Bounds(body_bytes=100_000, attempts=1)
    with pytest.raises(Unreachable, match="more than 100000 bytes"):
        connect(scripted(answer), door={"bounds": bounds}).get("/x", op="list")


def test_an_unasked_encoding_is_refused_unread(connect: Connect, scripted: Scripted) -> None:
    endless = Stream(b"x")
    answer = httpx.Response(200, headers={"Content-Encoding": "zstd"}, stream=endless)
    with pytest.raises(Unreachable, match="unasked encoding zstd"):
        connect(scripted(answer), door={"bounds": Bounds(attempts=1)}).get("/x", op="list")
    assert endless.given == 0


def test_a_trickling_body_ends_at_the_total_deadline(connect: Connect, scripted: Scripted) -> None:
    ticks = iter(range(10_000))
    trickle = Stream(b"x")
    client = connect(
        scripted(httpx.Response(200, stream=trickle)),
        door={"stopwatch": lambda: float(next(ticks)), "bounds": Bounds(total_s=60)},
    )
    with pytest.raises(Ambiguous, match="took longer than 60 s"):
        client.post("/x", op="write", json={})
    assert trickle.given < 100
