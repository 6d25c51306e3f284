"""The only place where everything is put together."""

from __future__ import annotations

import random
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

import httpx
from sqlalchemy import Connection

from connectors import clock as real_time
from connectors.base import Connector, EstimatesRates, ReceivesHooks
from connectors.egress import trusting
from connectors.errors import ConfigProblem
from connectors.http import Bounds, Door
from connectors.registry import CONNECTORS
from jobs import leases, roster, settings_audit, settings_loader, vaults
from jobs.catalogue import JOBS, Job
from jobs.clock import Clock, ScaledClock, SystemClock
from jobs.engine import Engine
from jobs.heartbeat import Heartbeat
from jobs.problems import OperatorError, UsageProblem
from jobs.process_lock import ProcessLock
from jobs.promise_settings import rule_set
from jobs.runner import Runner
from jobs.running import count_call
from jobs.settings import PersonalDataSettings, Settings, WebSettings
from jobs.settings_loader import Configuration, SettingsProblem
from mappings import Definitions
from state import migrate, owners, streams
from state.breakers import Breakers
from state.personal.retention import Keep
from state.rate_buckets import RateBuckets
from state.store import Store
from sync.context import Hub, Link, Policy, Sender
from sync.guard.limits import Limits
from sync.routing import rulefile
from sync.routing.rules import Rules
from web.endpoints import path_of


@dataclass(frozen=True, slots=True)
class App:
    """An installation put together: the hub, and what may run on it.

    Closing it ends the connections; the store belongs to whoever opened it.
    """

    configuration: Configuration
    hub: Hub
    clock: Clock
    stop: threading.Event
    locks: ExitStack = field(default_factory=ExitStack)
    """What shows that this process lives."""
    dice: random.Random = field(default_factory=random.Random)
    """Jitter; a seeded one makes everything that runs here repeatable."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def settings(self) -> Settings:
        return self.configuration.settings

    def jobs_of(self, connection: str) -> list[Job]:
        """The jobs that this connection's connector can do."""
        link = self.hub.links[connection]
        return [
            job
            for job in JOBS.values()
            if not job.is_global
            and job.suits(link.connector)
            and (link.hooks_at or not job.of_hooks)
        ]

    def streams(self) -> dict[str, tuple[Job, str | None]]:
        """Every stream of this installation, by key."""
        found: dict[str, tuple[Job, str | None]] = {
            streams.key_of(job.name): (job, None) for job in JOBS.values() if job.is_global
        }
        for name in self.hub.links:
            found |= {streams.key_of(job.name, name): (job, name) for job in self.jobs_of(name)}
        return found

    def runner(self, role: str) -> Runner:
        """What runs the jobs. ``role`` (``run`` or ``once``) begins the owner of the leases."""
        lease_s, owner = self.settings.jobs.lease_s, leases.owner(role)
        return Runner(
            hub=replace(self.hub, sender=self._sender(owner)),
            jobs={job.name: job.run for job in JOBS.values()},
            clock=self.clock,
            heartbeat=Heartbeat(self.hub.store, self.clock, lease_s),
            owner=owner,
            lease_s=lease_s,
            stop=self.stop,
            dice=self.dice,
            shows_after=self._shows_after(),
        )

    def _shows_after(self) -> dict[str, timedelta]:
        """The streams that are to be read again some time after a webhook, and how long."""
        found = {}
        for name, link in self.hub.links.items():
            hooks = link.connector.info.hooks
            if hooks is None or not hooks.shows_after_s:
                continue
            nudged = {every for named in hooks.topics.values() for every in named}
            for job in self.jobs_of(name):
                if job.every in nudged:
                    after = timedelta(seconds=hooks.shows_after_s)
                    found[streams.key_of(job.name, name)] = after
        return found

    def _sender(self, owner: str) -> Sender:
        life = owners.of_process(self.hub.store, owner)
        self.locks.enter_context(closing(life))
        real = timedelta(seconds=self.clock.speed)
        return Sender(
            begin=life.begin,
            lives=life.lives,
            send_within=real * self.settings.jobs.lease_s,
            call_within=real * Bounds().total_s,
        )

    def take_over(self) -> None:
        """What a daemon begins with: its streams, and the leases of daemons that died."""
        set_up_streams(self)
        leases.end_dead(self.hub.store)
        with self.hub.store.write() as conn:
            streams.retry_parked_connections(conn, self.clock.now())

    def engine(self, on_damage: Callable[[], None] = lambda: None) -> Engine:
        """The daemon's engine, after it has taken over."""
        self.take_over()
        jobs = self.settings.jobs
        return Engine(
            self.runner("run"),
            self.streams(),
            threads=jobs.threads,
            tick_s=jobs.tick_s,
            on_damage=on_damage,
        )

    def close(self) -> None:
        for link in self.hub.links.values():
            _close(link.connector)
        self.locks.close()


def load(path: Path | None = None) -> Configuration:
    """Find and check the settings; raises with everything that has to be mended."""
    return settings_loader.load(settings_loader.find(path), CONNECTORS)


def definitions_of(configuration: Configuration, draft: Path | None = None) -> Definitions:
    """The mapping definitions in force; ``draft``: as if that file were among ops' own.

    Raises ``DefinitionsInvalid``.
    """
    settings = configuration.settings
    overrides = settings.mappings.overrides
    return Definitions.load(
        overrides and configuration.folder / overrides,
        draft=draft,
        connections=settings.connections,
    )


def rules_of(configuration: Configuration, file: Path | None = None) -> Rules:
    """The routing rules in force, or those of ``file``, checked against the settings' names.

    Raises ``UsageProblem`` with everything that has to be mended.
    """
    settings = configuration.settings
    own = file or (settings.routing.rules and configuration.folder / settings.routing.rules)
    try:
        return rulefile.load(
            own or rulefile.SHIPPED,
            channels=settings.connections,
            locations=settings.locations,
            quoting=[
                name
                for name, given in settings.connections.items()
                if issubclass(CONNECTORS[given.connector], EstimatesRates)
            ],
        )
    except rulefile.RulesInvalid as problem:
        raise UsageProblem(str(problem), "Mend them, then `crossdock check`.") from None


def keeps_by_id(conn: Connection, configuration: Configuration) -> dict[int, Keep]:
    """How long personal data may stay, of the connections that have a bound.

    Those that the settings do not name any more still hold what they held: their vendor's bound
    goes on.
    """
    configured = configuration.settings.connections
    found = {}
    for row in roster.known(conn):
        info = CONNECTORS[row.connector].info if row.connector in CONNECTORS else None
        vendor = info.personal_data if info else None
        given = configured[row.name].personal_data if row.name in configured else None
        keep = (given or PersonalDataSettings()).keep(vendor)
        if keep is not None:
            found[row.id] = keep
    return found


def store_of(settings: Settings) -> Store:
    """The store as it is found; its tables may be of another version, or missing."""
    return Store(settings.store.url)


def open_store(settings: Settings, *, existing: bool = False) -> Store:
    """The store with this version's tables, for a command beside the daemon.

    Tables are not changed under a running daemon: then this raises ``AlreadyRunning``.
    ``existing``: raise ``OperatorError`` rather than make an empty one.
    """
    store = store_of(settings)
    if existing and not migrate.is_there(store):
        raise OperatorError(
            f"There is no store at {store.url.render_as_string(hide_password=True)}.",
            "Mend [store] url, or bring the store back with `crossdock restore`. A new one is made "
            "by the first `crossdock run`.",
        )
    if not migrate.is_current(store):
        with lock_of(store):
            migrate.upgrade(store)
    return store


def lock_of(store: Store) -> Any:
    """A context that only one daemon per SQLite file can be in.

    PostgreSQL needs none: daemons share it safely, each stream being run by whoever claims it.
    """
    if not store.is_sqlite:
        return nullcontext()
    return ProcessLock(Path(f"{store.url.database}.lock"))


def clock_of(settings: Settings, stop: threading.Event | None = None) -> Clock:
    """Real time, or the rehearsal's. Setting ``stop`` wakes whoever sleeps on it."""
    given = settings.clock
    if given is None:
        return SystemClock(stop)
    return ScaledClock(given.start, given.speed, given.origin, stop)


def open_app(
    configuration: Configuration,
    store: Store,
    *,
    clock: Clock,
    stop: threading.Event | None = None,
    transport: httpx.BaseTransport | None = None,
    dice: random.Random | None = None,
    stopwatch: Callable[[], float] = real_time.stopwatch,
    definitions: Definitions | None = None,
) -> App:
    """Build every connection.

    ``stop``: set when the process drains; the one the clock was made with. ``transport``
    replaces the network in simulations, ``dice`` the jitter, and ``stopwatch`` the seconds by
    which calls are timed. ``definitions``: those of ``definitions_of``, where they
    are loaded already.
    """
    dice = dice or random.Random()  # noqa: S311  jitter
    settings = configuration.settings
    definitions = definitions or definitions_of(configuration)
    rules = rules_of(configuration)
    door = _doors(configuration, store, clock, transport, dice, stopwatch)
    connectors = _connectors(configuration, definitions, door)
    with store.write() as conn:
        migrate.one_at_a_time(conn)
        before = settings_audit.picture(conn)
        ids = roster.register(conn, settings, connectors)
        settings_audit.note(conn, before, configuration.path.name, clock.now())
        keeps = keeps_by_id(conn, configuration)
        vaults.guard(store, conn, configuration, ids)
    links = {
        name: Link(
            id=ids[name],
            name=name,
            connector=connectors[name],
            timezone=ZoneInfo(given.timezone),
            since=given.since_at(clock.now()),
            hooks_at=_hooks_at(settings.web, name, connectors[name]),
        )
        for name, given in settings.connections.items()
    }
    policy = Policy(
        release_after_s=settings.orders.release_after,
        promise=rule_set(configuration.promise),
        guard=Limits(**settings.guard.model_dump()),
    )
    hub = Hub(store, clock, definitions, links, policy, rules, keeps)
    return App(configuration, hub, clock, stop or threading.Event(), dice=dice)


def _hooks_at(web: WebSettings, name: str, connector: Connector) -> str:
    """Where this connection's vendor is to send its webhooks; empty: nowhere."""
    listening = web.listen is not None and web.public_url is not None
    takes = isinstance(connector, ReceivesHooks) and connector.takes_hooks()
    return f"{(web.public_url or '').rstrip('/')}{path_of(name)}" if listening and takes else ""


def set_up_streams(app: App) -> None:
    """Make the row of every stream, or bring its interval up to date.

    Rows of former settings stay: their cursors are wanted again when a connection comes back.
    """
    now = app.clock.now()
    with app.hub.store.write() as conn:
        migrate.one_at_a_time(conn)
        wanted = [
            streams.Wanted(
                key,
                job.name,
                app.hub.links[name].id if name else None,
                _every_s(app.settings, job, name),
            )
            for key, (job, name) in app.streams().items()
        ]
        streams.ensure_all(conn, wanted, now)


def _every_s(settings: Settings, job: Job, connection: str | None) -> int:
    every = settings.connections[connection].every if connection else settings.jobs.every
    return int(getattr(every, job.every))


def _doors(
    configuration: Configuration,
    store: Store,
    clock: Clock,
    transport: httpx.BaseTransport | None,
    dice: random.Random,
    stopwatch: Callable[[], float],
) -> Callable[[str], Door]:
    limiter, breaker = RateBuckets(store, clock), Breakers(store, clock, dice)
    tls = None if transport else _believed(configuration)
    return lambda name: Door(
        name,
        clock,
        limiter,
        transport,
        on_call=count_call,
        private_hosts=configuration.settings.network.private_hosts,
        tls=tls,
        stopwatch=stopwatch,
        dice=dice,
        breaker=breaker,
    )


def _believed(configuration: Configuration) -> ssl.SSLContext:
    """Whose certificates are believed. Raises ``UsageProblem`` for a file that cannot be used."""
    given = configuration.settings.network.ca_file
    file = given and configuration.folder / given
    try:
        return trusting(file)
    except (OSError, ssl.SSLError) as error:
        raise UsageProblem(
            f"network.ca_file: {file} holds no certificates that can be used: {error.strerror}.",
            "Name a file of certificates in PEM (-----BEGIN CERTIFICATE-----), or leave it out.",
        ) from None


def _connectors(
    configuration: Configuration, definitions: Definitions, door: Callable[[str], Door]
) -> Mapping[str, Connector]:
    built: dict[str, Connector] = {}
    problems = []
    for name, given in configuration.settings.connections.items():
        make: Any = CONNECTORS[given.connector]
        try:
            seen = definitions.for_connection(name)
            built[name] = make(configuration.configs[name], door(name), seen)
        except ConfigProblem as problem:
            problems.append(f"connections.{name}: {problem}")
    if problems:
        for connector in built.values():
            _close(connector)
        raise SettingsProblem(problems)
    return built


def _close(connector: Connector) -> None:
    close = getattr(connector, "close", None)
    if close is not None:
        close()
