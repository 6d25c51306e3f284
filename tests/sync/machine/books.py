"""What the hub has been told, kept apart from it: arithmetic, and nothing of the hub's own code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.sync.machine.outside import Report, Version

Key = tuple[str, str]
"""(order, SKU) or (SKU, location)."""


@dataclass
class Books:
    """``reported``: the newest state of each order that was told. ``on_hand``: by (SKU, location)
    of ours. The others by (order, SKU).

    ``cancelled``: what money was given back for before it left, by the newest report. ``most``:
    the most that any report wanted. ``given``: handed to locations, however it ended.
    """

    reported: dict[int, Version] = field(default_factory=dict)
    told: list[Version] = field(default_factory=list)
    on_hand: Counter[Key] = field(default_factory=Counter)
    shipped: Counter[Key] = field(default_factory=Counter)
    parcels: dict[str, dict[str, Mapping[str, int]]] = field(default_factory=dict)
    cancelled: Counter[Key] = field(default_factory=Counter)
    most: Counter[Key] = field(default_factory=Counter)
    stopped: set[str] = field(default_factory=set)
    late: set[str] = field(default_factory=set)
    """Orders of which something was shipped that was stopped, as we were told."""
    returned: Counter[str] = field(default_factory=Counter)
    scrapped: Counter[str] = field(default_factory=Counter)
    known_reports: set[str] = field(default_factory=set)

    def take_order(self, version: Version, beyond: Counter[Key]) -> None:
        """The newest report counts, whenever it comes; ``beyond``: of what left, what no order
        has room for."""
        self.told.append(version)
        before = self.reported.get(version.number)
        if before is not None and version.version <= before.version:
            return
        self.reported[version.number] = version
        order = str(version.number)
        for sku, qty in version.lines.items():
            key = (order, sku)
            self.most[key] = max(self.most[key], qty)
            unshipped = max(0, qty - (self.shipped[key] - beyond[key]))
            self.cancelled[key] = min(version.refunded(sku), unshipped)

    def take_report(self, report: Report, place: str, *, ours: bool) -> None:
        """Goods that left count once, however often they are reported."""
        if report.key in self.known_reports:
            return
        self.known_reports.add(report.key)
        if not report.goods:
            self.stopped.add(report.reference)
            return
        if report.reference in self.stopped:
            self.late.add(report.order)
        self.parcels.setdefault(report.order, {})[f"T-{report.key}"] = report.goods
        for sku, qty in report.goods.items():
            self.shipped[report.order, sku] += qty
            if ours:
                self.on_hand[sku, place] -= qty

    def wanted(self, order: str, sku: str, *, beyond: int = 0) -> int:
        """What the order's newest report asks to be shipped; ``beyond``: of what left, what its
        order had no room for."""
        version = self.reported[int(order)]
        if version.status in ("cancelled", "completed"):
            return self.shipped[order, sku] - beyond
        return version.lines.get(sku, 0) - self.cancelled[order, sku]

    def open(self, order: str, sku: str, *, beyond: int = 0) -> int:
        """What of an order that may ship has not left."""
        wanted = self.wanted(order, sku, beyond=beyond)
        return max(0, wanted - (self.shipped[order, sku] - beyond))
