"""What ops may write in ``[promise]``, in the file of rules that it names, and in ``[guard]``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sync.promise.rules import OF_A_GROUP, SETTERS, Rule, RuleSet

Percent = Annotated[Decimal, Field(ge=0, le=100)]
Pieces = Annotated[int, Field(ge=0, le=1_000_000_000)]
Word = Annotated[str, Field(min_length=1, max_length=200)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PromiseRule(_Section):
    """Who is meant (nobody named: every listing), when, and what it sets."""

    name: str = ""
    channel: Word | None = None
    group: Word | None = None
    tag: Word | None = None
    sku: Word | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    share_percent: Percent | None = None
    buffer_units: Pieces | None = None
    buffer_percent: Percent | None = None
    cap: Pieces | None = None
    end_when: Pieces | None = None
    min_publish: Pieces | None = None
    in_flight_risk: bool | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        sets = [name for name in SETTERS if getattr(self, name) is not None]
        if not sets:
            raise ValueError(f"sets nothing: write one of {', '.join(SETTERS)}, or remove the rule")
        if self.valid_from and self.valid_to and self.valid_to < self.valid_from:
            raise ValueError("ends before it begins: exchange valid_from and valid_to")
        wrong = [name for name in sets if name not in OF_A_GROUP]
        if self.group is not None and wrong:
            raise ValueError(
                f"a rule for a location group cannot set {', '.join(wrong)}: that belongs to the "
                "listing; put it into a rule without group"
            )
        return self

    def rule(self, number: int) -> Rule:
        given = self.model_dump()
        given["name"] = self.name or self._described(number)
        return Rule(**given)

    def _described(self, number: int) -> str:
        parts = [
            f"{key} {value}"
            for key in ("channel", "group", "tag", "sku")
            if (value := getattr(self, key)) is not None
        ]
        return f"rule {number}: {', '.join(parts) or 'everything'}"


class PromiseSettings(_Section):
    file: Path | None = Field(
        default=None, description="file with more [[rules]], beside the settings"
    )
    rules: list[PromiseRule] = Field(
        default=[], description="[[promise.rules]]: what listings may offer; see docs/promise.md"
    )


class RulesFile(_Section):
    """What stands in ``promise.file``."""

    rules: list[PromiseRule] = []


class GuardSettings(_Section):
    zeroed_percent: float = Field(
        default=40.0, ge=0, le=100, description="of a channel's listings, or a location's SKUs"
    )
    at_least: int = Field(
        default=10, ge=1, description="fewer than so many zeroed at once are always let through"
    )
    moved_units: int = Field(default=1_000_000, ge=0, description="pieces moved by one run")
    cancelled_orders: int = Field(default=200, ge=0, description="orders cancelled by one pull")


def rule_set(rules: Iterable[PromiseRule]) -> RuleSet:
    return RuleSet(rule.rule(number) for number, rule in enumerate(rules, start=1))


def unknown_names(
    rules: Sequence[PromiseRule], channels: Iterable[str], groups: Iterable[str]
) -> list[tuple[int, str, str, frozenset[str]]]:
    """(index, key, name, known) of each rule that names a channel or a group there is not."""
    known: Mapping[str, frozenset[str]] = {
        "channel": frozenset(channels),
        "group": frozenset(groups),
    }
    found: list[Any] = []
    for index, rule in enumerate(rules):
        for key, names in known.items():
            name = getattr(rule, key)
            if name is not None and name not in names:
                found.append((index, key, name, names))
    return found
