"""Does everything hold? Cheap looks at every commit, the audit every hour, all of it at rest.

Each check has the name of its invariant. The oracle is what the vendors know, wherever they do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from proof.world.checks import agreement, books, rest
from proof.world.checks.commits import Commits
from proof.world.checks.violation import CHECKS, Check, Violation
from sandbox.app import Sandbox
from state.store import Store

__all__ = ["CHECKS", "Checks", "Violation"]


class _People(Protocol):
    @property
    def names(self) -> dict[str, str]: ...
    @property
    def shelf(self) -> Counter[str]: ...


class _Post(Protocol):
    def differences(self, conn: Connection) -> list[Violation]: ...


class Checks:
    """``found``: what does not hold. ``made``: how often each kind of look was taken."""

    def __init__(self, store: Store, sandbox: Sandbox, people: _People, post: _Post) -> None:
        self.found: list[Violation] = []
        self.made: Counter[str] = Counter()
        self.deaf: frozenset[str] = frozenset()
        """Invariants whose violations are not heard, to see who else notices."""
        self._store, self._sandbox, self._people, self._post = store, sandbox, people, post
        self._commits = Commits(sandbox)

    def blame(self, invariant: Check, subject: str, detail: str) -> None:
        self._hear([Violation(invariant, subject, detail)])

    def _hear(self, violations: Iterable[Violation]) -> None:
        self.found += [one for one in violations if one.invariant not in self.deaf]

    def at_commit(self) -> None:
        self.made["commit"] += 1
        with self._store.read() as conn:
            self._hear(self._commits.look(conn))

    def hourly(self) -> None:
        self.made["audit"] += 1
        with self._store.read() as conn:
            self._hear(books.hourly(conn))
            self._hear(self._commits.versions(conn))

    def is_quiet(self, shown: datetime | None) -> bool:
        """Is nothing left to do, and have the vendors been read once more since all was shown?"""
        with self._store.read() as conn:
            looked = shown is None or rest.looked_back(conn, shown)
            return looked and not rest.waiting(conn)

    def at_rest(self) -> None:
        """Everybody must agree."""
        self.made["rest"] += 1
        with self._store.read() as conn:
            self._hear(books.audit(conn))
            self._hear(books.decisions(conn))
            self._hear(rest.stranded(conn))
            self._hear(rest.bounded(conn, self._sandbox))
            self._hear(self._post.differences(conn))
            people, printed = self._people, self._commits.printed
            world = self._sandbox.world
            self._hear(agreement.differences(conn, world, people.names, people.shelf, printed))
