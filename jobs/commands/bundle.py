"""``crossdock bundle``: one order's story for those who help, without the persons in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec
import zstandard
from sqlalchemy import select

from jobs.app import App
from jobs.commands.options import as_json, opened, settings_option, write_new
from jobs.listing import show_json
from jobs.problems import OperatorError, UsageProblem
from jobs.version import version
from state import orders
from state import tables as t
from sync.context import Link
from sync.support.capture import Leaks, capture

ENDING = ".bundle.json.zst"


@click.command()
@click.argument("order")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="The file to write.")
@as_json
@settings_option
def bundle(config: Path | None, order: str, out: Path | None, as_json: bool) -> None:
    """Write what reproduces the problem of ORDER to a file that may be passed on.

    Its payloads, the mapping definitions in force, locations and stock of its SKUs, what was
    decided, sent and answered. Persons are exchanged for pseudonyms of the same shape; there are
    no secrets, no addresses of servers and no other orders in it. Look through it all the same:
    `zstd -dc FILE` shows it.

    ORDER is the channel's id or name, or our number; also one whose record could not be read.

    \b
    Examples:
      crossdock bundle 1001
      crossdock bundle 1001 --out for-support.bundle.json.zst
    """
    with opened(config, existing=True) as installation:
        hub = installation.hub
        link, external_id = _meant(installation, order)
        with hub.store.read() as conn:
            try:
                document = capture(
                    conn, hub, link, external_id, _own_definitions(installation), hub.clock.now()
                )
            except Leaks as problem:
                raise OperatorError(
                    f"{problem}: nothing was written.", "Please report it."
                ) from None
    if not document["payloads"]:
        raise OperatorError(
            f"The personal data of {order} was erased, and its payloads with it: nothing is left "
            "to reproduce its problem with.",
            "`crossdock explain` tells its story.",
        )
    document["written_by"] = version()
    path = out or Path(f"{_plain(external_id)}{ENDING}")
    packed = zstandard.ZstdCompressor(level=10)
    write_new(path, packed.compress(msgspec.json.encode(document)))
    told: dict[str, Any] = {
        "file": str(path),
        "problems": document["problems"],
        "payloads": len(document["payloads"]),
        "bytes": path.stat().st_size,
    }
    if as_json:
        show_json(told)
        return
    click.echo(f"{path}: {told['payloads']} payloads in {told['bytes']} bytes.")
    click.echo(f"It shows: {', '.join(document['problems']) or 'no problem'}.")


def _meant(installation: App, word: str) -> tuple[Link, str]:
    """The connection and the channel's id of the one order or record that ``word`` means."""
    hub = installation.hub
    with hub.store.read() as conn:
        found = {(row.connection_id, row.channel_order_id) for row in orders.find(conn, word)}
        if not found:
            raw = t.inbox.c
            query = select(raw.connection_id, raw.external_id).where(
                raw.external_id == word, raw.topic == "orders"
            )
            found = {(row.connection_id, row.external_id) for row in conn.execute(query)}
    links = {link.id: link for link in hub.links.values()}
    meant = [(links[number], name) for number, name in sorted(found) if number in links]
    if not meant:
        raise UsageProblem(
            f"There is no order {word!r}.", "Give the channel's id or name, or our number."
        )
    if len(meant) > 1:
        listed = ", ".join(link.name for link, _ in meant)
        raise UsageProblem(f"{word!r} means orders of {listed}.", "Give our number.")
    return meant[0]


def _own_definitions(installation: App) -> dict[str, str]:
    configuration = installation.configuration
    folder = configuration.settings.mappings.overrides
    if not folder:
        return {}
    files = sorted((configuration.folder / folder).glob("*.toml"))
    return {file.name: file.read_text(encoding="utf-8") for file in files}


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() or c == "-" else "-" for c in name)[:60]
