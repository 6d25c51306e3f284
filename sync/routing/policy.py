"""What the rules say about one order: every key, and which rule set it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

import msgspec

from sync.routing.calendars import days_late
from sync.routing.facts import UNIT, OrderFacts
from sync.routing.rules import LATE_DAYS_MAX, Quoting, Rate, Rule, Rules, Then, When

PAID_ENOUGH = {
    "none": ("none", "authorised", "captured"),
    "authorised": ("authorised", "captured"),
    "captured": ("captured",),
}


class Policy(msgspec.Struct, frozen=True):
    """``settled``: the keys set; ``by``: the rule that set each; ``due_at``: what was promised."""

    settled: Then
    by: dict[str, str]
    due_at: datetime | None = None


def settle(rules: Rules, order: OrderFacts) -> Policy:
    """Of every key the first rule that fits the order and sets it decides."""
    values: dict[str, object] = {}
    by: dict[str, str] = {}
    for rule in rules.rules:
        if not fits(rule.when, order, rules):
            continue
        for key in Then.__struct_fields__:
            value = getattr(rule.then, key)
            if value is None or key in values:
                continue
            # A hold that a person has lifted is over; a later rule may still have one of its own.
            if key == "hold" and rule.name in order.passed:
                continue
            values[key], by[key] = value, rule.name
    settled = msgspec.convert(values, Then)
    due_at = order.due_at
    if due_at is None and settled.promise_days is not None:
        due_at = order.placed_at + timedelta(days=settled.promise_days)
    return Policy(settled, by, due_at)


def fits(when: When, order: OrderFacts, rules: Rules) -> bool:
    """Does all that the rule asks for hold for the order?"""
    named = (
        (when.channel, (order.channel,)),
        (when.sub_channel, (order.sub_channel,)),
        (when.country, (order.country,)),
        (when.postcode, (order.postcode,)),
        (when.service, (order.service,)),
        (when.currency, (order.currency,)),
        # What is said of a SKU is said of the bundles that hold it too.
        (when.sku, tuple(sku for line in order.lines for sku in line.skus)),
        (when.tag, tuple(tag for line in order.lines for tag in line.tags)),
    )
    if not all(not patterns or any_alike(words, patterns) for patterns, words in named):
        return False
    if when.b2b is not None and when.b2b != order.b2b:
        return False
    if when.hazmat is not None and when.hazmat != any(line.hazmat for line in order.lines):
        return False
    # An amount in another currency is neither more nor less than the file's.
    value = order.value if order.currency == rules.currency else None
    return (
        _within(value, when.value_from, when.value_below)
        and _within(weight_g(order), when.weight_from, when.weight_below)
        and _within(order.earlier_orders, when.earlier_orders_from, when.earlier_orders_below)
    )


def rate_of(rules: Rules, order: OrderFacts, code: str) -> Rate | None:
    """The first rate for a parcel from ``code`` to the buyer, or null: not shipped from there."""
    if not rules.rates:
        return Rate(parcel=0)
    return next((rate for rate in rules.rates if _carries(rate, rules, order, code)), None)


def late_cost(rules: Rules, policy: Policy, arrives_at: datetime) -> int:
    """What a parcel costs for arriving after the promise."""
    days = min(LATE_DAYS_MAX, days_late(policy.due_at, arrives_at))
    return days * rules.objective.per_day_late


def hold_reason(rule: Rule) -> str:
    """What a hold says that a rule places; by it a person's word is known to be about the rule."""
    return f"{rule.then.hold} (rule {rule.name})"


def weight_g(order: OrderFacts) -> int:
    """Grams of all that is still to be shipped, rounded up."""
    return -(-sum(line.quantity * line.weight_g for line in order.lines) // UNIT)


def any_alike(words: Iterable[str], patterns: Iterable[str]) -> bool:
    """Is one of the words like one of the patterns? ``*`` stands for anything."""
    folded = [pattern.casefold() for pattern in patterns]
    return any(fnmatchcase(word.casefold(), pattern) for word in words for pattern in folded)


def _carries(rate: Rate, rules: Rules, order: OrderFacts, code: str) -> bool:
    if rate.up_to_g is not None and weight_g(order) > rate.up_to_g:
        return False
    return goes(rate, rules, order, code)


def goes(fare: Rate | Quoting, rules: Rules, order: OrderFacts, code: str) -> bool:
    """Is it for parcels from ``code`` to the buyer?"""
    if fare.from_ and not any_alike((code,), fare.from_):
        return False
    if not fare.to:
        return True
    places = [place for word in fare.to for place in rules.zones.get(word, (word,))]
    return any_alike((order.country, f"{order.country}-{order.postcode}"), places)


def _within(value: int | None, low: int | None, below: int | None) -> bool:
    if low is None and below is None:
        return True
    return value is not None and (low is None or value >= low) and (below is None or value < below)
