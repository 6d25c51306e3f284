"""What the demo shows at its end, and whether it is what really happened."""

from __future__ import annotations

import csv
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from sandbox import truth
from sandbox.app import Sandbox
from sandbox.floor import least_calls
from sandbox.money import EXPONENT

VENDORS = {
    "shop-eu": ("woocommerce",),
    "amazon-eu": ("amazon", "lwa"),
    "bob": ("shipbob",),
    "labels": ("shipengine",),
}


@dataclass(frozen=True)
class Facts:
    """What the hub says of the day."""

    summary: Any
    parked: Any
    audit: Any
    manifest: Any
    store: Path
    out: Path


def tally(sandbox: Sandbox) -> str:
    """One line about how far the day is."""
    world = sandbox.world
    placed = len(world.shop.orders) + len(world.seller.orders)
    told = len(world.seller.confirmations)
    told += sum(order.status == "completed" for order in list(world.shop.orders.values()))
    writes = len(world.shop.stock_writes) + len(world.seller.writes)
    return (
        f"{placed} orders placed, {len(world.shipbob.orders)} at the 3PL, "
        f"{len(world.shipengine.labels)} labels, {told} shipped, {writes} stock writes"
    )


def is_quiet(store: Path) -> bool:
    """Has the hub nothing left to send, and nothing left to compute?"""
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as db:
        [waiting] = db.execute(
            "SELECT (SELECT count(*) FROM intent WHERE state IN ('planned', 'sending', 'accepted',"
            " 'unknown')) + (SELECT count(*) FROM dirty_sku)"
        ).fetchone()
    db.close()
    return bool(waiting == 0)


def tell(console: Console, sandbox: Sandbox, facts: Facts) -> None:
    """The tables that a person reads."""
    console.print(_channels(facts))
    console.print(_locations(facts))
    console.print(_calls(sandbox, facts))
    console.print(_money(facts))
    reasons = Counter(f"{p['what']}: {p['reason']}" for p in facts.parked)
    if reasons:
        told = ", ".join(f"{n} x {reason}" for reason, n in sorted(reasons.items()))
        console.print(f"Parked, with the remedy in `crossdock parked`: {told}")
    files = "\n".join(f"  {facts.out / name}" for name in facts.manifest["files"])
    console.print(f"Files, with checksums in the manifest beside them:\n{files}")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    return table


def _channels(facts: Facts) -> Table:
    table = _table(
        "Channels",
        "channel",
        "orders in",
        "not ours",
        "cancelled",
        "parked orders",
        "parked lines",
        "shipped",
        "packages told",
        "stock writes",
    )
    for row in facts.summary["channels"]:
        why = ", ".join(f"{n} {kind}" for kind, n in row["holds"].items())
        table.add_row(
            row["channel"],
            str(row["orders"]),
            str(row["states"].get("ignored", 0)),
            str(row["states"].get("cancelled", 0)),
            why or "0",
            ", ".join(f"{n} {kind}" for kind, n in row["parked_lines"].items()) or "0",
            str(row["orders_shipped"]),
            str(row["packages_told"]),
            str(row["stock_writes"]),
        )
    return table


def _locations(facts: Facts) -> Table:
    table = _table("Locations", "location", "fulfilment orders", "of which", "labels", "cost")
    for row in facts.summary["locations"]:
        labels = row["labels"]
        table.add_row(
            row["location"],
            str(row["fulfilment_orders"]),
            ", ".join(f"{n} {state}" for state, n in row["states"].items()),
            str(sum(label["labels"] for label in labels.values()) or "-"),
            ", ".join(f"{_major(label['cost'], ccy)} {ccy}" for ccy, label in labels.items())
            or "-",
        )
    return table


def _major(minor: int, currency: str) -> Decimal:
    return Decimal(minor).scaleb(-EXPONENT[currency])


def _calls(sandbox: Sandbox, facts: Facts) -> Table:
    table = _table("Calls", "connection", "made", "least possible", "efficiency")
    # What the ratio does not measure is said beside it: it is a check on batching and repeats.
    table.caption = (
        "least: one per scheduled look and full batches of what was due at once; "
        "listing pages, refunds, tokens and tracking as made"
    )
    table.caption_justify = "left"
    least = least_calls(facts.store)
    made = Counter(call.vendor for call in sandbox.calls.entries)
    for name, vendors in VENDORS.items():
        calls = sum(made[vendor] for vendor in vendors)
        share = f"{least[name] / calls:.0%}" if calls else "-"
        table.add_row(name, str(calls), str(least[name]), share)
    return table


def _money(facts: Facts) -> Table:
    table = _table(
        "Reconciliation", "channel", "currency", "orders", "channel's total", "exported", "variance"
    )
    for row in facts.manifest["totals"]:
        table.add_row(
            row["connection"],
            row["currency"],
            str(row["orders"]),
            str(row["channel_total"]),
            str(row["calculated_total"]),
            str(row["variance"]),
        )
    return table


def compare(sandbox: Sandbox, facts: Facts) -> list[str]:
    """Everything in which the hub and the world outside disagree; empty is the only good answer."""
    return [
        *_orders_lost(sandbox, facts),
        *_shipped_once(sandbox),
        *_labels_doubled(sandbox),
        *_promises(sandbox, facts),
        *(f"invariant {v['invariant']}: {v['subject']}" for v in facts.audit["violations"]),
        *_not_exported(facts),
    ]


def _orders_lost(sandbox: Sandbox, facts: Facts) -> Iterator[str]:
    known = {
        row["channel"]: row["orders"] + row["unreadable_records"]
        for row in facts.summary["channels"]
    }
    for channel, placed in (
        ("shop-eu", len(sandbox.world.shop.orders)),
        ("amazon-eu", len(sandbox.world.seller.orders)),
    ):
        if known.get(channel) != placed:
            yield f"{channel}: {placed} orders were placed, {known.get(channel)} are known"


def _shipped_once(sandbox: Sandbox) -> Iterator[str]:
    """Every order that could ship has shipped, whole, and no unit of it twice."""
    for order in truth.amazon_orders(sandbox.world):
        mine = order["fulfilled_by"] == "MERCHANT"
        for sku, shipped in order["shipped"].items() if mine else ():
            if shipped > order["lines"][sku]:
                yield f"amazon {order['id']}: {shipped} x {sku} shipped of {order['lines'][sku]}"
            elif not shipped and _should_ship(order) and sku not in order["unmapped"]:
                yield f"amazon {order['id']}: {sku} not shipped"
    for order in truth.woo_orders(sandbox.world):
        if _should_ship(order) and not order["unmapped"] and order["status"] == "processing":
            yield f"woocommerce {order['id']}: not shipped"


def _should_ship(order: dict[str, Any]) -> bool:
    """What a buyer asked to cancel may have left before, or not: on a slow machine it has not."""
    if order.get("cancel_requested") or order["status"] == "CANCELLED":
        return False
    return bool(order["to_ship"] and order["addressed"])


def _labels_doubled(sandbox: Sandbox) -> Iterator[str]:
    for reference, row in truth.labels(sandbox.world).items():
        if row["live"] != 1:
            yield f"label {reference}: {row['live']} live ones"


def _promises(sandbox: Sandbox, facts: Facts) -> Iterator[str]:
    """What each channel offers is what the hub last promised."""
    with sqlite3.connect(f"file:{facts.store}?mode=ro", uri=True) as db:
        rows = db.execute(
            "SELECT c.connector, l.external_sku, a.computed_qty FROM channel_availability a"
            " JOIN channel_listing l ON l.id = a.listing_id"
            " JOIN connection c ON c.id = l.connection_id"
        ).fetchall()
    db.close()
    offered = truth.stock(sandbox.world)
    for connector, sku, promised in rows:
        shown = offered[connector]["quantity"].get(sku)
        if shown != promised:
            yield f"{connector} {sku}: {shown} on offer, {promised} promised"


def _not_exported(facts: Facts) -> Iterator[str]:
    """The exported rows are all orders that are ours, and add up to the summary."""
    ours = sum(row["orders"] - row["states"].get("ignored", 0) for row in facts.summary["channels"])
    if facts.manifest["orders"] != ours:
        yield f"{ours} orders are ours, {facts.manifest['orders']} were exported"
    [rows] = [name for name in facts.manifest["files"] if name.endswith("_orders.csv")] or [""]
    totals: Counter[tuple[str, str]] = Counter()
    if rows:
        with (facts.out / rows).open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                totals[(row["connection"], row["currency"])] += Decimal(row["channel_total"])  # type: ignore[assignment]
    for total in facts.manifest["totals"]:
        found = totals[(total["connection"], total["currency"])]
        if rows and Decimal(str(total["channel_total"])) != found:
            yield f"{total['connection']} {total['currency']}: rows and summary differ"
