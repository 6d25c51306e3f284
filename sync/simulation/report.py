"""A simulation in a table of totals, and order by order as CSV."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from mappings.numbers import major_units
from sync.routing.facts import UNIT
from sync.simulation.outcome import Outcome
from sync.simulation.past import Compared, Simulated
from sync.spreadsheets import neutral

Measure = Callable[[Sequence[Outcome]], int | Decimal | None]


def totals(found: Simulated) -> list[dict[str, Any]]:
    """One row per figure: ``figure``, ``before``, ``after``; null where there is nothing to say.

    Costs are of orders whose decision was counted in the currency of the proposed rules, in its
    major units as text; the rest counts every order.
    """
    rows = [_row(name, measure, found.orders) for name, measure in _FIGURES.items()]
    same = [one for one in found.orders if one.before.currency == found.currency]
    rows += [
        {
            "figure": f"{name}, {found.currency}",
            **{
                side: major_units(measure(_side(same, side)), found.currency)
                for side in ("before", "after")
            },
        }
        for name, measure in _COSTS.items()
    ]
    breaches = [day.breaches() for day in found.days]
    rows.append(
        {
            "figure": "days a location was given more than it takes",
            "before": sum(before for before, _ in breaches),
            "after": sum(after for _, after in breaches),
        }
    )
    return rows


def _row(name: str, measure: Measure, orders: Sequence[Compared]) -> dict[str, Any]:
    before, after = (measure(_side(orders, side)) for side in ("before", "after"))
    return {"figure": name, "before": before, "after": after}


def _side(orders: Sequence[Compared], side: str) -> list[Outcome]:
    return [one.before if side == "before" else one.after for one in orders]


def _planned(outcomes: Sequence[Outcome]) -> int:
    return sum(one.parcels > 0 for one in outcomes)


def _percent_split(outcomes: Sequence[Outcome]) -> Decimal | None:
    split = sum(one.parcels > 1 for one in outcomes)
    return _share(100 * split, _planned(outcomes))


def _km_per_parcel(outcomes: Sequence[Outcome]) -> Decimal | None:
    return _share(sum(one.km for one in outcomes), sum(one.parcels for one in outcomes))


def _share(part: int, whole: int) -> Decimal | None:
    """To one decimal place; null of nothing."""
    if not whole:
        return None
    return (Decimal(part) / whole).quantize(Decimal("0.1"), ROUND_HALF_UP)


_FIGURES: dict[str, Measure] = {
    "orders planned": _planned,
    "orders that wait": lambda outcomes: sum(bool(one.waits) for one in outcomes),
    "orders in more than one parcel": lambda outcomes: sum(one.parcels > 1 for one in outcomes),
    "split rate, % of planned": _percent_split,
    "parcels": lambda outcomes: sum(one.parcels for one in outcomes),
    "parcels at a carrier's quote": lambda outcomes: sum(one.quoted for one in outcomes),
    "parcels at the table's rate": lambda outcomes: sum(
        one.parcels - one.quoted for one in outcomes
    ),
    "km per parcel": _km_per_parcel,
    "units left out": lambda outcomes: _units(sum(one.left_out for one in outcomes)),
    "orders late": lambda outcomes: sum(one.days_late > 0 for one in outcomes),
    "days late, all orders": lambda outcomes: sum(one.days_late for one in outcomes),
}

_COSTS: dict[str, Callable[[Sequence[Outcome]], int]] = {
    "shipping (parcels and weight)": lambda outcomes: sum(one.shipping for one in outcomes),
    "cost as the rules count it": lambda outcomes: sum(one.cost for one in outcomes),
}


def _units(millionths: int) -> Decimal:
    return Decimal(millionths) / UNIT


def parcels_by_location(found: Simulated) -> list[tuple[str, int, int]]:
    """(location, parcels before, parcels after), by code."""
    codes = {
        code for one in found.orders for side in (one.before, one.after) for code in side.locations
    }
    return [
        (
            code,
            sum(code in one.before.locations for one in found.orders),
            sum(code in one.after.locations for one in found.orders),
        )
        for code in sorted(codes)
    ]


_COLUMNS: dict[str, Callable[[Outcome], Any]] = {
    "locations": lambda one: " ".join(one.locations),
    "currency": lambda one: one.currency,
    "shipping": lambda one: major_units(one.shipping, one.currency),
    "cost": lambda one: major_units(one.cost, one.currency),
    "km": lambda one: one.km,
    "parcels_quoted": lambda one: one.quoted,
    "days_late": lambda one: one.days_late,
    "units_left_out": lambda one: _units(one.left_out),
    "waits": lambda one: one.waits,
}


def order_rows(found: Simulated) -> list[dict[str, Any]]:
    """One row per order, every figure before and after."""
    return [
        {
            "order_id": one.order_id,
            "order": one.order,
            "decided_at": one.decided_at.isoformat(),
            "moved": one.moved,
            **{
                f"{name}_{side}": measure(outcome)
                for side, outcome in (("before", one.before), ("after", one.after))
                for name, measure in _COLUMNS.items()
            },
        }
        for one in found.orders
    ]


def write_csv(found: Simulated, path: Path) -> None:
    """Every order, UTF-8 with headings. Raises ``OSError``."""
    sides = [f"{name}_{side}" for side in ("before", "after") for name in _COLUMNS]
    columns = ["order_id", "order", "decided_at", "moved", *sides]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(
            {name: neutral(v) if isinstance(v, str) else v for name, v in row.items()}
            for row in order_rows(found)
        )
