"""The span of modification times that one reading of a Woo shop's orders covers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from connectors.base import Cursor
from connectors.errors import Retryable
from connectors.paging import NumberedPages

OVERLAP = timedelta(minutes=5)
"""Read again before the watermark: covers skewed clocks and changes that became visible late."""

_ROUNDED = timedelta(seconds=2)
"""The shop tells whole seconds, and its limits are exclusive."""

_SOONEST, _AHEAD = datetime(1990, 1, 1, tzinfo=UTC), timedelta(days=1)
"""Times of change outside of these (year 1, 9999) are nobody's older answer, but mistakes."""

LAG = timedelta(seconds=5)
"""The newest seconds are left out: their transactions may not be committed yet."""

SHOWS_AFTER = LAG + timedelta(seconds=3)
"""A change of this age lies in the window, which ends before a whole second; the rest is for a
shop's clock that is ahead of ours."""


@dataclass(frozen=True, slots=True)
class Window:
    """A closed span of modification times, and how far an interrupted walk through it came."""

    after: datetime
    until: datetime
    page: int = 1
    total: int | None = None

    @classmethod
    def opened(cls, cursor: Cursor | None, since: datetime, now: datetime) -> Self:
        if cursor is None:
            return cls(since, (now - LAG).replace(microsecond=0))
        after = datetime.fromisoformat(cursor["watermark"])
        if "until" in cursor:
            until = datetime.fromisoformat(cursor["until"])
            return cls(after, until, cursor["page"], cursor["total"])
        return cls(after, max((now - LAG).replace(microsecond=0), after))

    def params(self) -> dict[str, str]:
        return {
            "modified_after": _site_text(self.after - OVERLAP),
            "modified_before": _site_text(self.until),
            "dates_are_gmt": "true",
        }

    def require_all(self, changes: Iterable[str | None]) -> None:
        """Raise ``Retryable`` unless all of these times of change lie in the window.

        A reply to an older question (a cache in front of the shop sends one) may hold as many
        records as the right one: believed, it would move the watermark past those it lacks.
        """
        for told in changes:
            changed = _utc(told)
            if changed is None or not _SOONEST <= changed <= self.until + _AHEAD:
                # No shop was asked about then: the order's own date is wrong, and it is read on
                # its own account. The mapping says what it thinks of it.
                continue
            if not self.after - OVERLAP - _ROUNDED <= changed <= self.until + _ROUNDED:
                raise Retryable(
                    f"the shop listed an order of {changed.isoformat()}, which was not asked for: "
                    "an older reply, perhaps of a cache; orders are read again later"
                )

    def cursor(self, walk: NumberedPages) -> Cursor:
        if walk.done:
            return {"v": 1, "watermark": self.until.isoformat()}
        return {
            "v": 1,
            "watermark": self.after.isoformat(),
            "until": self.until.isoformat(),
            "page": walk.page,
            "total": walk.total,
        }


def _utc(told: str | None) -> datetime | None:
    """A time as the shop tells it, in UTC without saying so; null: it cannot be read."""
    try:
        return datetime.fromisoformat(told).replace(tzinfo=UTC) if told else None
    except ValueError:
        return None


def _site_text(moment: datetime) -> str:
    """Without an offset: WordPress shifts a text that has one into the site's time zone."""
    return moment.replace(tzinfo=None, microsecond=0).isoformat()
