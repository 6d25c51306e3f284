"""A location's working day as the settings say it and as the store keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec

if TYPE_CHECKING:
    from sync.routing.calendars import Calendar


class Hours(msgspec.Struct, frozen=True):
    """``cutoff``: by weekday, 0 is Monday, in ``timezone``. ``holidays``: ``DE`` or ``DE-BE``."""

    timezone: str = "UTC"
    workdays: tuple[int, ...] = (0, 1, 2, 3, 4)
    cutoff: dict[int, time] = {}
    holidays: str = ""
    closed: tuple[date, ...] = ()
    handling_days: int = 0


def hours_of(calendar: Mapping[str, Any]) -> Hours:
    """A location's hours from the shape that the store keeps them in."""
    return msgspec.convert(calendar, Hours, strict=False)


def opening(hours: Hours) -> Calendar:
    """When a location with these hours works. Raises ``ValueError`` for hours that cannot be."""
    return _opening(msgspec.json.encode(hours))


def midnight(hours: Hours | None, now: datetime) -> datetime:
    """When the day began on which a location is now; without hours it is in UTC."""
    zone = ZoneInfo(hours.timezone) if hours else UTC
    return datetime.combine(now.astimezone(zone).date(), time(), zone).astimezone(UTC)


@lru_cache(maxsize=512)
def _opening(encoded: bytes) -> Calendar:
    # Not at the top: the holidays of all countries take a fifth of a second to load.
    from sync.routing.calendars import Calendar

    hours = msgspec.json.decode(encoded, type=Hours)
    return Calendar(
        hours.timezone,
        workdays=hours.workdays,
        cutoffs=hours.cutoff,
        holidays=hours.holidays,
        closed=frozenset(hours.closed),
        handling_days=hours.handling_days,
    )
