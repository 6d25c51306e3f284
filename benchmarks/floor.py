"""The floor: the same pages to the same rows with nothing in between.

httpx, ``orjson.loads`` of a page, a pick written by hand for this one shape of order, and one
``executemany`` per table in one transaction a page, with the settings our own store has (SQLite:
WAL of the same length, ``synchronous=FULL``, foreign keys). No retries, no limits, no look whether
an order is known, no check of anything: a program that would be wrong on the first bad day.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import orjson
import zstandard

from benchmarks.clock import cpu_s, measured, peak_rss_mb
from benchmarks.floor_rows import COLUMNS, Pick

PER_PAGE = 100

_compress = zstandard.ZstdCompressor(level=1).compress
_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    "wal_autocheckpoint = 4096",
)


def pull(database: Any, placeholder: str, shop: str) -> int:
    """Read every order into ``database``, a DB-API connection in autocommit; returns how many."""
    cursor = database.cursor()
    cursor.execute("SELECT code, id FROM sku")
    pick = Pick(dict(cursor.fetchall()), texts=placeholder == "?")
    statements = {table: _insert(table, placeholder) for table in COLUMNS}
    with httpx.Client(base_url=f"{shop}/wp-json/wc/v3", auth=("ck", "cs")) as http:
        for orders in pages(http):
            for order in orders:
                body = orjson.dumps(order)
                pick.add(order, hashlib.sha256(body).digest(), _compress(body))
            cursor.execute("BEGIN")
            for table, rows in pick.taken().items():
                if rows:
                    cursor.executemany(statements[table], rows)
            cursor.execute("COMMIT")
    cursor.close()
    return pick.orders


def pages(http: httpx.Client) -> Iterator[list[dict[str, Any]]]:
    page, total = 1, PER_PAGE + 1
    while (page - 1) * PER_PAGE < total:
        asked = {"orderby": "id", "order": "asc", "per_page": f"{PER_PAGE}", "page": f"{page}"}
        reply = http.get("/orders", params=asked)
        total = int(reply.headers["X-WP-Total"])
        orders: list[dict[str, Any]] = orjson.loads(reply.content)
        for order in orders:
            if order["refunds"]:
                refunds = http.get(f"/orders/{order['id']}/refunds")
                order["refunds"] = orjson.loads(refunds.content)
        yield orders
        page += 1


def _insert(table: str, placeholder: str) -> str:
    columns = COLUMNS[table]
    row = ", ".join([placeholder] * len(columns.split(",")))
    once = " ON CONFLICT DO NOTHING" if table == "dirty_sku" else ""
    return f"INSERT INTO {table} ({columns}) VALUES ({row}){once}"


def connected(url: str) -> tuple[Any, str]:
    """A DB-API connection in autocommit, and how it writes a parameter."""
    if url.startswith("sqlite:///"):
        lite = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        for pragma in _PRAGMAS:
            lite.execute(f"PRAGMA {pragma}")
        return lite, "?"
    # Imported here: it would count in the memory of a run on SQLite.
    import psycopg

    return psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True), "%s"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    options.add_argument("--database", required=True, help="SQLAlchemy URL")
    options.add_argument("--shop", required=True, help="the shop's address")
    given = options.parse_args()
    database, placeholder = connected(given.database)
    startup_s = cpu_s()
    with closing(database), measured() as cost:
        orders = pull(database, placeholder, given.shop)
    told = {
        "orders": orders,
        "unchanged": 0,
        "cpu_s": cost.cpu_s,
        "wall_s": cost.wall_s,
        "startup_cpu_s": startup_s,
        "peak_rss_mb": peak_rss_mb(),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
