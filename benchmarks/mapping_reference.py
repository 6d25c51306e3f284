"""A definition with its expressions run by the reference package ``jmespath``."""

from __future__ import annotations

from dataclasses import replace

import jmespath

from mappings import Definition
from mappings.expressions import Expression, Read
from mappings.plan import FieldPlan, RecordPlan, ScopePlan
from mappings.steps import Step, Transform


def through_reference(definition: Definition) -> Definition:
    """The same definition, whose expressions are run by ``jmespath`` when it is ``collected``."""
    return replace(definition, plan=_record(definition.plan))


def _record(plan: RecordPlan) -> RecordPlan:
    return replace(
        plan,
        fields=tuple(map(_field, plan.fields)),
        ones=tuple((name, tuple(map(_scope, found)), must) for name, found, must in plan.ones),
        eaches=tuple((name, tuple(map(_scope, found))) for name, found in plan.eaches),
    )


def _field(field: FieldPlan) -> FieldPlan:
    steps = tuple(map(_step, field.steps))
    return replace(field, expression=_expression(field.expression), steps=steps)


def _step(step: Step) -> Step:
    if not isinstance(step, Transform):
        return step
    arguments = tuple(
        replace(argument, expression=_expression(argument.expression))
        for argument in step.arguments
    )
    return replace(step, arguments=arguments)


def _scope(scope: ScopePlan) -> ScopePlan:
    return replace(
        scope,
        source=_expression(scope.source) if scope.source else None,
        when=_expression(scope.when) if scope.when else None,
        record=_record(scope.record),
    )


def _expression(expression: Expression) -> Expression:
    text = expression.text
    body = text[2:] if text[:1] in ("$", "^") else text
    parsed = jmespath.compile(body or "@")
    origins: dict[str, Read] = {
        "item": lambda scope: parsed.search(scope.item),
        "parent": lambda scope: parsed.search(scope.parent),
        "root": lambda scope: parsed.search(scope.root),
    }
    return replace(expression, read=origins[expression.origin])
