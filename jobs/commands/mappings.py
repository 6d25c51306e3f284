"""``crossdock mappings``: what a definition may say, what it makes of payloads, what it changes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import msgspec

from jobs import app, source_warnings
from jobs.commands.options import as_json, moment, opened, require_connection, settings_option
from jobs.listing import show, show_json
from jobs.problems import OperatorError, UsageProblem
from jobs.settings_loader import Configuration
from jobs.settings_problems import did_you_mean
from mappings import Definition, Definitions, MappingError
from mappings.effective import written
from mappings.transforms import TRANSFORMS
from sync.comparison import Affected, Comparison, FieldChange, affected, compare
from sync.context import Hub
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
    "erased": "with their personal data erased",
}

payload_file = click.argument("payload", type=click.Path(path_type=Path, exists=True))
connection_option = click.option("--connection", help="As it is in force for this connection.")


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
@click.argument("what", required=False)
@click.option(
    "--schema", metavar="FILE#NAME", help="A JSON Schema or OpenAPI document of the source."
)
@click.option(
    "--example", type=click.Path(path_type=Path), help="A payload of the source, as JSON."
)
@click.option("--strict", is_flag=True, help="End with 1 when there are warnings.")
@as_json
@settings_option
def check(
    config: Path | None,
    what: str | None,
    schema: str | None,
    example: Path | None,
    strict: bool,
    as_json: bool,
) -> None:
    """Check every definition, or just WHAT: a definition's name, a file, or a folder of them.

    Lists every fault of every file, and ends with 2 when there is one. Warns of paths that the
    source does not send, where --schema, --example or the contracts in CROSSDOCK_SPECS tell.

    \b
    Examples:
      crossdock mappings check
      crossdock mappings check my-mappings
      crossdock mappings check my-mappings/myshop.orders.toml --example order.json
      crossdock mappings check myshop.orders --schema openapi.json#Order --strict
    """
    found = _chosen(config, what)
    warnings = _warnings(schema, example, found)
    rows = [
        {
            "name": one.name,
            "version": one.version,
            "connections": _connections(one),
            "target": one.target,
            "file": one.file,
            "warnings": warnings(one),
        }
        for one in found
    ]
    columns = {
        "name": "definition",
        "version": "version",
        "connections": "for",
        "target": "makes",
        "file": "file",
    }
    show(rows, columns, as_json=as_json)
    told = [warning for row in rows for warning in row["warnings"]]
    if not as_json:
        for warning in told:
            click.echo(f"Warning: {warning}")
        count = f"{len(rows)} definitions" if len(rows) != 1 else "1 definition"
        click.echo(f"{count}, {f'{len(told)} warnings' if told else 'all well'}.")
    if strict and told:
        raise OperatorError(f"{len(told)} warnings.")


def _connections(one: Definition) -> list[str]:
    """Where it is in force. One that extends another under a name of its own is so only where
    settings, or a further definition, name it."""
    if one.spec.connections:
        return list(one.spec.connections)
    return ["all" if one.spec.role == one.name else "named only"]


def _chosen(config: Path | None, what: str | None) -> list[Definition]:
    """The definitions that ``what`` means; null: all in force."""
    if what is None:
        return list(app.definitions_of(app.load(config)).values())
    if Path(what).is_dir():
        configuration = _settings_if_any(config)
        known = configuration.settings.connections if configuration else None
        return list(Definitions.load(Path(what), connections=known).values())
    return [_definition(config, what, None)]


def _warnings(
    schema: str | None, example: Path | None, found: list[Definition]
) -> Callable[[Definition], list[str]]:
    if schema is None and example is None:
        folder = source_warnings.contracts_folder()
        return source_warnings.by_contract(folder) if folder else lambda _: []
    if schema is not None and example is not None:
        raise UsageProblem("--schema and --example do not go together.", "Check twice.")
    if len(found) != 1:
        raise UsageProblem("A source is that of one definition.", "Say which: its name or file.")
    if found[0].source is not None:
        raise UsageProblem(f"{found[0].name} makes requests of {found[0].source} records.")
    if example is not None:
        return source_warnings.by_source(source_warnings.example(example), "example")
    return source_warnings.by_source(source_warnings.schema(schema or ""), "schema")


@mappings.command("show")
@click.argument("definition")
@connection_option
@settings_option
def show_(config: Path | None, definition: str, connection: str | None) -> None:
    """Print DEFINITION (a name, or a TOML file) whole, with what it takes over from others.

    Each line names the file and line that say so.

    \b
    Examples:
      crossdock mappings show woocommerce.orders --connection shop-eu
      crossdock mappings show my-mappings/woocommerce.orders.eu.toml
    """
    click.echo(written(_definition(config, definition, connection).spec), nl=False)


@mappings.command("try")
@click.argument("definition")
@payload_file
@connection_option
@settings_option
def try_(config: Path | None, definition: str, payload: Path, connection: str | None) -> None:
    """Map PAYLOAD (a JSON file) and print the canonical record, or every problem.

    DEFINITION is the name of one in force, or a TOML file; with --connection, what stands in for
    it there. Ends with 1 when something of the payload does not map.

    \b
    Examples:
      crossdock mappings try woocommerce.orders order.json --connection shop-eu
      crossdock mappings try my-mappings/woocommerce.orders.toml order.json
    """
    chosen = _definition(config, definition, connection)
    if chosen.source is not None:
        raise UsageProblem(
            f"{chosen.name} makes requests of {chosen.source} records.",
            "Try a definition that reads payloads.",
        )
    try:
        mapped = chosen.apply(_text_of(payload))
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

    Maps the newest payload of each record as now, and as if the file were among your own: it may
    extend a definition, and be for some connections only. Nothing is written; personal data is
    masked.

    \b
    Examples:
      crossdock mappings diff my-mappings/woocommerce.orders.toml --since 30d
      crossdock mappings diff my-mappings/woocommerce.orders.toml --connection shop-eu --json
    """
    proposed = app.definitions_of(app.load(config), draft=definition)
    with opened(config) as installation:
        if connection is not None:
            require_connection(installation.configuration, connection)
        found = _compared(installation.hub, proposed, definition.stem, since, connection)
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
    click.echo(sync_suggest(msgspec.json.decode(_text_of(payload)), name), nl=False)


def _compared(
    hub: Hub, proposed: Definitions, name: str, since: str | None, connection: str | None
) -> Comparison:
    streams = [
        stream
        for stream in affected(hub.links.values(), hub.definitions, proposed, name)
        if connection in (None, stream.link.name)
    ]
    if not streams:
        where = f" by {connection}" if connection else " here"
        near = "" if name in hub.definitions else did_you_mean(name, hub.definitions)
        raise UsageProblem(f"Nothing is read with {name}{where}{near}")
    found = Comparison()
    for stream in streams:
        _compare_stream(hub, stream, since, found)
    return found


def _compare_stream(hub: Hub, stream: Affected, since: str | None, found: Comparison) -> None:
    done = 0

    def progress(records: int) -> None:
        nonlocal done
        if (done + records) // PROGRESS_EVERY > done // PROGRESS_EVERY:
            click.echo(f"{stream.link.name} {stream.topic}: {done + records} read", err=True)
        done += records

    start = moment(since, stream.link.timezone, hub.clock.now()) if since else None
    compare(hub.store, stream, since=start, into=found, progress=progress)


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


def _settings_if_any(config: Path | None) -> Configuration | None:
    """The settings; None where none were named and there are none here."""
    if config is None and not Path("settings.toml").is_file():
        return None
    return app.load(config)


def _definition(config: Path | None, word: str, connection: str | None) -> Definition:
    """The definition that a name or a file means: on a connection, or where none is told, on all
    that no other is for."""
    file = Path(word) if word.endswith(".toml") else None
    if file is not None and not file.is_file():
        raise UsageProblem(f"There is no file {file}.")
    name = file.stem if file else word
    configuration = _settings_if_any(config) if file else app.load(config)
    if configuration is None:
        known = Definitions.load(draft=file)
    else:
        known = app.definitions_of(configuration, draft=file)
    if connection is not None:
        require_connection(configuration or app.load(config), connection)
        known = known.for_connection(connection)
    if name not in known:
        near = did_you_mean(name, known)
        where = f" for {connection}" if connection else ""
        raise UsageProblem(f"There is no definition {name!r}{where}{near}")
    return known[name]


def _text_of(path: Path) -> bytes:
    """A JSON object as it stands in the file, to be read as it would come in.

    Raises ``UsageProblem``.
    """
    try:
        text = source_warnings.bytes_of(path)
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageProblem(f"{path} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise UsageProblem(f"{path} holds no JSON object.", "Take one record out of its list.")
    return text
