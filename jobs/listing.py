"""Rows for a person or for a program: a table on the terminal, or one JSON document."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 200
"""Columns where no terminal says how wide it is: enough not to cut what a script greps for."""


def show(
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, str],
    *,
    as_json: bool,
    empty: str = "Nothing to show.",
) -> None:
    """Print ``rows``. ``columns``: key -> heading of what the table shows; JSON has every key."""
    if as_json:
        show_json(list(rows))
    elif not rows:
        click.echo(empty)
    else:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in columns.values():
            table.add_column(heading, overflow="fold")
        for row in rows:
            table.add_row(*(Text(shown(row.get(key))) for key in columns))
        console().print(table)


def show_json(document: Any) -> None:
    """Print one JSON document, times in ISO 8601 and amounts exact."""
    encoded = msgspec.json.encode(document)
    click.echo(msgspec.json.format(encoded, indent=2).decode())


def console() -> Console:
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    return Console(width=width, highlight=False, soft_wrap=False)


def shown(value: Any) -> str:
    """A cell. What came from outside cannot move the cursor or forge a second row."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {shown(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(shown(item) for item in value)
    return "".join(c if c.isprintable() else " " for c in str(value))


def span(seconds: float | None) -> str | None:
    """``95`` as ``1m 35s``: the two largest units."""
    if seconds is None:
        return None
    rest = int(abs(seconds))
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        amount, rest = divmod(rest, size)
        if amount or (unit == "s" and not parts):
            parts.append(f"{amount}{unit}")
    return " ".join(parts[:2])
