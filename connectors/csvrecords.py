"""From the rows of a dropped file to raw records: which rows belong together, and under what id."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.base import RawRecord
from connectors.csvtext import Row

_ORDER_LINE = frozenset(
    {"line_id", "sku", "gtin", "product_id", "title", "variant_title", "quantity"}
    | {"unit_price", "line_discount", "line_total", "line_tax", "line_tax_rate"}
)
_SHIPMENT_LINE = frozenset(
    {"line_reference", "sku", "title", "quantity", "tracking_number", "tracking_url"}
)

Groups = dict[str, list[Row]]
"""External id -> the rows that make up one record, in the order of the file."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One kind of file: the columns it must have, and how its rows become record bodies.

    ``repeats``: the same bytes dropped later are a new observation, not a duplicate.
    """

    required: Sequence[str]
    bodies: Callable[[Groups], Mapping[str, dict[str, Any]]]
    key: Callable[[Row], str]
    repeats: bool = False

    def records(self, rows: Sequence[Row], context: Mapping[str, Any]) -> list[RawRecord]:
        """Raw records; ``context`` (the file, its time zone, the location) is put beside each."""
        groups: Groups = {}
        for number, row in enumerate(rows, 1):
            # A row that does not say what it belongs to is a record of its own, parked as such.
            key = self.key(row) or f"{context['file']['key'][:12]}, row {number}"
            groups.setdefault(key, []).append(row)
        bodies = self.bodies(groups)
        return [
            RawRecord.of(external_id, {**body, **context}) for external_id, body in bodies.items()
        ]


def _orders(groups: Groups) -> dict[str, dict[str, Any]]:
    """order number -> {order, lines: [row + line_number]}"""
    return {
        number: {
            "order": _merged(lines, _ORDER_LINE),
            "lines": [{**row, "line_number": place} for place, row in enumerate(lines, 1)],
        }
        for number, lines in groups.items()
    }


def _counts(groups: Groups) -> dict[str, dict[str, Any]]:
    """sku@location -> {count}

    Two rows for one SKU may be two bins or a mistake: the list of both figures fits no field, so
    the count is parked instead of being guessed.
    """
    bodies: dict[str, dict[str, Any]] = {}
    for key, rows in groups.items():
        figures = [row["on_hand"] for row in rows]
        bodies[key] = {"count": {**rows[0], "on_hand": figures if len(rows) > 1 else figures[0]}}
    return bodies


def _shipments(groups: Groups) -> dict[str, dict[str, Any]]:
    """reference/shipment -> {shipment, shipment_key, packages: [{tracking_number, lines}]}

    A warehouse that numbers no shipments is taken to send one shipment per tracking number.
    """
    bodies = {}
    for key, rows in groups.items():
        packages: Groups = {}
        for row in rows:
            packages.setdefault(row.get("tracking_number") or "", []).append(row)
        bodies[key] = {
            "shipment": _merged(rows, _SHIPMENT_LINE),
            "shipment_key": key,
            "packages": [
                {"tracking_number": number, "lines": packed} for number, packed in packages.items()
            ],
        }
    return bodies


def _count_key(row: Row) -> str:
    return f"{row['sku']}@{row.get('location_code') or ''}" if row["sku"] else ""


def _shipment_key(row: Row) -> str:
    own = row.get("shipment_id") or row.get("tracking_number") or ""
    return f"{row['reference']}/{own}" if row["reference"] else ""


def _merged(rows: Sequence[Row], line_columns: frozenset[str]) -> dict[str, Any]:
    """What the rows say together: a value, or null.

    Exports fill the columns of the whole order on its first row only, or on every row. Where rows
    contradict each other the value is the list of what they say: no field takes a list, so the
    record is parked with both values in sight instead of going to one of two addresses.
    """
    merged: dict[str, Any] = {}
    for name in rows[0]:
        if name not in line_columns:
            said = list(dict.fromkeys(row[name] for row in rows if row[name] is not None))
            merged[name] = said if len(said) > 1 else next(iter(said), None)
    return merged


STREAMS: Mapping[str, Stream] = {
    "orders": Stream(
        ("order_number", "placed_at", "currency", "grand_total", "sku", "quantity", "line_total"),
        _orders,
        lambda row: row["order_number"] or "",
    ),
    "stock": Stream(("sku", "on_hand"), _counts, _count_key, repeats=True),
    "shipments": Stream(("reference", "sku", "quantity"), _shipments, _shipment_key),
}
