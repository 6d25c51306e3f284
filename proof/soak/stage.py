"""An installation that trades with the sandbox over sockets, its daemon a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from rich.console import Console

from proof.clock import stopwatch
from proof.crash.lanes import REPOSITORY
from proof.soak.life import KEEP_RUNS
from proof.soak.readings import Growth, Reading, read
from proof.world.checks import agreement, books, rest
from proof.world.checks.packing import packing_lists
from sandbox.app import Sandbox
from sandbox.catalogue import SCARCE
from sandbox.clock import ScaledClock
from sandbox.demo import DAY, QUIET_AFTER, Demo, set_up
from sandbox.server import serve
from sandbox.vendors.shipbob_account import HOME_CENTER
from sandbox.world import World
from state import tables as t
from state.store import Store

SPEED = 1200.0
"""Seconds of the vendors' and the hub's clock in a real one."""
ORDERS_PER_S = 1.5
PLENTY = 100_000
READINGS = 200
PRUNED_WITHIN_H = 3.0
"""The job that deletes old runs comes each hour, and on a loaded machine somewhat later."""
PATIENCE_S = 180.0
"""Real seconds after the last order, until nothing is left to do."""
STARTS_WITHIN_S = 60.0


@dataclass
class Life:
    """A daemon and the days of trade it lives through. ``trade_s``: real seconds of orders."""

    demo: Demo
    url: str
    trade_s: float
    daemon: subprocess.Popen[bytes]
    readings: list[Reading] = field(default_factory=list)
    _pause: threading.Event = field(default_factory=threading.Event)

    @property
    def log(self) -> Path:
        return self.demo.folder / "crossdock.log"

    @property
    def store(self) -> Path:
        return self.demo.folder / "crossdock.db"

    @property
    def growth(self) -> Growth:
        return Growth(self.readings, KEEP_RUNS.total_seconds() / 3600 + PRUNED_WITHIN_H)

    def trade(self) -> list[str]:
        """Read what the daemon holds until the last order was placed; says whether it died."""
        began, ends = stopwatch(), self.demo.world.day_ends
        while self.demo.world.clock.now() < ends:
            self._pause.wait(self.trade_s / READINGS)
            if self.daemon.poll() is not None:
                return [f"the daemon ended with {self.daemon.returncode}: {self._tail()}"]
            if self.url.startswith("sqlite"):
                at = stopwatch() - began
                self.readings.append(read(self.daemon.pid, at, self.store, self.log))
        return []

    def wait_for_start(self) -> None:
        """What it takes to start is no growth. Raises ``TimeoutError``."""
        deadline = stopwatch() + STARTS_WITHIN_S
        while b'"started"' not in self.log.read_bytes():
            if stopwatch() > deadline or self.daemon.poll() is not None:
                raise TimeoutError(f"the daemon does not start: {self._tail()}")
            self._pause.wait(0.1)

    def end(self) -> list[str]:
        """Let everything come to its end and the daemon stop; what is then not as it should be."""
        world, deadline = self.demo.world, stopwatch() + PATIENCE_S
        quiet = world.day_ends + QUIET_AFTER
        with closing(Store(self.url)) as store:
            while world.clock.now() < quiet or _waiting(store):
                if stopwatch() > deadline or self.daemon.poll() is not None:
                    left = "; ".join(_waiting(store)[:3])
                    return [f"the trade does not come to its end: {left}: {self._tail()}"]
                self._pause.wait(0.2)
            self.daemon.send_signal(signal.SIGTERM)
            code = self.daemon.wait(60)
            wrong = [f"the daemon ended with {code}: {self._tail()}"] if code else []
            with store.read() as conn:
                printed = packing_lists(conn, t.intent.c.kind == "label")
                told = [*agreement.differences(conn, world, {}, {}, printed), *books.audit(conn)]
        return wrong + [str(one) for one in told]

    def errors(self) -> list[str]:
        """Lines of the log that tell of an error, or that are none."""
        found = []
        for line in self.log.read_text(encoding="utf-8").splitlines():
            try:
                level = json.loads(line)["level"]
            except (ValueError, TypeError, KeyError):
                level = "no line of ours"
            if level not in ("debug", "info", "warning"):
                found.append(f"{level}: {line[:300]}")
        return found

    def _tail(self) -> str:
        return self.log.read_text(encoding="utf-8")[-500:]


@contextmanager
def lived(seed: int, trade_s: float, bug: str = "", url: str | None = None) -> Iterator[Life]:
    """A daemon with a ``bug`` in it, which has begun to work; it is killed with the block's end.
    ``url``: of its store; null: an SQLite file of its own."""
    hours = trade_s * SPEED / 3600
    world = World(
        seed,
        ScaledClock(DAY, 0),
        orders_per_channel=max(4, int(trade_s * ORDERS_PER_S / 2)),
        day_start=DAY,
        day_hours=hours,
    )
    # What is scarce may be sold twice while nobody looks, and then never leaves: another claim's.
    for code in SCARCE:
        world.shipbob.receive(code, HOME_CENTER, PLENTY)
    sandbox = Sandbox(world)
    with (
        tempfile.TemporaryDirectory(prefix="crossdock-soak-") as name,
        serve(sandbox) as base_url,
        _store_at(url or f"sqlite:///{name}/crossdock.db") as store,
    ):
        demo = Demo(world, sandbox, Path(name), Console(quiet=True))
        set_up(demo, base_url, SPEED)
        daemon = _started(demo.folder, bug)
        life = Life(demo, store, trade_s, daemon)
        try:
            life.wait_for_start()
            yield life
        finally:
            daemon.kill()
            daemon.wait()


@contextmanager
def _store_at(url: str) -> Iterator[str]:
    """Have every command of this block work on that store, and nothing else of the environment."""
    with mock.patch.dict(os.environ):
        for name in [name for name in os.environ if name.startswith("CROSSDOCK_")]:
            del os.environ[name]
        os.environ["CROSSDOCK_STORE__URL"] = url
        yield url


def _waiting(store: Store) -> list[str]:
    with store.read() as conn:
        return rest.waiting(conn)


def _started(folder: Path, bug: str) -> subprocess.Popen[bytes]:
    settings = str(folder / "settings.toml")
    with (folder / "crossdock.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "proof.soak.life", bug, "--", "--config", settings, "run"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            stdout=log,
            stderr=subprocess.STDOUT,
            # Ctrl-C at the terminal is for whoever proves: the daemon is told by them.
            start_new_session=True,
        )
