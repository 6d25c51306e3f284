"""When parcels leave: never before the order, never on a closed day, never out of turn."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.routing.calendars import Calendar, days_late

BERLIN = ZoneInfo("Europe/Berlin")

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Apia"]

calendars = st.builds(
    Calendar,
    st.sampled_from(ZONES),
    workdays=st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
    cutoffs=st.dictionaries(st.integers(0, 6), st.times(), max_size=7),
    holidays=st.sampled_from(["", "DE", "DE-BE", "US", "US-CA", "GB-SCT"]),
    closed=st.frozensets(st.dates(date(2026, 1, 1), date(2027, 12, 31)), max_size=5),
    handling_days=st.integers(0, 4),
)
moments = st.integers(0, 500 * 86_400).map(
    lambda seconds: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


@settings(max_examples=200, deadline=None)
@given(calendars, moments)
def test_a_parcel_never_leaves_before_the_order_nor_on_a_closed_day(
    calendar: Calendar, moment: datetime
) -> None:
    ready = calendar.ready_at(moment)
    assert ready >= moment
    assert ready.tzinfo is UTC
    assert calendar.is_open(ready.astimezone(ZoneInfo(calendar.zone)).date())


@settings(max_examples=200, deadline=None)
@given(calendars, moments, st.timedeltas(timedelta(0), timedelta(days=9)))
def test_a_later_order_never_leaves_sooner(
    calendar: Calendar, moment: datetime, later: timedelta
) -> None:
    assert calendar.ready_at(moment) <= calendar.ready_at(moment + later)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


WORKSHOP = Calendar(
    "Europe/Berlin", cutoffs=dict.fromkeys(range(4), time(15)) | {4: time(12)}, holidays="DE-BE"
)


@pytest.mark.parametrize(
    ("ordered", "leaves"),
    [
        ("2026-11-02T14:59", "2026-11-02T15:00"),
        ("2026-11-02T15:00", "2026-11-02T15:00"),
        ("2026-11-02T15:01", "2026-11-03T15:00"),
        ("2026-11-06T12:01", "2026-11-09T15:00"),  # Friday noon is the end of the week
        ("2026-12-24T16:00", "2026-12-28T15:00"),  # Christmas and a weekend
        ("2026-03-06T12:30", "2026-03-09T15:00"),
        ("2027-03-05T13:00", "2027-03-09T15:00"),  # Women's Day, Monday, is Berlin's own
    ],
)
def test_cut_offs_weekends_and_holidays(ordered: str, leaves: str) -> None:
    assert WORKSHOP.ready_at(local(ordered)) == local(leaves)


def test_handling_days_are_working_days() -> None:
    slow = Calendar("Europe/Berlin", handling_days=2, closed=frozenset({date(2026, 11, 3)}))
    assert slow.ready_at(local("2026-11-02T10:00")) == local("2026-11-05T23:59:59")


def test_the_hour_that_comes_twice_is_told_apart() -> None:
    """On 25 October 2026 Berlin has 02:30 twice; the cut-off is the first."""
    night = Calendar("Europe/Berlin", workdays=(5, 6), cutoffs={6: time(2, 30)})
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert night.ready_at(first) == first
    assert night.ready_at(first + timedelta(minutes=30)).date() == date(2026, 10, 31)


def test_a_cut_off_that_the_night_skips_is_on_its_day() -> None:
    night = Calendar("Europe/Berlin", workdays=(6,), cutoffs={6: time(2, 30)})
    ready = night.ready_at(local("2026-03-28T12:00"))
    assert ready.astimezone(BERLIN).date() == date(2026, 3, 29)


@pytest.mark.parametrize(
    "given_",
    [{"workdays": ()}, {"holidays": "ATLANTIS"}, {"holidays": "DE-XX"}, {"handling_days": -1}],
)
def test_a_calendar_that_cannot_be_is_refused(given_: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"working day|unknown holidays|handling days"):
        Calendar("UTC", **given_)  # type: ignore[arg-type]


def test_lateness_counts_begun_days() -> None:
    due = datetime(2026, 11, 2, 12, tzinfo=UTC)
    assert days_late(None, due) == 0
    assert days_late(due, due) == 0
    assert days_late(due, due - timedelta(days=3)) == 0
    assert days_late(due, due + timedelta(seconds=1)) == 1
    assert days_late(due, due + timedelta(days=1)) == 1
    assert days_late(due, due + timedelta(days=1, seconds=1)) == 2


def test_goal_g18_a_cut_off_that_the_clocks_jump_over_midnight_is_still_yesterdays() -> None:
    # In Nuuk they go from 23:00 to 00:00: Saturday's 23:59 is never shown, and comes at 00:59.
    nuuk = Calendar("America/Nuuk", tuple(range(7)), dict.fromkeys(range(7), time(23, 59)))
    moment = datetime(2024, 3, 31, 1, 3, tzinfo=UTC)
    assert nuuk.ready_at(moment) == datetime(2024, 3, 31, 1, 59, tzinfo=UTC)
