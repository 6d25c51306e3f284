"""``crossdock connections``: what can be connected, and what each needs in the settings."""

from __future__ import annotations

import click

from jobs import connector_facts
from jobs.commands.options import as_json
from jobs.listing import show, show_json


@click.command()
@click.argument("connector", required=False)
@as_json
def connections(connector: str | None, as_json: bool) -> None:
    """List connectors and the settings they take.

    \b
    Examples:
      crossdock connections
      crossdock connections woocommerce
      crossdock connections --json
    """
    facts = connector_facts.about(connector)
    if as_json:
        show_json(facts)
        return
    if connector is None:
        columns = {
            "connector": "connector",
            "title": "what it is",
            "jobs": "jobs",
            "pushes": "sends",
        }
        show(facts, columns, as_json=False)
        click.echo("\nWhich settings one takes: crossdock connections NAME")
        return
    for fact in facts:
        click.echo(f"{fact['connector']}: {fact['title']}")
        click.echo(f"jobs: {', '.join(fact['jobs'])}\nsends: {', '.join(fact['pushes'])}\n")
        columns = {"key": "key", "needed": "needed", "default": "default", "help": "meaning"}
        show(fact["settings"], columns, as_json=False)
