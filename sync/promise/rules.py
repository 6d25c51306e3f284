"""Promise rules: who is meant, from when to when, and what each sets; the narrowest wins per field.

From wide to narrow: every listing, ``channel``, ``group`` (of locations), ``tag``, ``sku``. A rule
may name several; then the narrowest of them decides, and the next one between equals (sku and
channel is narrower than sku alone). Of equally narrow rules one with dates beats one without, and
of those the more careful value counts, so that the order in the file means nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any

SETTERS = (
    "share_percent",
    "buffer_units",
    "buffer_percent",
    "cap",
    "end_when",
    "min_publish",
    "in_flight_risk",
)
"""What a rule can set."""

OF_A_GROUP = ("share_percent", "buffer_units", "buffer_percent")
"""What a rule can set for the locations of a group: their goods, not the listing."""

_UNNAMED = ("name", "valid_from", "valid_to")


@dataclass(frozen=True, slots=True)
class Rule:
    """``valid_from`` and ``valid_to`` are business dates in the channel's zone, both included."""

    name: str
    channel: str | None = None
    group: str | None = None
    tag: str | None = None
    sku: str | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    share_percent: Decimal | None = None
    buffer_units: int | None = None
    buffer_percent: Decimal | None = None
    cap: int | None = None
    end_when: int | None = None
    min_publish: int | None = None
    in_flight_risk: bool | None = None

    @property
    def dated(self) -> bool:
        return self.valid_from is not None or self.valid_to is not None

    @property
    def rank(self) -> tuple[bool, ...]:
        """The greater the narrower."""
        named = (self.sku, self.tag, self.group, self.channel)
        return (*(name is not None for name in named), self.dated)

    @property
    def digest(self) -> str:
        """Changes with whatever could change a promise while the rule is in force."""
        content = {name: value for name, value in asdict(self).items() if name not in _UNNAMED}
        return digest_of({**content, "dated": self.dated})

    @property
    def scope(self) -> dict[str, str]:
        """Which of a channel's listings it can touch."""
        named = {"sku": self.sku, "tag": self.tag, "group": self.group}
        return {name: value for name, value in named.items() if value is not None}

    def in_force(self, channel: str, today: date) -> bool:
        """``today``: the channel's business date."""
        if self.channel not in (None, channel):
            return False
        begun = self.valid_from is None or self.valid_from <= today
        return begun and (self.valid_to is None or today <= self.valid_to)


def digest_of(content: Mapping[str, Any]) -> str:
    text = repr(sorted((name, str(value)) for name, value in content.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Choice:
    """A value, and the name of the rule it came from (empty: the default)."""

    value: Any
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Effective:
    """What holds for one listing. ``of_groups``: what its locations' groups set apart from it."""

    listing: Mapping[str, Choice]
    of_groups: Mapping[str, Mapping[str, Choice]] = field(default_factory=dict)

    def at(self, group: str) -> Mapping[str, Choice]:
        """Share, and what is kept back, at a location of this group (empty: of none)."""
        return self.of_groups.get(group) or {
            "share_percent": self.listing["share_percent"],
            "buffer_units": Choice(0),
            "buffer_percent": Choice(Decimal(0)),
        }


_DEFAULTS: Mapping[str, Any] = {
    "share_percent": Decimal(100),
    "buffer_units": 0,
    "buffer_percent": Decimal(0),
    "cap": None,
    "end_when": None,
    "min_publish": None,
    "in_flight_risk": False,
}

# Of two values the one that promises less.
_CAREFUL: Mapping[str, Callable[[list[Any]], Any]] = {
    "share_percent": min,
    "buffer_units": max,
    "buffer_percent": max,
    "cap": min,
    "end_when": max,
    "min_publish": max,
    "in_flight_risk": max,
}

_BUFFER = ("buffer_units", "buffer_percent")


class RuleSet:
    """All rules, found by what they name, so that a listing looks only at those it may fall under.

    Immutable: what is computed from it may be kept.
    """

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self.rules = tuple(rules)
        self._by_sku: dict[str, list[Rule]] = {}
        self._by_tag: dict[str, list[Rule]] = {}
        self._wide: list[Rule] = []
        for rule in self.rules:
            if rule.sku is not None:
                self._by_sku.setdefault(rule.sku, []).append(rule)
            elif rule.tag is not None:
                self._by_tag.setdefault(rule.tag, []).append(rule)
            else:
                self._wide.append(rule)

    @cached_property
    def weighs_risk(self) -> bool:
        return any(rule.in_flight_risk for rule in self.rules)

    @cached_property
    def _digests(self) -> Sequence[tuple[str, Rule]]:
        """Rules that differ in their dates only have the same one."""
        return [(rule.digest, rule) for rule in self.rules]

    def for_listing(
        self, channel: str, sku: str, tags: Collection[str], groups: Collection[str], today: date
    ) -> Effective:
        """What holds for a listing of ``sku``; ``groups``: those of the locations it sells from."""
        found = [*self._wide, *self._by_sku.get(sku, ())]
        for tag in sorted(tags):
            found += self._by_tag.get(tag, ())
        mine = [r for r in found if r.in_force(channel, today) and r.tag in (None, *tags)]
        general = [rule for rule in mine if rule.group is None]
        of_groups = {}
        for group in sorted(groups):
            own = [rule for rule in mine if rule.group == group]
            if own:
                of_groups[group] = {
                    # A share is the same kind of thing on either level: the narrowest wins.
                    "share_percent": _chosen(general + own, "share_percent"),
                    **{name: _chosen(own, name) for name in _BUFFER},
                }
        return Effective({name: _chosen(general, name) for name in SETTERS}, of_groups)

    def in_force(self, channel: str, today: date) -> dict[str, dict[str, str]]:
        """The rules that hold on a channel today: digest -> scope."""
        return {
            digest: rule.scope for digest, rule in self._digests if rule.in_force(channel, today)
        }


def _chosen(rules: Iterable[Rule], name: str) -> Choice:
    """The narrowest rule's value of a field. A buffer is one field with two spellings."""
    spellings = _BUFFER if name in _BUFFER else (name,)
    setting = [r for r in rules if any(getattr(r, one) is not None for one in spellings)]
    if not setting:
        return Choice(_DEFAULTS[name])
    top = max(rule.rank for rule in setting)
    narrowest = [r for r in setting if r.rank == top and getattr(r, name) is not None]
    if not narrowest:
        return Choice(_DEFAULTS[name])
    value = _CAREFUL[name]([getattr(rule, name) for rule in narrowest])
    named = min(rule.name for rule in narrowest if getattr(rule, name) == value)
    return Choice(value, named)
