"""Goes through a plan step by step and collects every problem instead of stopping at the first.

It says what is wrong with a payload that the compiled function does not map, and sets items aside
that do not map (``at_fault = "item"``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mappings.document import Spot
from mappings.expressions import Scope
from mappings.jmespath_runtime import truthy
from mappings.limits import spend_size
from mappings.plan import OMIT, REQUIRED, FieldPlan, RecordPlan, ScopePlan
from mappings.problems import ItemProblem, Problem, Unfit, UnfitArgument, shown


class Collector:
    """One payload on its way through a plan. Problems gather here."""

    def __init__(self, *, inbound: bool) -> None:
        self._inbound = inbound
        self.problems: list[Problem] = []
        self.item_problems: list[ItemProblem] = []

    def filled(self, plan: RecordPlan, scope: Scope) -> dict[str, Any]:
        """The values by field name. They are of use only if no problem was added."""
        values = dict(plan.constants)
        for field in plan.fields:
            try:
                value = _produced(field, scope)
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
                self._complain(name, variants[0].spot, "", None, "missing")
        for name, sources in plan.eaches:
            many = self._each(name, sources, scope)
            if many is not None:
                values[name] = many
        return values

    def _one(self, name: str, variants: tuple[ScopePlan, ...], scope: Scope) -> Any:
        for variant in variants:
            try:
                inner = variant.source.read(scope) if variant.source else scope.item
            except Unfit as why:
                self._complain(name, variant.spot, variant.text, None, str(why))
                continue
            below = Scope(inner, scope.item, scope.root, scope.steps)
            if inner is None or not self._applies(name, variant, below):
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
                items = source.source.read(scope) if source.source else scope.item
                if items is None:
                    continue
                present = True
                # A lone object is a list of one: some vendors unwrap lists of a single item.
                if isinstance(items, Mapping):
                    items = [items]
                if isinstance(items, list):
                    self._items(name, source, items, scope, found)
                else:
                    self._complain(name, source.spot, source.text, items, "not a list")
            except Unfit as why:
                self._complain(name, source.spot, source.text, None, str(why))
        if not present:
            return None
        return tuple(found) if self._inbound else found

    def _items(
        self, name: str, source: ScopePlan, items: list[Any], scope: Scope, found: list[Any]
    ) -> None:
        scope.spend(len(items))
        seen: dict[Any, Any] = {}
        for index, item in enumerate(items):
            below = Scope(item, scope.item, scope.root, scope.steps)
            applies = self._applies(name, source, below)
            if applies is None:
                return
            if not applies:
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
                problems = [_problem(source.unique, source.spot, "", shown(key), message)]
            if source.spare_record:
                self.item_problems.append(ItemProblem(name, index, item, tuple(problems)))
            else:
                self.problems += [problem.under(f"{name}[{index}]") for problem in problems]

    def _applies(self, name: str, plan: ScopePlan, scope: Scope) -> bool | None:
        """Whether a record applies; None, and a complaint, where that cannot be told."""
        if plan.when is None:
            return True
        try:
            return truthy(plan.when.read(scope))
        except Unfit as why:
            self._complain(name, plan.when_spot, plan.when.text, None, str(why))
            return None

    def _aside(self, plan: ScopePlan, scope: Scope) -> tuple[list[Problem], dict[str, Any]]:
        """Fill a nested record, its problems kept apart from those gathered so far."""
        mark = len(self.problems)
        values = self.filled(plan.record, scope)
        problems = self.problems[mark:]
        del self.problems[mark:]
        return problems, values

    def _report(self, field: FieldPlan, scope: Scope, why: Unfit | None) -> None:
        try:
            found = shown(field.expression.read(scope), personal=field.personal)
        except Unfit:
            found = ""
        message = str(why) if why else "missing"
        shared = isinstance(why, UnfitArgument)
        text = field.expression.text
        self.problems.append(_problem(field.name, field.spot, text, found, message, shared=shared))

    def _complain(self, name: str, spot: Spot, text: str, value: Any, message: str) -> None:
        self.problems.append(_problem(name, spot, text, shown(value), message))


def _problem(
    name: str, spot: Spot, text: str, found: str, message: str, *, shared: bool = False
) -> Problem:
    return Problem(name, text, found, message, spot.file, shared, spot.line)


def _produced(field: FieldPlan, scope: Scope) -> Any:
    """What a field becomes, or None where nothing is there. Raises ``Unfit``."""
    value = field.expression.read(scope)
    if field.expression.origin != "item" and scope.item is not scope.root:
        # The same large value, read for every item of a list.
        spend_size(value, scope.spend)
    if field.blank_is_null and value == "":
        return None
    for step in field.steps:
        if value is None:
            return None
        value = step(value, scope)
    if field.longest is not None and value is not None and len(value) > field.longest:
        raise Unfit(f"longer than the {field.longest} characters by which anything is found again")
    return value
