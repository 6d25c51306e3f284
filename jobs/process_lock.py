"""One daemon per SQLite file, by an exclusive lock that the system drops when the process dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

from jobs.problems import OperatorError


class AlreadyRunning(OperatorError):
    """Another daemon works on the same store."""


class ProcessLock:
    """Holds ``path`` while open; the file says which process does, for the one that comes second.

    The file is never removed: deleting a locked file would let a third process lock a new one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def __enter__(self) -> ProcessLock:
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise OperatorError(
                f"{self._path} cannot be written beside the store: {error.strerror}.",
                "See that the folder of [store] url exists and lets this user write.",
            ) from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(file, 32).decode(errors="replace").strip() or "unknown"
            os.close(file)
            raise AlreadyRunning(
                f"Crossdock already runs on this store, as process {holder} "
                f"(it holds {self._path}).",
                "Stop that one first, or use `crossdock once` and `crossdock status` beside it.",
            ) from None
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
        self._file = file
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
