"""Crossdock's own way from the shop's pages to committed rows, as the daemon runs it.

The real job, connector, door to the network, mapping definition, rate limits, engine and store.
Only the clock is wound by hand: waiting for a rate limit moves it instead of stopping the process,
so that what is measured is work and not courtesy to a shop.
"""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from pydantic import SecretStr
from sqlalchemy import insert

from benchmarks.clock import cpu_s, measured, peak_rss_mb
from benchmarks.woo_orders import FIRST, SKU_COUNT, sku
from connectors.http import Door
from connectors.woocommerce import WooCommerce, WooConfig
from jobs import collector
from jobs.clock import ManualClock
from jobs.heartbeat import Heartbeat
from jobs.runner import Runner
from jobs.running import Order, count_call
from mappings import Definitions
from state import catalogue, migrate, streams
from state import tables as t
from state.breakers import Breakers
from state.rate_buckets import RateBuckets
from state.store import Store
from sync.context import Hub, Link
from sync.intake import pull_orders

NOW = datetime(2026, 12, 24, 8, tzinfo=UTC)
"""Later than every order, also at 50,000 of them."""

_NAME, _JOB = "shop", "pull-orders"
_LEASE_S = 60.0


def prepare(url: str) -> dict[str, float]:
    """Make the tables, one connection with its streams, and the SKUs that the shop sells."""
    store = Store(url)
    migrate.upgrade(store)
    with store.write() as conn:
        conn.execute(
            insert(t.connection).values(name=_NAME, connector="woocommerce", kind="channel")
        )
        streams.ensure(conn, streams.key_of(_JOB, _NAME), _JOB, 1, 300, NOW)
        streams.ensure(conn, "allocate", "allocate", None, 60, NOW)
        for n in range(SKU_COUNT):
            catalogue.upsert_sku(conn, code=sku(n), title=sku(n), gtin="", weight_g=250)
    store.close()
    return {"skus": SKU_COUNT}


def pull(url: str, shop: str, now: datetime) -> dict[str, float]:
    """Read everything the shop has, as ``crossdock once pull-orders shop --since`` does."""
    store, clock = Store(url), ManualClock(now)
    definitions = Definitions.load()
    limiter, breaker = RateBuckets(store, clock), Breakers(store, clock)
    door = Door(_NAME, clock, limiter, on_call=count_call, breaker=breaker)
    config = WooConfig(url=shop, consumer_key=SecretStr("ck"), consumer_secret=SecretStr("cs"))
    connector = WooCommerce(config, door, definitions)
    link = Link(1, _NAME, connector, ZoneInfo("Europe/Berlin"), FIRST)
    runner = Runner(
        hub=Hub(store, clock, definitions, {_NAME: link}),
        jobs={_JOB: pull_orders},
        clock=clock,
        heartbeat=Heartbeat(store, clock, _LEASE_S),
        owner="run/localhost/1/benchmark",
        lease_s=_LEASE_S,
    )
    collector.settle()
    startup_s = cpu_s()
    with measured() as cost:
        ended = runner.run_once(streams.key_of(_JOB, _NAME), Order("once", _NAME, since=FIRST))
    connector.close()
    store.close()
    if ended is None or ended.verdict is not None:
        raise SystemExit(f"the run failed: {ended and ended.verdict}")
    return {
        "orders": ended.run.counts["read"],
        "unchanged": ended.run.counts["unchanged"],
        "cpu_s": cost.cpu_s,
        "wall_s": cost.wall_s,
        "startup_cpu_s": startup_s,
        "peak_rss_mb": peak_rss_mb(),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    options.add_argument("work", choices=("prepare", "pull", "pull-later"))
    options.add_argument("--database", required=True, help="SQLAlchemy URL")
    options.add_argument("--shop", help="the shop's address")
    given = options.parse_args()
    if given.work == "prepare":
        done = prepare(given.database)
    else:
        now = NOW + timedelta(days=1) if given.work == "pull-later" else NOW
        done = pull(given.database, given.shop, now)
    print(json.dumps(done))


if __name__ == "__main__":
    main()
