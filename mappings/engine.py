"""Runs a plan over a payload, collecting every problem instead of stopping at the first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from mappings.canonical import Record
from mappings.expressions import Scope, truthy
from mappings.plan import OMIT, REQUIRED, FieldPlan, RecordPlan, ScopePlan
from mappings.problems import ItemProblem, MappingError, Problem, Unfit, UnfitArgument, shown


@dataclass(frozen=True, slots=True)
class Mapped:
    """A canonical record, and the items of it that did not map (``at_fault = "item"``)."""

    record: Any
    item_problems: tuple[ItemProblem, ...] = ()


@dataclass(frozen=True, slots=True)
class Definition:
    """One usable definition. ``source`` names the canonical record of an outbound one."""

    name: str
    version: int
    target: str
    source: str | None
    file: str
    plan: RecordPlan

    def apply(self, payload: Mapping[str, Any]) -> Mapped:
        """Turn a vendor's payload into the canonical record.

        Raises ``MappingError`` with every problem of the payload, those of spared items included.
        """
        if not isinstance(payload, Mapping):
            found = Problem("", "", shown(payload), "the payload is not an object", self.file)
            raise MappingError(self.name, [found])
        return self._run(payload)

    def render(self, record: Record, context: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Turn a canonical record into the body of a request; ``context`` is ``$.context``.

        Raises ``MappingError``.
        """
        body: dict[str, Any] = self._run({**plain(record), "context": dict(context or {})}).record
        return body

    def _run(self, payload: Mapping[str, Any]) -> Mapped:
        run = _Run(self.file, inbound=self.source is None)
        values = run.filled(self.plan, Scope(payload, None, payload))
        if run.problems:
            spared = (
                problem.under(f"{item.field}[{item.index}]")
                for item in run.item_problems
                for problem in item.problems
            )
            raise MappingError(self.name, _once([*run.problems, *spared]))
        return Mapped(self.plan.make(values), tuple(run.item_problems))


def plain(value: Any) -> Any:
    """A record as JMESPath sees it: objects and lists. Decimal and datetime stay what they are."""
    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value


class _Run:
    """One payload on its way through a plan. Problems gather here."""

    def __init__(self, file: str, *, inbound: bool) -> None:
        self._file = file
        self._inbound = inbound
        self.problems: list[Problem] = []
        self.item_problems: list[ItemProblem] = []

    def filled(self, plan: RecordPlan, scope: Scope) -> dict[str, Any]:
        """The values by field name. They are of use only if no problem was added."""
        values = dict(plan.constants)
        for field in plan.fields:
            try:
                value = field.produce(scope)
            except Unfit as why:
                self._report(field, scope, why)
                continue
            if value is None:
                value = field.fallback
                if value is OMIT:
                    continue
                if value is REQUIRED:
                    self._report(field, scope, None)
                    continue
            values[field.name] = value
        for name, variants, must in plan.ones:
            before = len(self.problems)
            found = self._one(name, variants, scope)
            if found is not None:
                values[name] = found
            elif must and len(self.problems) == before:
                self._complain(name, "", None, "missing")
        for name, sources in plan.eaches:
            many = self._each(name, sources, scope)
            if many is not None:
                values[name] = many
        return values

    def _one(self, name: str, variants: tuple[ScopePlan, ...], scope: Scope) -> Any:
        for variant in variants:
            try:
                inner = variant.read(scope) if variant.read else scope.item
                below = Scope(inner, scope.item, scope.root)
                if inner is None or not _applies(variant, below):
                    continue
            except Unfit as why:
                self._complain(name, variant.text, None, str(why))
                continue
            problems, values = self._aside(variant, below)
            if not problems:
                return variant.record.make(values)
            self.problems += [problem.under(name) for problem in problems]
            return None
        return None

    def _each(
        self, name: str, sources: tuple[ScopePlan, ...], scope: Scope
    ) -> tuple[Any, ...] | list[Any] | None:
        found: list[Any] = []
        present = self._inbound
        for source in sources:
            try:
                items = source.read(scope) if source.read else scope.item
                if items is None:
                    continue
                present = True
                # A lone object is a list of one: some vendors unwrap lists of a single item.
                if isinstance(items, Mapping):
                    items = [items]
                if isinstance(items, list):
                    self._items(name, source, items, scope, found)
                else:
                    self._complain(name, source.text, items, "not a list")
            except Unfit as why:
                self._complain(name, source.text, None, str(why))
        if not present:
            return None
        return tuple(found) if self._inbound else found

    def _items(
        self, name: str, source: ScopePlan, items: list[Any], scope: Scope, found: list[Any]
    ) -> None:
        seen: dict[Any, Any] = {}
        for index, item in enumerate(items):
            below = Scope(item, scope.item, scope.root)
            if not _applies(source, below):
                continue
            problems, values = self._aside(source, below)
            if not problems:
                made = source.record.make(values)
                if source.unique is None:
                    found.append(made)
                    continue
                key = getattr(made, source.unique)
                if key not in seen:
                    seen[key] = made
                    found.append(made)
                    continue
                if seen[key] == made:
                    continue
                message = "two different items have the same value here"
                problems = [Problem(source.unique, "", shown(key), message, self._file)]
            if source.spare_record:
                self.item_problems.append(ItemProblem(name, index, item, tuple(problems)))
            else:
                self.problems += [problem.under(f"{name}[{index}]") for problem in problems]

    def _aside(self, plan: ScopePlan, scope: Scope) -> tuple[list[Problem], dict[str, Any]]:
        """Fill a nested record, its problems kept apart from those gathered so far."""
        mark = len(self.problems)
        values = self.filled(plan.record, scope)
        problems = self.problems[mark:]
        del self.problems[mark:]
        return problems, values

    def _report(self, field: FieldPlan, scope: Scope, why: Unfit | None) -> None:
        try:
            found = shown(field.read(scope), personal=field.personal)
        except Unfit:
            found = ""
        message = str(why) if why else "missing"
        shared = isinstance(why, UnfitArgument)
        self.problems.append(Problem(field.name, field.text, found, message, self._file, shared))

    def _complain(self, name: str, text: str, value: Any, message: str) -> None:
        self.problems.append(Problem(name, text, shown(value), message, self._file))


def _applies(plan: ScopePlan, scope: Scope) -> bool:
    return plan.when is None or truthy(plan.when(scope))


def _once(problems: list[Problem]) -> list[Problem]:
    """Without the echoes: an unknown currency is told once, not for every amount."""
    told = {problem.message for problem in problems if not problem.shared}
    kept = []
    for problem in problems:
        if not (problem.shared and problem.message in told):
            told.add(problem.message)
            kept.append(problem)
    return kept
