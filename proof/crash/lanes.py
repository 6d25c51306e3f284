"""Trials side by side: as many processes as the machine has cores to spare."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

REPOSITORY = Path(__file__).parents[2]
_MEMORY = Path("/dev/shm")  # noqa: S108 - kill -9 spares the kernel, so nothing here needs a disk


class LaneBroken(Exception):
    """A lane did not answer: what it was asked proves nothing."""


class Lanes:
    def __init__(self, processes: Sequence[subprocess.Popen[str]]) -> None:
        self._all = processes
        self._free: SimpleQueue[subprocess.Popen[str]] = SimpleQueue()
        for process in processes:
            self._free.put(process)

    def ask(self, task: Mapping[str, Any]) -> Any:
        """One task by whichever lane is free."""
        lane = self._free.get()
        try:
            assert lane.stdin is not None
            assert lane.stdout is not None
            lane.stdin.write(json.dumps(task) + "\n")
            lane.stdin.flush()
            line = lane.stdout.readline()
        finally:
            self._free.put(lane)
        told = json.loads(line) if line else {"failed": f"the lane ended with {lane.poll()}"}
        if "failed" in told:
            raise LaneBroken(f"{task}: {told['failed']}")
        return told

    def ask_all(self, tasks: Iterable[Mapping[str, Any]]) -> list[Any]:
        """The answers, in the order of the tasks. Each task is drawn when a lane is free for it:
        that is when whoever has a budget looks whether any of it is left."""
        asked: list[Future[Any]] = []
        running: set[Future[Any]] = set()
        with ThreadPoolExecutor(len(self._all)) as pool:
            for task in tasks:
                asked.append(pool.submit(self.ask, task))
                running.add(asked[-1])
                if len(running) == len(self._all):
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    # What broke ends it now, and not after all the others.
                    for one in done:
                        one.result()
            return [one.result() for one in asked]


@contextmanager
def open_lanes(seed: int, number: int = 2) -> Iterator[Lanes]:
    """Lanes in folders of their own, which are gone afterwards."""
    where = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="crossdock-crash-", dir=where) as folder:
        processes = [_lane(Path(folder) / str(n), seed) for n in range(number)]
        try:
            yield Lanes(processes)
        finally:
            for process in processes:
                assert process.stdin is not None
                process.stdin.close()
            for process in processes:
                process.wait(60)
                assert process.stdout is not None
                process.stdout.close()


def _lane(folder: Path, seed: int) -> subprocess.Popen[str]:
    folder.mkdir()
    kept = {name: v for name, v in os.environ.items() if not name.startswith("CROSSDOCK_")}
    return subprocess.Popen(
        [sys.executable, "-m", "proof.crash.lane", str(folder), str(seed)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env={**kept, "PYTHONPATH": str(REPOSITORY)},
    )
