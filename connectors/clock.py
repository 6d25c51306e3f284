"""Real seconds, for deadlines of sockets only.

The business clock (``connectors.base.Clock``) may be scaled or simulated; a socket that hangs
hangs in real time, so its deadline is measured here and nowhere else.
"""

from __future__ import annotations

import time


def stopwatch() -> float:
    """Seconds since some fixed moment; never steps back."""
    return time.monotonic()
