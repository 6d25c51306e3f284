"""Times, always aware and in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec

from mappings.problems import Unfit, UnfitArgument
from mappings.transforms.registry import transform


@transform
def utc(value: object) -> datetime:
    """An ISO 8601 time; without an offset it is taken as UTC.

    >>> utc("2026-11-21T10:00:00").isoformat(), utc("2026-11-21T10:00:00+02:00").isoformat()
    ('2026-11-21T10:00:00+00:00', '2026-11-21T08:00:00+00:00')
    """
    if type(value) is str and len(value) == 19 and value[13] == value[16] == ":":
        try:
            return _in_calendar(datetime.fromisoformat(f"{value}Z"))  # quicker than a zone later
        except ValueError:
            pass
    moment = _moment(value)
    return _in_calendar(moment.replace(tzinfo=UTC) if moment.tzinfo is None else _in_utc(moment))


@transform
def local_time(value: object, *, zone: str) -> datetime:
    """An ISO 8601 time; without an offset it is the local time of an IANA zone.

    In the hour that the end of summer time repeats, the first of the two is taken.

    >>> local_time("2026-07-01 10:00:00", zone="Europe/Berlin").isoformat()
    '2026-07-01T08:00:00+00:00'
    """
    try:
        zoneinfo = ZoneInfo(zone)
    except (LookupError, ValueError, OSError):
        raise UnfitArgument(f"unknown time zone {zone[:40]!r}") from None
    moment = _moment(value)
    return _in_calendar(
        _in_utc(moment.replace(tzinfo=zoneinfo) if moment.tzinfo is None else moment)
    )


def _moment(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise Unfit("not a time")
    try:
        return datetime.fromisoformat(value.strip())
    except ValueError:
        raise Unfit("not an ISO 8601 time") from None


def _in_calendar(moment: datetime) -> datetime:
    """Vendors write the first and the last day of the calendar for "none"; in some time zones
    these are days that Python does not know. Raises ``Unfit``."""
    if 1 < moment.year < 9999:
        return moment
    raise Unfit("a time outside the calendar")


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is UTC:
        return moment
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise Unfit("a time outside the calendar") from None


@transform
def sortable_utc(value: datetime) -> str:
    """A time as text of fixed width, so that comparing texts compares times.

    >>> sortable_utc(utc("2026-11-21T10:00:00Z"))
    '2026-11-21T10:00:00.000000Z'
    """
    written: str = msgspec.to_builtins(aware(value))  # microseconds only where there are any
    return f"{written[:-1]}.000000Z" if len(written) == 20 else written


def aware(value: object) -> datetime:
    """A time of ours, in UTC. Raises ``Unfit`` for anything else."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise Unfit("not an aware time")
    return _in_utc(value)
