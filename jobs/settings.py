"""What ops may write in ``settings.toml``: every section, key, unit and default.

``jobs.settings_loader`` reads the files. A connection's own keys (address, credentials) belong to
its connector's ``config_model``; secrets among them are references, never values.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic.fields import FieldInfo
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from connectors.base import Retention
from jobs.promise_settings import GuardSettings, PromiseSettings
from state.personal.retention import Keep
from sync.routing.hours import hours_of, opening

_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def _seconds(value: Any) -> int:
    found = re.fullmatch(r"\s*(\d{1,6})\s*([smhd])\s*", str(value))
    if found is None:
        raise ValueError("a duration is a number and a unit: 30s, 5m, 1h or 1d")
    return int(found[1]) * _UNIT_S[found[2]]


def duration_text(seconds: int) -> str:
    """The shortest way to write it: ``90`` is ``90s``, ``300`` is ``5m``."""
    units = sorted(_UNIT_S, key=lambda unit: -_UNIT_S[unit])
    unit = next((u for u in units if seconds and seconds % _UNIT_S[u] == 0), "s")
    return f"{seconds // _UNIT_S[unit]}{unit}"


def is_duration(field: FieldInfo) -> bool:
    """Whether the field is written as a ``Duration``."""
    return any(isinstance(m, BeforeValidator) and m.func is _seconds for m in field.metadata)


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"unknown time zone {name!r}: use a name like Europe/Berlin") from None
    return name


def _store_url(value: str) -> str:
    try:
        url = make_url(value)
    except ArgumentError:
        raise ValueError("not a database URL: use sqlite:///crossdock.db") from None
    backend = url.get_backend_name()
    if backend not in ("sqlite", "postgresql"):
        raise ValueError(f"{backend} is not supported: use sqlite:///FILE or postgresql://...")
    if backend == "sqlite" and url.database in (None, "", ":memory:"):
        raise ValueError("the store has to be a file: use sqlite:///crossdock.db")
    return value


def _host(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9_][a-z0-9._-]{0,252}", name):
        raise ValueError("a host is written without scheme and port, in lower case: shop.internal")
    return name


def _like(pattern: str, remedy: str) -> AfterValidator:
    """A text of this form. What is told of another is how to write it, and no pattern."""

    def checked(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(remedy)
        return value

    return AfterValidator(checked)


def _one_cutoff(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    """Told once, and not for each way in which it may be written."""
    try:
        return read(value)
    except ValidationError:
        raise ValueError(
            'write "14:00", or a table by day: { mon = "14:00", sat = "11:00" }'
        ) from None


Duration = Annotated[int, BeforeValidator(_seconds)]
"""Whole seconds, written as ``30s``, ``5m``, ``1h`` or ``1d``."""

Interval = Annotated[Duration, Field(ge=1)]

ConnectionName = Annotated[
    str,
    _like(
        r"[a-z0-9][a-z0-9-]{0,62}",
        "a name is of lower-case letters, digits and dashes: shop-eu",
    ),
]


class Section(BaseModel):
    """A table of the settings; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StoreSettings(Section):
    url: Annotated[str, AfterValidator(_store_url)] = Field(
        default="sqlite:///crossdock.db",
        description="where everything is kept; a relative file lies beside the settings",
    )


class EncryptionSettings(Section):
    """Where the keys are by which personal data is encrypted; without them none is."""

    keys: Annotated[str, _like(r"(env|file):.+", "write env:NAME or file:PATH")] | None = Field(
        default=None,
        description="env:NAME or file:PATH with the keys of `crossdock keys new`",
    )


class GlobalEvery(Section):
    """How often the jobs run that belong to no connection."""

    allocate: Interval = 60
    promise: Interval = 60
    holds: Interval = 300
    prune: Interval = 3600
    personal: Interval = 86_400


class JobSettings(Section):
    threads: int = Field(default=8, ge=1, le=256, description="jobs that run at the same time")
    lease_s: float = Field(
        default=60, ge=1, description="a dead worker's job is free after this time"
    )
    drain_s: float = Field(default=20, ge=0, description="how long running jobs may take to stop")
    tick_s: float = Field(
        default=1, ge=0.05, le=60, description="how often the store is asked for work"
    )
    every: GlobalEvery = GlobalEvery()


class ClockSettings(Section):
    """Rehearsals only: at the real moment ``origin`` it was ``start``, and ``speed`` seconds pass
    in every real one."""

    start: AwareDatetime
    speed: float = Field(default=1, gt=0)
    origin: AwareDatetime


class LogSettings(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "human", "json"] = Field(
        default="auto", description="auto: human on a terminal, json otherwise"
    )


class MappingSettings(Section):
    overrides: Path | None = Field(
        default=None, description="folder of your own mapping definitions, beside the settings"
    )


class NetworkSettings(Section):
    private_hosts: tuple[Annotated[str, AfterValidator(_host)], ...] = Field(
        default=(),
        description="hosts of your own network that a connection's url may name: others must have "
        "a public address",
    )
    ca_file: Path | None = Field(
        default=None,
        description="certificates (PEM) of your own authority, believed beside the public ones",
    )


class OrderSettings(Section):
    release_after: Duration = Field(
        default=0, description="how long a planned fulfilment order waits for second thoughts"
    )


def _address(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or int(port) > _LAST_PORT:
        raise ValueError("an address is a host and a port: 127.0.0.1:8431")
    try:
        host.encode("idna")
    except UnicodeError:
        raise ValueError(
            f"{host!r} is no host name: between its dots are 1 to 63 characters"
        ) from None
    return value


_LAST_PORT = 65_535


class WebSettings(Section):
    """Where webhooks come in; without ``listen`` none do."""

    listen: Annotated[str, AfterValidator(_address)] | None = Field(
        default=None, description="where webhooks are taken, for example 127.0.0.1:8431"
    )
    public_url: (
        Annotated[str, _like(r"https?://[^\s?#]+", "write https://hooks.example.org")] | None
    ) = Field(
        default=None,
        description="how vendors reach it through your proxy: https://hooks.example.org",
    )
    body_max: int = Field(
        default=1_000_000, ge=10_000, le=20_000_000, description="bytes of a webhook's body"
    )
    receive_within: Interval = Field(
        default=10, description="how long a caller may take to say what it has to say"
    )
    connections: int = Field(default=500, ge=10, le=50_000, description="open at the same time")
    threads: int = Field(default=4, ge=1, le=64, description="webhooks kept at the same time")

    def address(self) -> tuple[str, int]:
        """Host and port of ``listen``, which has to be set."""
        host, _, port = (self.listen or "").rpartition(":")
        return host.strip("[]"), int(port)


class RoutingSettings(Section):
    rules: Path | None = Field(
        default=None,
        description="file of your own routing rules, beside the settings",
    )


class Every(Section):
    """How often each stream of a connection runs. Only what the connector can do counts."""

    orders: Interval = 300
    listings: Interval = 3600
    stock: Interval = 900
    shipments: Interval = 300
    tracking: Interval = 3600
    push: Interval = 30
    read_back: Interval = 900
    recheck: Interval = 3600
    sweep: Interval = 21_600
    rates: Interval = 300
    hooks: Interval = 86_400


class PersonalDataSettings(Section):
    """How long the personal data of a connection's orders may stay. What is not said is the
    connector's own bound; where it has none either, it stays until it is erased on request."""

    keep_days_after_delivery: int | None = Field(
        default=None, ge=1, le=3650, description="counted from the last parcel's delivery"
    )
    keep_days_after_change: int | None = Field(
        default=None,
        ge=1,
        le=3650,
        description="where no delivery is known: from the last thing that happened to the order",
    )
    encrypt: bool | None = Field(
        default=None,
        description="encrypt it in the store; null: where the vendor demands it and there are keys",
    )

    def keep(self, vendor: Retention | None) -> Keep | None:
        """Null: no bound. One of the two alone holds for both."""
        given = self.keep_days_after_delivery, self.keep_days_after_change
        allowed = (vendor.after_delivery_days, vendor.after_change_days) if vendor else given[::-1]
        delivery, change = (own or bound for own, bound in zip(given, allowed, strict=True))
        if delivery is None or change is None:
            return None
        return Keep(timedelta(days=delivery), timedelta(days=change))


class ConnectionSettings(BaseModel):
    """The keys every connection may have. All others are its connector's own."""

    model_config = ConfigDict(extra="allow", frozen=True)

    connector: str = Field(description="one of `crossdock connections`")
    timezone: Annotated[str, AfterValidator(_zone)] = Field(
        default="UTC", description="whose midnight starts a business day"
    )
    every: Every = Every()
    locations: tuple[str, ...] = Field(
        default=(), description="channels: which locations may serve it, best first; none means all"
    )
    since: AwareDatetime | date | None = Field(
        default=None, description="how far back the first pull goes; default is yesterday"
    )
    personal_data: PersonalDataSettings = PersonalDataSettings()

    def own(self) -> dict[str, Any]:
        """The connector's keys as they were written."""
        return dict(self.model_extra or {})

    def since_at(self, now: datetime) -> datetime:
        """The moment the first pull starts from, in UTC; a date means its midnight here."""
        if isinstance(self.since, datetime):
            return self.since.astimezone(UTC)
        zone = ZoneInfo(self.timezone)
        day = self.since or now.astimezone(zone).date() - timedelta(days=1)
        return datetime.combine(day, time(), zone).astimezone(UTC)


Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)


class LocationSettings(Section):
    kind: Literal["warehouse", "store", "three_pl", "vendor"]
    connection: str | None = Field(
        default=None,
        description="who takes its work: a 3PL, a drop folder, the account labels come from",
    )
    authority: Literal["hub", "external"] | None = Field(
        default=None, description="who counts its stock; default: external for a three_pl or vendor"
    )
    priority: int = 0
    group: str = Field(default="", description="promise rules may be about a group of locations")
    name: str = ""
    street: str = ""
    city: str = ""
    region: str = ""
    postcode: str = ""
    country: Annotated[str, _like(r"([A-Z]{2})?", "write its two letters: DE")] = ""
    phone: str = ""
    lat: float | None = Field(default=None, ge=-90, le=90)
    lon: float | None = Field(default=None, ge=-180, le=180)
    ships: bool = True
    picks_up: bool = Field(default=False, description="buyers may collect their orders here")
    hazmat: bool = Field(default=False, description="may handle hazardous goods")
    daily_orders: int | None = Field(default=None, ge=1, description="what it can take in a day")
    daily_units: int | None = Field(default=None, ge=1)
    ack_within: Interval | None = Field(
        default=None, description="how long it may take to accept work before another one gets it"
    )
    ship_within: Interval | None = Field(
        default=None, description="how long accepted work may take before it is asked to stop"
    )
    timezone: Annotated[str, AfterValidator(_zone)] | None = Field(
        default=None, description="whose clock its working day has; without it, it is always open"
    )
    workdays: tuple[Weekday, ...] = WEEKDAYS[:5]
    cutoff: Annotated[time | dict[Weekday, time] | None, WrapValidator(_one_cutoff)] = Field(
        default=None, description="orders that come later leave on the next working day"
    )
    holidays: Annotated[
        str, _like(r"([A-Z]{2}(-[A-Z0-9]{1,3})?)?", "write a country or a part of one: DE, DE-BE")
    ] = Field(default="", description="whose public holidays it keeps: DE, or DE-BE")
    closed: tuple[date, ...] = Field(default=(), description="further days without work")
    handling_days: int = Field(default=0, ge=0, description="working days before a parcel leaves")

    @model_validator(mode="after")
    def _keeps_hours(self) -> Self:
        given = self.model_fields_set & {
            "workdays",
            "cutoff",
            "holidays",
            "closed",
            "handling_days",
        }
        if given and self.timezone is None:
            raise ValueError(f"{min(given)} needs a timezone: add one like Europe/Berlin")
        calendar = self.calendar()
        if calendar is not None:
            opening(hours_of(calendar))
        return self

    def calendar(self) -> dict[str, Any] | None:
        """As the store keeps it, weekdays by number; null when it is always open."""
        if self.timezone is None:
            return None
        cutoff = self.cutoff
        if isinstance(cutoff, time):
            cutoff = dict.fromkeys(WEEKDAYS, cutoff)
        return {
            "timezone": self.timezone,
            "workdays": sorted(WEEKDAYS.index(day) for day in self.workdays),
            "cutoff": {
                str(WEEKDAYS.index(day)): at.isoformat() for day, at in (cutoff or {}).items()
            },
            "holidays": self.holidays,
            "closed": sorted(day.isoformat() for day in self.closed),
            "handling_days": self.handling_days,
        }

    def stock_authority(self) -> Literal["hub", "external"]:
        if self.authority is not None:
            return self.authority
        return "external" if self.kind in ("three_pl", "vendor") else "hub"


class Settings(Section):
    """The whole of ``settings.toml`` with ``connections.d/*.toml`` and ``CROSSDOCK_*``."""

    store: StoreSettings = StoreSettings()
    encryption: EncryptionSettings = EncryptionSettings()
    jobs: JobSettings = JobSettings()
    clock: ClockSettings | None = None
    log: LogSettings = LogSettings()
    network: NetworkSettings = NetworkSettings()
    mappings: MappingSettings = MappingSettings()
    orders: OrderSettings = OrderSettings()
    promise: PromiseSettings = PromiseSettings()
    guard: GuardSettings = GuardSettings()
    routing: RoutingSettings = RoutingSettings()
    web: WebSettings = WebSettings()
    connections: dict[ConnectionName, ConnectionSettings] = {}
    locations: dict[ConnectionName, LocationSettings] = {}
