"""Where the memory of a process that runs for months comes from."""

from __future__ import annotations

import ctypes

_ARENA_MAX = -8
"""``M_ARENA_MAX`` of mallopt(3)."""


def share_one() -> None:
    """Have all threads share one heap; to be called before there are any.

    glibc gives each thread one of its own, and what many thousand pages of all sizes leave free in
    a dozen of them is hardly used again: 12 MB more after a quarter of an hour. Only one of our
    threads computes at a time, so they do not wait for one another. Elsewhere nothing is done.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, 1)
