"""How long a vendor waits for its answer, over real sockets, at a steady pace.

A machine that others use too is no reason to call us slow. So before every webhook comes a request
that keeps nothing, and after them all a row of bare commits on the same disk.
"""

from __future__ import annotations

import random
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from connectors.clock import stopwatch
from proof.evidence import Size
from proof.hooks import rig as rigs
from proof.hooks.forgery import Sent, genuine
from web.application import Application
from web.server import Server

PER_SECOND = 50
SECONDS = {"pull-request": 4, "nightly": 60}
ACK_P99_S = 0.25
SLACK = 4
"""Times what an answer that keeps nothing and a bare commit take together."""
CLIENTS = 16


def pace(size: Size, seed: int) -> tuple[dict[str, float | int | str], list[str]]:
    """Figures of the answers in ms, and what was too slow or not answered with 200."""
    count = PER_SECOND * SECONDS[size]
    with rigs.rig(seed, durable=True) as rig:
        server = Server(Application(rig.intake))
        port = server.start("127.0.0.1", 0)
        try:
            sents = genuine(rig.clock.now(), count, random.Random(seed))
            took, idle, failed = _sent_steadily(f"http://127.0.0.1:{port}", sents)
            disk = _bare_commits(rig.folder / "disk.db")
        finally:
            server.stop()
    p99, machine = _at(took, 0.99), _at(idle, 0.99) + _at(disk, 0.99)
    wrong = [f"{failed} of {count} webhooks were not taken at {PER_SECOND}/s"] if failed else []
    if p99 > max(ACK_P99_S, SLACK * machine):
        wrong.append(f"ack p99 {p99:.3f} s, where answer and commit take {machine:.3f} s")
    return {
        f"ack p50 at {PER_SECOND}/s, ms": round(_at(took, 0.5) * 1000, 1),
        f"ack p99 at {PER_SECOND}/s, ms": round(p99 * 1000, 1),
        "answer that keeps nothing, p99, ms": round(_at(idle, 0.99) * 1000, 1),
        "bare commit, p99, ms": round(_at(disk, 0.99) * 1000, 1),
        "not taken at once": failed,
    }, wrong


def _bare_commits(path: Path) -> list[float]:
    """Seconds of commits that wait for the disk, one after the other, by nobody but SQLite."""
    took = []
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.executescript("PRAGMA journal_mode = WAL; CREATE TABLE one (n INTEGER);")
        connection.execute("PRAGMA synchronous = FULL")
        for number in range(_COMMITS):
            started = stopwatch()
            connection.execute("INSERT INTO one VALUES (?)", (number,))
            took.append(stopwatch() - started)
    finally:
        connection.close()
    return took


_COMMITS = 100


def _at(seconds: list[float], share: float) -> float:
    return sorted(seconds)[int(len(seconds) * share)]


def _sent_steadily(base: str, sents: list[Sent]) -> tuple[list[float], list[float], int]:
    pause, begin = threading.Event(), stopwatch()
    with (
        httpx.Client(base_url=base, timeout=10) as client,
        ThreadPoolExecutor(CLIENTS) as pool,
    ):

        def send(numbered: tuple[int, Sent]) -> tuple[float, float, int]:
            number, sent = numbered
            pause.wait(max(0.0, begin + number / PER_SECOND - stopwatch()))
            started = stopwatch()
            client.get(f"/hooks/{sent.name}")
            between = stopwatch()
            reply = client.post(f"/hooks/{sent.name}", content=sent.body, headers=sent.headers)
            return stopwatch() - between, between - started, reply.status_code

        answers = list(pool.map(send, enumerate(sents)))
    failed = sum(status != 200 for _, _, status in answers)
    return [post for post, _, _ in answers], [get for _, get, _ in answers], failed
