"""Row 41: kill -9 while a webhook is taken in, before the commit, after it, and before the answer.

A real process serves over a socket and ends itself (SIGKILL) at the point asked for. The vendor got
no answer, so it sends again to the process that is started next: one event, one want, and never an
answer 200 without a row.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import httpx

from proof.budget import Budget, reached
from proof.evidence import Evidence, Size
from proof.hooks import rig as rigs
from proof.hooks.forgery import genuine
from state import streams
from state.store import Store
from web import intake as taking
from web.application import Application
from web.server import Server

POINTS = ("before the commit", "after the commit", "before the answer")
ROUNDS = {"pull-request": 1, "nightly": 20}
LIMIT_S = 60


def serve(folder: Path, point: str, bug: str) -> None:
    """The process that is killed: prints its port and takes webhooks until then."""
    with BUGS[bug]() if bug else _nothing(), rigs.opened(folder) as rig, _dying(point):
        server = Server(Application(rig.intake))
        print(server.start("127.0.0.1", 0), flush=True)  # noqa: T201
        sys.stdin.read()
        server.stop()


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def _dying(point: str) -> Iterator[None]:
    """End the process at this point of the first webhook; none: live."""
    write, keep = Store.write, taking.Intake._keep

    @contextmanager
    def writing(self: Store, **given: Any) -> Iterator[Any]:
        with write(self, **given) as conn:
            yield conn
            if point == "before the commit":
                _die()
        if point == "after the commit":
            _die()

    def keeping(self: Any, *given: Any) -> taking.Answer:
        answer = keep(self, *given)
        if point == "before the answer":
            _die()
        return answer

    if point not in POINTS:
        yield
        return
    with (
        mock.patch.object(Store, "write", writing),
        mock.patch.object(taking.Intake, "_keep", keeping),
    ):
        yield


@contextmanager
def _process(folder: Path, point: str, bug: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "proof.hooks.kills", str(folder), point, bug]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}", process
        finally:
            process.kill()


def attack(
    seed: int, met: Counter[str], bug: str = "", points: Sequence[str] = POINTS
) -> list[str]:
    """At each point: send, die, start again, send again."""
    wrong = []
    for point in points:
        with tempfile.TemporaryDirectory() as name, rigs.opened(Path(name)) as rig:
            sent = genuine(rig.clock.now(), 20, random.Random(f"{seed}:{point}"))[0]
            wanted = rig.wants()
            with _process(rig.folder, point, bug) as (base, process):
                first = _sent(base, sent)
                if process.wait(LIMIT_S) == -signal.SIGKILL:
                    met[f"killed {point}"] += 1
            # What is started next knows nothing but the store.
            again = rig.receive(*sent[:3]).status
            rows, asked = len(rig.events()), rig.wants() - wanted
            if (first, rows, asked, again) != (0, 1, 1, 200):
                wrong.append(
                    f"{point}: answered {first}, then {again}; {rows} events asked {asked} times"
                )
    return wrong


def _sent(base: str, sent: Any) -> int:
    try:
        reply = httpx.post(
            f"{base}/hooks/{sent.name}", content=sent.body, headers=sent.headers, timeout=LIMIT_S
        )
    except httpx.TransportError:
        return 0
    return reply.status_code


def prove(size: Size, seed: int = 1, budget_s: float | None = None) -> Evidence:
    """``budget_s``: real seconds; null: all rounds."""
    started, met, budget = time.process_time(), Counter[str](), Budget(budget_s)
    noticed = {}
    for bug in BUGS:
        said = attack(seed, Counter(), bug, POINTS[1:2])
        noticed[bug] = said[0] if said else None
    rounds = range(seed, seed + ROUNDS[size])
    told = [(number, attack(number, met)) for number in budget.over(rounds)]
    violations = [wrong for _, found in told for wrong in found]
    violations += [f"no kill {point}" for point in POINTS if not met[f"killed {point}"]]
    return Evidence(
        claim="41",
        title="A webhook survives kill -9 at every point of its intake",
        command=f"python -m proof 41 --size {size} --seed {seed}",
        runs=sum(met.values()),
        unit="kills",
        seeds=f"{seed}-{told[-1][0]}",
        injections=dict(met),
        violations=violations,
        planted=noticed,
        figures=reached(size, len(told), len(rounds)),
        cpu_s=round(time.process_time() - started, 2),
    )


def _apart() -> Any:
    """Event and want in transactions of their own."""
    add = taking.Intake._add

    def adding(self: Any, endpoint: Any, delivery: Any, hook: Any, wanted: Any) -> bool:
        new = add(self, endpoint, delivery, hook, ())
        if new:
            with self._store.write() as conn:
                for key in wanted:
                    streams.request(conn, key, self._clock.now())
        return new

    return mock.patch.object(taking.Intake, "_add", adding)


BUGS: dict[str, Callable[[], Any]] = {"event and want are committed apart": _apart}


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
