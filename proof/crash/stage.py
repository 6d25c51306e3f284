"""One sandbox over real sockets, one installation, and the daemons that live and die in it.

Everything is set up once: a daemon that has read the catalogue and told every channel its
quantities leaves a *template*, the store as a file and the vendors as objects. Each trial begins
with a copy of it.
"""

from __future__ import annotations

import copy
import os
import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from structlog.testing import capture_logs

from jobs import app, collector
from proof.crash import daemon
from proof.crash.flows import FLOWS, Flow
from proof.crash.points import digest
from proof.crash.shared import Shared, SharedClock
from sandbox import installation
from sandbox.app import Sandbox
from sandbox.server import serve
from sandbox.vendors.shipengine_account import Label, ShipEngineAccount
from sandbox.world import World
from state import migrate
from state.store import Store
from sync import imports

MORNING = datetime(2026, 11, 2, 6, tzinfo=UTC)
BEGIN = MORNING + timedelta(minutes=30)
PICK_AFTER, SHIP_AFTER = timedelta(minutes=50), timedelta(minutes=70)
PATIENCE = timedelta(hours=1)
PATIENCE_TIMES = 4
"""How much later than undisturbed all may come to rest."""

_EVERY = {
    "tick_s = 0.1": "tick_s = 60\nthreads = 1",
    'release_after = "10m"': 'release_after = "0s"',
    'allocate = "5m", promise = "5m"': 'allocate="1h", promise="20m", holds="1d", prune="1d"',
    'orders = "15m", listings = "1h", push = "10m"': (
        'orders="30m", listings="1d", push="20m", read_back="1d"'
    ),
    'shipments = "15m", stock = "1h", push = "10m"': 'shipments="30m", stock="30m", push="20m"',
    'tracking = "3h", push = "10m"': 'tracking = "1d", push = "20m", rates = "1d"',
}
"""Looks that find nothing cost a trial as much as those that find something."""


class SetUpFailed(Exception):
    """The stage itself is broken: nothing that was seen on it counts."""


@dataclass(frozen=True, slots=True)
class Death:
    """A kill that really happened. ``kept``: the store held exactly what was committed then."""

    point: int
    name: str
    kept: bool


class CarelessCarrier(ShipEngineAccount):
    """Sells a second label for the same reference, as carriers do that know no such key: whether
    one is bought twice is up to the hub alone. It still finds what it sold."""

    def live_label(self, external_id: str) -> Label | None:
        return None


@dataclass(slots=True)
class Stage:
    folder: Path
    sandbox: Sandbox
    shared: Shared
    clock: SharedClock
    world_template: World

    @property
    def store(self) -> Path:
        return self.folder / "crossdock.db"

    @property
    def world(self) -> World:
        return self.sandbox.world

    def reset(self, flow: Flow) -> None:
        """The morning as it was, and the flow about to begin."""
        for ending in ("-wal", "-shm"):
            self.store.with_name(f"crossdock.db{ending}").unlink(missing_ok=True)
        shutil.copyfile(self.folder / "template.db", self.store)
        (self.folder / "crossdock.log").unlink(missing_ok=True)
        self.shared.set_now(BEGIN)
        self.sandbox.world = _copied(self.world_template)
        self.sandbox.faults.clear()
        self.sandbox.calls.entries.clear()
        flow.begin(self.world, BEGIN)

    def run(
        self, until: datetime, target: int = 0, prepare: Callable[[], object] | None = None
    ) -> int:
        """A daemon from its start to its end: its exit code, or minus the signal that ended it."""
        self.shared.aim(target)
        pid = daemon.start(self.folder, self.shared, until, prepare)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def run_well(self, until: datetime, prepare: Callable[[], object] | None = None) -> float:
        """As ``run``; it must end well. Answers the seconds it took."""
        began = time.perf_counter()
        code = self.run(until, prepare=prepare)
        if code:
            raise SetUpFailed(f"the daemon ended with {code}:\n{self.log()[-3000:]}")
        return time.perf_counter() - began

    def kill_at(
        self, point: int, until: datetime, prepare: Callable[[], object] | None = None
    ) -> Death | None:
        """Kill at this point; null when the daemon came to its end before."""
        code = self.run(until, point, prepare)
        struck, before, name = self.shared.struck
        if code == 0 and struck == 0:
            return None
        if (code, struck) != (-signal.SIGKILL, point):
            raise SetUpFailed(f"not killed at {point}: {code}, {struck}\n{self.log()[-3000:]}")
        return Death(point, name, digest(self.store) == before)

    def names(self) -> list[str]:
        """The points of the last daemon that ended well."""
        return (self.folder / "points.txt").read_text(encoding="utf-8").splitlines()

    def log(self) -> str:
        path = self.folder / "crossdock.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""


@contextmanager
def open_stage(folder: Path, seed: int) -> Iterator[Stage]:
    """Set everything up in an empty folder. One at a time per process."""
    shared = Shared()
    shared.set_now(MORNING)
    clock = SharedClock(shared)
    sandbox = Sandbox(
        World(
            seed,
            clock,
            orders_per_channel=0,
            day_hours=0.1,
            pick_after=PICK_AFTER,
            ship_after=SHIP_AFTER,
        )
    )
    sandbox.world.shipengine = CarelessCarrier()
    with serve(sandbox, threads=4) as base_url:
        installation.write(folder, base_url, sandbox.world)
        _look_less_often(folder)
        stage = Stage(folder, sandbox, shared, clock, sandbox.world)
        _furnish(stage)
        yield stage


def _furnish(stage: Stage) -> None:
    """The morning's work in this process, and then a story: all that is loaded late is loaded."""
    configuration = app.load(stage.folder / "settings.toml")
    daemon.share_what_never_differs(configuration)
    transport = stage.sandbox.transport()
    with capture_logs(), closing(Store(f"sqlite:///{stage.store}")) as store:
        migrate.upgrade(store)
        _import(store, stage)
        daemon.rehearse(configuration, store, stage.clock, transport)
        stage.clock.jump(BEGIN)
    _fold_log(stage.store)
    shutil.copyfile(stage.store, stage.folder / "template.db")
    stage.world_template = _copied(stage.world)
    for flow in (FLOWS["labels"], FLOWS["cancel"]):
        stage.reset(flow)
        with capture_logs(), closing(Store(f"sqlite:///{stage.store}")) as store:
            for _ in range(4):
                stage.clock.advance(1800)
                daemon.rehearse(configuration, store, stage.clock, transport)
    collector.settle()


def _import(store: Store, stage: Stage) -> None:
    counts = stage.folder / "counts.csv"
    with store.write() as conn:
        imports.import_skus(conn, imports.read_skus(stage.folder / "skus.csv"))
    configuration = app.load(stage.folder / "settings.toml")
    with app.open_app(configuration, store, clock=stage.clock) as _, store.write() as conn:
        read = imports.read_counts(counts)
        imports.import_counts(conn, counts, "berlin", read, "ops", stage.clock.now())


def _copied(world: World) -> World:
    """A copy of everything but the clock, which there is only one of, and locks."""
    kept = {id(world.clock): world.clock, id(world.lock): threading.RLock()}
    return copy.deepcopy(world, kept)


def _look_less_often(folder: Path) -> None:
    for path in (folder / "settings.toml", *(folder / "connections.d").iterdir()):
        text = path.read_text(encoding="utf-8")
        for often, seldom in _EVERY.items():
            text = text.replace(often, seldom)
        path.write_text(text, encoding="utf-8")


def _fold_log(store: Path) -> None:
    """One file to copy, not three."""
    with closing(sqlite3.connect(store)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
