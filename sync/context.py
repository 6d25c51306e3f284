"""What a job is given: the hub with everything it may use, and its own run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from connectors.base import Clock, Connector, Cursor
from mappings import Definition, Definitions
from state.personal.retention import Keep
from state.store import Store
from sync.guard.limits import Limits
from sync.promise.rules import RuleSet
from sync.routing import rulefile
from sync.routing.rules import Rules


@dataclass(frozen=True, slots=True)
class Link:
    """One configured connection, ready to use. ``since``: how far back a first pull reaches;
    ``hooks_at``: where its vendor is to send webhooks, empty where none are taken."""

    id: int
    name: str
    connector: Connector
    timezone: ZoneInfo
    since: datetime
    hooks_at: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """Business choices that ops make in the settings.

    ``release_after_s``: how long a planned fulfilment order waits, so that a buyer's second
    thoughts cost nothing. ``promise``: what listings may offer. ``guard``: how much one run may
    change.
    """

    release_after_s: float = 0.0
    promise: RuleSet = field(default_factory=RuleSet)
    guard: Limits = field(default_factory=Limits)


def _nameless() -> str:
    return ""


def _dead(_: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Sender:
    """The process that sends, and what it knows of others.

    ``begin``: our name, with our lock held. ``lives``: does the owner of that name hold its lock?
    ``send_within``: how long after a claim a call may begin. ``call_within``: how long one that
    has begun may take. The defaults are those of a process that shares its store with nobody.
    """

    begin: Callable[[], str] = _nameless
    lives: Callable[[str], bool] = _dead
    send_within: timedelta = timedelta(seconds=60)
    call_within: timedelta = timedelta(seconds=120)


@dataclass(frozen=True, slots=True)
class Hub:
    """Everything a job may use; built once by ``jobs.app``.

    ``keeps``: by connection id, how long the personal data of its orders may stay; of the others it
    stays until somebody erases it.
    """

    store: Store
    clock: Clock
    definitions: Definitions
    links: Mapping[str, Link]
    policy: Policy = field(default_factory=Policy)
    routing: Rules = field(default_factory=rulefile.shipped)
    keeps: Mapping[int, Keep] = field(default_factory=dict)
    sender: Sender = field(default_factory=Sender)

    def link(self, run: Run) -> Link:
        if run.connection is None:
            raise ValueError(f"job {run.job} runs without a connection")
        return self.links[run.connection]

    def definition(self, link: Link, topic: str) -> Definition:
        """What a connection's payloads of a stream are read with.

        Raises ``LookupError`` when its connector names none.
        """
        name = link.connector.info.definitions[topic]
        return self.definitions.for_connection(link.name)[name]

    def link_by_id(self, connection_id: int) -> Link:
        return next(link for link in self.links.values() if link.id == connection_id)


class Run(Protocol):
    """One execution of a job. Every write goes through ``commit``, which checks the fence."""

    @property
    def job(self) -> str: ...
    @property
    def connection(self) -> str | None: ...
    @property
    def since(self) -> datetime | None: ...
    @property
    def dry_run(self) -> bool: ...
    @property
    def cursor(self) -> Cursor | None: ...
    @property
    def stopping(self) -> bool: ...

    def commit(self) -> AbstractContextManager[Connection]:
        """A writing transaction. Raises ``LostLease`` when another run has taken over."""
        ...

    def save_cursor(self, conn: Connection, cursor: Cursor) -> None: ...

    def count(self, name: str, n: int = 1) -> None: ...

    def request(self, conn: Connection, key: str) -> None:
        """Ask another stream to run; part of the transaction, hinted after the commit."""
        ...
