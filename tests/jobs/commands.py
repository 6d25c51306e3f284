"""``crossdock`` as people type it, run in this process."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from jobs.cli import cli


class Commands:
    """The installation in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = folder / "settings.toml"

    def __call__(self, *arguments: str) -> Result:
        given = ["--config", str(self.settings), *arguments]
        return CliRunner().invoke(cli, given, prog_name="crossdock")

    def well(self, *arguments: str, code: int = 0) -> str:
        """What a command prints that ends with ``code``; of a failure, complaints too."""
        done = self(*arguments)
        assert done.exit_code == code, done.output
        return done.stdout if code == 0 else done.output

    def json(self, *arguments: str, code: int | None = 0) -> Any:
        """What a command prints with --json: exactly one document; null: however it ends."""
        done = self(*arguments, "--json")
        assert code in (None, done.exit_code), done.output
        return json.loads(done.stdout)

    def rows(self, query: str) -> list[Any]:
        store = sqlite3.connect(self.folder / "crossdock.db")
        found = store.execute(query).fetchall()
        store.close()
        return found
