"""Brings a store to the tables this version knows, and refuses one it does not understand."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from state.errors import StoreProblem
from state.store import Store, is_damaged, take_your_time
from state.tables import metadata

_STEPS = Path(__file__).parent / "migrations" / "versions"
_SETUP_LOCK = 0x63726F7373


def is_there(store: Store) -> bool:
    """Whether the store was ever set up; raises as ``upgrade`` does. Asking makes no file."""
    if store.is_sqlite and not Path(store.url.database or "").is_file():
        return False
    _require_whole(store)
    with _explained(store), store.read() as conn:
        return _known_revision(conn) is not None


def is_current(store: Store) -> bool:
    """Whether the store has exactly the tables of this version; raises as ``upgrade`` does."""
    _require_whole(store)
    with _explained(store), store.read() as conn:
        return _known_revision(conn) == newest()


def revision(conn: Connection) -> str:
    """The step that the tables are at; those made without steps are the newest."""
    if not inspect(conn).has_table("alembic_version"):
        return newest()
    return conn.scalar(text("SELECT version_num FROM alembic_version")) or newest()


def newest() -> str:
    """The step of this version's tables."""
    return max(revisions())


def upgrade(store: Store) -> None:
    """Apply every missing step in one transaction.

    Raises ``StoreProblem`` with a sentence for the operator: the store is newer than this
    version, belongs to somebody else, or cannot be opened.
    """
    if is_current(store):
        return
    # Not at the top: Alembic takes a third of a second to import, and most starts need no step.
    from state import migration_steps

    with _explained(store), store.write() as conn:
        take_your_time(conn)
        one_at_a_time(conn)
        _known_revision(conn)
        migration_steps.apply(conn)


def one_at_a_time(conn: Connection) -> None:
    """Let one process at a time set the store up, until the end of the transaction.

    SQLite's writing transaction is exclusive already.
    """
    if conn.dialect.name == "postgresql":
        conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SETUP_LOCK})


@contextmanager
def _explained(store: Store) -> Iterator[None]:
    """Turn what the driver says into a sentence for the operator."""
    try:
        yield
    except DBAPIError as error:
        if is_damaged(error):
            raise damaged(str(store.url.database)) from error
        where = store.url.render_as_string(hide_password=True)
        reason = str(error.orig).strip().splitlines()[0]
        raise StoreProblem(
            f"The store {where} cannot be used: {reason}. "
            "See that the folder (or the server) exists and lets this user write."
        ) from error


def damaged(file: str) -> StoreProblem:
    """What to say of a broken file. Nothing is written to it from then on."""
    return StoreProblem(
        f"The database file {file} is damaged, or is not a database: nothing more is written to "
        f"it.\n{REMEDY_OF_DAMAGE}"
    )


REMEDY_OF_DAMAGE = (
    "Stop the daemon and restore the last backup: `crossdock restore FILE --replace`. The damaged "
    "file is kept beside it, with its log."
)


def damage_in(store: Store) -> str | None:
    """What SQLite finds broken, in its own words; null: nothing. Reads all of the file once, and
    is over at the first thing it finds."""
    if not store.is_sqlite:
        return None
    try:
        with store.read() as conn:
            said = str(conn.exec_driver_sql("PRAGMA quick_check(1)").scalar())
    except DBAPIError as error:
        if not is_damaged(error):
            raise
        return str(error.orig)
    return None if said == "ok" else " ".join(said.split())


def _require_whole(store: Store) -> None:
    """Refuse a file that is shorter than its own header says, before anything is written to it.

    Reading all of a large store would keep every start waiting; a page that is broken elsewhere
    is noticed when it is read.
    """
    path = Path(store.url.database or "")
    if not store.is_sqlite or not path.is_file() or not path.stat().st_size:
        return
    # What the log holds is not in the file yet, and may be what makes the header long enough.
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:
        return
    # By SQLite, which takes no lock for it and none away: closing the file would (state.store).
    address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(address, uri=True)) as look:
            look.execute("PRAGMA schema_version").fetchone()
    except sqlite3.DatabaseError as error:
        raise damaged(str(store.url.database)) from error


def _known_revision(conn: Connection) -> str | None:
    tables = set(inspect(conn).get_table_names())
    if "alembic_version" in tables:
        revision = conn.execute(text("SELECT version_num FROM alembic_version")).scalar()
        if revision is not None and revision not in revisions():
            raise StoreProblem(
                "The store was last used by a newer Crossdock (its tables are at step "
                f"{revision}). Install that version again, or restore a backup from before the "
                "update."
            )
        return revision
    strangers = tables & set(metadata.tables)
    if strangers:
        raise StoreProblem(
            f"The database already has a table named {min(strangers)} that Crossdock did not "
            "make. Give [store] url a database of its own."
        )
    return None


def revisions() -> set[str]:
    """The steps this version knows, by the number their files begin with; they form one line."""
    return {file.name.partition("_")[0] for file in _STEPS.glob("*_*.py")} - {""}
