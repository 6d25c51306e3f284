"""``crossdock mappings``: what a definition may say, what it makes of payloads, what it changes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import msgspec

from jobs import app
from jobs.commands.options import as_json, opened, require_connection, settings_option
from jobs.commands.replay import moment
from jobs.listing import show, show_json
from jobs.problems import OperatorError, UsageProblem
from jobs.settings_problems import did_you_mean
from mappings import Definition, Definitions, MappingError
from mappings.transforms import TRANSFORMS
from sync.comparison import Comparison, FieldChange, compare, topics_of
from sync.context import Hub, Link
from sync.suggestion import suggest as sync_suggest

PROGRESS_EVERY = 5000
"""Records between two signs of life on stderr."""
_TOTALS = {
    "records": "records",
    "unchanged": "read as before",
    "changed": "would change",
    "newly_parked": "would newly park",
    "unparked": "would map at last",
    "still_parked": "stay parked",
}

payload_file = click.argument("payload", type=click.Path(path_type=Path, exists=True))


@click.group()
def mappings() -> None:
    """Check, try and compare mapping definitions."""


@mappings.command()
@as_json
def functions(as_json: bool) -> None:
    """List the functions that a definition may name after `as`, with examples.

    \b
    Examples:
      crossdock mappings functions
    """
    found = [_function(name, TRANSFORMS[name]) for name in sorted(TRANSFORMS)]
    columns = {"name": "name", "arguments": "with", "does": "does", "examples": "example"}
    if as_json:
        show_json(found)
        return
    show([{**row, "examples": row["examples"][:1]} for row in found], columns, as_json=False)


def _function(name: str, function: Callable[..., Any]) -> dict[str, Any]:
    """``examples``: calls and what they give, as the docstring has them."""
    text, *examples = (inspect.getdoc(function) or "").split("\n>>> ")
    arguments = list(inspect.signature(function).parameters)[1:]
    return {
        "name": name,
        "arguments": arguments,
        "does": " ".join(text.replace("``", "`").split()),
        "examples": [" gives ".join(line.strip().split("\n", 1)) for line in examples],
    }


@mappings.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@as_json
@settings_option
def check(config: Path | None, folder: Path | None, as_json: bool) -> None:
    """Check every definition: the shipped ones, and those of FOLDER over them.

    FOLDER is by default the one of the settings (`mappings.overrides`). Lists every fault of
    every file, and ends with 2 when there is one.

    \b
    Examples:
      crossdock mappings check
      crossdock mappings check my-mappings
    """
    found = Definitions.load(folder) if folder is not None else _in_force(config)
    rows = [
        {"name": one.name, "version": one.version, "target": one.target, "file": one.file}
        for one in found.values()
    ]
    columns = {"name": "definition", "version": "version", "target": "makes", "file": "file"}
    show(rows, columns, as_json=as_json)
    if not as_json:
        click.echo(f"{len(rows)} definitions, all well.")


@mappings.command("try")
@click.argument("definition")
@payload_file
@settings_option
def try_(config: Path | None, definition: str, payload: Path) -> None:
    """Map PAYLOAD (a JSON file) and print the canonical record, or every problem.

    DEFINITION is the name of one in force, or a TOML file. Ends with 1 when something of the
    payload does not map.

    \b
    Examples:
      crossdock mappings try woocommerce.orders order.json
      crossdock mappings try my-mappings/woocommerce.orders.toml order.json
    """
    chosen = _definition(config, definition)
    if chosen.source is not None:
        raise UsageProblem(
            f"{chosen.name} makes requests of {chosen.source} records.",
            "Try a definition that reads payloads.",
        )
    try:
        mapped = chosen.apply(_json_of(payload))
    except MappingError as error:
        raise OperatorError("\n".join(["It does not map:", *map(str, error.problems)])) from None
    show_json(mapped.record)
    if mapped.item_problems:
        said = [
            str(problem.under(f"{item.field}[{item.index}]"))
            for item in mapped.item_problems
            for problem in item.problems
        ]
        raise OperatorError("\n".join(["It maps, but for these items:", *said]))


@mappings.command()
@click.argument("definition", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--since", metavar="TIME", help="Only payloads received since then: 30d, 12h, a time."
)
@click.option("--connection", help="Only payloads of this connection.")
@as_json
@settings_option
def diff(
    config: Path | None, definition: Path, since: str | None, connection: str | None, as_json: bool
) -> None:
    """Show what DEFINITION (a TOML file) would change in all that the inbox holds.

    Maps the newest payload of each record with the definition in force and with the given one.
    Nothing is written; personal data is masked.

    \b
    Examples:
      crossdock mappings diff my-mappings/woocommerce.orders.toml --since 30d
      crossdock mappings diff my-mappings/woocommerce.orders.toml --connection shop-eu --json
    """
    proposed = _read(definition)
    with opened(config) as installation:
        if connection is not None:
            require_connection(installation.configuration, connection)
        found = _compared(installation.hub, proposed, since, connection)
    if as_json:
        show_json(asdict(found))
    else:
        _show_comparison(found)


@mappings.command()
@payload_file
@click.option("--name", default="shop.orders", show_default=True, help="The definition's name.")
def suggest(payload: Path, name: str) -> None:
    """Propose a definition for orders that look like PAYLOAD (a JSON file), to be checked.

    Guesses id, number, times, money, lines and addresses by names and shapes.

    \b
    Examples:
      crossdock mappings suggest order.json --name myshop.orders > myshop.orders.toml
    """
    click.echo(sync_suggest(_json_of(payload), name), nl=False)


def _compared(
    hub: Hub, proposed: Definition, since: str | None, connection: str | None
) -> Comparison:
    in_force = hub.definitions.get(proposed.name)
    if in_force is None:
        near = did_you_mean(proposed.name, hub.definitions)
        raise UsageProblem(f"No definition {proposed.name!r} is in force{near}")
    streams = [
        (link, topic)
        for link in hub.links.values()
        for topic in topics_of(link, proposed.name)
        if connection in (None, link.name) and proposed.source is None
    ]
    if not streams:
        raise UsageProblem(f"Nothing is read with {proposed.name} here.")
    found = Comparison()
    for link, topic in streams:
        _compare_stream(hub, link, topic, (in_force, proposed), since, found)
    return found


def _compare_stream(
    hub: Hub,
    link: Link,
    topic: str,
    both: tuple[Definition, Definition],
    since: str | None,
    found: Comparison,
) -> None:
    done = 0

    def progress(records: int) -> None:
        nonlocal done
        if (done + records) // PROGRESS_EVERY > done // PROGRESS_EVERY:
            click.echo(f"{link.name} {topic}: {done + records} read", err=True)
        done += records

    start = moment(since, link.timezone, hub.clock.now()) if since else None
    compare(hub.store, link, topic, *both, since=start, into=found, progress=progress)


def _show_comparison(found: Comparison) -> None:
    for name, words in _TOTALS.items():
        click.echo(f"{getattr(found, name):>8} {words}")
    for title, changes in (("Fields", found.fields), ("Problems", found.parking)):
        if changes:
            click.echo()
            columns = {"what": title.lower(), "records": "records", "examples": "for example"}
            show(_rows(changes), columns, as_json=False)


def _rows(changes: Mapping[str, FieldChange]) -> list[dict[str, Any]]:
    ordered = sorted(changes.items(), key=lambda item: (-item[1].records, item[0]))
    return [
        {
            "what": name,
            "records": change.records,
            "examples": [
                f"{one.record}: {one.before or 'nothing'} -> {one.after or 'nothing'}"
                for one in change.examples
            ],
        }
        for name, change in ordered
    ]


def _in_force(config: Path | None) -> Definitions:
    configuration = app.load(config)
    overrides = configuration.settings.mappings.overrides
    return Definitions.load(overrides and configuration.folder / overrides)


def _definition(config: Path | None, word: str) -> Definition:
    if word.endswith(".toml"):
        return _read(Path(word))
    known = _in_force(config)
    if word not in known:
        near = did_you_mean(word, known)
        raise UsageProblem(f"There is no definition {word!r}{near}")
    return known[word]


def _read(path: Path) -> Definition:
    if not path.is_file():
        raise UsageProblem(f"There is no file {path}.")
    (found,) = Definitions.of([path]).values()
    return found


def _json_of(path: Path) -> dict[str, Any]:
    """A JSON object, numbers as the connectors read them. Raises ``UsageProblem``."""
    try:
        document = msgspec.json.decode(path.read_bytes())
    except msgspec.DecodeError as error:
        raise UsageProblem(f"{path} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise UsageProblem(f"{path} holds no JSON object.", "Take one record out of its list.")
    return document
