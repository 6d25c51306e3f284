"""``crossdock explain``: the story of one order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from jobs.commands.options import as_json, opened_store, settings_option
from jobs.commands.parked import find_order
from jobs.listing import show_json, shown
from mappings.numbers import major_units
from sync.explain import explain as sync_explain


@click.command()
@click.argument("order")
@as_json
@settings_option
def explain(config: Path | None, order: str, as_json: bool) -> None:
    """Tell what happened to ORDER, what was decided about it, and why.

    ORDER is the channel's id or name, or our number.

    \b
    Examples:
      crossdock explain 1001
      crossdock explain 250-1234567-8901234 --json
    """
    with opened_store(config) as (_, store, _clock):
        row = find_order(store, order)
        with store.read() as conn:
            story = sync_explain(conn, row)
    if as_json:
        show_json(story)
        return
    for line in _told(story):
        click.echo(line)


def _told(story: dict[str, Any]) -> Iterator[str]:
    """The story as a person would tell it."""
    total = major_units(story["grand_total"], story["currency"])
    yield (
        f"Order {shown(story['order'])} of {story['connection']} is {story['status']} "
        f"(the channel says {story['channel_status']})."
    )
    yield (
        f"  placed {story['placed_at']}, {total} {story['currency']}, "
        f"to {story['ship_to'] or 'nowhere yet'}"
    )
    if story["total_variance"]:
        variance = major_units(story["total_variance"], story["currency"])
        yield f"  our total differs from the channel's by {variance} {story['currency']}"
    yield from _holds(story)
    yield from _lines(story)
    yield from _decisions(story)
    yield from _work(story)
    yield "What happened:"
    for event in story["events"]:
        yield f"  {event['at'][:19]}  {event['kind']:<24} {shown(event['summary'])}"


def _holds(story: dict[str, Any]) -> Iterator[str]:
    for hold in story["holds"]:
        yield f"  HELD ({hold['kind']}): {shown(hold['reason'])}"
        yield f"    remedy: {shown(hold['remedy'])}"


def _lines(story: dict[str, Any]) -> Iterator[str]:
    yield "Lines:"
    for line in story["lines"]:
        counters = ", ".join(
            f"{line[name]} {name}"
            for name in ("cancelled", "allocated", "released", "shipped")
            if line[name] != "0"
        )
        yield (
            f"  {line['line_no']}. {line['ordered']} x {shown(line['sku'])} "
            f"{shown(line['title'])}" + (f" ({counters})" if counters else "")
        )
        if line["parked"]:
            yield f"     PARKED ({line['parked']}): {shown(line['remedy'])}"


def _decisions(story: dict[str, Any]) -> Iterator[str]:
    for decision in story["decisions"]:
        by = decision["policy"]
        if decision["rules"]:
            by = f"{shown(decision['rules'])} ({decision['rules_version']})"
        yield f"Decided {decision['at'][:19]} by {by}:"
        for sentence in decision["said"]:
            yield f"  {shown(sentence)}"


def _work(story: dict[str, Any]) -> Iterator[str]:
    for work in story["fulfilment_orders"]:
        goods = ", ".join(
            f"{line['qty']} x {line['sku']}" + (f" for {line['bundle']}" if line["bundle"] else "")
            for line in work["lines"]
        )
        yield (
            f"{work['location']} ({work['taken_by'] or 'nobody'}): {goods}; "
            f"{work['work_state']}, request {work['request_state']}, key {work['reference']}"
        )
    for package in story["packages"]:
        cost = ""
        if package["label_cost"] is not None:
            amount = major_units(package["label_cost"], package["label_currency"])
            cost = f", label {amount} {package['label_currency']}"
        yield (
            f"Package {package['carrier']} {package['tracking_number']}: {package['state']}{cost}"
        )
