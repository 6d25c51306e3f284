"""Row 87: PostgreSQL is killed and started again, over and over, under a daemon that trades.

A server of our own, ended as by a crash (no checkpoint, every connection cut in whatever it is
doing) and gone for a while each time. The daemon gets no help: at the end nothing may be lost,
doubled or left undone by what the vendors know, and it must be the same process.
"""

from __future__ import annotations

import os
import random
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import make_url, text
from sqlalchemy.engine import create_engine

from proof import postgres
from proof.budget import Budget, reached
from proof.clock import cpu_s, stopwatch
from proof.evidence import Evidence, Size
from proof.soak.bugs import BUGS_OF_RESTARTS
from proof.soak.stage import lived

NIGHT_S = 3600.0
_TRADE_S = {"pull-request": 60.0, "nightly": NIGHT_S}
_LEAST_S = 45.0
_ENDS_S = 60.0
BETWEEN_S = (2.0, 9.0)
"""Real seconds that the server lives; of the hub's clock forty minutes to three hours."""
GONE_S = (0.1, 2.0)


@dataclass
class Killer:
    """``kills``: how often the server ended by its crash; ``gone_s``: how long it was away."""

    server: Any
    draw: random.Random
    kills: int = 0
    gone_s: float = 0.0

    def until(self, stop: threading.Event) -> None:
        while not stop.wait(self.draw.uniform(*BETWEEN_S)):
            began = stopwatch()
            self._kill()
            stop.wait(self.draw.uniform(*GONE_S))
            self.server.ensure_postgres_running()
            self.kills += 1
            self.gone_s += stopwatch() - began

    def _kill(self) -> None:
        """SIGQUIT is PostgreSQL's immediate shutdown: the next start recovers from its log."""
        process = self.server.get_postmaster_info().process
        os.kill(process.pid, signal.SIGQUIT)
        process.wait(30)


def prove(size: Size, seed: int = 7, budget_s: float | None = None) -> Evidence:
    """``budget_s``: real seconds; null: what the size says. Raises ImportError where there is no
    PostgreSQL to be had."""
    began, budget = cpu_s(), Budget(budget_s)
    planted = {}
    for bug in BUGS_OF_RESTARTS:
        wrong, _ = _lived_through(seed, _LEAST_S, bug)
        planted[bug] = wrong[0][:160] if wrong else None
    seconds = min(_TRADE_S[size], max(_LEAST_S, budget.left - _ENDS_S))
    violations, killer = _lived_through(seed, seconds)
    return Evidence(
        claim="87",
        title="PostgreSQL is killed and restarted under a daemon that trades",
        command=f"python -m proof 87 --size {size} --seed {seed}",
        runs=killer.kills,
        unit="crashes of the server",
        seeds=str(seed),
        injections={"crashes of the server": killer.kills},
        violations=violations,
        planted=planted,
        figures={
            "real seconds of trade": round(seconds),
            "of these without a server": round(killer.gone_s, 1),
            **reached(size, seconds, NIGHT_S),
        },
        cpu_s=round(cpu_s() - began, 1),
    )


def _lived_through(seed: int, trade_s: float, bug: str = "") -> tuple[list[str], Killer]:
    with (
        tempfile.TemporaryDirectory(prefix="crossdock-87-") as folder,
        postgres.running(Path(folder)) as server,
        lived(seed, trade_s, bug, _database(server)) as life,
    ):
        killer = Killer(server, random.Random(f"{seed}:kills"))
        with _killing(killer):
            wrong = life.trade()
        return wrong or life.end(), killer


@contextmanager
def _killing(killer: Killer) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=killer.until, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _database(server: Any) -> str:
    """The URL of an empty database; the product's own commands make its tables."""
    url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as conn:
        conn.execute(text("CREATE DATABASE crossdock"))
    admin.dispose()
    return url.set(database="crossdock").render_as_string(hide_password=False)
