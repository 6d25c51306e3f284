"""What a store holds, as one checksum per table, so that two ways to fill it can be compared.

Left out: when things were taken in, and which mapping did it (the floor has none), and the tables
of the engine (streams, runs, rate limits), which are Crossdock's own way of working. A payload is
compared by what it says: the floor writes down anew what Crossdock keeps as it came.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from typing import Any

import orjson
import zstandard
from sqlalchemy import Table, select

from state.store import Store
from state.tables import metadata

OF_THE_ENGINE = frozenset({"stream", "run", "rate_bucket", "connection"})
OF_THE_TAKING = frozenset({"received_at", "recorded_at", "mapping_version", "sha256"})
REFERRED_BY_NONE = frozenset({"tax_line", "payment", "refund_line", "order_event"})
"""Their ids say only in which order a page was written."""


def digests(url: str) -> dict[str, str]:
    """Rows and checksum of every table that is not empty, whatever the order of its rows."""
    store = Store(url)
    found = {}
    with store.read() as conn:
        for table in metadata.sorted_tables:
            if table.name not in OF_THE_ENGINE:
                rows, checksum = 0, 0
                for row in conn.execution_options(yield_per=1_000).execute(select(*_told(table))):
                    told = tuple(map(_content, row))
                    digest = hashlib.sha256(repr(told).encode()).digest()
                    checksum ^= int.from_bytes(digest[:8])
                    rows += 1
                if rows:
                    found[table.name] = f"{rows} rows {checksum:016x}"
    store.close()
    return found


def _content(value: Any) -> Any:
    if isinstance(value, bytes):
        return orjson.dumps(orjson.loads(zstandard.decompress(value)), option=orjson.OPT_SORT_KEYS)
    return value


def _told(table: Table) -> list[Any]:
    left_out = set(OF_THE_TAKING)
    if table.name in REFERRED_BY_NONE:
        left_out |= {"id", "at"}
    return [column for column in table.columns if column.name not in left_out]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    options.add_argument("databases", nargs="+", help="SQLAlchemy URLs")
    print(json.dumps([digests(url) for url in options.parse_args().databases]))


if __name__ == "__main__":
    main()
