"""T19: whoever sends slowly, too much or nonsense takes nobody's turn.

Callers that drip a byte now and then hold connections open while vendors send webhooks over the
same port; bodies grow beyond the cap without a length; heads do not end. All on loopback.
"""

from __future__ import annotations

import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

import httpx

from connectors.clock import stopwatch
from proof.evidence import Evidence, Size
from proof.hooks import rig as rigs
from proof.hooks.forgery import genuine
from web.application import Application
from web.bounds import Bounds
from web.server import Server

DRIPPING = {"pull-request": 100, "nightly": 500}
GOOD = {"pull-request": 40, "nightly": 400}
P99_S = 0.5
DRIP_S = 0.05
HERE = ("127.0.0.1", 0)
BOUNDS = Bounds(receive_s=2.0, send_s=1.0, connections=80, body_max=50_000)
"""Fewer connections than there are callers that drip: the oldest must make room."""
CUT_OFF_S = 4.0
"""By then the last one that drips has been told to go: deadline, answer and some air."""


def attack(dripping: int, good: int, seed: int, met: Counter[str]) -> tuple[list[str], list[float]]:
    """What a caller got away with, and the seconds that good webhooks took meanwhile."""
    with rigs.rig(seed) as rig, _served(rig) as port:
        sents = genuine(rig.clock.now(), good, random.Random(seed))
        with _drips(port, dripping, met) as sockets:
            took, wrong = _good_traffic(port, sents)
            wrong += _too_much(port, met)
            threading.Event().wait(CUT_OFF_S)
            open_ = sum(_is_open(one) for one in sockets)
        if open_:
            wrong.append(f"{open_} of {dripping} dripping callers were never cut off")
        if len(rig.events()) != good:
            wrong.append(f"{len(rig.events())} of {good} webhooks were kept")
    return wrong, took


@contextmanager
def _served(rig: rigs.Rig) -> Iterator[int]:
    server = Server(Application(rig.intake, BOUNDS.body_max), BOUNDS)
    try:
        yield server.start(*HERE)
    finally:
        server.stop()


@contextmanager
def _drips(port: int, count: int, met: Counter[str]) -> Iterator[list[socket.socket]]:
    """So many connections that say their request a byte at a time, until the block ends."""
    stop = threading.Event()
    with ExitStack() as stack:
        sockets = []
        for number in range(count):
            one = stack.enter_context(socket.create_connection((HERE[0], port), timeout=5))
            one.sendall(b"POST /hooks/shop-eu HTTP/1.1\r\nHost: a\r\n")
            if number % 2:
                one.sendall(b"Content-Length: 40000\r\n\r\n")
            sockets.append(one)
            met["dripping connections"] += 1
        dripper = threading.Thread(target=_drip, args=(sockets, stop), daemon=True)
        dripper.start()
        try:
            yield sockets
        finally:
            stop.set()
            dripper.join()


def _drip(sockets: Sequence[socket.socket], stop: threading.Event) -> None:
    while not stop.wait(DRIP_S):
        for one in sockets:
            try:
                one.send(b"x")
            except OSError:
                continue


def _is_open(one: socket.socket) -> bool:
    """Whether the other side still listens: it has not said goodbye."""
    one.setblocking(False)
    try:
        while data := one.recv(4096):
            del data
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _good_traffic(port: int, sents: Sequence[Any]) -> tuple[list[float], list[str]]:
    took, wrong = [], []
    with httpx.Client(base_url=f"http://{HERE[0]}:{port}", timeout=10) as client:
        for sent in sents:
            started = stopwatch()
            try:
                status = client.post(
                    f"/hooks/{sent.name}", content=sent.body, headers=sent.headers
                ).status_code
            except httpx.TransportError:
                status = 0
            took.append(stopwatch() - started)
            if status != 200:
                wrong.append(f"a good webhook was answered {status}")
    return took, wrong


def _too_much(port: int, met: Counter[str]) -> list[str]:
    """Each is refused with its own status; none is received to its end."""
    wrong = []
    for kind, (wanted, parts) in _excesses().items():
        met[kind] += 1
        with socket.create_connection((HERE[0], port), timeout=10) as one:
            said = b""
            try:
                for part in parts:
                    one.sendall(part)
                said = one.recv(200)
            except OSError:
                said = b"reset"
        if said != b"reset" and not said.startswith(b"HTTP/1.1 %d" % wanted):
            wrong.append(f"{kind} was answered {said[:40]!r}")
    return wrong


_HEAD = b"POST /hooks/shop-eu HTTP/1.1\r\nHost: a\r\n"


def _excesses() -> dict[str, tuple[int, list[bytes]]]:
    more = BOUNDS.body_max // 10_000 + 2
    chunk = b"2710\r\n" + b"x" * 10_000 + b"\r\n"
    return {
        "a length that is too large": (413, [_HEAD + b"Content-Length: 99999999\r\n\r\n"]),
        "chunks beyond the cap": (
            413,
            [_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * more],
        ),
        "a head that is too long": (431, [_HEAD + b"X: " + b"y" * 40_000 + b"\r\n\r\n"]),
        "two lengths": (400, [_HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"]),
        "no HTTP at all": (400, [b"\x16\x03\x01\x02\x00\x01\r\n\r\n"]),
    }


def prove(size: Size, seed: int = 1) -> Evidence:
    started, met = time.process_time(), Counter[str]()
    wrong, took = attack(DRIPPING[size], GOOD[size], seed, met)
    p99 = sorted(took)[int(len(took) * 0.99)]
    if p99 > P99_S:
        wrong.append(f"good webhooks took {p99:.3f} s (p99)")
    return Evidence(
        claim="T19",
        title="Slow, endless and senseless callers take nobody's turn",
        command=f"python -m proof T19 --size {size} --seed {seed}",
        runs=sum(met.values()),
        unit="callers",
        seeds=str(seed),
        injections=dict(met),
        violations=wrong,
        planted=rigs.planted(BUGS, lambda: attack(100, 4, seed, Counter())[0]),
        figures={"good webhooks, p99, ms": round(p99 * 1000, 1)},
        cpu_s=round(time.process_time() - started, 2),
    )


def _bounds(**changes: Any) -> Any:
    return mock.patch(f"{__name__}.BOUNDS", replace(BOUNDS, **changes))


BUGS: dict[str, Callable[[], Any]] = {
    "there is no deadline": lambda: _bounds(receive_s=3600.0, connections=1_000),
    "bodies are not counted": lambda: _bounds(body_max=10**9),
}
