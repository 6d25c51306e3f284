"""One cell of the matrix: a push that meets something, on two processes if the first one dies."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection

from jobs.runner import Runner
from jobs.running import Order
from proof.ambiguity import installation
from proof.ambiguity.installation import Scene, opened
from proof.ambiguity.targets import Target
from proof.ambiguity.way import Crash, Met
from state import strays, streams
from sync import drain
from sync.context import Hub, Run

Death = Literal[
    "none", "before-send", "after-send", "after-response", "after-settle", "stall", "short-stall"
]
DEATHS: tuple[Death, ...] = (
    "none",
    "before-send",
    "after-send",
    "after-response",
    "after-settle",
    "stall",
    "short-stall",
)
BOUND = timedelta(seconds=installation.LOOKUP_LAG_S)

STALL = timedelta(minutes=15)
SHORT_STALL = timedelta(seconds=58)
TICK_S = 30.0
TICKS = 60
"""Half an hour: longer than any wait of a push that is not left to a person."""

ENDED = ("done", "review", "rejected")
NOT_IN_DOUBT = ("ok", "429", "connect-fail")


@dataclass(frozen=True, slots=True)
class Cell:
    """``lag``: in bounds."""

    target: Target
    met: Met
    death: Death = "none"
    lag: float = 0.0
    seed: int = 7

    def __str__(self) -> str:
        where = f"{self.target.name} ({self.target.vendor_class})"
        return f"{where}: {self.met}, {self.death}, lag {self.lag:g}, seed {self.seed}"


@dataclass(frozen=True, slots=True)
class Ended:
    """What a cell came to. ``fired``: its fault and its death really happened."""

    cell: Cell
    fired: tuple[str, ...]
    violations: tuple[tuple[str, str], ...]
    """(checker, what it saw)."""
    doubled: int
    detected: int


class _Watched:
    """A run whose second commit, the first after the claim, can be where the process dies."""

    def __init__(self, run: Run, at_claim: Callable[[], None], deaths: dict[str, bool]) -> None:
        self._run = run
        self._at_claim = at_claim
        self._deaths = deaths
        self._claimed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._run, name)

    @contextmanager
    def commit(self) -> Iterator[Connection]:
        settles = self._claimed
        if settles and self._deaths.pop("after-response", False):
            raise Crash
        with self._run.commit() as conn:
            yield conn
            before = conn.exec_driver_sql("SELECT count(*) FROM intent WHERE state = 'sending'")
            claims = bool(before.scalar())
        if settles and self._deaths.pop("after-settle", False):
            raise Crash
        if claims and not self._claimed:
            self._claimed = True
            if self._deaths.pop("before-send", False):
                raise Crash
            self._at_claim()


def play(cell: Cell, made: Path, folder: Path) -> Ended:
    """Let one cell happen on a copy of its template, and look at both sides."""
    shutil.copytree(made, folder)
    try:
        with opened(folder, cell.seed, installation.READY, cell.target.is_effect) as scene:
            return _Play(cell, scene).run()
    finally:
        shutil.rmtree(folder)


class _Play:
    def __init__(self, cell: Cell, scene: Scene) -> None:
        self.cell = cell
        self.scene = scene
        self.key = streams.key_of("push", cell.target.connection)
        self.fired: list[str] = []
        self.errors: list[str] = []

    def run(self) -> Ended:
        cell, scene = self.cell, self.scene
        self.app = scene.process()
        self._prepare()
        scene.way.met, scene.way.lag = cell.met, cell.lag * BOUND
        scene.way.sent.clear()
        scene.way.struck = 0
        self._first()
        for _ in range(TICKS):
            scene.clock.advance(TICK_S)
            scene.way.arrive()
            if self._state() in ENDED and not scene.way.busy:
                break
            self._push(self.app.runner("run"))
        if scene.way.struck:
            self.fired.append(cell.met)
        return self._judged()

    def _state(self) -> str:
        rows = self.scene.intents(self.cell.target.kind)
        return str(next(row.state for row in rows if row.id == self.intent.id))

    def _prepare(self) -> None:
        for step in self.cell.target.first:
            if step == "cancel":
                installation.cancel_first(self.scene)
            elif step == "feed":
                connector: Any = self.app.hub.links["amazon-eu"].connector
                connector._feed_threshold = 1
            else:
                installation.run(self.app, "push", step)
        installation.give(self.scene, self.cell.target.kind, self.cell.target.connection)
        (self.intent,) = [
            row for row in self.scene.intents(self.cell.target.kind) if row.state == "planned"
        ]

    def _first(self) -> None:
        """The push that meets the fault and, if the cell says so, dies or stalls."""
        death = self.cell.death
        deaths = {} if death in ("none", "stall", "short-stall") else {death: True}
        self.scene.way.die_after_send = deaths.pop("after-send", False)
        runner = self.app.runner("run")

        def at_claim() -> None:
            if death in ("stall", "short-stall"):
                self.fired.append(death)
                self._others_meanwhile(STALL if death == "stall" else SHORT_STALL)

        def watched(hub: Hub, run: Run) -> None:
            drain.push(hub, _Watched(run, at_claim, deaths))  # type: ignore[arg-type]

        try:
            self._push(replace(runner, jobs={**runner.jobs, "push": watched}))
        except Crash:
            self.fired.append(death)
            self.app.locks.close()

    def _others_meanwhile(self, stall: timedelta) -> None:
        """The worker stands still; its lease is taken from it, as after a failing heartbeat."""
        clock, woken = self.scene.clock, self.scene.clock.now() + stall
        with self.scene.store.write() as conn:
            streams.expire_leases(conn, "run/")
        clock.advance(1)
        while clock.now() < woken:
            self._push(self.app.runner("run"))
            clock.advance(min(TICK_S, (woken - clock.now()).total_seconds()))

    def _push(self, runner: Runner) -> None:
        ended = runner.run_once(self.key, Order("proof", self.cell.target.connection))
        if ended is not None and ended.verdict is not None and ended.verdict.kind == "bug":
            self.errors.append(ended.verdict.message)

    # ---- looking at both sides

    def _judged(self) -> Ended:
        cell, scene = self.cell, self.scene
        (now,) = [row for row in scene.intents(cell.target.kind) if row.id == self.intent.id]
        effects = cell.target.effects(scene, now)
        doubled, detected = max(0, effects - 1), 0
        found = [("no error", message) for message in self.errors]
        if doubled:
            detected = self._swept()
        if doubled and not self._may_double():
            found.append(("effects in the vendor's books", f"{effects} effects, {now.state}"))
        elif doubled and not detected:
            found.append(("the sweep", f"{effects} effects and no stray"))
        # Feeds name a document that is a new one each time.
        if len(set(scene.way.sent)) > 1 and cell.target.vendor_class != "F":
            found.append(("one body", f"{len(set(scene.way.sent))} different bodies were sent"))
        found += self._unlike(now, effects)
        return Ended(cell, tuple(self.fired), tuple(found), doubled, detected)

    def _unlike(self, now: Any, effects: int) -> Iterator[tuple[str, str]]:
        """Our own word about it, held against the vendor's books."""
        blind = self.cell.target.vendor_class == "B"
        doubtful = self.cell.met not in NOT_IN_DOUBT or self.cell.death != "none"
        if blind and len(self.scene.way.sent) > 1:
            yield "never sent blindly again", f"{len(self.scene.way.sent)} calls"
        if now.state == "done" and not effects:
            yield "done means done", "done, and the vendor has nothing"
        settled = ("done", "review") if blind and doubtful else ("done",)
        if now.state not in settled and not self._beyond_the_bound():
            yield "everything ends", f"{now.state}: {now.message}"

    def _may_double(self) -> bool:
        """Beyond the bound a look-up finds nothing, and a vendor of class L has nothing else; one
        that knows keys or references refuses the second whatever its index knows."""
        return self._beyond_the_bound() and self.cell.target.vendor_class == "L"

    def _beyond_the_bound(self) -> bool:
        return self.cell.lag > 1 and self.cell.target.looked_up

    def _swept(self) -> int:
        """The doubles that a sweep finds, a good hour later."""
        if self.cell.target.kind not in strays.KINDS:
            return 0
        self.scene.clock.advance(2 * 3600)
        key = streams.key_of("sweep", self.cell.target.connection)
        self.app.runner("run").run_once(key, Order("proof", self.cell.target.connection))
        with self.scene.store.read() as conn:
            return sum(row.problem == "double" for row in strays.listing(conn))
