"""Write-back: calls made against the least possible, and what it costs by size of the catalogue.

    python -m benchmarks.writeback          # 10,000 and 100,000 listings, 1,000 changed
    python -m benchmarks.writeback --listings 500 2000 --changed 200        # a quick look

For WooCommerce and Amazon a store of that many listings is made, all promised and written. Then
so many SKUs are counted anew and the hub's own jobs run, as the daemon runs them: ``promise``,
``push``, and for Amazon ``push`` once more to read the feed's report. The channels stand on
loopback, take everything and count the calls. The rate limits are the real ones, on a clock that
is wound by hand.

The least possible: WooCommerce takes 100 simple products a call and a parent's variations in one
(a fifth of the listings are variations, five to a parent); Amazon takes 25,000 SKUs a feed, which
is six calls: two documents with their transfer, the feed, and one look at it. Tokens come apart.

"CPU" and "memory" are of the process that runs the jobs; the catalogue is made by another one.
With the same number changed both must stay where they are when the catalogue grows tenfold.
The last line is everything as JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import SecretStr
from sqlalchemy import insert

from benchmarks.clock import measured, peak_rss_mb
from benchmarks.stock_takers import Takers, serving
from connectors.amazon import Amazon, AmazonConfig
from connectors.base import Connector
from connectors.http import Door
from connectors.woocommerce import WooCommerce, WooConfig
from jobs import collector
from jobs.clock import ManualClock
from jobs.heartbeat import Heartbeat
from jobs.runner import Runner
from jobs.running import Order, count_call
from mappings import Definitions
from state import migrate, stock, streams
from state import tables as t
from state.batches import insert_rows
from state.breakers import Breakers
from state.rate_buckets import RateBuckets
from state.store import Store
from sync.context import Hub, Link
from sync.drain import push
from sync.promise.publishing import publish

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
VENDORS = ("woocommerce", "amazon")
ON_HAND = 50
WOO_BATCH, FEED_SKUS, FEED_CALLS = 100, 25_000, 6
_CHUNK = 5000


def external_ids(vendor: str, number: int) -> tuple[str, str]:
    """(product, variant) of a listing: every fifth five of them are variations of one parent."""
    if vendor == "amazon":
        return f"S{number}", f"S{number}"
    if number // 5 % 5 == 0:
        return str(10_000_000 + number // 5), str(number)
    return str(number), str(number)


def prepare(url: str, vendor: str, listings: int) -> dict[str, Any]:
    """A store whose every listing is promised and written."""
    store = Store(url)
    migrate.upgrade(store)
    with store.write() as conn:
        conn.execute(insert(t.connection).values(name="shop", connector=vendor, kind="channel"))
        conn.execute(
            insert(t.location).values(code="hall", kind="warehouse", authority="hub", active=True)
        )
        conn.execute(insert(t.channel_location).values(connection_id=1, location_id=1))
        for key, job, link in (("promise", "promise", None), ("push:shop", "push", 1)):
            streams.ensure(conn, key, job, link, 60, NOW)
    for first in range(1, listings + 1, _CHUNK):
        numbers = range(first, min(first + _CHUNK, listings + 1))
        with store.write() as conn:
            _write_listings(conn, vendor, numbers)
    clock = ManualClock(NOW)
    # What is in force is noted once; from then on a run looks at what changed.
    ended = _runner(store, clock, vendor, "http://127.0.0.1:9").run_once("promise", Order("once"))
    assert ended is not None
    assert ended.verdict is None, ended.verdict
    store.close()
    return {"computed": ended.run.counts["skus"]}


def _write_listings(conn: Any, vendor: str, numbers: range) -> None:
    ids = {number: external_ids(vendor, number) for number in numbers}
    insert_rows(
        conn, t.sku, [{"id": n, "code": f"S{n}", "title": "", "active": True} for n in numbers]
    )
    insert_rows(
        conn,
        t.channel_listing,
        [
            {
                "id": n,
                "connection_id": 1,
                "external_product_id": product,
                "external_variant_id": variant,
                "external_sku": f"S{n}",
                "sku_id": n,
                "match_state": "matched",
                "fulfilment_flag": "merchant",
                "status": "live",
                "qty_managed_by": "hub",
                "last_seen_at": NOW,
            }
            for n, (product, variant) in ids.items()
        ],
    )
    level = {"location_id": 1, "on_hand": Decimal(ON_HAND), "authority": "hub"}
    insert_rows(conn, t.inventory_level, [{"sku_id": n, **level} for n in numbers])
    promise = {
        "computed_qty": ON_HAND,
        "observation_version": 1,
        "computed_at": NOW,
        "confirmed_qty": ON_HAND,
        "confirmed_at": NOW,
    }
    insert_rows(conn, t.channel_availability, [{"listing_id": n, **promise} for n in numbers])


def _connector(vendor: str, url: str, door: Door, definitions: Definitions) -> Connector:
    if vendor == "woocommerce":
        config = WooConfig(
            url=f"{url}/woo", consumer_key=SecretStr("ck"), consumer_secret=SecretStr("cs")
        )
        return WooCommerce(config, door, definitions)
    return Amazon(
        AmazonConfig(
            seller_id="A1",
            marketplace_ids=("A1PA6795UKMFR9",),
            client_id="c",
            client_secret=SecretStr("s"),
            refresh_token=SecretStr("r"),
            endpoint=f"{url}/amazon",
            token_url=f"{url}/auth/o2/token",
        ),
        door,
        definitions,
    )


def _runner(store: Store, clock: ManualClock, vendor: str, url: str) -> Runner:
    definitions = Definitions.load()
    limiter, breaker = RateBuckets(store, clock), Breakers(store, clock)
    door = Door("shop", clock, limiter, on_call=count_call, breaker=breaker)
    connector = _connector(vendor, url, door, definitions)
    link = Link(1, "shop", connector, ZoneInfo("Europe/Berlin"), NOW)
    return Runner(
        hub=Hub(store, clock, definitions, {"shop": link}),
        jobs={"promise": publish, "push": push},
        clock=clock,
        heartbeat=Heartbeat(store, clock, 60.0),
        owner="run/localhost/1/benchmark",
        lease_s=60.0,
    )


def changed_numbers(listings: int, changed: int) -> list[int]:
    return sorted(random.Random(listings).sample(range(1, listings + 1), changed))


def work(url: str, vendor: str, server: str, listings: int, changed: int) -> dict[str, Any]:
    """Count the SKUs anew, then promise and push them; measured from the count on."""
    store, clock = Store(url), ManualClock(NOW)
    clock.advance(3600)
    runner = _runner(store, clock, vendor, server)
    with store.write() as conn:
        for number in changed_numbers(listings, changed):
            stock.set_count(
                conn,
                sku_id=number,
                location_id=1,
                authority="hub",
                on_hand=Decimal(number % 40),
                reason="adjust_count",
                key=f"count:{number}",
                now=clock.now(),
            )
    collector.settle()
    with measured() as cost:
        told = _run(runner, "promise")
        # The second look reads the report of a feed; it is the least there is of it.
        for _ in range(2):
            told |= {name: n for name, n in _run(runner, "push:shop").items() if n}
            clock.advance(30)
    store.close()
    if told.get("stock_applied") != changed:
        raise SystemExit(f"{vendor}: {told} instead of {changed} writes")
    return {"cpu_s": cost.cpu_s, "wall_s": cost.wall_s, "peak_rss_mb": peak_rss_mb()}


def _run(runner: Runner, key: str) -> dict[str, int]:
    ended = runner.run_once(key, Order("once", "shop" if ":" in key else None))
    if ended is None or ended.verdict is not None:
        raise SystemExit(f"{key} failed: {ended and ended.verdict}")
    return dict(ended.run.counts)


def least(vendor: str, numbers: Sequence[int]) -> int:
    """The fewest calls that can bring these listings' quantities there."""
    if vendor == "amazon":
        return FEED_CALLS * -(-len(numbers) // FEED_SKUS)
    ids = [external_ids(vendor, number) for number in numbers]
    simple = sum(product == variant for product, variant in ids)
    parents = {product for product, variant in ids if product != variant}
    return len(parents) + -(-simple // WOO_BATCH)


def measure(takers: Takers, vendor: str, listings: int, changed: int) -> dict[str, Any]:
    """One vendor, one size: its processes run, its calls counted, its quantities compared."""
    numbers = changed_numbers(listings, changed)
    with tempfile.TemporaryDirectory(prefix="crossdock-writeback-") as folder:
        given = ["--database", f"sqlite:///{Path(folder) / 'store.db'}", "--vendor", vendor]
        given += ["--server", takers.url, "--listings", str(listings), "--changed", str(changed)]
        _process("prepare", given)
        takers.take_calls()
        takers.offered.clear()
        took = _process("work", given)
    calls = takers.take_calls()
    wanted = {
        external_ids(vendor, number)[1]: number % 40 for number in numbers if number % 40 != ON_HAND
    }
    if takers.offered != wanted:
        raise SystemExit(f"{vendor}: the channel offers something else than was promised")
    made = calls.total() - calls["token"]
    fewest = least(vendor, numbers)
    return {
        "vendor": vendor,
        "listings": listings,
        "changed": changed,
        "calls": made,
        "least": fewest,
        "efficiency": round(fewest / made, 4),
        "by_operation": dict(sorted(calls.items())),
        **took,
    }


def _process(step: str, given: list[str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.writeback", "--step", step, *given]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def run(sizes: Sequence[int], changed: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure every vendor at every size; returns the result, ready for JSON."""
    found: list[dict[str, Any]] = []
    say(
        f"{'vendor':<12} {'listings':>9} {'changed':>8} {'calls':>6} {'least':>6} "
        f"{'efficiency':>10} {'CPU s':>7} {'memory MB':>10}"
    )
    with serving() as takers:
        for vendor in VENDORS:
            for listings in sizes:
                one = measure(takers, vendor, listings, changed)
                found.append(one)
                say(
                    f"{vendor:<12} {listings:>9,} {changed:>8,} {one['calls']:>6} "
                    f"{one['least']:>6} {one['efficiency']:>10.3f} {one['cpu_s']:>7.2f} "
                    f"{one['peak_rss_mb']:>10.1f}"
                )
    growth = {
        vendor: _growth([one for one in found if one["vendor"] == vendor]) for vendor in VENDORS
    }
    for vendor, grown in growth.items():
        say(f"{vendor}: times CPU {grown['cpu']:.2f}, times memory {grown['memory']:.2f}")
    return {"runs": found, "growth": growth}


def _growth(runs: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The largest catalogue's cost over the smallest one's."""
    small, large = runs[0], runs[-1]
    return {
        "listings": large["listings"] / small["listings"],
        "cpu": round(large["cpu_s"] / small["cpu_s"], 3),
        "memory": round(large["peak_rss_mb"] / small["peak_rss_mb"], 3),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    options.add_argument("--listings", type=int, nargs="+", default=[10_000, 100_000])
    options.add_argument("--changed", type=int, default=1000)
    options.add_argument("--step", choices=("prepare", "work"), help=argparse.SUPPRESS)
    options.add_argument("--database", help=argparse.SUPPRESS)
    options.add_argument("--vendor", choices=VENDORS, help=argparse.SUPPRESS)
    options.add_argument("--server", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.step == "prepare":
        done = prepare(given.database, given.vendor, given.listings[0])
    elif given.step == "work":
        done = work(given.database, given.vendor, given.server, given.listings[0], given.changed)
    else:
        done = run(given.listings, given.changed, lambda line: print(line, flush=True))
    print(json.dumps(done))


if __name__ == "__main__":
    main()
