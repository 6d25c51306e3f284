"""``crossdock init``: a commented starter."""

from __future__ import annotations

from pathlib import Path

import click

from connectors.registry import CONNECTORS
from jobs import starter
from jobs.problems import OperatorError


@click.command()
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path), default=Path())
def init(folder: Path) -> None:
    """Write a starter.

    settings.toml and an example connection go into DIR (default: this folder). Files that
    exist are left as they are.

    \b
    Examples:
      crossdock init
      crossdock init /etc/crossdock
    """
    try:
        written = starter.write(folder, CONNECTORS)
    except OSError as error:
        raise OperatorError(
            f"{error.filename}: {error.strerror}.", "Choose a folder you may write to."
        ) from None
    if not written:
        click.echo(f"Both files are there already, in {folder.resolve()}: nothing written.")
        return
    for path in written:
        click.echo(f"wrote {path}")
    click.echo("Next: describe your connections, then `crossdock check`.")
