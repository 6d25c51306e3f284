"""Brings a store to the tables this version knows, and refuses one it does not understand."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from state.errors import StoreProblem
from state.store import Store
from state.tables import metadata

_FOLDER = Path(__file__).parent / "migrations"
_SETUP_LOCK = 0x63726F7373


def is_current(store: Store) -> bool:
    """Whether the store has exactly the tables of this version; raises as ``upgrade`` does."""
    steps = ScriptDirectory.from_config(_config())
    with _explained(store), store.read() as conn:
        return _known_revision(conn, steps) == steps.get_current_head()


def upgrade(store: Store) -> None:
    """Apply every missing step in one transaction.

    Raises ``StoreProblem`` with a sentence for the operator: the store is newer than this
    version, belongs to somebody else, or cannot be opened.
    """
    config = _config()
    with _explained(store), store.write() as conn:
        one_at_a_time(conn)
        _known_revision(conn, ScriptDirectory.from_config(config))
        config.attributes["connection"] = conn
        command.upgrade(config, "head")


def one_at_a_time(conn: Connection) -> None:
    """Let one process at a time set the store up, until the end of the transaction.

    SQLite's writing transaction is exclusive already.
    """
    if conn.dialect.name == "postgresql":
        conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SETUP_LOCK})


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    # One step per change of the tables; %% because the option goes through configparser.
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.set_main_option("path_separator", "os")
    return config


@contextmanager
def _explained(store: Store) -> Iterator[None]:
    """Turn what the driver says into a sentence for the operator."""
    try:
        yield
    except DBAPIError as error:
        where = store.url.render_as_string(hide_password=True)
        reason = str(error.orig).strip().splitlines()[0]
        raise StoreProblem(
            f"The store {where} cannot be used: {reason}. "
            "See that the folder (or the server) exists and lets this user write."
        ) from error


def _known_revision(conn: Connection, steps: ScriptDirectory) -> str | None:
    revision = MigrationContext.configure(conn).get_current_revision()
    known = {step.revision for step in steps.walk_revisions()}
    if revision is not None and revision not in known:
        raise StoreProblem(
            f"The store was last used by a newer Crossdock (its tables are at step {revision}). "
            "Install that version again, or restore a backup from before the update."
        )
    strangers = set(inspect(conn).get_table_names()) & set(metadata.tables)
    if revision is None and strangers:
        raise StoreProblem(
            f"The database already has a table named {min(strangers)} that Crossdock did not "
            "make. Give [store] url a database of its own."
        )
    return revision


def _write_step(message: str) -> None:
    """Compare ``state.tables`` with all steps so far and write the difference as a new step."""
    config = _config()
    steps = list(ScriptDirectory.from_config(config).walk_revisions())
    store = Store("sqlite://")
    with store.write() as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, "head")
        number = f"{len(steps) + 1:04d}"
        made = command.revision(config, message, autogenerate=True, rev_id=number)
    store.close()
    if isinstance(made, Script):
        # Alembic's remarks say nothing that is true after the first reading.
        file = Path(made.path)
        file.write_text(re.sub(r" *# ###.*\n", "", file.read_text()))


if __name__ == "__main__":
    _write_step(" ".join(sys.argv[1:]) or "change")
