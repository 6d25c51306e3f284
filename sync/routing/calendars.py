"""When a parcel ordered now leaves a location: its working days, holidays, cut-offs and handling.

Holidays come from the package ``holidays``, by country or region; a location's own closed days are
added by ops.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from holidays import HolidayBase

_DAY = timedelta(days=1)
_LAST = time(23, 59, 59)
_SEARCH_DAYS = 3_660


@dataclass(frozen=True)
class Calendar:
    """A location's calendar in the time zone ``zone``.

    ``workdays`` and the keys of ``cutoffs``: weekdays, 0 is Monday. An order up to the cut-off of a
    working day belongs to that day, and parcels leave at the cut-off; a weekday without one ends a
    second before midnight. ``holidays``: country or country-region (``DE``, ``DE-BE``), empty for
    none. ``closed``: further days off. ``handling_days``: working days between order and parcel.

    Raises ``ValueError`` when no day is a working day or the holidays are not known.
    """

    zone: str
    workdays: tuple[int, ...] = (0, 1, 2, 3, 4)
    cutoffs: Mapping[int, time] = field(default_factory=dict)
    holidays: str = ""
    closed: frozenset[date] = frozenset()
    handling_days: int = 0

    def __post_init__(self) -> None:
        if not set(self.workdays) & set(range(7)):
            raise ValueError("a calendar needs a working day: 0 is Monday, 6 is Sunday")
        if self.handling_days < 0:
            raise ValueError("handling days are counted from the order on: 0 or more")
        if self.holidays:
            _public(self.holidays)

    def is_open(self, day: date) -> bool:
        return (
            day.weekday() in self.workdays
            and day not in self.closed
            and not (self.holidays and day in _public(self.holidays))
        )

    def ready_at(self, moment: datetime) -> datetime:
        """When a parcel ordered at ``moment`` leaves: never before it, never on a closed day.

        Aware in, UTC out.
        """
        # From yesterday on: where clocks jump over midnight, its last minutes are shown today.
        day = moment.astimezone(self._zone()).date() - _DAY
        # Compared as moments, not by the clock on the wall, which some nights shows an hour twice.
        while not self.is_open(day) or self._leaves_at(day) < moment:
            day = self._next(day)
        for _ in range(self.handling_days):
            day = self._next(day)
        return self._leaves_at(day)

    def _next(self, day: date) -> date:
        for n in range(1, _SEARCH_DAYS):
            if self.is_open(day + n * _DAY):
                return day + n * _DAY
        raise ValueError(f"no working day within ten years after {day}")

    def _leaves_at(self, day: date) -> datetime:
        cutoff = self.cutoffs.get(day.weekday(), _LAST)
        return datetime.combine(day, cutoff, self._zone()).astimezone(UTC)

    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.zone)


def days_late(due_at: datetime | None, arrives_at: datetime) -> int:
    """Begun days between what was promised and the arrival; 0 where nothing was promised."""
    return 0 if due_at is None else max(0, -((due_at - arrives_at) // _DAY))


@lru_cache(maxsize=256)
def _public(code: str) -> HolidayBase:
    """The holidays of ``DE`` or ``DE-BE``, of whatever years are asked for."""
    try:
        # Imported when the first calendar names holidays: it takes 90 ms and 11 MB.
        from holidays import country_holidays
    except ImportError:
        raise ValueError("public holidays need: pip install 'crossdock[routing]'") from None
    country, _, region = code.partition("-")
    try:
        return country_holidays(country, subdiv=region or None)
    except NotImplementedError:
        raise ValueError(
            f"unknown holidays {code!r}: write a country like DE, or a region like DE-BE"
        ) from None
