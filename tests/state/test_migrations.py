"""A migrated store has exactly the tables the code knows; a store of tomorrow is refused."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import URL, create_engine, text

from state import migrate, migration_steps
from state.errors import StoreProblem
from state.store import Store
from state.tables import metadata


@pytest.fixture(params=["sqlite", "postgresql"])
def another(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Makes stores without any table, on each database in turn."""
    stores: list[Store] = []

    def make() -> Store:
        name = f"empty_{len(stores)}"
        url = f"sqlite:///{tmp_path / name}.db"
        if request.param == "postgresql":
            url = fresh_database(request.getfixturevalue("postgres_server"), name)
        stores.append(Store(url))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def empty(another: Callable[[], Store]) -> Store:
    return another()


def fresh_database(server: URL, name: str) -> str:
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as conn:
        conn.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        conn.execute(text(f"CREATE DATABASE {name}"))
    admin.dispose()
    return server.set(database=name).render_as_string(hide_password=False)


def constraints(store: Store) -> list[tuple[str, ...]]:
    """What alembic does not compare: SQLite's statements (STRICT, CHECK), PostgreSQL's checks."""
    if store.is_sqlite:
        query = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE '%alembic%'"
    else:
        query = (
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE conrelid::regclass::text <> 'alembic_version'"
        )
    with store.read() as conn:
        rows = conn.execute(text(query)).all()
    # Alembic writes a table's constraints in another order.
    return sorted((name, *sorted(re.findall(r"[\w']+|[<>=]+", sql or ""))) for name, sql in rows)


# SQLite's indexes on expressions cannot be read back; the next test compares their statements.
@pytest.mark.filterwarnings("ignore:.*expression-based index")
def test_the_migrated_tables_are_the_tables_of_the_code(empty: Store) -> None:
    assert migrate.is_current(empty) is False
    migrate.upgrade(empty)
    assert migrate.is_current(empty) is True
    with empty.read() as conn:
        assert compare_metadata(MigrationContext.configure(conn), metadata) == []


def test_checks_and_strictness_survive_the_migration(another: Callable[[], Store]) -> None:
    migrated, made = another(), another()
    migrate.upgrade(migrated)
    with made.write() as conn:
        metadata.create_all(conn)
    assert constraints(migrated) == constraints(made)
    assert len(constraints(made)) > len(metadata.tables)


@pytest.mark.filterwarnings("ignore:.*expression-based index")
def test_a_new_step_is_written_by_the_command_that_env_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "migrations"
    shutil.copytree(migration_steps._FOLDER, folder)
    monkeypatch.setattr(migration_steps, "_FOLDER", folder)
    before = max(file.name for file in (folder / "versions").glob("*.py"))
    file = migration_steps.write("add x to y")
    number = f"{int(before[:4]) + 1:04d}"
    assert file.name == f"{number}_add_x_to_y.py"
    # The tables are those of the steps: nothing is left to do, so nothing was misunderstood.
    assert "op." not in file.read_text()


def test_upgrading_twice_changes_nothing(empty: Store) -> None:
    migrate.upgrade(empty)
    with empty.write() as conn:
        conn.execute(text("INSERT INTO rate_bucket (key, tat_us) VALUES ('k', 1)"))
    migrate.upgrade(empty)
    with empty.read() as conn:
        assert conn.execute(text("SELECT count(*) FROM rate_bucket")).scalar() == 1


def test_a_store_of_a_newer_version_is_refused(empty: Store) -> None:
    migrate.upgrade(empty)
    with empty.write() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for look in (migrate.upgrade, migrate.is_current):
        with pytest.raises(StoreProblem, match=r"newer Crossdock .*9999.* Install that version"):
            look(empty)


def test_a_database_with_tables_of_somebody_else_is_refused(empty: Store) -> None:
    with empty.write() as conn:
        conn.execute(text("CREATE TABLE shipment (id INTEGER)"))
    with pytest.raises(StoreProblem, match="already has a table named shipment"):
        migrate.upgrade(empty)


def test_a_store_that_cannot_be_opened_says_where_and_why(tmp_path: Path) -> None:
    nowhere = Store(f"sqlite:///{tmp_path / 'missing' / 'x.db'}")
    with pytest.raises(StoreProblem, match=r"missing/x\.db cannot be used: unable to open"):
        migrate.upgrade(nowhere)
    nowhere.close()
    (tmp_path / "text.db").write_text("not a database " * 100)
    text_file = Store(f"sqlite:///{tmp_path / 'text.db'}")
    with pytest.raises(StoreProblem, match="is not a database"):
        migrate.upgrade(text_file)
    text_file.close()


def test_the_password_of_an_unreachable_server_is_not_shown() -> None:
    store = Store("postgresql+psycopg://hub:swordfish@127.0.0.1:1/hub")
    with pytest.raises(StoreProblem) as caught:
        migrate.upgrade(store)
    store.close()
    assert "swordfish" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)
