"""A decision as a person would say it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mappings.numbers import major_units
from sync.routing.decision import Decision, Share, Verdict
from sync.routing.facts import LineFacts, OrderFacts
from sync.routing.judging import counted

_TERMS = ("parcel", "weight", "distance", "lateness", "imbalance", "surcharge")
"""What a parcel's cost is made of, in the order in which it is told."""

_PRECISION = {"unknown": "a guess", "country": "by country"}


def told(decision: Decision, order: OrderFacts) -> list[str]:
    """Sentences: who ships what and why, who does not and why, and what is left over."""
    return [
        *_bundles(order),
        *_waits(decision),
        *_chosen(decision, order),
        *_total(decision),
        *_others(decision),
        *_left(decision, order),
        *_rules(decision),
    ]


def told_of_old(candidates: Sequence[Mapping[str, Any]]) -> list[str]:
    """A decision from before rule files, of which less is known."""
    return [
        f"{one['location']} ({one['km']} km): "
        + (f"not used: {one['dropped_because']}" if one["dropped_because"] else "ships")
        for one in candidates
    ]


def _bundles(order: OrderFacts) -> Iterator[str]:
    for line in order.lines:
        if line.parts:
            taken = zip(line.parts, line.takes(), strict=True)
            parts = ", ".join(f"{counted(quantity)} {part.sku}" for part, (_, quantity) in taken)
            yield f"{line.sku} is a bundle: {counted(line.quantity)} of it take {parts}"


def _waits(decision: Decision) -> Iterator[str]:
    if decision.waits is not None:
        yield f"nothing is planned: {decision.waits[1]}"


def _chosen(decision: Decision, order: OrderFacts) -> Iterator[str]:
    for verdict in _used(decision):
        shares = [one for one in decision.shares if one.location_id == verdict.location_id]
        yield (
            f"{verdict.code} ships {_what(shares, order)}{_why(decision, verdict)} "
            f"({_far(verdict)}): {_sum(decision, verdict, shares)}"
        )


def _used(decision: Decision) -> list[Verdict]:
    ids = {share.location_id for share in decision.shares}
    return [verdict for verdict in decision.verdicts if verdict.location_id in ids]


def _what(shares: Sequence[Share], order: OrderFacts) -> str:
    lines = {line.line_id: line for line in order.lines}
    whole = [share for share in shares if share.quantity == lines[share.line_id].quantity]
    if len(whole) == len(lines):
        words = {1: "the line", 2: "both lines"}
        return words.get(len(lines), f"all {len(lines)} lines")
    return ", ".join(_goods(share.quantity, lines[share.line_id]) for share in shares)


def _goods(quantity: int, line: LineFacts) -> str:
    part = "" if quantity == line.quantity else f" of {counted(line.quantity)}"
    return f"{counted(quantity)}{part} x {line.sku}"


def _why(decision: Decision, verdict: Verdict) -> str:
    """Why this one, where a single location ships everything."""
    pickup = decision.policy.settled.pickup
    if pickup is not None:
        return ", where the buyer collects"
    rivals = [one for one in decision.verdicts if one.alone is not None]
    if verdict not in rivals or len(_used(decision)) > 1:
        return ""
    if len(rivals) == 1:
        return ", the only one with everything in stock"
    nearest = min(rivals, key=lambda one: one.km).km == verdict.km
    kind = "nearest" if nearest else "cheapest"
    return f", the {kind} with everything in stock"


def _far(verdict: Verdict) -> str:
    return f"{verdict.km} km {_PRECISION.get(verdict.precision, f'by {verdict.precision}')}"


def _sum(decision: Decision, verdict: Verdict, shares: Sequence[Share]) -> str:
    terms = {**verdict.terms, "weight": sum(share.weight_cost for share in shares)}
    parts = [(name, terms[name]) for name in _TERMS if terms.get(name)]
    if not parts:
        return f"at no cost{_by_what(verdict)}"
    listed = " + ".join(
        f"{_money(amount, decision)} {name}{_by_what(verdict) if name == 'parcel' else ''}"
        for name, amount in parts
    )
    total = sum(amount for _, amount in parts)
    return f"{listed} = {_money(total, decision)} {decision.currency}" if len(parts) > 1 else listed


def _by_what(verdict: Verdict) -> str:
    """Whose price a parcel's is, where the rules want carriers to be asked."""
    if verdict.quoted is None:
        return f" (by the table: {verdict.unquoted})" if verdict.unquoted else ""
    quoted = verdict.quoted
    return (
        f" ({quoted.service}, quote {quoted.quote_id} of {quoted.connection}, "
        f"{quoted.quoted_at:%Y-%m-%d %H:%M})"
    )


def _total(decision: Decision) -> Iterator[str]:
    parcels = len(_used(decision))
    if parcels > 1:
        yield (
            f"{parcels} parcels, {_money(decision.split, decision)} for the split: "
            f"{_money(decision.cost, decision)} {decision.currency} in all"
        )


def _others(decision: Decision) -> Iterator[str]:
    used = _used(decision)
    for verdict in decision.verdicts:
        if verdict in used:
            continue
        why = verdict.dropped or "; ".join(verdict.lacks)
        if not why and verdict.alone is not None and decision.shares:
            why = (
                f"{_money(verdict.alone, decision)} {decision.currency} against "
                f"{_money(decision.cost, decision)} ({_far(verdict)}){_by_what(verdict)}"
            )
        yield f"{verdict.code} was not used" + (f": {why}" if why else "")


def _left(decision: Decision, order: OrderFacts) -> Iterator[str]:
    lines = {line.line_id: line for line in order.lines}
    for one in decision.unfilled:
        line = lines[one.line_id]
        when = f"; expected on {one.expected_on}" if one.expected_on else ""
        yield f"not shipped yet: {_goods(one.quantity, line)}, since {one.why}{when}"


def _rules(decision: Decision) -> Iterator[str]:
    spoke: dict[str, list[str]] = {}
    for key, rule in decision.policy.by.items():
        spoke.setdefault(rule, []).append(key)
    for rule, keys in spoke.items():
        said = ", ".join(f"{key} = {_value(decision, key)}" for key in keys)
        yield f"rule {rule!r}: {said}"


def _value(decision: Decision, key: str) -> str:
    value = getattr(decision.policy.settled, key)
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _money(amount: int, decision: Decision) -> str:
    return str(major_units(amount, decision.currency))
