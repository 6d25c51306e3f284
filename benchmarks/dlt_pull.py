"""dlt doing the work of ``benchmarks.floor``: the same pages, picked by the same hand, merged.

Runs in an environment of its own (``requirements/peers.in``), as dlt brings its own versions of
much. Its documented way: a resource that pages through the shop, a transformer for each table, the
write disposition ``merge`` on the tables' keys (reading twice must not double anything, as with
us), its SQLAlchemy destination on SQLite. Orders are picked from the reply by the hand-written code
of the floor, so that no time is spent on dlt's own normalising of nested documents.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from typing import Any

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
# SQLite has one writer: more of dlt's loaders at once find it locked and do their work again,
# which would be counted against dlt.
os.environ["LOAD__WORKERS"] = "1"

import dlt
import httpx
import orjson
import sqlalchemy
import zstandard

from benchmarks.clock import cpu_s, measured, peak_rss_mb
from benchmarks.floor import pages
from benchmarks.floor_rows import COLUMNS, Pick

_PARENTS = {
    "tax_line": "order_id",
    "payment": "order_id",
    "refund_line": "refund_id",
    "order_event": "order_id",
}
"""Rows without a name of their own are replaced with their parent's."""

_KEYS = {"dirty_sku": "sku_id"}
"""What makes a row the same one; ``id`` in all other tables."""

_compress = zstandard.ZstdCompressor(level=1).compress


def pull(database: str, shop: str, skus: dict[str, int]) -> dict[str, int]:
    """Read every order into ``database`` (SQLAlchemy's address of a SQLite file).

    Returns how many different rows there are by table.
    """
    pick = Pick(skus, texts=False)
    found: Counter[str] = Counter()
    dirty: set[Any] = set()

    def picked() -> Iterator[dict[str, list[tuple[Any, ...]]]]:
        with httpx.Client(base_url=f"{shop}/wp-json/wc/v3", auth=("ck", "cs")) as http:
            for orders in pages(http):
                for order in orders:
                    body = orjson.dumps(order)
                    pick.add(order, hashlib.sha256(body).digest(), _compress(body))
                page = pick.taken()
                for name, rows in page.items():
                    found[name] += len(rows)
                dirty.update(page["dirty_sku"])
                yield page

    source = dlt.resource(picked, selected=False)
    tables = [source | _table(name, columns) for name, columns in COLUMNS.items()]
    with tempfile.TemporaryDirectory(prefix="crossdock-dlt-") as folder:
        pipeline = dlt.pipeline(
            "orders",
            pipelines_dir=folder,
            destination=dlt.destinations.sqlalchemy(database),
            dataset_name="main",
        )
        pipeline.run([source, *tables]).raise_on_failed_jobs()
    return {**found, "dirty_sku": len(dirty)}


def _table(name: str, columns: str) -> Any:
    names = columns.split(", ")

    parent = _PARENTS.get(name)
    key = {"merge_key": parent} if parent else {"primary_key": _KEYS.get(name, "id")}

    def rows(page: dict[str, list[tuple[Any, ...]]]) -> list[dict[str, Any]]:
        return [dict(zip(names, row, strict=True)) for row in page[name]]

    return dlt.transformer(rows, name=name, write_disposition="merge", **key)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    options.add_argument("--database", required=True, help="SQLAlchemy URL of a SQLite file")
    options.add_argument("--skus", required=True, help="SQLAlchemy URL of a store that has them")
    options.add_argument("--shop", required=True, help="the shop's address")
    given = options.parse_args()
    with sqlalchemy.create_engine(given.skus).connect() as store:
        skus = {row[0]: row[1] for row in store.exec_driver_sql("SELECT code, id FROM sku")}
    startup_s = cpu_s()
    with measured() as cost:
        picked = pull(given.database, given.shop, skus)
    told = {
        "orders": picked["sales_order"],
        "unchanged": 0,
        "cpu_s": cost.cpu_s,
        "wall_s": cost.wall_s,
        "startup_cpu_s": startup_s,
        "peak_rss_mb": peak_rss_mb(),
    }
    with sqlalchemy.create_engine(given.database).connect() as filled:
        for table, rows in picked.items():
            stored = filled.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar()
            if stored != rows:
                raise SystemExit(f"dlt stored {stored} of {rows} rows of {table}")
    print(json.dumps(told))


if __name__ == "__main__":
    main()
