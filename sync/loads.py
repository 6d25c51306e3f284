"""Whose goods are in the parcels of a shipment: of the location's work, beyond it, or nobody's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row

from mappings import canonical as c
from state import overshipments
from sync import bundles


@dataclass(slots=True)
class Load:
    """What a shipment takes, by fulfilment line.

    ``gone``: what has left, of its work and beyond. ``left``: what of its work the location may
    still have. ``sent``: what is shipped of the work; ``over``: what left beyond it, of work that
    had ended (``late``) all. ``strangers``: goods that the location was never asked for. ``rows``:
    what is in all parcels.
    """

    lines: Sequence[Row[Any]]
    gone: dict[int, Decimal]
    left: dict[int, Decimal]
    late: bool
    sent: dict[int, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    over: dict[int, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    strangers: list[c.ShippedLine] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)

    def take(self, parcel: c.Package) -> list[dict[str, Any]]:
        """Whose goods are in a parcel: ffo_line_id, qty, qty_over of each line.

        A location that does not tell the contents is taken to have sent all that is left.
        """
        inside: dict[int, dict[str, Any]] = {}
        reported = parcel.lines or self._all_that_is_left()
        for told, meant in bundles.sorted_out(reported, self.lines, self.gone, self.left):
            for line, qty, over in self._shares(told, meant):
                row = inside.setdefault(
                    line.id, {"ffo_line_id": line.id, "qty": Decimal(0), "qty_over": Decimal(0)}
                )
                row["qty"] += qty
                row["qty_over"] += over
                self.gone[line.id] += qty
                self.sent[line.id] += qty - over
                self.over[line.id] += over
        self.rows += inside.values()
        return list(inside.values())

    def disown(self, line: Row[Any]) -> None:
        """What left beyond the work of ``line`` were never our goods: none were there."""
        self.strangers.append(c.ShippedLine(sku=line.sku, quantity=self.over.pop(line.id)))
        for row in self.rows:
            if row["ffo_line_id"] == line.id:
                row["qty"] -= row["qty_over"]
                row["qty_over"] = Decimal(0)

    def _all_that_is_left(self) -> tuple[c.ShippedLine, ...]:
        return tuple(
            c.ShippedLine(
                sku=line.sku, channel_line_id=line.channel_line_id, quantity=self.left[line.id]
            )
            for line in self.lines
        )

    def _shares(
        self, told: c.ShippedLine, meant: Sequence[Row[Any]]
    ) -> Iterator[tuple[Row[Any], Decimal, Decimal]]:
        """(line, how many, of these beyond its work); ``meant``: whose it may be."""
        rest = told.quantity
        for line in meant:
            qty = min(rest, self.left[line.id])
            if qty > 0:
                self.left[line.id] -= qty
                rest -= qty
                yield line, qty, qty if self.late else Decimal(0)
        if rest > 0 and meant:
            yield meant[0], rest, rest
        elif rest > 0:
            self.strangers.append(told)


def load_of(conn: Connection, lines: Sequence[Row[Any]], *, late: bool) -> Load:
    """Of work that had ended the location may have had all that it was given."""
    over = overshipments.by_line(conn, [line.id for line in lines])
    gone = {line.id: line.qty_shipped + over.get(line.id, Decimal(0)) for line in lines}
    left = {
        line.id: Decimal(
            line.qty - (gone[line.id] if late else line.qty_shipped + line.qty_cancelled)
        )
        for line in lines
    }
    return Load(lines, gone, left, late)
