"""Work that does not depend on other work, on every core: a process for each lane.

The answers come in the order of the questions, so what is printed of them is the same on any number
of cores. ``taskset`` says how many there are.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import connection, get_context
from typing import Any, Generic, TypeVar, cast

Item = TypeVar("Item")
Answer = TypeVar("Answer")

_CONTEXT = get_context("spawn")
"""Nothing of whoever asks is in a lane: not its threads, and not what it has planted."""


@dataclass(frozen=True, slots=True)
class Lost:
    """No answer: the work raised something, or its process ended."""

    why: str


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0))


def each(
    work: Callable[[Item], Answer], items: Iterable[Item], lanes: int | None = None
) -> Iterator[tuple[Item, Answer | Lost]]:
    """Every item with what ``work``, a function of a module, answers to it; in their order.

    ``lanes``: null: one for each core. An item is taken from ``items`` when a lane is free for it,
    so they may end when the time is over. A lane that died is replaced.
    """
    coming = enumerate(items)
    spare: list[_Lane[Item, Answer]] = []
    busy: dict[Any, tuple[int, Item, _Lane[Item, Answer]]] = {}
    answered: dict[int, tuple[Item, Answer | Lost]] = {}
    told = 0
    try:
        while True:
            while len(busy) < (lanes or cores()):
                number, item = next(coming, (None, None))
                if number is None:
                    break
                lane = spare.pop() if spare else _Lane(work)
                lane.ask(cast(Item, item))
                busy[lane.pipe] = (number, cast(Item, item), lane)
            if not busy:
                return
            for pipe in connection.wait(list(busy)):
                number, item, lane = busy.pop(pipe)
                answered[number] = (item, lane.answer())
                if lane.is_alive:
                    spare.append(lane)
            while told in answered:
                yield answered.pop(told)
                told += 1
    finally:
        for lane in [*spare, *(one for _, _, one in busy.values())]:
            lane.end()


class _Lane(Generic[Item, Answer]):
    """One process, which is asked one thing after the other."""

    def __init__(self, work: Callable[[Item], Answer]) -> None:
        self.pipe, theirs = _CONTEXT.Pipe()
        self.is_alive = True
        self._process = _CONTEXT.Process(target=_serve, args=(theirs, work), daemon=True)
        self._process.start()
        # Theirs is the only one then: it is told here when they are gone.
        theirs.close()

    def ask(self, item: Item) -> None:
        self.pipe.send(item)

    def answer(self) -> Answer | Lost:
        try:
            return cast("Answer | Lost", self.pipe.recv())
        except (EOFError, OSError):
            self.end()
            return Lost(f"its process ended with {self._process.exitcode}")

    def end(self) -> None:
        """Also in the midst of something: nobody waits for it any more."""
        self.is_alive = False
        self.pipe.close()
        self._process.join(timeout=_PATIENCE_S)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()


_PATIENCE_S = 5.0
"""For a process that is asked nothing more."""


def _serve(pipe: Any, work: Callable[[Any], Any]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            item = pipe.recv()
        except EOFError:
            return
        try:
            found = work(item)
        except Exception as error:  # noqa: BLE001  told to whoever asked
            found = Lost(f"{type(error).__name__}: {error}")
        try:
            pipe.send(found)
        except BrokenPipeError:
            return
