"""Who acts when: one at a time, on a clock that moves only while nobody does.

Each actor has a thread, for the product is written in plain blocking calls, and only the one that
was handed the baton runs. It hands it back when it pauses or ends, so the order of everything that
happens is the director's alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

PATIENCE_S = 120.0
"""Real seconds after which an actor that does not give the baton back is a bug of the stage."""


class Crashed(BaseException):
    """The process is no more. No ``except Exception`` may hold it up."""


class Actor:
    """Something under way. ``wakes``: when it can go on; null: it has ended."""

    def __init__(self, name: str, work: Callable[[], None], wakes: datetime) -> None:
        self.name = name
        self.wakes: datetime | None = wakes
        self.doomed = self.crashed = False
        self.error: BaseException | None = None
        self.turn = _shut()
        self.thread = threading.Thread(target=self._act, args=(work,), name=name, daemon=True)
        self.given_back = _shut()

    @property
    def ended(self) -> bool:
        return self.wakes is None

    def _act(self, work: Callable[[], None]) -> None:
        self.turn.acquire()
        try:
            if not self.doomed:
                work()
        except Crashed:
            self.crashed = True
        except BaseException as error:  # noqa: BLE001  handed to the director
            self.error = error
        finally:
            self.wakes = None
            self.given_back.release()


def _shut() -> threading.Lock:
    """A gate that whoever waits finds shut, and that lets through once for each ``release``. A
    semaphore, which can let through many, takes ten times as long to hand over a baton."""
    gate = threading.Lock()
    gate.acquire()
    return gate


class Stage:
    """The time, and the actors. ``now`` is aware and in UTC."""

    def __init__(self, start: datetime) -> None:
        self.now = start
        self._acting = threading.local()

    def enter(self, name: str, work: Callable[[], None]) -> Actor:
        """An actor that waits for its first turn."""

        def begin() -> None:
            self._acting.actor, self._acting.name = actor, name
            work()

        actor = Actor(name, begin, self.now)
        actor.thread.start()
        return actor

    def go_on(self, actor: Actor) -> None:
        """Hand over the baton until it comes back; raises what the actor failed with."""
        actor.turn.release()
        if not actor.given_back.acquire(timeout=PATIENCE_S):
            raise RuntimeError(f"{actor.name} does not give the baton back")
        if actor.ended:
            actor.thread.join()
        if actor.error is not None:
            raise actor.error

    def perform(self, name: str, work: Callable[[], None]) -> None:
        """Act at once and without a thread, where nobody else can come between."""
        self._acting.name = name
        try:
            work()
        finally:
            self._acting.name = None

    @property
    def acting(self) -> str | None:
        """Who acts on this thread; null: the director."""
        return getattr(self._acting, "name", None)

    def doom(self, actor: Actor) -> None:
        """End it where it stands, as the end of its process does."""
        actor.doomed = True
        if not actor.ended:
            self.go_on(actor)

    def pause(self, seconds: float) -> None:
        """Let time pass for whoever calls. Where nobody else acts, it passes at once."""
        actor: Actor | None = getattr(self._acting, "actor", None)
        later = self.now + timedelta(seconds=max(0.0, seconds))
        if actor is None:
            self.now = later
            return
        if actor.doomed:
            raise Crashed
        actor.wakes = later
        actor.given_back.release()
        actor.turn.acquire()
        if actor.doomed:
            raise Crashed
