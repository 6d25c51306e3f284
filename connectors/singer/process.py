"""A tap as a process: bounded in time and memory, and never left behind.

One thread reads both pipes. While it does something else the tap waits at a full pipe, which is
what keeps it from running ahead of what is stored.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from connectors.errors import ConfigProblem, Retryable
from connectors.singer import launch

_LAUNCH = (sys.executable, "-I", "-S", launch.__file__)
_CHUNK = 64 * 1024
_TAIL_LINES = 5
_TAIL_BYTES = 4000
"""Kept of one line of stderr. More than is ever shown, so no secret is cut and shown in half."""


@dataclass(frozen=True, slots=True)
class Limits:
    """``deadline_s``, ``grace_s``: real seconds for the run, and to end after being asked to."""

    deadline_s: float
    grace_s: float
    line_bytes: int


class Tap:
    """A running tap. Whoever makes one calls ``stop`` in the end, whatever happened."""

    def __init__(
        self,
        program: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        limits: Limits,
        stopwatch: Callable[[], float],
    ) -> None:
        """Start it. Raises ``ConfigProblem`` when the system refuses."""
        self._limits = limits
        self._stopwatch = stopwatch
        self._ends_at = stopwatch() + limits.deadline_s
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._unfinished = b""
        try:
            # Its own session: a signal to the group reaches what it starts, and none of ours.
            self._process = subprocess.Popen(  # noqa: S603  ops name the program, no shell
                [*_LAUNCH, str(os.getpid()), *program],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(environment),
                cwd=folder,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            raise ConfigProblem(f"the tap cannot be started in {folder}: {error}") from None
        assert self._process.stdout is not None  # for the type checker: both are pipes
        assert self._process.stderr is not None
        self._stdout, self._stderr = self._process.stdout, self._process.stderr
        self._selector = selectors.DefaultSelector()
        for pipe in (self._stdout, self._stderr):
            self._selector.register(pipe, selectors.EVENT_READ)

    @property
    def tail(self) -> list[str]:
        """The last lines of stderr, as they came."""
        return [*self._tail, *([_text(self._unfinished)] if self._unfinished else [])]

    def lines(self, patience_s: float) -> Iterator[bytes | None]:
        """Lines of stdout with their ends; null whenever none came for ``patience_s``.

        The last one may lack its end. Raises ``Retryable`` at the deadline and ``ConfigProblem``
        for a line that is too long: of that one, no more than the limit is ever held.
        """
        pending = bytearray()
        while True:
            chunk = self._chunk(patience_s)
            if chunk is None:
                yield None
                continue
            if not chunk:
                break
            pending += chunk
            if b"\n" in chunk:
                *whole, rest = pending.split(b"\n")
                for line in whole:
                    self._require_short(line)
                    yield bytes(line) + b"\n"
                pending = rest
            self._require_short(pending)
        if pending:
            yield bytes(pending)

    def exit_code(self) -> int:
        """How it ended, after its last line; below zero: by which signal.

        Raises ``Retryable`` for one that closes stdout and stays.
        """
        until = min(self._stopwatch() + self._limits.grace_s, self._ends_at)
        while self._stderr in self._open_pipes() and self._stopwatch() < until:
            self._look(until - self._stopwatch())
        try:
            return self._process.wait(max(until - self._stopwatch(), 0.05))
        except subprocess.TimeoutExpired:
            raise Retryable("the tap closed its output and did not end; it was ended") from None

    def kill(self) -> None:
        """End it at once. May come from another thread, whose reader then sees the end."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end, force it after the grace, and leave nothing of its group behind."""
        self._selector.close()
        # One that is stuck in a write would not come round to a signal handler of its own.
        self._stdout.close()
        self._stderr.close()
        if self._process.poll() is None:
            self._signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(self._limits.grace_s)
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _chunk(self, patience_s: float) -> bytes | None:
        """What stdout has; empty at its end, null when nothing came in time."""
        until = self._stopwatch() + patience_s
        while True:
            now = self._stopwatch()
            if now >= self._ends_at:
                raise Retryable(
                    f"the tap was still running after {self._limits.deadline_s:g} s and was ended; "
                    "raise `deadline_s` if it needs longer"
                )
            if self._look(min(until, self._ends_at) - now):
                return os.read(self._stdout.fileno(), _CHUNK)
            if self._stopwatch() >= until:
                return None

    def _look(self, seconds: float) -> bool:
        """Wait for the pipes, take what stderr has, and answer whether stdout has something."""
        ready = [key.fileobj for key, _ in self._selector.select(max(seconds, 0))]
        if self._stderr in ready:
            self._note(os.read(self._stderr.fileno(), _CHUNK))
        return self._stdout in ready

    def _note(self, chunk: bytes) -> None:
        if not chunk:
            self._selector.unregister(self._stderr)
            return
        *whole, rest = (self._unfinished + chunk).split(b"\n")
        # A traceback underlines its own lines.
        self._tail.extend(_text(line) for line in whole if line.strip(b" ^~\r"))
        self._unfinished = rest[:_TAIL_BYTES]

    def _open_pipes(self) -> list[object]:
        return [key.fileobj for key in self._selector.get_map().values()]

    def _require_short(self, line: bytes | bytearray) -> None:
        if len(line) > self._limits.line_bytes:
            raise ConfigProblem(
                f"the tap wrote a line of more than {self._limits.line_bytes} bytes; "
                "raise `max_record_bytes` if such records are to be read"
            )

    def _signal(self, number: signal.Signals) -> None:
        # Its group is gone when everything in it has ended.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


def _text(line: bytes) -> str:
    return line[:_TAIL_BYTES].decode("utf-8", "replace").strip()
