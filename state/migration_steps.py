"""Applies the steps in ``state/migrations``, and writes new ones (``env.py`` there says how)."""

from __future__ import annotations

import re
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic import command
from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection

from state.store import Store

_FOLDER = Path(__file__).parent / "migrations"


def apply(conn: Connection, step: str = "head") -> None:
    """Bring the tables to a step, the newest one by default, inside the caller's transaction."""
    command.upgrade(_config(conn), step)


def write(message: str) -> Path:
    """Write the difference between ``state.tables`` and all steps so far as a new step."""
    with TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/empty.db")
        with closing(store), store.write() as conn:
            config = _config(conn)
            command.upgrade(config, "head")
            steps = list(ScriptDirectory.from_config(config).walk_revisions())
            number = f"{len(steps) + 1:04d}"
            made = command.revision(config, message, autogenerate=True, rev_id=number)
    if not isinstance(made, Script):
        raise TypeError(f"one step was asked for, Alembic made {made!r}")
    file = Path(made.path)
    # Alembic's remarks say nothing that is true after the first reading.
    file.write_text(re.sub(r" *# ###.*\n", "", file.read_text()))
    return file


def _config(conn: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    # The number comes first: ``state.migrate`` reads it off the name. %% for configparser.
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = conn
    return config


if __name__ == "__main__":
    write(" ".join(sys.argv[1:]) or "change")
