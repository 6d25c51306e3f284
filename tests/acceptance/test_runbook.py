"""The runbook for ops, done as it says: every command typed, on an installation that trades.

The daemon is a process; the commands beside it run in this one, which saves starting Python.
"""

from __future__ import annotations

import logging
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
import structlog
from click.testing import CliRunner
from sqlalchemy import URL, create_engine, select, text, update

from jobs.cli import cli
from sandbox import installation
from sandbox.app import Sandbox
from sandbox.clock import ScaledClock
from sandbox.server import serve
from sandbox.world import World
from state import intents
from state import tables as t
from tests.acceptance.installed import Installed
from tests.acceptance.test_mappings_page import fits
from tests.acceptance.trading import DAY
from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.M | re.S)
INLINE = re.compile(r"`crossdock ([^`\n]+)`")
DATABASE = "postgresql+psycopg://crossdock@db/crossdock"
IN_REVIEW = "fulfilment_order:1001-5f3a2b1c-1"


def commands() -> Iterator[tuple[str, str]]:
    """Each line that is typed, with what it prints."""
    for block in BLOCK.findall(PAGE):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            line, _, output = part.partition("\n")
            yield line, output


class Operator:
    """Types what the runbook says, in the folder of an installation."""

    def __init__(self, installed: Installed, database: str) -> None:
        self.installed = installed
        self.database = database
        self.daemon: subprocess.Popen[bytes] | None = None

    def type(self, line: str) -> str:
        if line == "crossdock run &":
            self.daemon = self.installed.start()
            self._wait_for("SELECT 1 FROM run WHERE state = 'ok'")
            return ""
        if line.startswith("kill -TERM"):
            assert self.daemon is not None
            number = int((self.installed.folder / "crossdock.db.lock").read_text())
            assert number == self.daemon.pid
            self.daemon.send_signal(signal.SIGTERM)
            assert self.daemon.wait(timeout=60) == 0
            return ""
        if line.startswith("mkdir "):
            (self.installed.folder / line.removeprefix("mkdir ")).mkdir()
            return ""
        name, *arguments = shlex.split(line.replace(DATABASE, self.database))
        assert name == "crossdock", f"the runbook asks for {name!r}"
        done = CliRunner().invoke(cli, arguments, prog_name="crossdock")
        assert done.exit_code == 0, f"$ {line}\n{done.output}\n{done.exception!r}"
        return done.stdout

    def put_in_review(self) -> None:
        """A push that nobody knows the end of, of one of the orders."""
        store = self.installed.store()
        with store.write() as conn:
            link = conn.scalar(select(t.connection.c.id).where(t.connection.c.name == "bob"))
            intents.plan(
                conn,
                connection_id=link or 0,
                # No hand-over: of that there would have to be an order, too.
                kind="tracking",
                subject=("shipment", 1),
                key=IN_REVIEW,
                body={"reference": "1001-5f3a2b1c-1"},
                now=DAY,
            )
            mine = t.intent.c.idempotency_key == IN_REVIEW
            conn.execute(update(t.intent).where(mine).values(state="review"))
        store.close()

    def _wait_for(self, query: str) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            store = self.installed.store()
            with store.read() as conn:
                found = conn.exec_driver_sql(query).first()
            store.close()
            if found is not None:
                return
            time.sleep(0.2)
        raise AssertionError(self.installed.log.read_text(encoding="utf-8")[-2000:])


@pytest.fixture
def empty_database(postgres_server: URL) -> Iterator[str]:
    """The URL of a PostgreSQL database without a table, which nobody is connected to."""
    admin = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with admin.connect() as conn:
        conn.execute(text("CREATE DATABASE moved"))
    yield postgres_server.set(database="moved").render_as_string(hide_password=False)
    with admin.connect() as conn:
        conn.execute(text("DROP DATABASE moved WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def operator(
    tmp_path: Path, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Operator]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CROSSDOCK_CONFIG", raising=False)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    world = World(7, ScaledClock(DAY, 0), orders_per_channel=3, day_start=DAY, day_hours=8)
    with serve(Sandbox(world), 0) as base_url:
        installed = Installed(tmp_path)
        standing = installation.Rehearsal(DAY, 1.0, datetime.now(UTC))
        installation.write(tmp_path, base_url, world, standing)
        world.clock.set_speed(1.0)
        imported = CliRunner().invoke(cli, ["sku", "import", "skus.csv"])
        assert imported.exit_code == 0, imported.output
        yield Operator(installed, empty_database)
        installed.stop()
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


@pytest.mark.timeout(300)
def test_the_runbook_has_been_done(operator: Operator) -> None:
    done = 0
    for line, shown in commands():
        if line == "crossdock intents":
            operator.put_in_review()
        printed = operator.type(line)
        assert fits(printed, shown), f"$ {line}\n{printed}"
        done += 1
    assert done > 20


def command_of(words: list[str]) -> click.Command | None:
    """The command that these words name; null: none."""
    found: click.Command | None = cli
    for word in words:
        if not isinstance(found, click.Group) or not re.fullmatch(r"[a-z][a-z-]*", word):
            break
        found = found.get_command(click.Context(found), word)
    return found


def test_every_command_that_the_runbook_names_is_one_with_those_options() -> None:
    named = INLINE.findall(PAGE)
    assert len(named) > 15
    for typed in named:
        words = typed.split()
        command = command_of([word for word in words if not word.startswith("-")])
        assert command is not None, typed
        options = {opt for param in command.params for opt in param.opts}
        assert {word for word in words if word.startswith("--")} <= options, typed


def test_what_people_type_stands_in_blocks_that_are_run() -> None:
    assert all(line.split()[0] in {"crossdock", "kill", "mkdir"} for line, _ in commands())
    told = {line.split()[1] for line, _ in commands() if line.startswith("crossdock")}
    assert {"backup", "restore", "intents", "audit", "run", "status"} <= told
