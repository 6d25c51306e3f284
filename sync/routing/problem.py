"""The numbers of a routing choice: what an order's lines cost from each site that may serve it.

What rules, calendars and distances amount to for one order, so that the solvers know nothing of
them. Costs are integers in minor units of the rule file's currency, quantities integers in
millionths of the SKU's unit (the store's exact scale).
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

Goods = tuple[tuple[int, int], ...]
"""(SKU id, millionths) pairs, every SKU once."""


class Line(msgspec.Struct, frozen=True):
    """What one order line still needs. ``line_id`` is not unique once a line has been divided.

    ``takes``: the goods that all of it takes, of one site; several for a bundle. ``step``: a
    divisor of ``quantity``, and the least by which the line may be cut: a millionth, or a whole
    bundle.
    """

    line_id: int
    quantity: int
    takes: Goods
    step: int = 1

    @classmethod
    def of(cls, line_id: int, sku_id: int, quantity: int) -> Line:
        """A line that takes what it names."""
        return cls(line_id, quantity, ((sku_id, quantity),))

    def part(self, quantity: int) -> Line:
        """So much of it, in whole steps."""
        takes = tuple((sku, total * quantity // self.quantity) for sku, total in self.takes)
        return Line(self.line_id, quantity, takes, self.step)

    def most(self, stock: Mapping[int, int]) -> int:
        """How much of it the goods in ``stock`` make, in whole steps: by the scarcest."""
        steps = self.quantity // self.step
        made = min(stock.get(sku, 0) * steps // total for sku, total in self.takes)
        return min(self.quantity, max(0, made) * self.step)


class Site(msgspec.Struct, frozen=True):
    """A location that may serve the order.

    ``open_cost`` is paid once if anything ships from here (parcel, distance, lateness, imbalance),
    ``line_costs[i]`` if line ``i`` does. ``code`` breaks ties, so that a choice is unique.
    """

    location_id: int
    code: str
    open_cost: int
    line_costs: tuple[int, ...]
    stock: dict[int, int]


class Task(msgspec.Struct, frozen=True):
    """One order to be routed.

    ``split_cost`` is paid for every parcel beyond the first, ``unfilled_cost`` for every line
    nobody ships; ``max_parcels`` bounds the sites used; ``ship_complete``: everything or nothing.
    """

    order_id: int
    lines: tuple[Line, ...]
    sites: tuple[Site, ...]
    split_cost: int
    unfilled_cost: int
    max_parcels: int
    ship_complete: bool


class Assignment(msgspec.Struct, frozen=True):
    """``sites[i]`` is the location that ships line ``i`` of the (divided) task, null for none."""

    lines: tuple[Line, ...]
    sites: tuple[int | None, ...]
    cost: int
