"""``crossdock promise``: what a SKU's listings may offer, why, and how far it has got."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from jobs.commands.options import as_json, opened, require_connection, settings_option
from jobs.listing import show_json, shown
from jobs.problems import UsageProblem
from state import catalogue
from sync.promise.account import Account, account


@click.command()
@click.argument("sku")
@click.option("--channel", metavar="CONNECTION", help="Only the listings of this connection.")
@as_json
@settings_option
def promise(config: Path | None, sku: str, channel: str | None, as_json: bool) -> None:
    """Show what each listing of SKU may offer now: every term, the rule it came from, the last
    push, and why the channel does not offer it (yet). Of a bundle, which component limits it.

    Computed anew from the store; nothing is written or sent. Times are UTC.

    \b
    Examples:
      crossdock promise MUG-WHITE
      crossdock promise MUG-WHITE --channel shop-eu
      crossdock promise GIFT-SET
      crossdock promise MUG-WHITE --json
    """
    with opened(config) as installation:
        if channel is not None:
            require_connection(installation.configuration, channel)
        with installation.hub.store.read() as conn:
            known = catalogue.by_code(conn, sku)
            if known is None:
                raise UsageProblem(
                    f"There is no SKU {sku!r}.",
                    "Give our code; `crossdock sku candidates NAME` finds it by another name.",
                )
            found = account(conn, installation.hub, known.id, channel)
    if as_json:
        show_json({"sku": sku, "listings": found})
    elif not found:
        click.echo(f"{sku} is listed nowhere{f' on {channel}' if channel else ''}.")
    for number, one in enumerate(found if not as_json else ()):
        click.echo("\n" * bool(number) + "\n".join(_lines(one)))


def _lines(one: Account) -> Iterator[str]:
    quantity = "not known" if one["quantity"] is None else one["quantity"]
    yield shown(f"{one['channel']}, listing {one['listing']}: {quantity}")
    if one["terms"]:
        yield from _formula(one["terms"])
    yield from _pushes(one["push"])
    strayed = one["drift"]
    if strayed["class"] or strayed["written_over"]:
        told = strayed["class"] or "none now"
        yield f"  drift: {told}, written over {strayed['written_over']} times so far"
    if one["live"]:
        yield "  live: the channel offers it"
    for reason in one["not_live_because"]:
        yield shown(f"  not live: {reason}")


def _formula(terms: Account) -> Iterator[str]:
    for place in terms["locations"]:
        parts = " ".join(
            f"- {_number(place[name])} {name.replace('_', ' ')}"
            for name in ("reserved", "damaged", "quality_hold", "safety")
            if place[name]
        )
        share = f", share {_number(place['share_percent'])} %"
        keep = max(place["keep_units"], 0)
        kept = f", {keep} kept back" if keep else ""
        if place["keep_percent"]:
            kept += f", {_number(place['keep_percent'])} % kept back"
        yield (
            f"  {place['code']}: {_number(place['available'])} = {_shelf(place)} {parts}".rstrip()
            + share
            + kept
        )
    for step in terms["steps"]:
        change = step["change"]
        sign = "" if step["term"] == "available" else "+" if change > 0 else "-"
        yield f"  {step['term']:<12} {sign}{_number(abs(change)):>8} = {_number(step['after'])}"
    yield from _origins(terms["rules"], "")
    for group, rules in terms["group_rules"].items():
        yield from _origins(rules, f" in group {group}")


def _shelf(place: Account) -> str:
    limit = place["limited_by"]
    if limit is None:
        return f"{_number(place['on_hand'])} on hand"
    return (
        f"as many as {_number(limit['available'])} {limit['sku']} make, "
        f"{_number(limit['each'])} in each"
    )


def _origins(rules: Account, where: str) -> Iterator[str]:
    for name, choice in rules.items():
        if choice["rule"]:
            yield shown(f"  {name} = {_number(choice['value'])}{where}, by {choice['rule']}")


def _pushes(push: Account) -> Iterator[str]:
    told = [
        f"{name.replace('_', ' ')} {push[name]['quantity']} at {shown(push[name]['at'])}"
        for name in ("computed", "submitted", "confirmed", "read_back")
        if push[name] is not None
    ]
    yield f"  {', '.join(told) or 'never computed'}"
    last = push["last"]
    if last is not None:
        message = f": {last['message']}" if last["message"] else ""
        yield shown(f"  last push: {last['quantity']}, {last['state']}{message}")


def _number(value: Any) -> str:
    """``80`` for ``Decimal("80.00")``."""
    return str(value) if isinstance(value, bool | int | str) else f"{value.normalize():f}"
