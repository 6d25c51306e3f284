"""Faults on the way to and from a vendor, switchable per route, drawn from a seeded generator.

What each kind does to a reply is in ``sandbox.spoiling``.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

REFUSALS = frozenset({"401", "403", "403-html", "410", "429", "500", "502", "503", "504"})

REDIRECTS = frozenset({"redirect-http", "redirect-host", "redirect-link-local", "redirect-loop"})

BEFORE = frozenset({"latency", "timeout-before", *REFUSALS, *REDIRECTS})
"""Kinds that strike before the vendor saw the request: nothing was applied."""

PAGES = frozenset({"duplicate-page", "stale-page", "repeated-cursor"})

UNREADABLE = frozenset(
    {
        "html",
        "truncated",
        "empty",
        "wrong-type",
        "empty-object",
        "errors-body",
        "trailing-garbage",
        "byte-order-mark",
        "not-a-number",
        "duplicate-keys",
        "deep",
        "huge-integer",
        "gzip-cut",
        "gzip-bomb",
    }
)

DRIFTS = frozenset({"new-enum", "missing-field", "type-change"})

AFTER = frozenset(
    {
        "timeout-after",
        "late",
        "500-after",
        "502-after",
        "504-after",
        *PAGES,
        *UNREADABLE,
        *DRIFTS,
    }
)
"""Kinds that strike after the vendor did its work: the effect stands, the reply suffers."""

KINDS = BEFORE | AFTER


class NeverArrived(ConnectionResetError):
    """The request was lost on the way: nothing was applied."""


class ReplyDropped(ConnectionResetError):
    """The effect stands, the reply was lost."""


@dataclass
class Rule:
    """One fault. ``pattern`` is a glob on ``vendor:operation`` (``amazon:*``, ``*:createLabel``).

    It strikes with ``probability`` until it has struck ``times`` times (None: for ever), and only
    from ``since`` to before ``until``, where given: an outage is a rule of an hour.
    ``params``: latency ``seconds``; ``late`` ``seconds``, and the ``patience`` (30) of the caller,
    who has hung up after it; 429 and 503 ``retry_after`` as seconds, a word of
    ``spoiling.RETRY_AFTER`` or any text; ``stale-page`` how many answers ``ago`` (2);
    schema drifts the ``field`` and, for ``new-enum``, the ``value``; redirects the ``status``.
    """

    pattern: str
    kind: str
    probability: float = 1.0
    times: int | None = None
    params: dict[str, Any] = field(default_factory=dict)
    since: datetime | None = None
    until: datetime | None = None
    struck: int = 0
    dice: random.Random = field(default_factory=lambda: random.Random(0), repr=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no fault {self.kind!r}: one of {', '.join(sorted(KINDS))}")
        if self.kind in DRIFTS and "field" not in self.params:
            raise ValueError(f"{self.kind} needs params with the field")

    @property
    def label(self) -> str:
        """The kind, and which spelling of ``Retry-After`` where there is one."""
        spelling = self.params.get("retry_after")
        return self.kind if spelling is None else f"{self.kind} retry-after {spelling}"

    def concerns(self, name: str, now: datetime | None) -> bool:
        """Could it strike this call now?"""
        in_time = now is None or (
            (self.since is None or self.since <= now) and (self.until is None or now < self.until)
        )
        left = self.times is None or self.struck < self.times
        return in_time and left and fnmatchcase(name, self.pattern)


class Faults:
    """The rules in force. Each rule draws for itself, so adding one does not reshuffle others.

    ``struck``: how often each kind really happened to a call, whatever became of its rule since.
    """

    def __init__(self, seed: int) -> None:
        self.struck: Counter[str] = Counter()
        self._seed = seed
        self._rules: list[Rule] = []
        self._added = 0

    @property
    def rules(self) -> list[Rule]:
        return list(self._rules)

    def add(self, pattern: str, kind: str, **options: Any) -> Rule:
        """Put a fault in force; ``options`` are those of :class:`Rule`."""
        rule = Rule(pattern, kind, **options)
        self._added += 1
        rule.dice = random.Random(f"{self._seed}:fault:{self._added}")
        self._rules.append(rule)
        return rule

    def clear(self) -> None:
        """Make the world whole again; what struck stays counted."""
        self._rules.clear()

    def draw(self, vendor: str, operation: str, now: datetime | None = None) -> list[Rule]:
        """The rules that strike this call, in the order they were added."""
        name, striking = f"{vendor}:{operation}", []
        for rule in self._rules:
            if rule.concerns(name, now) and rule.dice.random() < rule.probability:
                rule.struck += 1
                striking.append(rule)
        return striking

    def note(self, rule: Rule) -> None:
        """It was not only drawn: the call met it."""
        self.struck[rule.label] += 1
