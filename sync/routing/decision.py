"""What was decided about one order and why, location by location.

It is stored as JSON and told to people years later, so it holds finished words, not codes of a
program that may have changed since.
"""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from sync.routing.policy import Policy
from sync.routing.quotes import Quoted


class Verdict(msgspec.Struct, frozen=True):
    """One location that was looked at.

    ``dropped``: why it could not serve the order at all, else empty. ``lacks``: what keeps it from
    serving the order alone, by SKU. ``terms``: what one parcel from here costs, in minor units of
    the rules' currency; ``alone``: with the goods' weight, when it could send everything.
    ``quoted``: the offer that ``parcel`` among them is; ``unquoted``: why the table was used where
    the rules want an offer.
    """

    location_id: int
    code: str
    km: int
    precision: str
    ready_at: datetime
    dropped: str = ""
    lacks: tuple[str, ...] = ()
    terms: dict[str, int] = {}
    alone: int | None = None
    arrives_at: datetime | None = None
    quoted: Quoted | None = None
    unquoted: str = ""


class Share(msgspec.Struct, frozen=True):
    """``quantity`` millionths of a line that a location ships; ``weight_cost`` in minor units.

    ``parts``: of a bundle, what is taken of each component: (SKU id, millionths).
    """

    location_id: int
    line_id: int
    sku_id: int
    quantity: int
    weight_cost: int = 0
    parts: tuple[tuple[int, int], ...] = ()

    @property
    def takes(self) -> tuple[tuple[int, int], ...]:
        """(SKU id, millionths) that leave the location's shelves."""
        return self.parts or ((self.sku_id, self.quantity),)


class Unfilled(msgspec.Struct, frozen=True):
    """What of a line nobody ships now, and why.

    ``expected_on``: when goods that are on their way will do for it, and for all who came before.
    """

    line_id: int
    sku_id: int
    quantity: int
    why: str
    expected_on: date | None = None


class Decision(msgspec.Struct, frozen=True):
    """``waits``: why nothing is planned at all, with its kind: payment, hold, parked, not_before or
    quotes.

    ``cost``: of the shares in minor units of ``currency``, the sum of the chosen locations' terms,
    the shares' weight and ``split``; the price of what is left out is not a cost.
    """

    currency: str
    policy: Policy
    verdicts: tuple[Verdict, ...] = ()
    shares: tuple[Share, ...] = ()
    unfilled: tuple[Unfilled, ...] = ()
    split: int = 0
    cost: int = 0
    waits: tuple[str, str] | None = None

    def stored(self) -> bytes:
        """The whole decision as JSON, the same bytes for the same decision."""
        return msgspec.json.encode(self, order="deterministic")
