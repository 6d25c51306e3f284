"""Orders, locations and rules by a few words, for tests of decisions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sync.routing.decision import Decision
from sync.routing.facts import UNIT, LineFacts, OrderFacts, SiteFacts
from sync.routing.rules import Rate, Rule, Rules, Then, When

NOW = datetime(2026, 11, 2, 8, tzinfo=UTC)
SKUS = {"A": 11, "B": 12, "C": 13}


def order(lines: list[tuple[str, int]], **given: Any) -> OrderFacts:
    """Lines numbered from 1, of (SKU, units); every unit weighs 500 g."""
    hazmat, tags = given.pop("hazmat", ()), given.pop("tags", ())
    facts: dict[str, Any] = {
        "order_id": 1,
        "decided_at": NOW,
        "placed_at": NOW,
        "channel": "shop-eu",
        "currency": "EUR",
        "value": 5000,
        "country": "DE",
        "postcode": "10117",
        "paid": "captured",
    }
    return OrderFacts(
        lines=tuple(
            LineFacts(no, no, SKUS[sku], sku, qty * UNIT, 500, sku in hazmat, tags=tags)
            for no, (sku, qty) in enumerate(lines, start=1)
        ),
        **{**facts, **given},
    )


def site(number: int, km: int, stock: dict[str, int], **given: Any) -> SiteFacts:
    """``L1``, ``L2`` ... with units by SKU."""
    facts: dict[str, Any] = {"kind": "warehouse", "precision": "postcode", "ready_at": NOW}
    allotted = given.pop("allotted", {})
    return SiteFacts(
        location_id=number,
        code=f"L{number}",
        rank=number,
        km=km,
        stock={SKUS[sku]: qty * UNIT for sku, qty in stock.items()},
        allotted={SKUS[sku]: qty * UNIT for sku, qty in allotted.items()},
        **{**facts, **given},
    )


def rules(*given: Rule, **more: Any) -> Rules:
    """A parcel for 4.50 that takes a day, unless said otherwise."""
    rates = more.pop("rates", (Rate(parcel=450, days=1),))
    return Rules(name="test.toml", currency="EUR", rates=rates, rules=given, **more)


def rule(name: str = "r", when: When | None = None, **then: Any) -> Rule:
    return Rule(name, Then(**then), when or When())


def shipped(decision: Decision) -> list[tuple[int, int, int]]:
    """(line, location, units), in line order."""
    return sorted(
        (share.line_id, share.location_id, share.quantity // UNIT) for share in decision.shares
    )


def dropped(decision: Decision) -> dict[str, str]:
    return {one.code: one.dropped for one in decision.verdicts if one.dropped}
