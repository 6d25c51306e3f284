"""G18: time zones. Cut-offs, working days and business dates around every change of the clocks,
held against a walk through the minutes that knows nothing of how they are computed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from random import Random
from zoneinfo import ZoneInfo

from proof.budget import Budget, reached, shuffled
from proof.evidence import Evidence, Size
from proof.fuzz.clock import measured
from proof.planting import Planted
from sync.routing import calendars
from sync.routing.calendars import Calendar
from sync.routing.hours import Hours, midnight

ZONES = (
    *("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago"),
    *("Africa/Cairo", "America/St_Johns", "Europe/London", "Pacific/Apia", "America/Sao_Paulo"),
    *("Asia/Kathmandu", "Asia/Tehran", "Pacific/Chatham", "America/Havana", "Asia/Beirut"),
    *("Europe/Dublin", "Africa/Casablanca", "Asia/Amman", "Pacific/Auckland", "America/Nuuk"),
    "Antarctica/Troll",
)
"""The first ones, at which a pull request looks, all change their clocks twice a year: at another
hour each, one by half an hour, one at midnight."""
CUTOFFS = (time(2, 30), time(0, 0), time(1, 0), time(14, 0), time(23, 59))
YEARS: dict[Size, range] = {"pull-request": range(2026, 2028), "nightly": range(2024, 2031)}
COUNT: dict[Size, int] = {"pull-request": 6, "nightly": 20}
MOMENTS = 20
"""Looked at around each change, and each of the cut-offs."""
_MINUTE = timedelta(minutes=1)


@cache
def transitions(zone: str, years: range) -> tuple[datetime, ...]:
    """When the clocks of a zone change, in UTC."""
    name, found = ZoneInfo(zone), []
    at, end = datetime(years.start, 1, 1, tzinfo=UTC), datetime(years.stop, 1, 1, tzinfo=UTC)
    while at < end:
        after = at + timedelta(hours=1)
        if at.astimezone(name).utcoffset() != after.astimezone(name).utcoffset():
            found.append(after)
        at = after
    return tuple(found)


def plain_days(zone: str, years: range) -> tuple[datetime, ...]:
    """Two days like others, of a zone whose clocks never change in these years."""
    if transitions(zone, years):
        return ()
    begin, end = (datetime(year, 1, 1, tzinfo=UTC) for year in (years.start, years.stop))
    return begin + timedelta(days=87), end - timedelta(days=60)


def leaves(calendar: Calendar, moment: datetime) -> datetime:
    """The oracle: walk from minute to minute; the first cut-off that the clock on the wall shows,
    or has just jumped over, on a working day is when the parcel leaves.
    """
    zone = ZoneInfo(calendar.zone)
    day = moment.astimezone(zone).date() - timedelta(days=1)
    while True:
        if day.weekday() in calendar.workdays:
            leaving = _on_the_wall(zone, day, calendar.cutoffs[day.weekday()])
            if leaving >= moment:
                return leaving
        day += timedelta(days=1)


def _on_the_wall(zone: ZoneInfo, day: date, wanted: time) -> datetime:
    """When a wall clock shows a time on a day, the first time that it does; where it jumps over
    it, as long after the jump as the time lies after the clock's last reading.
    """
    goal, before = datetime.combine(day, wanted), None
    # No change of the clocks is longer than the hours that it starts ahead, but Apia's lost day.
    near = goal.replace(tzinfo=UTC)
    at = (
        near
        - max(
            (near + n * timedelta(hours=12)).astimezone(zone).utcoffset() or timedelta()
            for n in (-2, -1, 0, 1)
        )
        - timedelta(hours=1)
    )
    while True:
        shown = at.astimezone(zone).replace(tzinfo=None, fold=0)
        if shown == goal:
            return at
        if before is not None and before < goal < shown:
            return at + (goal - before) - _MINUTE
        before, at = shown, at + _MINUTE


def changes_of(size: Size) -> list[tuple[str, datetime]]:
    """Every zone and change of its clocks that is looked at, or its plain days."""
    years = YEARS[size]
    return [
        (zone, at)
        for zone in ZONES[: COUNT[size]]
        for at in (*transitions(zone, years), *plain_days(zone, years))
    ]


def checked(
    size: Size, seed: int, *, first: bool = False, budget: Budget | None = None
) -> tuple[int, Counter[str], list[str]]:
    """(moments looked at, changes of clocks and plain days, what does not hold). ``first``: no more
    than that."""
    runs, met = 0, Counter[str]()
    violations: list[str] = []
    for zone, change in (budget or Budget()).over(shuffled(changes_of(size), seed)):
        if first and violations:
            break
        met["changes of clocks" if change in transitions(zone, YEARS[size]) else "plain days"] += 1
        for problem in _around(zone, change, Random(f"{seed}.{zone}.{change}")):
            runs += 1
            if problem:
                violations.append(f"{zone} {change:%Y-%m-%d}: {problem}")
    return runs, met, violations


def _around(zone: str, change: datetime, rng: Random) -> Iterator[str]:
    name = ZoneInfo(zone)
    for cutoff in CUTOFFS:
        calendar = Calendar(zone, (0, 1, 2, 3, 4, 5, 6), dict.fromkeys(range(7), cutoff))
        for _ in range(MOMENTS // len(CUTOFFS) + 1):
            # Half of them in the hours that are missing or come twice.
            reach = rng.choice((90, 2_000))
            moment = change + timedelta(minutes=rng.randrange(-reach, reach))
            got, wanted = calendar.ready_at(moment), leaves(calendar, moment)
            same = got == wanted
            yield "" if same else f"cut-off {cutoff} at {moment}: {got} and not {wanted}"
            yield _days(name, zone, moment)
    yield _once_a_day(name, zone, change)


def _days(name: ZoneInfo, zone: str, moment: datetime) -> str:
    """A day begins at the first minute that the wall clock shows of it, and holds the moment."""
    begun, today = midnight(Hours(zone), moment), moment.astimezone(name).date()
    if begun > moment:
        return f"the day at {moment} begins at {begun}, after it"
    if (begun - _MINUTE).astimezone(name).date() >= today:
        return f"the day at {moment} begins before {begun}"
    return ""


def _once_a_day(name: ZoneInfo, zone: str, change: datetime) -> str:
    """A job that runs when the day has another beginning runs once for each day on the wall."""
    at = change - timedelta(days=2)
    begun = {midnight(Hours(zone), at + n * timedelta(minutes=15)) for n in range(4 * 96)}
    days = {(at + n * timedelta(minutes=15)).astimezone(name).date() for n in range(4 * 96)}
    return "" if len(begun) == len(days) else f"{len(begun)} daily runs in {len(days)} days"


def prove(size: Size, seed: int = 1, budget_s: float | None = None) -> Evidence:
    """The goal at one of its sizes. ``budget_s``: real seconds; null: every change."""
    budget = Budget(budget_s)
    with measured() as cost:
        planted = {}
        for bug in _bugs():
            with bug.in_place():
                found = checked("pull-request", seed, first=True)[2]
            planted[bug.name] = found[0][:120] if found else None
        runs, met, violations = checked(size, seed, budget=budget)
    return Evidence(
        claim="G18",
        title="Cut-offs and business days in every zone",
        command=f"python -m proof G18 --size {size} --seed {seed}",
        runs=runs,
        unit="moments",
        seeds=str(seed),
        injections={"changes of clocks": met["changes of clocks"]},
        violations=violations,
        planted=planted,
        figures={
            "zones": COUNT[size],
            "years": len(YEARS[size]),
            "plain days of zones whose clocks never change": met["plain days"],
            **reached(size, met.total(), len(changes_of(size))),
        },
        cpu_s=cost.cpu_s,
    )


def _bugs() -> list[Planted]:
    def in_utc(self: Calendar, day: date) -> datetime:
        return datetime.combine(day, self.cutoffs[day.weekday()], UTC)

    def a_fixed_offset(self: Calendar, day: date) -> datetime:
        winter = datetime(day.year, 1, 15, tzinfo=UTC).astimezone(self._zone()).utcoffset()
        local = datetime.combine(day, self.cutoffs[day.weekday()], UTC)
        return local - (winter or timedelta())

    def by_the_wall(self: Calendar, moment: datetime) -> datetime:
        local = moment.astimezone(self._zone())
        day = local.date()
        while local.time() > self.cutoffs[day.weekday()] and day == local.date():
            day += timedelta(days=1)
        return self._leaves_at(day)

    return [
        Planted("cut-offs are in UTC", [(calendars.Calendar, "_leaves_at", in_utc)]),
        Planted("the offset is winter's", [(calendars.Calendar, "_leaves_at", a_fixed_offset)]),
        Planted("compared by the wall clock", [(calendars.Calendar, "ready_at", by_the_wall)]),
    ]
