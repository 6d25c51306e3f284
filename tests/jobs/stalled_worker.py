"""A worker that stops itself between its claim and its call, for ``test_stalled_worker``.

Called with the URLs of the store and of the shop, and the name of its process.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from sqlalchemy import select

from connectors import deadline
from connectors.http import Door
from connectors.rest import Rest
from connectors.rest.settings import RestConfig
from jobs.clock import SystemClock
from jobs.heartbeat import Heartbeat
from jobs.runner import Runner
from jobs.running import Order
from mappings import Definitions
from state import owners, streams
from state import tables as t
from state.rate_buckets import RateBuckets
from state.store import Store
from sync import drain
from sync.context import Hub, Link, Sender

LEASE_S = 1.0


def worker(store: Store, shop: str, name: str, call_within: timedelta) -> Runner:
    """The runner of a process that pushes stock to ``shop``, without a heartbeat."""
    clock = SystemClock()
    definitions = Definitions.load()
    door = Door("shop", clock, RateBuckets(store, clock), httpx.HTTPTransport())
    push = {
        "definition": "woocommerce.stock",
        "path": "/stock",
        "idempotency": "absolute",
    }
    config = RestConfig.model_validate(
        {"url": shop, "auth": {"style": "bearer"}, "secret": "s", "pushes": {"stock": push}}
    )
    connector = Rest(config, door, definitions)
    with store.read() as conn:
        number = conn.scalar(select(t.connection.c.id).where(t.connection.c.name == "shop"))
    link = Link(number or 0, "shop", connector, ZoneInfo("UTC"), datetime.now(UTC))
    life = owners.of_process(store, name)
    sender = Sender(life.begin, life.lives, timedelta(seconds=LEASE_S), call_within)
    hub = Hub(store, clock, definitions, {"shop": link}, sender=sender)
    heartbeat = Heartbeat(store, clock, LEASE_S)
    return Runner(hub, {"push": drain.push}, clock, heartbeat, name, LEASE_S)


def push_once(runner: Runner) -> Any:
    return runner.run_once(streams.key_of("push", "shop"), Order("test", "shop"))


def main(store_url: str, shop: str, name: str) -> None:
    def stop_here() -> None:
        os.kill(os.getpid(), signal.SIGSTOP)
        deadline.require_time()

    vars(drain)["require_time"] = stop_here
    store = Store(store_url)
    runner = worker(store, shop, name, timedelta(seconds=120))
    ended = push_once(runner)
    sys.stdout.write("none" if ended is None or ended.verdict is None else ended.verdict.kind)
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
