"""The director: picks who acts next, moves the clock, lets things go wrong, and has it checked."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TextIO

import structlog
from sqlalchemy import event

from jobs import app, collector
from proof.world import habits, post
from proof.world.agenda import Agenda
from proof.world.checks import Checks, Violation
from proof.world.clock import HubClock, WorldClock
from proof.world.course import Course
from proof.world.daemons import Daemon
from proof.world.database import SQLITE, empty_store, share_what_is_compiled
from proof.world.gates import CHANGED, Point
from proof.world.history import History
from proof.world.people import People
from proof.world.post import Post
from proof.world.result import Result
from proof.world.stage import Crashed, Stage
from proof.world.weather import Lots, Weather
from sandbox import installation, truth
from sandbox.app import Sandbox
from sandbox.installation import Pace
from sandbox.world import World
from state.store import Store
from sync import imports

MORNING = datetime(2026, 11, 2, 6, tzinfo=UTC)
BASE_URL = "http://sandbox.test"
LEASE = timedelta(seconds=60)
BEAT = timedelta(seconds=20)
HOUR = timedelta(hours=1)
REST = timedelta(hours=13)
"""Longer than the longest interval: every stream has looked at what came last."""
MOST_DAYS_OF_REST = 12


class Broken(Exception):
    """An invariant does not hold: the rest of the history would say nothing more."""


def simulate(
    course: Course,
    *,
    database: str = SQLITE,
    trace: TextIO | None = None,
    progress: Callable[[float], None] = lambda _: None,
    deaf: frozenset[str] = frozenset(),
    to_rest: bool = True,
) -> Result:
    """Live through the course. ``progress`` is told the share of it that is over; ``deaf``:
    invariants that are not looked at; ``to_rest``: false: it ends in the midst of everything.
    """
    _settle_once()
    with _folder() as folder, silence(), empty_store(database, folder) as url:
        simulation = Simulation(course, folder, url, History(trace), progress)
        simulation.checks.deaf = deaf
        try:
            return simulation.run(to_rest=to_rest)
        finally:
            simulation.close()


class Simulation:
    """One world and the hub in it. ``url``: an empty store; ``pace``: null: as drawn."""

    def __init__(
        self,
        course: Course,
        folder: Path,
        url: str,
        history: History,
        progress: Callable[[float], None] = lambda _: None,
        pace: Pace | None = None,
    ) -> None:
        self.course, self.history = course, history
        self.stage = Stage(MORNING)
        self.clock = HubClock(self.stage)
        self.world = World(
            course.seed,
            WorldClock(self.stage),
            orders_per_channel=course.orders_per_channel,
            day_hours=course.hours,
            days=course.whole_days,
            quirks=habits.draw(course),
        )
        self.sandbox = Sandbox(self.world)
        self.lots = Lots.draw(course)
        self.weather = Weather(course, self.sandbox)
        way = post.draw(course)
        installation.write(
            folder,
            BASE_URL,
            self.world,
            pace=pace or self.lots.pace,
            hook_secrets=post.SECRETS if way else None,
        )
        configuration = app.load(folder / "settings.toml")
        self.store = Store(url)
        share_what_is_compiled(self.store)
        self.agenda = Agenda(self.store)
        event.listen(self.store.engine, "commit", lambda _: self.agenda.forget())
        network = self.sandbox.transport()
        self._office = app.open_app(configuration, self.store, clock=self.clock, transport=network)
        self._stock_up(folder)
        self.people = People(self._office, self.world, course.dice("load"))
        self.post = Post(self._office, self.world, way, course.dice("post"), self._is_open)
        self.checks = Checks(self.store, self.sandbox, self.people, self.post)
        self.daemons = [
            Daemon(
                f"hub-{number}",
                configuration,
                self._office.hub.definitions,
                url,
                self.clock,
                network,
                self._gate,
                alone=course.workers == 1,
            )
            for number in range(1, course.workers + 1)
        ]
        self._dice = {name: course.dice(name) for name in ("schedule", "crash", "jitter")}
        self._progress = progress
        self._calls_seen = 0
        self._next_check = self._next_beat = self._next_step = MORNING + HOUR
        self._calm = False

    def run(self, *, to_rest: bool = True) -> Result:
        """The whole course, and on until nothing is left to do."""
        violations: list[Violation] = []
        try:
            self.begin()
            self.until(self.world.day_ends)
            if to_rest:
                self._come_to_rest()
        except Broken:
            violations = self.checks.found
        return Result.of(self, violations)

    def begin(self) -> None:
        """Start every daemon."""
        self.clock.skew = timedelta(seconds=self.lots.skew_s)
        for daemon in self.daemons:
            daemon.start(self._dice["jitter"])

    def close(self) -> None:
        for daemon in self.daemons:
            if daemon.actor is not None:
                self.stage.doom(daemon.actor)
            daemon.end()
        self.post.close()
        self._office.close()
        self.store.close()

    def _is_open(self) -> bool:
        """Whether any process lives that takes webhooks."""
        return any(daemon.back_at is None for daemon in self.daemons)

    def _stock_up(self, folder: Path) -> None:
        app.set_up_streams(self._office)
        skus, counts = folder / "skus.csv", folder / "counts.csv"
        with self.store.write() as conn:
            imports.import_skus(conn, imports.read_skus(skus))
            imports.import_counts(
                conn, counts, "berlin", imports.read_counts(counts), "ops", self.clock.now()
            )

    # What happens next.

    def until(self, end: datetime) -> None:
        """Live on. Raises ``Broken`` where something does not hold."""
        while self.stage.now < end:
            self._live()
            ready = self._ready()
            if ready:
                self._dice["schedule"].choice(ready)()
                self._note_calls()
                self._stop_if_broken()
            else:
                self._wait(end)

    def _ready(self) -> list[Callable[[], None]]:
        now = self.stage.now
        ready: list[Callable[[], None]] = [
            self._going_on(daemon)
            for daemon in self.daemons
            if daemon.actor is not None and daemon.actor.wakes and daemon.actor.wakes <= now
        ]
        idle = [daemon for daemon in self.daemons if daemon.idle]
        if idle:
            due = self.agenda.due(self.clock.now())
            ready += [self._starting(daemon, key) for daemon in idle for key in due]
        return ready

    def _starting(self, daemon: Daemon, key: str) -> Callable[[], None]:
        def start() -> None:
            daemon.key = key
            if self.course.workers > 1:
                daemon.actor = self.stage.enter(daemon.name, daemon.work)
                self._go_on(daemon)
                return
            try:
                self.stage.perform(daemon.name, daemon.work)
            except Crashed:
                self._bury(daemon)
            else:
                self._note_end(daemon)

        return start

    def _going_on(self, daemon: Daemon) -> Callable[[], None]:
        return lambda: self._go_on(daemon)

    def _go_on(self, daemon: Daemon) -> None:
        assert daemon.actor is not None
        daemon.stalled = False
        self.stage.go_on(daemon.actor)
        if daemon.actor.ended:
            crashed, daemon.actor = daemon.actor.crashed, None
            if crashed:
                self._bury(daemon)
            else:
                self._note_end(daemon)

    def _note_end(self, daemon: Daemon) -> None:
        ended = daemon.ended
        if ended is None:
            return
        self._note_calls()
        verdict = "ok" if ended.verdict is None else ended.verdict.kind
        counts = " ".join(f"{name}={n}" for name, n in sorted(ended.run.counts.items()))
        self.history.note(self.stage.now, "run", f"{daemon.name} {daemon.key} {verdict} {counts}")
        if ended.verdict is not None and ended.verdict.kind == "bug":
            self.checks.blame("no bug of ours", daemon.key, ended.verdict.message)

    def _bury(self, daemon: Daemon) -> None:
        down = self._dice["crash"].choice((1.0, 30.0, 300.0, 1500.0))
        daemon.back_at = self.stage.now + timedelta(seconds=down)
        daemon.end()

    def _wait(self, end: datetime) -> None:
        """Nobody has anything to do: on to when somebody has."""
        moments = [end, self._next_check, self._next_step]
        if any(daemon.idle for daemon in self.daemons):
            moments += self._next_due()
        if not self._calm:
            moments += [self.people.comes_at - self.clock.skew]
        moments += [m for m in (self.weather.changes_at, self.world.next_event()) if m]
        for daemon in self.daemons:
            moments += [daemon.back_at] if daemon.back_at else []
            if daemon.actor is not None and daemon.actor.wakes is not None:
                moments += [daemon.actor.wakes, self._next_beat]
        # At least a moment: where a clock was set back, something may be due in the past.
        self.stage.now = max(min(moments), self.stage.now + timedelta(milliseconds=1))

    def _next_due(self) -> list[datetime]:
        """When streams will be due that nobody runs, told in real time."""
        return [at - self.clock.skew for at in self.agenda.later(self.clock.now())]

    def _live(self) -> None:
        """What happens by itself because it is time."""
        now = self.stage.now
        self.world.advance_to(now)
        for daemon in self.daemons:
            if daemon.back_at is not None and daemon.back_at <= now:
                daemon.start(self._dice["jitter"])
                self.history.note(now, "start", daemon.name)
        if now >= self._next_beat:
            self._next_beat = now + BEAT
            for daemon in self.daemons:
                if daemon.actor is not None:
                    daemon.beat()
        if self.weather.changes_at is not None and self.weather.changes_at <= now:
            self.history.note(now, "weather", self.weather.change())
        if not self._calm and self.people.comes_at <= self.clock.now():
            self.history.note(now, "people", self.people.look_in())
            self.post.switch_on()
        if now >= self._next_step:
            self._step_the_clock()
        if now >= self._next_check:
            self._next_check = now + HOUR
            self._progress(min(1.0, (now - MORNING) / (self.world.day_ends - MORNING)))
            self.checks.hourly()
            self._stop_if_broken()

    def _step_the_clock(self) -> None:
        draw = self._dice["schedule"]
        self._next_step = self.stage.now + timedelta(hours=draw.uniform(4, 40))
        if self.lots.skew_s and not self._calm:
            self.clock.skew = timedelta(seconds=draw.choice((-30, -5, 0, 5, 30)))
            self.history.note(self.stage.now, "clock", f"{self.clock.skew.total_seconds():+.0f} s")

    # What comes between.

    def _gate(self, daemon: Daemon, point: Point, call: str) -> None:
        if point == "after commit":
            self.agenda.forget()
        if self.stage.acting != daemon.name:
            return
        self._note_calls()
        if point == "after commit" and call == CHANGED:
            self.checks.at_commit()
        draw, lots = self._dice["crash"], self.lots
        if not self._calm and draw.random() < lots.crash_rate:
            self.history.note(self.stage.now, "crash", f"{daemon.name} {point} {call}")
            raise Crashed
        if point == "within commit":
            # The transaction holds its locks: whoever came between would wait for them.
            return
        if not self._calm and draw.random() < lots.stall_rate:
            daemon.stalled = True
            seconds = LEASE.total_seconds() * draw.uniform(1.1, 15)
            self.history.note(self.stage.now, "stall", f"{daemon.name} {point} {seconds:.0f} s")
            self.stage.pause(seconds)
        elif lots.step_s:
            self.stage.pause(self._dice["schedule"].uniform(0, lots.step_s))

    def _note_calls(self) -> None:
        entries = self.sandbox.calls.entries
        for call in entries[self._calls_seen :]:
            self.history.note(call.at, "call", f"{call.vendor}:{call.operation} {call.status}")
        self._calls_seen = len(entries)
        for at, answer in self.post.news():
            self.history.note(at, "webhook", answer)

    def _stop_if_broken(self) -> None:
        if self.checks.found:
            raise Broken

    # The end.

    def _come_to_rest(self) -> None:
        """No more trouble; time passes until nothing is due, and then everybody must agree."""
        self._calm = True
        self.weather.clear()
        self.post.clear()
        self.clock.skew = timedelta(0)
        last = self.stage.now
        for _ in range(MOST_DAYS_OF_REST):
            while (coming := self.world.next_event()) is not None:
                self.until(coming)
                self.world.advance_to(coming)
                last = coming
            self.until(self.stage.now + REST)
            if self.people.clear():
                self.until(self.stage.now + REST)
            if self.world.next_event() is None and self.checks.is_quiet(self._all_shown(last)):
                break
        self.checks.at_rest()
        self.history.note(self.stage.now, "truth", truth.digest(self.world))
        self._stop_if_broken()

    def _all_shown(self, last: datetime) -> datetime | None:
        """By when vendors show what happened ``last``; null: at once, as the pulls expect it."""
        quirks = self.world.quirks
        late = timedelta(seconds=max(quirks.late_s, quirks.shipments_late_s))
        return last + late if late else None


@cache
def _settle_once() -> None:
    collector.settle()


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="crossdock-simulation-") as name:
        yield Path(name)


@contextmanager
def silence() -> Iterator[None]:
    """Nobody reads a log of months; formatting it would be a third of the work."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)
