"""What mapping one order costs: a definition, hand-written Python and the reference JMESPath.

    python -m benchmarks.mapping
    python -m benchmarks.mapping --orders 150 --rounds 15

WooCommerce orders of about 4 KB (``benchmarks.woo_orders``: some 45 fields with addresses, lines,
taxes), already decoded, become canonical orders by

* ``compiled``: the shipped definition ``woocommerce.orders`` as Crossdock runs it;
* ``hand-written``: the same in plain Python, with the same transforms (``benchmarks.woo_by_hand``);
* ``jmespath``: the same definition, each expression run by the reference package ``jmespath``
  (compiled once), the records filled by the engine that collects problems.

All records are compared before anything is timed. Every round times each variant once, in an order
that rotates; told are the median of the rounds with least and most, in microseconds of CPU per
order, and the ratio to hand-written of the same round. The last line is everything as JSON.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

import jmespath

from benchmarks import woo_by_hand, woo_orders
from benchmarks.clock import measured
from mappings import Definition, Definitions
from mappings.expressions import Expression, Read
from mappings.plan import FieldPlan, RecordPlan, ScopePlan
from mappings.steps import Step, Transform

SEED = 7
DEFINITION = "woocommerce.orders"
COMPILED, BY_HAND, REFERENCE = "compiled", "hand-written", "jmespath"

Json = dict[str, Any]
Variant = Callable[[Json], Any]


def run(orders: int, rounds: int, say: Callable[[str], None]) -> Json:
    """Measure, and say how it goes; returns the result, ready for JSON."""
    bodies = [woo_orders.order(number, SEED) for number in range(1, orders + 1)]
    variants = _variants()
    _compare(variants, bodies)
    say(f"{orders} orders: {', '.join(variants)} give the same records")
    found: dict[str, list[float]] = {name: [] for name in variants}
    names = list(variants)
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            found[name].append(_timed(variants[name], bodies))
    return {
        "benchmark": "mapping",
        "definition": DEFINITION,
        "orders": orders,
        "rounds": rounds,
        "seed": SEED,
        "us_per_order": {name: _spread(times) for name, times in found.items()},
        "of_hand_written": {
            name: _spread(_ratios(times, found[BY_HAND])) for name, times in found.items()
        },
        "jmespath_over_compiled": _spread(_ratios(found[REFERENCE], found[COMPILED])),
    }


def _variants() -> dict[str, Variant]:
    definition = Definitions.load()[DEFINITION]
    reference = through_reference(definition)
    return {
        COMPILED: lambda body: definition.apply(body).record,
        BY_HAND: woo_by_hand.mapped,
        REFERENCE: lambda body: reference.collected(body).record,
    }


def _compare(variants: Mapping[str, Variant], bodies: Sequence[Json]) -> None:
    for body in bodies:
        records = {name: variant(body) for name, variant in variants.items()}
        for name, record in records.items():
            if record != records[BY_HAND]:
                raise SystemExit(f"order {body['id']}: {name} gives another record than by hand")


def _timed(variant: Variant, bodies: Sequence[Json]) -> float:
    with measured() as cost:
        for body in bodies:
            variant(body)
    return cost.cpu_s / len(bodies) * 1e6


def _ratios(times: Sequence[float], base: Sequence[float]) -> list[float]:
    return [one / other for one, other in zip(times, base, strict=True)]


def _spread(values: Sequence[float]) -> dict[str, float]:
    found = {"median": median(values), "min": min(values), "max": max(values)}
    return {name: round(value, 3) for name, value in found.items()}


# ---- the reference package ---------------------------------------------------------------------


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


# ---- for people --------------------------------------------------------------------------------


def table(result: Json) -> str:
    """The result for people."""
    lines = [f"{'variant':<14}{'us/order':>10}  {'min-max':<18}{'of hand-written':<24}"]
    for name, times in result["us_per_order"].items():
        ratio = result["of_hand_written"][name]
        lines.append(
            f"{name:<14}{times['median']:>10.1f}  "
            f"{times['min']:>7.1f}-{times['max']:<10.1f}"
            f"{ratio['median']:.2f} ({ratio['min']:.2f}-{ratio['max']:.2f})"
        )
    over = result["jmespath_over_compiled"]
    lines.append(
        f"jmespath takes {over['median']:.1f} times ({over['min']:.1f}-{over['max']:.1f}) "
        "what the compiled definition takes"
    )
    return "\n".join(line.rstrip() for line in lines)


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--orders", type=int, default=150)
    options.add_argument("--rounds", type=int, default=15)
    given = options.parse_args()
    result = run(given.orders, given.rounds, print)
    print(table(result))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
