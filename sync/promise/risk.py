"""In-flight risk: what is sold elsewhere before a write arrives, measured and not guessed.

Its units are the time a write takes from plan to confirmation, in nine of ten of the channel's
latest writes, times the SKU's rate of sale over all channels: the last hour's or the last day's,
whichever is faster. So the margin shrinks where writes are fast and grows in a rush.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from math import ceil

from sqlalchemy import Connection

from state import grounds

LATEST = 200
"""How many of a channel's writes tell how long one takes."""

_WINDOWS = (timedelta(hours=1), timedelta(days=1))


class Risk:
    """Rates of some SKUs now; a channel's delay is read when it is first asked for."""

    def __init__(self, conn: Connection, sku_ids: Sequence[int], now: datetime) -> None:
        self._conn = conn
        self._sold = [(grounds.sold(conn, sku_ids, now, one), one) for one in _WINDOWS]
        self._delays: dict[int, timedelta] = {}

    def units(self, connection_id: int, sku_id: int) -> int:
        if connection_id not in self._delays:
            latest = grounds.write_delays(self._conn, connection_id, LATEST)
            self._delays[connection_id] = usual(latest)
        delay = self._delays[connection_id]
        return max(
            at_risk(delay, sold.get(sku_id, Decimal(0)), window) for sold, window in self._sold
        )


def usual(delays: Sequence[timedelta]) -> timedelta:
    """What nine of ten stay within; nothing where nothing was measured yet."""
    if not delays:
        return timedelta(0)
    return sorted(delays)[ceil(0.9 * len(delays)) - 1]


def at_risk(delay: timedelta, sold: Decimal, window: timedelta) -> int:
    """Whole pieces sold within ``delay`` at the rate of ``sold`` per ``window``, rounded up."""
    micro = timedelta(microseconds=1)
    part = sold * (delay // micro) / (window // micro)
    return int(part.to_integral_value(ROUND_CEILING))
