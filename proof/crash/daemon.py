"""The real daemon in a forked process, on a clock that jumps to whatever is due next.

``crossdock run`` as the command line starts it: settings, lock, store, connections over real
sockets, engine, heartbeat, signals, drain. Different are: one job thread, so that the order of
its steps is the same every time; the clock; and that what is the same in every life (the compiled
definitions, the TLS context) is made once before the fork, as an import is.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import func, select

import jobs.commands.run  # noqa: F401 - in memory before the fork
from jobs import app
from jobs.cli import cli
from jobs.engine import Engine
from jobs.settings_loader import Configuration
from proof.crash.hooks import hook
from proof.crash.points import Points
from proof.crash.shared import Shared, SharedClock
from state import streams
from state import tables as t
from state.store import Store

HANGS = 97
"""Exit code: the daemon ran out of patience with itself. No number of the product."""
_ROUNDS_MAX = 20_000
_ROUNDS_STUCK = 4
"""So many looks in a row that change nothing: the disk refuses, and time must go on."""
_PATIENCE_S = 30.0


_reliefs: list[Callable[[], None]] = []


def relieve_with(relief: Callable[[], None]) -> None:
    """Call this, once, when the daemon gets nowhere any more: the disk has room again."""
    _reliefs.append(relief)


def share_what_never_differs(configuration: Configuration) -> None:
    """Before the first fork: what every life of the daemon would make in the same way again."""
    made: Any = httpx._transports.default
    context = made.create_ssl_context()
    hook(made, "create_ssl_context", lambda **_: context)
    definitions = app.definitions_of(configuration)
    hook(app, "definitions_of", lambda *_: definitions)


def rehearse(configuration: Configuration, store: Store, clock: Any, transport: Any) -> None:
    """Run every stream that is due, in this process: what is imported or compiled on first use
    is in memory from then on, and every daemon forked later has it.
    """
    with app.open_app(configuration, store, clock=clock, transport=transport) as installation:
        app.set_up_streams(installation)
        runner = installation.runner("run")
        while True:
            with store.read() as conn:
                keys = streams.due(conn, clock.now())
            if not keys:
                return
            for key in keys:
                runner.run_due(key)


def start(
    folder: Path,
    shared: Shared,
    until: datetime,
    prepare: Callable[[], object] | None = None,
) -> int:
    """Fork a daemon that works until everything up to ``until`` is done; its process id.

    ``prepare`` runs in the new process first: planted bugs, limits. The names of the points it
    passed are in ``points.txt`` when it ends well.
    """
    pid = os.fork()
    if pid:
        return pid
    code = HANGS
    try:
        code = _live(folder, shared, until, prepare)
    except BaseException:  # noqa: BLE001 - nothing may get back into the process it was forked from
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        # Neither the exit handlers nor the buffers of the process it was forked from.
        os._exit(code)


def _live(
    folder: Path,
    shared: Shared,
    until: datetime,
    prepare: Callable[[], object] | None,
) -> int:
    log = os.open(folder / "crossdock.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.chdir(folder)
    clock = SharedClock(shared)
    points = Points(shared, folder / "crossdock.db")
    _pace(clock, until)
    if prepare is not None:
        prepare()
    points.hook()
    try:
        cli(["run"], prog_name="crossdock", standalone_mode=True)
    except SystemExit as end:
        if not end.code:
            (folder / "points.txt").write_text("\n".join(points.names), encoding="utf-8")
        return end.code if isinstance(end.code, int) else 0
    return 0


def _pace(clock: SharedClock, until: datetime) -> None:
    """Where the daemon would wait for a signal, do what time does; SIGTERM at the end."""
    engines: list[Engine] = []
    begin = Engine.start

    def noted_start(engine: Engine) -> None:
        engines.append(engine)
        begin(engine)

    def waited(_: Any) -> int:
        engine, before, stuck = engines[-1], (clock.now(), -1), 0
        for _round in range(_ROUNDS_MAX):
            _wait_for_idle(engine)
            engine.tick()
            if not (engine._waiting or engine._active):
                following = _next_due(engine)
                if following is None or following > until:
                    clock.jump(until)
                    return signal.SIGTERM
                clock.jump(following)
            state = (clock.now(), _fences(engine))
            stuck = stuck + 1 if state == before else 0
            before = state
            if stuck >= _ROUNDS_STUCK and _reliefs:
                _reliefs.pop()()
        os._exit(HANGS)

    hook(Engine, "start", noted_start)
    hook(signal, "sigwait", waited)
    hook(app, "clock_of", lambda *_: clock)


def _wait_for_idle(engine: Engine) -> None:
    with engine._change:
        idle = engine._change.wait_for(
            lambda: not engine._waiting and not engine._active, timeout=_PATIENCE_S
        )
    if not idle:
        for frame in sys._current_frames().values():
            traceback.print_stack(frame)
        os._exit(HANGS)


def _next_due(engine: Engine) -> datetime | None:
    with engine._store.read() as conn:
        now = engine._runner.clock.now()
        if streams.due(conn, now):
            return now
        following: datetime | None = conn.scalar(
            select(func.min(t.stream.c.due_at)).where(t.stream.c.due_at > now)
        )
    return following


def _fences(engine: Engine) -> int:
    """Grows with every run that could begin."""
    with engine._store.read() as conn:
        return conn.scalar(select(func.sum(t.stream.c.fence))) or 0
