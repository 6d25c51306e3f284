"""The hub's processes: each has a memory of its own, works, stalls, dies and comes back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from random import Random

import httpx

from jobs import app
from jobs.app import App
from jobs.runner import Ended, Runner
from jobs.settings_loader import Configuration
from mappings import Definitions
from proof.world.clock import HubClock
from proof.world.gates import GatedStore, GatedTransport, Point
from proof.world.stage import Actor
from state import streams


class Daemon:
    """One worker with one job at a time. ``back_at``: when it starts again; null: it lives.

    Where it is the only one it begins as ``crossdock run`` does, by ending the leases of the dead;
    one of several waits for them to run out, as it would on a machine of its own.
    """

    def __init__(
        self,
        name: str,
        configuration: Configuration,
        definitions: Definitions,
        url: str,
        clock: HubClock,
        network: httpx.BaseTransport,
        gate: Callable[[Daemon, Point, str], None],
        *,
        alone: bool,
    ) -> None:
        self.name = name
        self.actor: Actor | None = None
        self.stalled = False
        self.back_at: datetime | None = None
        self.ended: Ended | None = None
        self.key = ""
        self._configuration, self._definitions = configuration, definitions
        self._url, self._clock = url, clock
        self._network = GatedTransport(network, self._pass)
        self._gate = gate
        self._alone = alone
        self._app: App | None = None
        self._runner: Runner | None = None

    @property
    def idle(self) -> bool:
        return self._app is not None and self.actor is None

    def start(self, dice: Random) -> None:
        """Begin a new life, with nothing remembered but what the store holds."""
        store = GatedStore(self._url, self._pass)
        self._app = app.open_app(
            self._configuration,
            store,
            clock=self._clock,
            transport=self._network,
            dice=dice,
            stopwatch=self._clock.stopwatch,
            # Compiled from files that do not change: compiling them anew would show nothing.
            definitions=self._definitions,
        )
        if self._alone:
            self._app.take_over()
        else:
            app.set_up_streams(self._app)
            with store.write() as conn:
                streams.retry_parked_connections(conn, self._clock.now())
        self._runner = self._app.runner("run")
        self.back_at, self.stalled = None, False

    def work(self) -> None:
        """Run the stream ``key``, if it is still due."""
        assert self._runner is not None
        self.ended = None
        self.ended = self._runner.run_due(self.key)

    def beat(self) -> None:
        """Keep the lease of what it does alive."""
        if self._runner is not None and not self.stalled:
            self._runner.heartbeat.beat()

    def end(self) -> None:
        """Forget everything."""
        if self._app is not None:
            self._app.close()
            self._app.hub.store.close()
        self._app = self._runner = self.actor = None
        self.stalled = False

    def _pass(self, point: Point, call: str) -> None:
        self._gate(self, point, call)
