"""``python -m sandbox``: run the pretend world on loopback until interrupted."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from datetime import UTC, datetime

from sandbox.app import Sandbox
from sandbox.clock import ScaledClock
from sandbox.server import serve
from sandbox.world import World


def main() -> int:
    """Print one JSON line with the base URL when ready, then serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8700, help="0 takes a free one")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--speed", type=float, default=1.0, help="sandbox seconds per second")
    parser.add_argument(
        "--start", default="2026-11-02T06:00:00Z", help="ISO 8601, begin of the day"
    )
    parser.add_argument("--orders-per-channel", type=int, default=60)
    parser.add_argument("--day-hours", type=float, default=12.0)
    options = parser.parse_args()
    start = datetime.fromisoformat(options.start)
    if start.tzinfo is None:
        start = start.replace(tzinfo=UTC)
    world = World(
        options.seed,
        ScaledClock(start, options.speed),
        orders_per_channel=options.orders_per_channel,
        day_start=start,
        day_hours=options.day_hours,
    )
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with serve(Sandbox(world), options.port) as base_url:
        sys.stdout.write(json.dumps({"base_url": base_url, "seed": options.seed}) + "\n")
        sys.stdout.flush()
        ended.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
