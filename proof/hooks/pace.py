"""How long a vendor waits for its answer, over real sockets, at a steady pace.

A machine that others use too is no reason to call us slow. So before every webhook comes a request
that keeps nothing, to a server of its own: it must not queue behind the webhooks and excuse them.
After them all comes a row of bare commits on the same disk.
"""

from __future__ import annotations

import random
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import httpx

from connectors.clock import stopwatch
from proof.evidence import Size
from proof.hooks import rig as rigs
from proof.hooks.forgery import Sent, genuine
from web import intake as taking
from web import server as serving
from web.application import Application
from web.bounds import Bounds
from web.exchange import Reply, plain
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
NARROW = Bounds(threads=1, waiting=0)
"""Of a hub that sends away whoever comes while it works: of many at once, most."""
NARROW_COUNT = 60
PLANTED_COUNT = 30

Figures = dict[str, float | int | str]


def paces(size: Size, seed: int) -> tuple[Figures, list[str]]:
    """Figures of all that is looked at here, and what is wrong."""
    steady, slow = pace(PER_SECOND * SECONDS[size], seed)
    wide, lost = burst(int(BURST_PER_SECOND * BURST_SECONDS[size]), seed)
    narrow, lost_more = burst(NARROW_COUNT, seed, NARROW)
    away = {"burst into a single thread, sent away with 503": narrow["burst, sent away with 503"]}
    return {**steady, **wide, **away}, [*slow, *lost, *lost_more]


def pace(count: int, seed: int) -> tuple[Figures, list[str]]:
    """Figures of the answers in ms, and what was too slow or not answered with 200."""
    with rigs.rig(seed, durable=True) as rig, _served(rig) as base, _served(rig) as idle_base:
        sents = genuine(rig.clock.now(), count, random.Random(seed))
        took, idle, failed = _sent_steadily(base, idle_base, sents)
        disk = _bare_commits(rig.folder / "disk.db")
    p99, machine = _at(took, 0.99), _at(idle, 0.99) + _at(disk, 0.99)
    bound = max(ACK_P99_S, SLACK * machine)
    wrong = [f"{failed} of {count} webhooks were not taken at {PER_SECOND}/s"] if failed else []
    if p99 > bound:
        wrong.append(f"ack p99 {p99:.3f} s, where answer and commit take {machine:.3f} s")
    return {
        f"ack p50 at {PER_SECOND}/s, ms": round(_at(took, 0.5) * 1000, 1),
        f"ack p99 at {PER_SECOND}/s, ms": round(p99 * 1000, 1),
        f"ack p99 may be, ms (most of {ACK_P99_S * 1000:.0f} and {SLACK} x the machine)": round(
            bound * 1000, 1
        ),
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


@contextmanager
def _served(rig: rigs.Rig, bounds: Bounds | None = None) -> Iterator[str]:
    server = Server(Application(rig.intake), bounds)
    try:
        yield f"http://127.0.0.1:{server.start('127.0.0.1', 0)}"
    finally:
        server.stop()


def burst(count: int, seed: int, bounds: Bounds | None = None) -> tuple[Figures, list[str]]:
    """Row 44: 10,000 a minute, which may be more than can be kept. Figures, and what is wrong: each
    webhook is answered with 200 and kept, or with 503 and not, and taken when it is sent again."""
    with rigs.rig(seed, durable=True) as rig:
        with _served(rig, bounds) as base, httpx.Client(base_url=base, timeout=30) as client:
            sents = genuine(rig.clock.now(), count, random.Random(f"{seed}:burst"))
            began = stopwatch()
            answers = _paced(sents, BURST_PER_SECOND, lambda one: _posted(client, one))
            seconds, kept = stopwatch() - began, len(rig.events())
            again = [one for one, (_, code) in zip(sents, answers, strict=True) if code != 200]
            refused = [code for _, code in (_posted(client, one) for one in again)]
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


def _sent_steadily(
    base: str, idle_base: str, sents: Sequence[Sent]
) -> tuple[list[float], list[float], int]:
    with (
        httpx.Client(base_url=base, timeout=10) as client,
        httpx.Client(base_url=idle_base, timeout=10) as idler,
    ):

        def send(sent: Sent) -> tuple[float, float, int]:
            started = stopwatch()
            idler.get(f"/hooks/{sent.name}")
            idle = stopwatch() - started
            took, status = _posted(client, sent)
            return took, idle, status

        answers = _paced(sents, PER_SECOND, send)
    failed = sum(status != 200 for _, _, status in answers)
    return [post for post, _, _ in answers], [get for _, get, _ in answers], failed


def noticed(seed: int) -> dict[str, str | None]:
    """Each bug planted here, and what was said of it: the storm goes past the server, and has all
    the time there is."""
    return {
        **rigs.planted(_SLOW, lambda: pace(PLANTED_COUNT, seed)[1]),
        **rigs.planted(_UNTRUE, lambda: burst(NARROW_COUNT, seed, NARROW)[1]),
    }


_keep = taking.Intake._keep
_WORK_S = 0.4
"""Of the work: about what it takes to read an order at a vendor."""


def _worked_first(self: Any, *given: Any) -> taking.Answer:
    threading.Event().wait(_WORK_S)
    return _keep(self, *given)


def _taken_all_the_same(status: int, *more: Any) -> Reply:
    return plain(200 if status == 503 else status, *more)


_SLOW: dict[str, Callable[[], Any]] = {
    "the work is done before the answer": lambda: mock.patch.object(
        taking.Intake, "_keep", _worked_first
    ),
}
_UNTRUE: dict[str, Callable[[], Any]] = {
    "who is sent away is told that it was taken": lambda: mock.patch.object(
        serving, "plain", _taken_all_the_same
    ),
}
