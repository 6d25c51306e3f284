"""How long a vendor waits for its answer, over real sockets, at a steady pace.

A machine that others use too is no reason to call us slow. So before every webhook comes a request
that keeps nothing, and after them all a row of bare commits on the same disk.
"""

from __future__ import annotations

import random
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import httpx

from connectors.clock import stopwatch
from proof.evidence import Size
from proof.hooks import rig as rigs
from proof.hooks.forgery import Sent, genuine
from web.application import Application
from web.server import Server

T = TypeVar("T")

PER_SECOND = 50
SECONDS = {"pull-request": 4, "nightly": 60}
BURST_PER_SECOND = 10_000 / 60
BURST_SECONDS = {"pull-request": 2, "nightly": 60}
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


def burst(size: Size, seed: int) -> tuple[dict[str, float | int | str], list[str]]:
    """Row 44: 10,000 a minute, which may be more than can be kept. Figures, and what is wrong: each
    webhook is answered with 200 and kept, or with 503 and not, and taken when it is sent again."""
    count = int(BURST_PER_SECOND * BURST_SECONDS[size])
    with rigs.rig(seed, durable=True) as rig:
        server = Server(Application(rig.intake))
        base = f"http://127.0.0.1:{server.start('127.0.0.1', 0)}"
        try:
            sents = genuine(rig.clock.now(), count, random.Random(f"{seed}:burst"))
            with httpx.Client(base_url=base, timeout=30) as client:
                began = stopwatch()
                answers = _paced(sents, BURST_PER_SECOND, lambda one: _posted(client, one))
                seconds, kept = stopwatch() - began, len(rig.events())
                again = [one for one, (_, code) in zip(sents, answers, strict=True) if code != 200]
                refused = [code for _, code in (_posted(client, one) for one in again)]
        finally:
            server.stop()
        after = len(rig.events())
    codes = Counter(code for _, code in answers)
    wrong = [f"in a burst {n} were answered {c}" for c, n in codes.items() if c not in (200, 503)]
    if kept != codes[200]:
        wrong.append(f"in a burst {codes[200]} were answered 200, and {kept} kept")
    if after != count or any(code != 200 for code in refused):
        wrong.append(f"after a burst {after} of {count} are kept")
    return {
        "burst, webhooks a second": round(count / seconds, 1),
        "burst, sent away with 503": f"{codes[503] / count:.1%}",
        "burst, ack p99, ms": round(_at([took for took, _ in answers], 0.99) * 1000, 1),
    }, wrong


def _posted(client: httpx.Client, sent: Sent) -> tuple[float, int]:
    """Seconds until the answer, and its status."""
    began = stopwatch()
    reply = client.post(f"/hooks/{sent.name}", content=sent.body, headers=sent.headers)
    return stopwatch() - began, reply.status_code


def _paced(sents: Sequence[Sent], per_second: float, send: Callable[[Sent], T]) -> list[T]:
    """Send them by many at once, each when its turn comes or as soon as somebody is free."""
    pause, begin = threading.Event(), stopwatch()

    def in_turn(numbered: tuple[int, Sent]) -> T:
        number, sent = numbered
        pause.wait(max(0.0, begin + number / per_second - stopwatch()))
        return send(sent)

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(in_turn, enumerate(sents)))


def _sent_steadily(base: str, sents: Sequence[Sent]) -> tuple[list[float], list[float], int]:
    with httpx.Client(base_url=base, timeout=10) as client:

        def send(sent: Sent) -> tuple[float, float, int]:
            started = stopwatch()
            client.get(f"/hooks/{sent.name}")
            idle = stopwatch() - started
            took, status = _posted(client, sent)
            return took, idle, status

        answers = _paced(sents, PER_SECOND, send)
    failed = sum(status != 200 for _, _, status in answers)
    return [post for post, _, _ in answers], [get for _, get, _ in answers], failed
