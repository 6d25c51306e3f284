"""Threads of the daemon share one heap."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

ARENAS = """
import ctypes, threading
from jobs import heap
if {shared}:
    heap.share_one()
def work():
    kept = [bytes(n) for n in range(1000, 9000)]
    done.wait()
done = threading.Barrier(9)
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
done.wait()
ctypes.CDLL(None).malloc_stats()
"""


def arenas(*, shared: bool) -> int:
    """How many heaps a process with eight threads that allocate has."""
    code = ARENAS.format(shared=shared)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stderr.count("Arena ")


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_stats"), reason="no glibc")
def test_threads_share_one_heap() -> None:
    assert arenas(shared=True) == 1
    assert arenas(shared=False) > 1
