"""The server over real sockets, and the application behind it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from tests.web.conftest import Bench
from web.application import Application
from web.bounds import Bounds
from web.exchange import PIECES_MAX
from web.server import Server

BOUNDS = Bounds(receive_s=0.5, send_s=0.5, body_max=20_000, connections=4, threads=1, waiting=1)

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


class Behind:
    """A WSGI application that waits where a test says so."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.entered = threading.Semaphore(0)
        self.inner: Any = None

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        self.entered.release()
        self.open.wait(10)
        if environ["PATH_INFO"] == "/bug":
            raise LookupError("a bug of ours")
        answer: Iterable[bytes] = self.inner(environ, start_response)
        return answer


@pytest.fixture
def behind(bench: Bench) -> Behind:
    made = Behind()
    made.inner = Application(bench.intake, BOUNDS.body_max)
    return made


@pytest.fixture
def port(behind: Behind) -> Iterator[int]:
    server = Server(behind, BOUNDS)
    with capture_logs():
        yield server.start("127.0.0.1", 0)
        behind.open.set()
        server.stop()


@pytest.fixture
def client(port: int) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as made:
        yield made


def test_addresses_answer_what_vendors_and_people_ask(client: httpx.Client) -> None:
    assert client.get("/hooks/shop").status_code == 200
    assert client.head("/hooks/shop").content == b""
    assert client.post("/hooks/shop", content=b"webhook_id=3").status_code == 200
    assert client.post("/hooks/shop", content=b"{}").status_code == 401
    assert client.get("/hooks/closed").status_code == 404
    assert client.post("/hooks/closed", content=b"{}").status_code == 404
    assert client.get("/").status_code == 404
    assert client.get("/hooks/../hooks/shop%2f").status_code == 404
    refused = client.put("/hooks/shop")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, POST")


def test_a_bug_of_ours_is_500_without_a_word_of_it(client: httpx.Client) -> None:
    reply = client.post("/bug", content=b"{}")
    assert (reply.status_code, reply.text) == (500, "internal server error\n")


def test_threat_t19_bodies_and_heads_are_capped_by_what_really_comes(client: httpx.Client) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(5):
            yield b"x" * 5_000

    assert client.post("/hooks/shop", content=parts()).status_code == 413
    assert client.post("/hooks/shop", content=b"x" * 20_001).status_code == 413
    assert client.post("/hooks/shop", content=b"x" * 20_000).status_code == 401
    assert client.get("/hooks/shop", headers={"x-long": "y" * 20_000}).status_code == 431


def test_a_refusal_of_a_request_for_the_head_has_no_body(port: int) -> None:
    request = b"HEAD /hooks/shop HTTP/1.1\r\nHost: a\r\nContent-Length: 20001\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=5) as caller:
        caller.sendall(request)
        answer = caller.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert answer.endswith(b"\r\n\r\n")


def test_threat_t19_a_body_in_chunks_of_a_byte_is_refused_before_it_costs_seconds(
    port: int,
) -> None:
    head = b"POST /hooks/shop HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=5) as caller:
        caller.sendall(head + b"1\r\nx\r\n" * (PIECES_MAX + 1))
        assert caller.makefile("rb").read().startswith(b"HTTP/1.1 413 ")


def test_threat_t19_a_slow_caller_is_told_to_go(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as slow:
        slow.sendall(b"POST /hooks/shop HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
        assert slow.recv(100).startswith(b"HTTP/1.1 408 ")


def test_one_connection_more_than_may_be_open_ends_the_oldest(port: int) -> None:
    opened = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(5)]
    assert opened[0].recv(10) == b""
    opened[-1].sendall(b"GET /hooks/shop HTTP/1.1\r\nHost: a\r\n\r\n")
    assert opened[-1].recv(100).startswith(b"HTTP/1.1 200 ")
    for one in opened:
        one.close()


def test_fault_row_44_more_than_can_be_worked_on_is_asked_to_come_again(
    client: httpx.Client, behind: Behind, port: int
) -> None:
    behind.open.clear()
    request = b"GET /hooks/shop HTTP/1.1\r\nHost: a\r\n\r\n"
    waiting = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(2)]
    for one in waiting:
        one.sendall(request)
    assert behind.entered.acquire(timeout=5)
    reply = client.get("/hooks/shop")
    while reply.status_code == 200:
        reply = client.get("/hooks/shop")
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "5")
    behind.open.set()
    for one in waiting:
        assert one.recv(100).startswith(b"HTTP/1.1 200 ")
        one.close()


def test_what_was_received_before_the_stop_is_answered(behind: Behind, bench: Bench) -> None:
    server = Server(behind, BOUNDS)
    port = server.start("127.0.0.1", 0)
    behind.open.clear()
    with socket.create_connection(("127.0.0.1", port), timeout=5) as one:
        one.sendall(b"GET /hooks/shop HTTP/1.1\r\nHost: a\r\n\r\n")
        assert behind.entered.acquire(timeout=5)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        behind.open.set()
        assert one.recv(100).startswith(b"HTTP/1.1 200 ")
        stopping.join(5)
        assert not stopping.is_alive()


def test_an_address_that_is_taken_is_said_at_once(port: int, bench: Bench) -> None:
    second = Server(Application(bench.intake))
    with pytest.raises(OSError, match=r"(?i)in use"):
        second.start("127.0.0.1", port)
    second.stop()


@pytest.mark.parametrize("host", ["hub..internal", f"{'h' * 64}.internal", "hub\x00internal"])
@pytest.mark.timeout(20)
def test_a_host_that_is_no_name_is_said_and_waits_for_nobody(bench: Bench, host: str) -> None:
    server = Server(Application(bench.intake))
    with pytest.raises(OSError, match="is no host name"):
        server.start(host, 8431)
    server.stop()
