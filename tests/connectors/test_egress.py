"""Sockets: who may be connected to, how long a call may take, and what a packed body may become."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from ipaddress import ip_address
from typing import Any

import httpcore
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import egress, name_service
from connectors.clock import stopwatch
from connectors.errors import Ambiguous, Unreachable
from connectors.http import Bounds, Door
from connectors.inflating import Damaged, inflated

OpenDoor = Callable[..., Door]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@contextmanager
def vendor(speak: Callable[[socket.socket], None]) -> Iterator[str]:
    """A listener that answers each connection with ``speak``; its base URL."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                try:
                    peer.recv(65_536)
                    speak(peer)
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def trickle(peer: socket.socket, piece: bytes) -> None:
    for _ in range(400):
        peer.sendall(piece)
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("what", "start", "piece"),
    [
        ("body", HEAD + b"Content-Length: 100000\r\n\r\n", b" "),
        ("headers", HEAD, b"X-More: 1\r\n"),
        ("interim replies", b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    ],
)
def test_fault_row_24_a_vendor_that_trickles_is_left_at_the_deadline(
    open_door: OpenDoor, what: str, start: bytes, piece: bytes
) -> None:
    def speak(peer: socket.socket) -> None:
        peer.sendall(start)
        trickle(peer, piece)

    bounds = Bounds(connect_s=1, read_s=5, total_s=0.5, attempts=1)
    with vendor(speak) as url:
        client = open_door(None, bounds=bounds).client(url, limits={})
        with closing(client):
            began = stopwatch()
            with pytest.raises(Ambiguous, match=r"did not answer in time|took longer"):
                client.post("/x", op="write", json={})
            assert stopwatch() - began < 3


def test_fault_row_25_a_vendor_that_never_answers_is_left_at_the_deadline(
    open_door: OpenDoor,
) -> None:
    bounds = Bounds(connect_s=1, read_s=30, total_s=0.4, attempts=1)
    with vendor(lambda peer: time.sleep(2)) as url:
        client = open_door(None, bounds=bounds).client(url, limits={})
        with closing(client), pytest.raises(Unreachable, match="did not answer in time"):
            client.get("/x", op="list")


def test_headers_without_end_are_refused(open_door: OpenDoor) -> None:
    def speak(peer: socket.socket) -> None:
        peer.sendall(HEAD)
        for _ in range(10_000):
            peer.sendall(b"X-More: " + b"x" * 1_000 + b"\r\n")

    with vendor(speak) as url:
        client = open_door(None, bounds=Bounds(attempts=1)).client(url, limits={})
        with closing(client), pytest.raises(Unreachable, match="broke off the exchange"):
            client.get("/x", op="list")


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254"),
        *("0.0.0.0", "255.255.255.255", "224.0.0.1", "192.0.0.8", "198.18.0.1", "::", "::1"),
        *("fe80::1", "fc00::1", "fd00:ec2::254", "::ffff:127.0.0.1", "::ffff:10.0.0.1"),
        *("64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "2002:7f00:1::1", "2001::1", "::127.0.0.1"),
        *("ff02::1", "fec0::1", "168.63.129.16", "100.100.100.200"),
    ],
)
def test_threat_t10_an_address_of_ours_is_not_public(address: str) -> None:
    assert not egress.is_public(ip_address(address))


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"]
)
def test_a_vendors_address_is_public(address: str) -> None:
    assert egress.is_public(ip_address(address))


@given(st.ip_addresses(v=4))
def test_threat_t10_what_is_private_stays_so_in_ipv6_clothes(address: Any) -> None:
    assert egress.is_public(ip_address(f"::ffff:{address}")) == egress.is_public(address)
    assert not egress.is_public(ip_address(f"64:ff9b::{address}"))


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "fd00:ec2::254", "0.0.0.0"])
def test_threat_t10_where_clouds_keep_credentials_nobody_is_trusted(address: str) -> None:
    assert not egress.allowed(ip_address(address), trusted=True)


def answers(peer: socket.socket) -> None:
    peer.sendall(HEAD + b"Content-Length: 2\r\n\r\n{}")


def fetch(host: str, trusted: set[str], port: str) -> int:
    transport = egress.Egress(trusted, stopwatch, limits=httpx.Limits())
    with httpx.Client(transport=transport, trust_env=False) as client:
        return client.get(f"http://{host}:{port}/").status_code


def test_threat_t10_a_name_leads_to_our_network_only_when_ops_named_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(name_service, "addresses", lambda host, port: ["127.0.0.1"])
    with vendor(answers) as url:
        port = url.rpartition(":")[2]
        with pytest.raises(httpx.ConnectError, match="private_hosts under"):
            fetch("shop.example", set(), port)
        assert fetch("shop.internal", {"shop.internal"}, port) == 200


def test_fault_row_32_a_name_that_turns_to_our_network_is_not_followed_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is connected to is what was looked at: there is no second look-up in between."""
    asked: list[str] = []

    def flipping(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["203.0.113.1"] if len(asked) == 1 else ["127.0.0.1"]

    monkeypatch.setattr(name_service, "addresses", flipping)
    with pytest.raises(httpx.ConnectError, match=r"at 203\.0\.113\.1, which is no public"):
        fetch("shop.example", set(), "9")
    assert asked == ["shop.example"]


def test_a_public_address_among_private_ones_is_the_one_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[str] = []

    def connect(self: Any, host: str, *_: Any, **__: Any) -> Any:
        tried.append(host)
        raise httpcore.ConnectError("refused")

    monkeypatch.setattr(name_service, "addresses", lambda *_: ["10.0.0.1", "8.8.8.8"])
    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)
    with pytest.raises(httpx.ConnectError, match="refused"):
        fetch("shop.example", set(), "80")
    assert tried == ["8.8.8.8"]


def test_no_proxy_of_the_environment_is_asked(
    open_door: OpenDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with vendor(answers) as url, closing(open_door(None).client(url, limits={})) as client:
        assert client.get("/x", op="list").status == 200


# ---- packed bodies ---------------------------------------------------------------------------


@given(st.binary(max_size=5_000), st.integers(1, 700), st.sampled_from(["gzip", "deflate"]))
def test_what_was_packed_comes_back_however_it_is_cut(body: bytes, size: int, coding: str) -> None:
    packed = gzip.compress(body) if coding == "gzip" else zlib.compress(body)
    parts = [packed[at : at + size] for at in range(0, len(packed), size)]
    assert b"".join(inflated(parts, coding)) == body


@given(st.binary(min_size=1, max_size=2_000), st.data())
def test_fault_row_26_a_packed_body_that_is_cut_off_is_none(body: bytes, data: Any) -> None:
    packed = gzip.compress(body)
    end = data.draw(st.integers(1, len(packed) - 1))
    with pytest.raises(Damaged):
        list(inflated([packed[:end]], "gzip"))


def test_fault_row_29_a_bomb_is_unpacked_piece_by_piece() -> None:
    packed = gzip.compress(b" " * 10_000_000)
    pieces = inflated([packed], "gzip")
    assert all(len(piece) <= 65_536 for piece, _ in zip(pieces, range(5), strict=False))


def test_a_reply_without_a_body_may_name_a_coding() -> None:
    assert list(inflated([], "gzip")) == []
