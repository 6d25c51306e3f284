"""The least number of calls that a day's work could have taken, from the hub's own store.

Reads the SQLite file as an outsider. Every scheduled look at a vendor counts as one call that had
to be made; writes count by the vendor's largest batch, over what was due at the same moment.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from pathlib import Path

WOO_BATCH = 100
FEED_FROM = 50
"""From so many SKUs on the hub sends Amazon one feed instead of single patches."""
FEED_CALLS = 4
"""createFeedDocument, createFeed, getFeed, getFeedDocument; the file transfers apart."""

UNAVOIDABLE = frozenset(
    (
        "searchListingsItems",
        "listProducts",
        "listVariations",
        "listRefunds",
        "oauth_token",
        "trackLabel",
    )
)
"""Operations without a batch and without an alternative."""

LOOKS = {
    "pull-orders": 1,
    "pull-shipments": 1,
    "pull-stock": 1,
}


def least_calls(store: Path) -> dict[str, int]:
    """Per connection; what can only be counted by doing it (listing pages) is taken as done."""
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as db:
        floor: dict[str, int] = defaultdict(int)
        connectors = dict(db.execute("SELECT name, connector FROM connection"))
        for name, job, runs in db.execute(
            "SELECT c.name, r.job, count(*) FROM run r JOIN connection c ON c.id = r.connection_id"
            " WHERE r.state = 'ok' GROUP BY c.name, r.job"
        ):
            floor[name] += LOOKS.get(job, 0) * runs
        for name, least in _as_made(db):
            floor[name] += least
        for name in connectors:
            floor[name] += _pushes(db, name, connectors[name])
    db.close()
    return dict(floor)


def _as_made(db: sqlite3.Connection) -> list[tuple[str, int]]:
    """Calls that could not have been fewer: listing pages, refunds, tokens, tracking."""
    rows = db.execute(
        "SELECT c.name, j.key, sum(j.value) FROM run r JOIN connection c"
        " ON c.id = r.connection_id, json_each(r.calls) j GROUP BY c.name, j.key"
    )
    return [(name, calls) for name, operation, calls in rows if operation in UNAVOIDABLE]


def _pushes(db: sqlite3.Connection, name: str, connector: str) -> int:
    batches: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    rows = db.execute(
        "SELECT i.kind, i.sent_at, json_extract(i.body, '$.external_product_id'),"
        " json_extract(i.body, '$.external_variant_id') FROM intent i"
        " JOIN connection c ON c.id = i.connection_id"
        " WHERE c.name = ? AND i.sent_at IS NOT NULL",
        (name,),
    )
    for kind, sent_at, product, variant in rows:
        batches[(kind, sent_at)].append((product, variant))
    return sum(_batch(connector, kind, items) for (kind, _), items in batches.items())


def _batch(connector: str, kind: str, items: list[tuple[str, str]]) -> int:
    if kind == "stock" and connector == "woocommerce":
        # Variations cannot be mixed across parents; simple products share one call.
        parents = {product for product, variant in items if product != variant}
        simple = sum(1 for product, variant in items if product == variant)
        return len(parents) + -(-simple // WOO_BATCH)
    if kind == "stock" and connector == "amazon":
        return FEED_CALLS if len(items) >= FEED_FROM else len(items)
    if kind == "tracking" and connector == "woocommerce":
        return -(-len(items) // WOO_BATCH)
    if kind == "label":
        return 2 * len(items)  # the rates, then the label
    return len(items)
