"""Becomes the program it is told to run, made so that it does not outlive who started it.

``connectors.singer.process`` runs this file by its path, in a Python without our packages: between
a fork and an exec, in a process with threads, nothing of this may be done.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
CANNOT_RUN = 126
"""The exit code that says that the program could not be started, as a shell has it."""


def main(parent: int, program: list[str]) -> None:
    """Never returns. ``parent``: the process id of who started this one."""
    # The daemon blocks signals in its threads and Python ignores SIGPIPE; both are inherited.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        # It died before the kernel knew that we want to die with it.
        os._exit(CANNOT_RUN)
    try:
        os.execvp(program[0], program)  # noqa: S606  ops name the program, and no shell is near
    except OSError as error:
        sys.stderr.write(f"{program[0]}: {error.strerror}\n")
        sys.exit(CANNOT_RUN)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
